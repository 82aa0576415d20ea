"""EndpointSlices of Services with a selector.

Stands for kube-controller-manager's endpointslice controller: sliceplan.py decides, here it is carried out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import ENDPOINT_SLICES, NODES, PODS, SERVICES
from fakenodes.controllers import topologyhints
from fakenodes.controllers.base import Controller, Watch, Watching, Work, service_account
from fakenodes.controllers.pods import condition
from fakenodes.controllers.serving import (
    HEADLESS,
    SERVICE_NAME,
    TRIGGER,
    Triggers,
    is_headless,
    maintained,
    selects,
    services_of_pod,
)
from fakenodes.controllers.sliceplan import Group, Plan, bare, placed, plan, ports_of, recycled, wanted, with_hints
from fakenodes.controllers.topologyhints import ZONE
from fakenodes.informer import key_of
from fakenodes.owners import controller_reference, controller_uid

MANAGED = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"


class State(Struct):
    """What is remembered of services: the times of their changes, and which have hints by zones' CPUs."""

    triggers: Triggers = field(default_factory=Triggers)
    hinted: set[str] = field(default_factory=set)


async def reconcile(work: Work) -> float | None:
    """Make, change and delete slices until they are as planned."""
    service = work.get(SERVICES, work.key)
    state: State = work.state
    if service is None or not maintained(service):
        state.triggers.forget(work.key)
        state.hinted.discard(work.key)
        return None
    meta = service["metadata"]
    pods = [p for p in work.list(PODS, meta["namespace"]) if selects(service, p)]
    slices = [
        s
        for s in work.find(ENDPOINT_SLICES, "service", work.key)
        if (s["metadata"].get("labels") or {}).get(MANAGED) == MANAGER and not s["metadata"].get("deletionTimestamp")
    ]
    labels = {k: v for k, v in (meta.get("labels") or {}).items() if k not in (HEADLESS, SERVICE_NAME, MANAGED)}
    labels |= {MANAGED: MANAGER, SERVICE_NAME: meta["name"]}
    if is_headless(service):
        labels[HEADLESS] = ""
    trigger = state.triggers.compute(work.key, service, pods)
    zones = _zones(work, pods)
    chosen, lost = placed(service, pods, zones)
    owned = [s for s in slices if controller_uid(s) == meta["uid"]]
    found = recycled(_planned(work, service, wanted(service, chosen, zones), owned, labels), labels)
    if meta.get("deletionTimestamp"):
        found.create = []
    await asyncio.gather(
        *(_make(work, service, g, e, labels, trigger) for g, e in found.create),
        *(_write(work, service, "update", x, trigger) for x in found.update),
        *(_write(work, service, "delete", x, trigger) for x in (*found.delete, *(s for s in slices if s not in owned))),
    )
    if lost:
        why = lost[0] if len(lost) == 1 else f"[{', '.join(lost)}]"
        _failed(work, service, why)
        raise OSError(why)
    return None


async def _write(work: Work, service: Obj, verb: str, found: Obj, trigger: str) -> None:
    try:
        if verb == "update":
            await work.update(ENDPOINT_SLICES, _marked(found, trigger))
        else:
            await work.delete(ENDPOINT_SLICES, found)
    except ClientError as error:
        what = f"{verb} {found['metadata']['name']}"
        _failed(work, service, f"failed to {what} EndpointSlice for {_named(service)}: {error}")
        raise


def _named(service: Obj) -> str:
    return f"Service {service['metadata']['namespace']}/{service['metadata']['name']}"


def _failed(work: Work, service: Obj, why: str) -> None:
    text = f"Error updating Endpoint Slices for {_named(service)}: {why}"
    work.event(service, "Warning", "FailedToUpdateEndpointSlices", text)


