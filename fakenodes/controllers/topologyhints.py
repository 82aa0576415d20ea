"""Which zone an endpoint is for, by the CPUs of the zones: the annotation service.kubernetes.io/topology-mode: Auto.

Stands for k8s.io/endpointslice/topologycache. Pure: endpoints are lists as slices hold them; those of slices that stay
as they are keep their hints while every zone can still get its share. Of several zones that could receive an endpoint
the first by name does, where upstream's map has no order.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field

from fakeapi import quantity
from fakenodes.client.base import Obj
from fakenodes.controllers.pods import condition

ZONE = "topology.kubernetes.io/zone"
# The first counts, if it is there at all.
MODES = ("service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode")
EXCLUDED = frozenset({"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"})
OVERLOAD = 0.2

ENABLED = "Topology Aware Hints has been enabled"
DISABLED = "Topology Aware Hints has been disabled"
NO_NODES = "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"
NO_ZONE = "One or more endpoints do not have a zone specified"
NO_HINTS = "No hints allocated for zones"
TOO_FEW = "Insufficient number of endpoints"
TOO_UNEVEN = "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold"

Shares = dict[str, float]


class Allocation(Struct, frozen=True):
    """How many endpoints a zone should have."""

    minimum: int
    maximum: int
    desired: float


class Hinted(Struct):
    """The lists that are to be written, with hints; of those that were to stay, by their place, the ones to be written
    after all; and why there are no hints, "" when there are.
    """

    fresh: list[list[Obj]]
    rewritten: dict[int, list[Obj]] = field(default_factory=dict)
    problem: str = ""


def asked(service: Obj) -> bool:
    """Whether the service wants hints by zones' CPUs."""
    marks = service["metadata"].get("annotations") or {}
    return next((marks[x] for x in MODES if x in marks), "") in ("Auto", "auto")


def shares(nodes: Iterable[Obj]) -> Shares:
    """Each zone's part of the CPUs of the ready nodes; empty when a node does not say, or there is one zone only."""
    cpus: Counter[str] = Counter()
    for node in nodes:
        labels = node["metadata"].get("labels") or {}
        if EXCLUDED & labels.keys() or (condition(node, "Ready") or {}).get("status") != "True":
            continue
        zone, cpu = capacity(node)
        if not zone or not cpu:
            return {}
        cpus[zone] += cpu
    total = cpus.total()
    return {zone: cpu / total for zone, cpu in sorted(cpus.items())} if len(cpus) > 1 else {}


def capacity(node: Obj) -> tuple[str, int]:
    """A node's zone and allocatable thousandths of a CPU."""
    cpu = ((node.get("status") or {}).get("allocatable") or {}).get("cpu", "0")
    return (node["metadata"].get("labels") or {}).get(ZONE, ""), quantity.milli_value(str(cpu))


def allocate(parts: Shares, count: int) -> tuple[dict[str, Allocation], str]:
    """The zones' allocations of so many endpoints, or why there are none."""
    if not parts:
        return {}, NO_NODES
    numbers = f"({count} endpoints, {len(parts)} zones)"
    if len(parts) > count:
        return {}, f"{TOO_FEW} {numbers}"
    minima = {zone: math.ceil(part * count * (1 / (1 + OVERLOAD))) for zone, part in parts.items()}
    spare = count - sum(minima.values())
    if spare < 0:
        return {}, f"{TOO_UNEVEN} {numbers}"
    return {z: Allocation(m, m + spare, max(parts[z] * count, float(m))) for z, m in minima.items()}, ""


