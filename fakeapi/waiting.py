"""Looking at a running server's objects for somebody who waits: which there are, when one changes, what is missing.

Everything is to be called on the server's event loop; Cluster.wait is the blocking loop around it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from fakeapi import progress
from fakeapi.resources.base import Resource
from fakeapi.selectors import parse_labels
from fakeapi.storage.base import Change, Entry

if TYPE_CHECKING:
    from fakeapi.app import ApiServer

Obj = dict[str, Any]


class WaitError(Exception):
    """What is waited for makes no sense; the message is one line for a person."""


class Target(Struct, frozen=True):
    """What is waited for: one object, or all of a resource (that a label selector finds)."""

    row: Resource
    namespace: str
    name: str
    selector: str

    def __str__(self) -> str:
        where = f" in namespace {self.namespace}" if self.row.namespaced else ""
        chosen = f" with {self.selector}" if self.selector else ""
        return f"{self.row.singular}/{self.name}{where}" if self.name else f"{self.row.plural}{chosen}{where}"


def target_of(server: ApiServer, what: str, namespace: str, selector: str) -> Target:
    """`deployment/web`, `pods`, `deploy web`, `widgets.example.com/a`. WaitError."""
    word, _, name = what.strip().replace(" ", "/", 1).partition("/")
    kind, _, group = word.lower().partition(".")
    for row in server.table.rows():
        if group and row.group != group:
            continue
        if kind in (row.plural, row.singular, row.kind.lower(), *row.short_names):
            return Target(row, namespace, name, selector)
    raise WaitError(f"the server has no resource {word!r}")


async def look(server: ApiServer, target: Target) -> list[Obj]:
    """The objects as they are now."""
    row, namespace = target.row, target.namespace if target.row.namespaced else ""
    if target.name:
        found = await server.reader.get(row.group, row.plural, namespace, target.name)
        return [found] if found is not None else []
    objects = await server.reader.list(row.group, row.plural, namespace)
    if not target.selector:
        return objects
    selector = parse_labels(target.selector)
    return [o for o in objects if selector.matches(o["metadata"].get("labels") or {})]


class _Waker:
    """A storage.base.Listener that remembers that something happened."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def changed(self, change: Change) -> None:
        self.event.set()

    def replaced(self, entries: Sequence[Entry], revision: int) -> None:
        self.event.set()


async def change(server: ApiServer, since: int, seconds: float) -> None:
    """Return when the store is past revision `since`, or after so many seconds of real time."""
    waker = _Waker()
    cancel = server.storage.listen("/registry/", waker)
    try:
        if await server.storage.revision() <= since:
            await asyncio.wait_for(waker.event.wait(), seconds)
    except TimeoutError:
        pass
    finally:
        cancel()


async def lacking(server: ApiServer, target: Target) -> list[str]:
    """Lines about what may hold it up: pods that are not well and warnings, of its namespace (or of all)."""
    namespace = target.namespace if target.row.namespaced else ""
    pods = await server.reader.list("", "pods", namespace)
    events = await server.reader.list("", "events", namespace)
    return progress.summary(pods, events, limit=10)


async def report(server: ApiServer) -> list[str]:
    """Lines about a whole cluster that somebody's test failed on."""
    nodes = await server.reader.list("", "nodes")
    pods = await server.reader.list("", "pods")
    events = await server.reader.list("", "events")
    unready = [n["metadata"]["name"] for n in nodes if progress.condition(n, "Ready").get("status") != "True"]
    lines = [f"node {name} is not ready" for name in unready]
    lines += [f"pod {p['metadata']['namespace']}/{p['metadata']['name']}: ready" for p in pods[:20] if progress.well(p)]
    return lines + progress.summary(pods, events)