def _planned(
    work: Work, service: Obj, groups: Mapping[Group, list[Obj]], slices: Sequence[Obj], labels: Mapping[str, str]
) -> Plan:
    """The plan with whatever hints are due, which are told of."""
    hinted, families = work.state.hinted, sorted({family for family, _ in groups})
    if not topologyhints.asked(service):
        if work.key in hinted:
            hinted.discard(work.key)
            _tell(work, service, topologyhints.DISABLED, families[:1])
        return plan(groups, slices, labels)
    found = plan(groups, list(map(bare, slices)), labels)
    parts = topologyhints.shares(work.list(NODES))
    for family in families:
        found, problem = with_hints(found, slices, parts, family)
        if problem:
            hinted.discard(work.key)
            _tell(work, service, problem, [family])
        elif work.key not in hinted:
            hinted.add(work.key)
            _tell(work, service, topologyhints.ENABLED, [family])
    return found


def _tell(work: Work, service: Obj, text: str, families: Sequence[str]) -> None:
    type, reason = ("Normal", "Enabled") if text == topologyhints.ENABLED else ("Warning", "Disabled")
    for family in families:
        work.event(service, type, f"TopologyAwareHints{reason}", f"{text}, addressType: {family}")


def _zones(work: Work, pods: Sequence[Obj]) -> dict[str, str]:
    names = {p["spec"].get("nodeName", "") for p in pods} - {""}
    nodes = {name: work.get(NODES, name) for name in names}
    return {name: (node["metadata"].get("labels") or {}).get(ZONE, "") for name, node in nodes.items() if node}


def _marked(found: Obj, trigger: str) -> Obj:
    meta = found["metadata"]
    marks = {k: v for k, v in (meta.get("annotations") or {}).items() if k != TRIGGER}
    if trigger:
        marks[TRIGGER] = trigger
    rest = {k: v for k, v in meta.items() if k != "annotations"}
    return {**found, "metadata": {**rest, "annotations": marks} if marks else rest}


async def _make(
    work: Work, service: Obj, group: Group, endpoints: list[Obj], labels: Mapping[str, str], trigger: str
) -> None:
    family, numbers = group
    meta = service["metadata"]
    made: Obj = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{meta['name']}-",
            "namespace": meta["namespace"],
            "labels": dict(labels),
            "ownerReferences": [controller_reference(service, "v1", "Service")],
        },
        "addressType": family,
        "endpoints": endpoints or None,
        "ports": ports_of(numbers),
    }
    try:
        await work.create(ENDPOINT_SLICES, _marked(made, trigger))
    except ClientError as error:
        causes = (error.status.get("details") or {}).get("causes") or ()
        if not any(c.get("reason") == "NamespaceTerminating" for c in causes):
            _failed(work, service, f"failed to create EndpointSlice for {_named(service)}: {error}")
            raise


def _by_service(found: Obj) -> list[str]:
    name = (found["metadata"].get("labels") or {}).get(SERVICE_NAME)
    return [f"{found['metadata']['namespace']}/{name}"] if name else []


def _slice_changed(_: Watching, old: Obj | None, new: Obj | None) -> list[str]:
    """Only what others do to our slices matters; our own writes are in the caches before the key is looked at."""
    return sorted({key for x in (old, new) if x is not None for key in _by_service(x)}) if old is not None else []


def _node_changed(watching: Watching, old: Obj | None, new: Obj | None) -> list[str]:
    """The services of whose hints some zone has too few since its CPUs have changed."""
    if old is not None and new is not None and _offered(old) == _offered(new):
        return []
    services = [s for s in watching.list(SERVICES) if topologyhints.asked(s)]
    parts = topologyhints.shares(watching.list(NODES)) if services else {}
    keys = map(key_of, services)
    return [k for k in keys if topologyhints.overloaded(parts, watching.find(ENDPOINT_SLICES, "service", k))]


def _offered(node: Obj) -> object:
    return topologyhints.capacity(node), (condition(node, "Ready") or {}).get("status")


ENDPOINT_SLICE = Controller(
    "endpointslice-controller",
    "endpointslice",
    service_account("endpointslice-controller"),
    (
        Watch(SERVICES),
        Watch(PODS, services_of_pod),
        Watch(NODES, _node_changed),
        Watch(ENDPOINT_SLICES, _slice_changed, {"service": _by_service}),
    ),
    reconcile,
    "endpoint-slice-controller",
    State,
)
