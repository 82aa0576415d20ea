"""EndpointSlices of Services with a selector.

Stands for kube-controller-manager's endpointslice controller and its reconciler. Slices of one Service, address family
and set of ports are filled up to 100 endpoints. Hints are those of spec.trafficDistribution; leaves out the older ones
of the annotation service.kubernetes.io/topology-mode, which count CPUs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import ENDPOINT_SLICES, NODES, PODS, SERVICES
from fakenodes.controllers.base import Controller, Watch, Watching, Work, service_account
from fakenodes.controllers.pods import is_ready
from fakenodes.controllers.serving import (
    HEADLESS,
    SERVICE_NAME,
    TRIGGER,
    Triggers,
    addresses,
    counts,
    hostname,
    is_headless,
    maintained,
    selects,
    services_of_pod,
    target_port,
    target_ref,
)
from fakenodes.owners import controller_reference

MANAGED = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
ZONE = "topology.kubernetes.io/zone"
CAPACITY = 100

# name, protocol, number, appProtocol
Port = tuple[str, str, int, str]
Group = tuple[str, tuple[Port, ...]]


def endpoint(service: Obj, pod: Obj, family: str, zone: str) -> Obj:
    """A pod as an endpoint."""
    serving, terminating = is_ready(pod), bool(pod["metadata"].get("deletionTimestamp"))
    ready = bool(service["spec"].get("publishNotReadyAddresses")) or (serving and not terminating)
    found: Obj = {
        "addresses": [x for x in addresses(pod) if (":" in x) == (family == "IPv6")],
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
    }
    if host := hostname(service, pod):
        found["hostname"] = host
    found["targetRef"] = target_ref(pod)
    if pod["spec"].get("nodeName"):
        found["nodeName"] = pod["spec"]["nodeName"]
    if zone:
        found["zone"] = zone
    hints = _hints(service["spec"].get("trafficDistribution", ""), found) if ready else {}
    if hints:
        found["hints"] = hints
    return found


def _hints(preference: str, found: Obj) -> Obj:
    """trafficdist.go: whom the endpoint is for, by zone and, when asked for, by node too."""
    hints: Obj = {}
    if preference and found.get("zone"):
        hints["forZones"] = [{"name": found["zone"]}]
    if preference == "PreferSameNode" and found.get("nodeName"):
        hints["forNodes"] = [{"name": found["nodeName"]}]
    return hints


def wanted(service: Obj, pods: Sequence[Obj], zones: Mapping[str, str]) -> dict[Group, list[Obj]]:
    """The endpoints by address family and ports; a family without any has one empty group."""
    found: dict[Group, list[Obj]] = {}
    for family in service["spec"].get("ipFamilies") or ["IPv4"]:
        before = len(found)
        for pod in sorted(pods, key=lambda p: p["metadata"]["name"]):
            if not counts(pod, True):
                continue
            each = endpoint(service, pod, family, zones.get(pod["spec"].get("nodeName", ""), ""))
            if not each["addresses"]:
                continue
            ports = tuple(
                (x.get("name", ""), x.get("protocol", "TCP"), number, x.get("appProtocol", ""))
                for x in service["spec"].get("ports") or ()
                if (number := target_port(pod, x)) is not None
            )
            found.setdefault((family, ports), []).append(each)
        if len(found) == before:
            found[(family, ())] = []
    return found


def group_of(found: Obj) -> Group:
    """The group that an existing slice belongs to."""
    ports = tuple(
        (p.get("name") or "", p.get("protocol", "TCP"), p.get("port", 0), p.get("appProtocol") or "")
        for p in found.get("ports") or ()
    )
    return found["addressType"], ports


def plan(
    groups: Mapping[Group, list[Obj]], slices: Sequence[Obj], labels: Mapping[str, str]
) -> tuple[list[tuple[Group, list[Obj]]], list[Obj], list[Obj]]:
    """(slices to make, slices to update as they should be, slices to delete). Endpoints stay in the slice they are in
    while it exists; new ones go where there is room."""
    update, delete = [], []
    left = {g: {_identity(e): e for e in endpoints} for g, endpoints in groups.items()}
    kept: dict[Group, list[tuple[Obj, list[Obj]]]] = {g: [] for g in groups}
    for each in sorted(slices, key=lambda s: str(s["metadata"]["name"])):
        group = group_of(each)
        if group not in groups or (not groups[group] and kept[group]):
            delete.append(each)
            continue
        stay = [left[group].pop(_identity(e)) for e in each.get("endpoints") or () if _identity(e) in left[group]]
        kept[group].append((each, stay))
    create: list[tuple[Group, list[Obj]]] = []
    for group, rest in left.items():
        waiting = list(rest.values())
        for _, stay in kept[group]:
            room = max(CAPACITY - len(stay), 0)
            stay += waiting[:room]
            waiting = waiting[room:]
        create += [(group, waiting[i : i + CAPACITY]) for i in range(0, len(waiting), CAPACITY)]
        if not kept[group] and not groups[group]:
            create.append((group, []))
        for i, (each, stay) in enumerate(kept[group]):
            if not stay and (groups[group] or i):
                delete.append(each)
            elif stay != (each.get("endpoints") or []) or dict(labels) != each["metadata"].get("labels"):
                update.append({**each, "endpoints": stay or None, "metadata": {**each["metadata"], "labels": labels}})
    return create, update, delete


def _identity(found: Obj) -> str:
    reference = found.get("targetRef") or {}
    return str(reference.get("uid") or found["addresses"])


async def reconcile(work: Work) -> float | None:
    """Make, change and delete slices until they are as planned."""
    service = work.get(SERVICES, work.key)
    triggers: Triggers = work.state
    if service is None or not maintained(service):
        triggers.forget(work.key)
        return None
    meta = service["metadata"]
    pods = [p for p in work.list(PODS, meta["namespace"]) if selects(service, p)]
    groups = wanted(service, pods, _zones(work, pods))
    slices = [
        s
        for s in work.find(ENDPOINT_SLICES, "service", work.key)
        if (s["metadata"].get("labels") or {}).get(MANAGED) == MANAGER and not s["metadata"].get("deletionTimestamp")
    ]
    labels = {k: v for k, v in (meta.get("labels") or {}).items() if k not in (HEADLESS, SERVICE_NAME, MANAGED)}
    labels |= {MANAGED: MANAGER, SERVICE_NAME: meta["name"]}
    if is_headless(service):
        labels[HEADLESS] = ""
    trigger = triggers.compute(work.key, service, pods)
    create, update, delete = plan(groups, slices, labels)
    await asyncio.gather(
        *(_make(work, service, g, e, labels, trigger) for g, e in create),
        *(work.update(ENDPOINT_SLICES, _marked(x, trigger)) for x in update),
        *(work.delete(ENDPOINT_SLICES, x) for x in delete),
    )
    return None


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
    ports = [
        {"name": name, "protocol": protocol, "port": number, **({"appProtocol": app} if app else {})}
        for name, protocol, number, app in numbers
    ]
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
        "ports": ports or None,
    }
    try:
        await work.create(ENDPOINT_SLICES, _marked(made, trigger))
    except ClientError as error:
        causes = (error.status.get("details") or {}).get("causes") or ()
        if not any(c.get("reason") == "NamespaceTerminating" for c in causes):
            raise


def _by_service(found: Obj) -> list[str]:
    name = (found["metadata"].get("labels") or {}).get(SERVICE_NAME)
    return [f"{found['metadata']['namespace']}/{name}"] if name else []


def _slice_changed(_: Watching, old: Obj | None, new: Obj | None) -> list[str]:
    """Only what others do to our slices matters; our own writes are in the caches before the key is looked at."""
    return sorted({key for x in (old, new) if x is not None for key in _by_service(x)}) if old is not None else []


ENDPOINT_SLICE = Controller(
    "endpointslice-controller",
    "endpointslice",
    service_account("endpointslice-controller"),
    (
        Watch(SERVICES),
        Watch(PODS, services_of_pod),
        Watch(NODES, None),
        Watch(ENDPOINT_SLICES, _slice_changed, {"service": _by_service}),
    ),
    reconcile,
    "endpoint-slice-controller",
    Triggers,
)