def add(parts: Shares, fresh: Sequence[Sequence[Obj]], kept: Sequence[Sequence[Obj]]) -> Hinted:
    """Hints for the endpoints that are to be written; `kept` are those of slices that would stay as they are."""
    allocations, problem = allocate(parts, sum(map(is_ready, (e for found in (*fresh, *kept) for e in found))))
    if problem:
        return _none(fresh, kept, problem)
    given: Counter[str] = Counter()
    again: list[int] = []
    for i, endpoints in enumerate(kept):
        counted = _counted(endpoints, given, allocations)
        if counted is None:
            again.append(i)
        else:
            given += counted
    lists = [[_without(e) for e in found] for found in (*fresh, *(kept[i] for i in again))]
    ready = [e for found in lists for e in found if is_ready(e)]
    if not all(e.get("zone") for e in ready):
        return _none(fresh, kept, NO_ZONE)
    for each in ready:
        given[each["zone"]] += 1
        _point(each, each["zone"])
    _redistribute(ready, *_exchange(allocations, given))
    if not given:
        return _none(fresh, kept, NO_HINTS)
    return Hinted(lists[: len(fresh)], dict(zip(again, lists[len(fresh) :], strict=True)))


def overloaded(parts: Shares, slices: Iterable[Obj]) -> bool:
    """Whether a zone has too few of a service's endpoints for the CPUs that it has now."""
    found = Counter(zone for each in slices for e in each.get("endpoints") or () for zone in zones_of(e))
    if not found or not parts:
        return bool(found)
    return any(found[z] < math.ceil(found.total() * part * (1 / (1 + OVERLOAD))) for z, part in parts.items())


def is_ready(endpoint: Obj) -> bool:
    """Whether the endpoint's condition says so."""
    return bool((endpoint.get("conditions") or {}).get("ready"))


def zones_of(endpoint: Obj) -> list[str]:
    """The zones that an endpoint is hinted for."""
    return [x["name"] for x in (endpoint.get("hints") or {}).get("forZones") or ()]


def _none(fresh: Sequence[Sequence[Obj]], kept: Sequence[Sequence[Obj]], problem: str) -> Hinted:
    bare = {i: [_without(e) for e in found] for i, found in enumerate(kept) if any(map(zones_of, found))}
    return Hinted([[_without(e) for e in found] for found in fresh], bare, problem)


def _without(endpoint: Obj) -> Obj:
    return {k: v for k, v in endpoint.items() if k != "hints"}


def _point(endpoint: Obj, zone: str) -> None:
    endpoint["hints"] = {"forZones": [{"name": zone}]}


def _counted(
    endpoints: Iterable[Obj], given: Mapping[str, int], allocations: Mapping[str, Allocation]
) -> Counter[str] | None:
    """The hints of a slice by zone; None when they cannot stay: one is missing, or a zone would get too much."""
    zones = [zones_of(e) for e in endpoints if is_ready(e)]
    if not all(zones):
        return None
    found = Counter(zone for each in zones for zone in each)
    fits = all(z in allocations and n + given.get(z, 0) <= allocations[z].maximum for z, n in found.items())
    return found if fits else None


def _exchange(allocations: Mapping[str, Allocation], given: Mapping[str, int]) -> tuple[Counter[str], Counter[str]]:
    """How many endpoints each zone gives to others, and gets from them."""
    over = {z: given.get(z, 0) - a.desired for z, a in allocations.items()}
    giving: Counter[str] = Counter()
    receiving: Counter[str] = Counter()
    while True:
        giver = max(over, key=lambda z: over[z])
        receiver = min(over, key=lambda z: over[z])
        most, least = over[giver], -over[receiver]
        if (most < 1.0 and least < 1.0) or most < 0.5 or least < 0.5:
            return giving, receiving
        giving[giver] += 1
        over[giver] -= 1
        receiving[receiver] += 1
        over[receiver] += 1


def _redistribute(ready: Iterable[Obj], giving: Counter[str], receiving: Counter[str]) -> None:
    for each in ready:
        receiver = next((z for z in sorted(receiving) if receiving[z] > 0), "")
        if receiver and giving[each["zone"]] > 0:
            giving[each["zone"]] -= 1
            receiving[receiver] -= 1
            _point(each, receiver)
