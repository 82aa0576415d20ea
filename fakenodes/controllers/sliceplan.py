"""Which EndpointSlices a Service should have: its endpoints by address family and ports, up to 100 a slice. Pure.

Stands for the decisions of the endpointslice reconciler: endpoints stay in the slice that they are in, slices that
would go become those that would be made. Hints are those of spec.trafficDistribution, or, when the annotation
service.kubernetes.io/topology-mode asks for them, those of topologyhints.py.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct, field

from fakenodes.client.base import Obj
from fakenodes.controllers import topologyhints
from fakenodes.controllers.pods import is_ready
from fakenodes.controllers.serving import addresses, counts, hostname, target_port, target_ref

CAPACITY = 100

# name, protocol, number, appProtocol
Port = tuple[str, str, int, str]
Group = tuple[str, tuple[Port, ...]]


class Plan(Struct):
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


def recycled(found: Plan, labels: Mapping[str, str]) -> Plan:
    """The plan in which slices that would go become those that would be made, family by family."""
    create, update, delete = list(found.create), list(found.update), []
    for each in found.delete:
        same = [i for i, (group, _) in enumerate(create) if group[0] == each["addressType"]]
        if not same:
            delete.append(each)
            continue
        (_, numbers), endpoints = create.pop(same[-1])
        meta = {k: v for k, v in each["metadata"].items() if k != "annotations"}
        fresh = {"endpoints": endpoints or None, "ports": ports_of(numbers)}
        update.append({**each, **fresh, "metadata": {**meta, "labels": dict(labels)}})
    return Plan(create, update, delete)


def ports_of(numbers: Sequence[Port]) -> list[Obj] | None:
    found = [
        {"name": name, "protocol": protocol, "port": number, **({"appProtocol": app} if app else {})}
        for name, protocol, number, app in numbers
    ]
    return found or None


def placed(service: Obj, pods: Sequence[Obj], nodes: Collection[str]) -> tuple[list[Obj], list[str]]:
    """The pods whose node there is, and what is to be said of the others: they are left out until it is there, unless
    the service publishes whatever it has."""
    if service["spec"].get("publishNotReadyAddresses"):
        return list(pods), []
    lost = [p for p in pods if counts(p, True) and p["spec"].get("nodeName") not in nodes]
    meta = service["metadata"]
    text = "skipping Pod {} for Service {}/{}: Node {} Not Found"
    return [p for p in pods if p not in lost], [
        text.format(p["metadata"]["name"], meta["namespace"], meta["name"], p["spec"].get("nodeName", "")) for p in lost
    ]


def bare(found: Obj) -> Obj:
    """The slice without hints: whether they may stay is decided when all else is."""
    endpoints = [{k: v for k, v in e.items() if k != "hints"} for e in found.get("endpoints") or ()]
    return {**found, "endpoints": endpoints}


def _identity(found: Obj) -> str:
    reference = found.get("targetRef") or {}
    return str(reference.get("uid") or found["addresses"])
