"""EndpointSlices of Services with a selector.

Stands for kube-controller-manager's endpointslice controller and its reconciler. Slices of one Service, address family
and set of ports are filled up to 100 endpoints. Hints are those of spec.trafficDistribution, or, when the annotation
service.kubernetes.io/topology-mode asks for them, those of topologyhints.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import ENDPOINT_SLICES, NODES, PODS, SERVICES
from fakenodes.controllers import topologyhints
from fakenodes.controllers.base import Controller, Watch, Watching, Work, service_account
from fakenodes.controllers.pods import condition, is_ready
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
from fakenodes.controllers.topologyhints import ZONE
from fakenodes.informer import key_of
from fakenodes.owners import controller_reference

MANAGED = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
CAPACITY = 100

# name, protocol, number, appProtocol
Port = tuple[str, str, int, str]
Group = tuple[str, tuple[Port, ...]]


@dataclass(slots=True)
class State:
    """What is remembered of services: the times of their changes, and which have hints by zones' CPUs."""

    triggers: Triggers = field(default_factory=Triggers)
    hinted: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Plan:
    """Slices to make (by group), to update as they should be, and to delete."""

    create: list[tuple[Group, list[Obj]]] = field(default_factory=list)
    update: list[Obj] = field(default_factory=list)
    delete: list[Obj] = field(default_factory=list)


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
    if ready and (hints := _hints(service, found)):
        found["hints"] = hints
    return found


def _hints(service: Obj, found: Obj) -> Obj:
    """trafficdist.go: whom the endpoint is for, by zone and, when asked for, by node too. The annotation goes first."""
    hints: Obj = {}
    preference = "" if topologyhints.asked(service) else service["spec"].get("trafficDistribution", "")
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


def plan(groups: Mapping[Group, list[Obj]], slices: Sequence[Obj], labels: Mapping[str, str]) -> Plan:
    """Endpoints stay in the slice they are in while it exists; new ones go where there is room."""
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
    return Plan(create, update, delete)


def with_hints(found: Plan, slices: Sequence[Obj], parts: topologyhints.Shares, family: str) -> tuple[Plan, str]:
    """The plan with hints by zones' CPUs in one family's slices, and why there are none ("": there are)."""
    changed = {x["metadata"]["name"] for x in (*found.update, *found.delete)}
    kept = [s for s in slices if s["addressType"] == family and s["metadata"]["name"] not in changed]
    create = [(g, e) for g, e in found.create if g[0] == family]
    update = [x for x in found.update if x["addressType"] == family]
    fresh = [e for _, e in create] + [x.get("endpoints") or [] for x in update]
    hinted = topologyhints.add(parts, fresh, [s.get("endpoints") or [] for s in kept])
    made = zip(create, hinted.fresh, strict=False)
    written = zip(update, hinted.fresh[len(create) :], strict=True)
    again = ((kept[i], endpoints) for i, endpoints in hinted.rewritten.items())
    return Plan(
        [(g, e) for g, e in found.create if g[0] != family] + [(group, e) for (group, _), e in made],
        [x for x in found.update if x["addressType"] != family]
        + [{**x, "endpoints": endpoints or None} for x, endpoints in (*written, *again)],
        found.delete,
    ), hinted.problem


def _bare(found: Obj) -> Obj:
    """The slice without hints: whether they may stay is decided when all else is."""
    endpoints = [{k: v for k, v in e.items() if k != "hints"} for e in found.get("endpoints") or ()]
    return {**found, "endpoints": endpoints}


def _identity(found: Obj) -> str:
    reference = found.get("targetRef") or {}
    return str(reference.get("uid") or found["addresses"])


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
    found = _planned(work, service, wanted(service, pods, _zones(work, pods)), slices, labels)
    await asyncio.gather(
        *(_make(work, service, g, e, labels, trigger) for g, e in found.create),
        *(_write(work, service, "update", x, trigger) for x in found.update),
        *(_write(work, service, "delete", x, trigger) for x in found.delete),
    )
    return None


async def _write(work: Work, service: Obj, verb: str, found: Obj, trigger: str) -> None:
    try:
        if verb == "update":
            await work.update(ENDPOINT_SLICES, _marked(found, trigger))
        else:
            await work.delete(ENDPOINT_SLICES, found)
    except ClientError as error:
        _failed(work, service, f"{verb} {found['metadata']['name']}", error)
        raise


def _failed(work: Work, service: Obj, what: str, error: ClientError) -> None:
    where = f"Service {service['metadata']['namespace']}/{service['metadata']['name']}"
    text = f"Error updating Endpoint Slices for {where}: failed to {what} EndpointSlice for {where}: {error}"
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
    found = plan(groups, list(map(_bare, slices)), labels)
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
            _failed(work, service, "create", error)
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
