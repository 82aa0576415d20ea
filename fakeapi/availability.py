"""Statuses that the API server itself keeps: FlowSchemas' Dangling and APIServices' Available.

Stands for apiserver's flow control config controller (config-consumer) and kube-aggregator's available controllers. An
aggregated server is not asked: where its Service and an address for it exist, it counts as available.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from fakeapi.clock import rfc3339
from fakeapi.keeper import Keeper
from fakeapi.managedfields import manager
from fakeapi.registry import encode
from fakeapi.strategies.base import Obj

if TYPE_CHECKING:
    from fakeapi.app import ApiServer

SCHEMAS, LEVELS = "/registry/flowschemas/", "/registry/prioritylevelconfigurations/"
SERVICES_OF_APIS, SERVICES = "/registry/apiregistration.k8s.io/apiservices/", "/registry/services/specs/"
SLICES = "/registry/endpointslices/"
_FOLLOWED = {SCHEMAS: "", SERVICES_OF_APIS: "", LEVELS: SCHEMAS, SERVICES: SERVICES_OF_APIS, SLICES: SERVICES_OF_APIS}
_CONSUMER = "api-priority-and-fairness-config-consumer-v1"
_AGGREGATOR = "kube-apiserver"

Verdict = tuple[str, str, str]


class Availability(Keeper):
    """Keeps the statuses of one server."""

    def __init__(self, server: ApiServer) -> None:
        super().__init__(server.storage, _FOLLOWED)
        self._server = server

    async def look(self, key: str) -> None:
        """See Keeper."""
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
