"""metrics.k8s.io: what nodes and pods use now, asked from their kubelets.

Stands for metrics-server (its API and its scraper of /stats/summary). Nothing is kept: every request asks the kubelets,
all at once; a node that does not answer in time has no metrics, as if it had never been scraped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import orjson

from fakeapi import errors
from fakeapi.clock import rfc3339
from fakeapi.errors import ApiError
from fakeapi.handlers import list as listing
from fakeapi.handlers.scope import Scope
from fakeapi.kubelets import kubelet_of
from fakeapi.request import Answer, Request
from fakeapi.storage.base import Entry
from fakeapi.watchevents import Item

Obj = dict[str, Any]

WINDOW = "15s"
SECONDS = 3.0  # how long a kubelet may take
AT_ONCE = 50


async def nodes(scope: Scope, request: Request) -> Answer:
    """One node's usage or all nodes'. ApiError 404."""
    reader = scope.server.reader
    name = request.info.name
    wanted = [found] if name and (found := await reader.get("", "nodes", "", name)) else []
    summaries = await _summaries(wanted if name else await reader.list("", "nodes"))
    objects = [
        _object(scope, request, node["metadata"], {"usage": _usage(summary["node"])})
        for node, summary in summaries
        if summary.get("node")
    ]
    return _answer(scope, request, objects)


async def pods(scope: Scope, request: Request) -> Answer:
    """One pod's usage, a namespace's or all. ApiError 404."""
    reader, info = scope.server.reader, request.info
    if info.name:
        found = await reader.get("", "pods", info.namespace, info.name)
        chosen = [found] if found else []
    else:
        chosen = await reader.list("", "pods", info.namespace)
    names = {pod["spec"].get("nodeName", "") for pod in chosen}
    hosts = [node for name in sorted(names) if name and (node := await reader.get("", "nodes", "", name))]
    stats = {s["podRef"]["uid"]: s for _, summary in await _summaries(hosts) for s in summary.get("pods") or ()}
    objects = []
    for pod in chosen:
        containers = (stats.get(pod["metadata"]["uid"]) or {}).get("containers")
        if containers:
            shown = [{"name": c["name"], "usage": _usage(c)} for c in containers]
            objects.append(_object(scope, request, pod["metadata"], {"containers": shown}))
    return _answer(scope, request, objects)


def _answer(scope: Scope, request: Request, objects: list[Obj]) -> Answer:
    info = request.info
    if info.name:
        if not objects:
            raise errors.missing(scope.row.group, scope.row.plural, info.name)
        return scope.answer(orjson.dumps(objects[0]), request)
    form = scope.accepted(request)
    options = listing.options_of(scope, request)
    return listing.shaped(scope, request, [o for o in objects if options.predicate.matches(_item(o))], {}, form)


def _item(obj: Obj) -> Item:
    """What selectors see."""
    meta = obj["metadata"]
    return Item(Entry(meta["name"], orjson.dumps(obj), 0, 0), meta.get("namespace", ""), meta["name"], lambda _: {})


def _object(scope: Scope, request: Request, source: Obj, usage: Obj) -> Obj:
    now = rfc3339(request.now)
    kept = {k: source[k] for k in ("name", "namespace", "labels") if source.get(k)}
    head = {"kind": scope.row.kind, "apiVersion": scope.api_version}
    return {**head, "metadata": {**kept, "creationTimestamp": now}, "timestamp": now, "window": WINDOW, **usage}


def _usage(stats: Obj) -> Obj:
    """Quantities as metrics-server spells them."""
    memory = stats["memory"]["workingSetBytes"]
    return {"cpu": f"{stats['cpu']['usageNanoCores']}n", "memory": f"{memory // 1024}Ki"}


async def _summaries(found: Iterable[Obj]) -> list[tuple[Obj, Obj]]:
    """Each node that answered with its summary."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask(node: Obj) -> tuple[Obj, Obj]:
        async with gate:
            return node, await _summary(node)

    answers = await asyncio.gather(*(ask(node) for node in found))
    return [(node, summary) for node, summary in answers if summary]


async def _summary(node: Obj) -> Obj:
    try:
        reply = await asyncio.wait_for(kubelet_of(node).request("GET", "/stats/summary"), SECONDS)
        if reply.status != 200:
            return {}
        body = b"".join([piece async for piece in reply.body])
        summary: Obj = orjson.loads(body)
    except (ApiError, OSError, ValueError):
        return {}
    return summary
