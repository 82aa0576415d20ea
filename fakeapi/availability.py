"""Statuses that the API server itself keeps: FlowSchemas' Dangling and APIServices' Available.

Stands for apiserver's flow control config controller (config-consumer) and kube-aggregator's available controllers. It
follows the store, so that writes of other servers on the same store count too, and one task writes what has changed.
An aggregated server is not asked: where its Service and an address for it exist, it counts as available.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from fakeapi.clock import rfc3339
from fakeapi.managedfields import manager
from fakeapi.registry import encode
from fakeapi.storage.base import Change, Conflict, Entry, KeyMissing
from fakeapi.strategies.base import Obj

if TYPE_CHECKING:
    from fakeapi.app import ApiServer

log = logging.getLogger("fakekube")

SCHEMAS, LEVELS = "/registry/flowschemas/", "/registry/prioritylevelconfigurations/"
SERVICES_OF_APIS, SERVICES = "/registry/apiregistration.k8s.io/apiservices/", "/registry/services/specs/"
SLICES = "/registry/endpointslices/"
# prefix -> what is looked at anew when something under it is written: that itself, or everything under another prefix.
_FOLLOWED = {SCHEMAS: "", SERVICES_OF_APIS: "", LEVELS: SCHEMAS, SERVICES: SERVICES_OF_APIS, SLICES: SERVICES_OF_APIS}
_CONSUMER = "api-priority-and-fairness-config-consumer-v1"
_AGGREGATOR = "kube-apiserver"

Verdict = tuple[str, str, str]


class Availability:
    """Keeps the statuses of one server. `start` once the store is there, `stop` in the end."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._queue: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._unlisten: list[Callable[[], None]] = []

    async def start(self) -> None:
        """Look at everything once, and follow the store from there."""
        storage = self._server.storage
        for prefix, subjects in _FOLLOWED.items():
            self._unlisten.append(storage.listen(prefix, _Follower(self._enqueue, subjects)))
        for prefix in (SCHEMAS, SERVICES_OF_APIS):
            self._enqueue(prefix)
        self._task = asyncio.ensure_future(self._work())

    async def stop(self) -> None:
        """Leave the store alone."""
        for unlisten in self._unlisten:
            unlisten()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def drained(self) -> bool:
        """Nothing waits to be looked at."""
        return not self._queue

    def _enqueue(self, key: str) -> None:
        """An object, or by its prefix everything of a kind."""
        self._queue[key] = None
        self._wake.set()

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                key = next(iter(self._queue))
                try:
                    await self._look(key)
                except (Conflict, KeyMissing):
                    continue  # somebody else was faster: look again
                except Exception:
                    log.exception("unhandled exception while looking after %s", key)
                self._queue.pop(key, None)

    async def _look(self, key: str) -> None:
        storage = self._server.storage
        if key.endswith("/"):
            entries = (await storage.list(key)).entries
        else:
            entry = await storage.get(key)
            entries = [entry] if entry is not None else []
        for entry in entries:
            obj: Obj = orjson.loads(entry.value)
            kind, verdict = await self._judge(obj)
            new = with_condition(obj, kind, verdict, rfc3339(self._server.clock.now())) if verdict else None
            if new is not None:
                await storage.update(entry.key, encode(self._owned(obj, new)), expected=entry.revision)

    async def _judge(self, obj: Obj) -> tuple[str, Verdict | None]:
        if obj["kind"] == "FlowSchema":
            return "Dangling", await self._dangling(obj)
        return "Available", await self._available(obj)

    async def _dangling(self, schema: Obj) -> Verdict:
        name = schema["spec"]["priorityLevelConfiguration"]["name"]
        told = f'This FlowSchema references the PriorityLevelConfiguration object named "{name}"'
        if await self._server.storage.get(LEVELS + name) is not None:
            return "False", "Found", f"{told} and it exists"
        return "True", "NotFound", f"{told} but there is no such object"

    async def _available(self, api: Obj) -> Verdict:
        wanted = api["spec"].get("service")
        if not wanted:
            return "True", "Local", "Local APIServices are always available"
        namespace, name, number = wanted.get("namespace", ""), wanted.get("name", ""), wanted.get("port", 443)
        told = f'service/{name} in "{namespace}"'
        entry = await self._server.storage.get(f"{SERVICES}{namespace}/{name}")
        if entry is None:
            return "False", "ServiceNotFound", f"{told} is not present"
        spec = orjson.loads(entry.value)["spec"]
        if spec.get("type") != "ClusterIP":
            return "True", "Passed", "all checks passed"
        port = next((p for p in spec.get("ports") or () if p.get("port") == number), None)
        if port is None:
            return "False", "ServicePortError", f"{told} is not listening on port {number}"
        return await self._reachable(namespace, name, port.get("name", ""))

    async def _reachable(self, namespace: str, name: str, port: str) -> Verdict:
        """Whether some slice of the Service has an address behind the port."""
        slices = [orjson.loads(e.value) for e in (await self._server.storage.list(f"{SLICES}{namespace}/")).entries]
        own = [s for s in slices if (s["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == name]
        told = f'endpointslices for service/{name} in "{namespace}"'
        if not own:
            return "False", "EndpointsNotFound", f"cannot find {told}"
        if any(_serves(s, port) for s in own):
            return "True", "Passed", "all checks passed"
        return "False", "MissingEndpoints", f'{told} have no addresses with port name "{port}"'

    def _owned(self, old: Obj, new: Obj) -> Obj:
        """managedFields of the write: flow control applies, the aggregator updates."""
        server, kind = self._server, new["kind"]
        group, _, version = new["apiVersion"].rpartition("/")
        definition = server.definitions.by_gvk(group, version, kind)
        assert definition is not None
        now, type_ = rfc3339(server.clock.now()), server.definitions.type(definition)
        if kind != "FlowSchema":
            return manager.on_update(
                old,
                new,
                type=type_,
                manager=_AGGREGATOR,
                api_version=new["apiVersion"],
                now=now,
                subresource="status",
                reset=("spec",),
            )
        applied: dict[str, Any] = {
            "apiVersion": new["apiVersion"],
            "kind": kind,
            "metadata": {"name": new["metadata"]["name"]},
            "status": {"conditions": [c for c in new["status"]["conditions"] if c.get("type") == "Dangling"]},
        }
        return manager.on_apply(
            old,
            applied,
            type=type_,
            kind=kind,
            manager=_CONSUMER,
            force=True,
            api_version=new["apiVersion"],
            now=now,
            subresource="status",
            reset=("spec",),
        )


class _Follower:
    """Enqueues what was written, or all of `subjects`, which depend on it."""

    def __init__(self, enqueue: Callable[[str], None], subjects: str) -> None:
        self._enqueue = enqueue
        self._subjects = subjects

    def changed(self, change: Change) -> None:
        """See Listener."""
        if self._subjects:
            self._enqueue(self._subjects)
        elif change.entry is not None:
            self._enqueue(change.key)

    def replaced(self, entries: Sequence[Entry], revision: int) -> None:
        """See Listener."""
        for key in [self._subjects] if self._subjects else [entry.key for entry in entries]:
            self._enqueue(key)


def _serves(slice_: Obj, port: str) -> bool:
    named = any((p.get("name") or "") == port for p in slice_.get("ports") or ())
    return named and any(e.get("addresses") for e in slice_.get("endpoints") or ())


def with_condition(obj: Obj, kind: str, verdict: Verdict, now: str) -> Obj | None:
    """The object with its condition of that type brought up to date; None when it says so already."""
    conditions = list((obj.get("status") or {}).get("conditions") or ())
    at = next((i for i, c in enumerate(conditions) if c.get("type") == kind), len(conditions))
    found = conditions[at] if at < len(conditions) else {}
    status, reason, message = verdict
    if (found.get("status"), found.get("reason"), found.get("message")) == verdict:
        return None
    changed = found.get("lastTransitionTime") if found.get("status") == status else now
    made = {"type": kind, "status": status, "lastTransitionTime": changed, "reason": reason, "message": message}
    return {
        **obj,
        "status": {**(obj.get("status") or {}), "conditions": [*conditions[:at], made, *conditions[at + 1 :]]},
    }
