from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakenodes.client.base import JSON_PATCH, Obj
from fakenodes.client.gvrs import DEPLOYMENTS, ENDPOINT_SLICES, NODES, SERVICES
from fakenodes.controllers import topologyhints as hints
from tests.fakenodes.test_deployment import deployment
from tests.fakenodes.world import EVENTS, World, world


def node(zone: str, cpu: str = "4", ready: str = "True", **labels: str) -> Obj:
    found = {hints.ZONE: zone, **labels} if zone else labels
    conditions = [{"type": "Ready", "status": ready}]
    return {"metadata": {"labels": found}, "status": {"allocatable": {"cpu": cpu}, "conditions": conditions}}


CONTROL = {"node-role.kubernetes.io/control-plane": ""}


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([node("a"), node("b", "12")], {"a": 0.25, "b": 0.75}),
        ([node("a"), node("b"), node("b", ready="False"), node("", **CONTROL)], {"a": 0.5, "b": 0.5}),
        ([node("a"), node("a")], {}),
        ([node("a"), node("b"), node("")], {}),
        ([node("a"), node("b", "0")], {}),
        ([], {}),
    ],
)
def test_shares(nodes: list[Obj], expected: dict[str, float]) -> None:
    assert hints.shares(nodes) == expected


def endpoint(zone: str, hint: str = "", ready: bool = True) -> Obj:
    found: Obj = {"addresses": ["x"], "conditions": {"ready": ready}, **({"zone": zone} if zone else {})}
    return {**found, "hints": {"forZones": [{"name": hint}]}} if hint else found


def told(found: list[Obj]) -> list[str]:
    return ["".join(hints.zones_of(e)) for e in found]


EVEN = {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize(
    ("parts", "fresh", "kept", "expected", "rewritten", "problem"),
    [
        ({}, "ab", [], ["", ""], {}, hints.NO_NODES),
        (EVEN, "a", [], [""], {}, f"{hints.TOO_FEW} (1 endpoints, 2 zones)"),
        ({"a": 0.2, "b": 0.4, "c": 0.4}, "abc", [], ["", "", ""], {}, f"{hints.TOO_UNEVEN} (3 endpoints, 3 zones)"),
        (EVEN, "ab", [], ["a", "b"], {}, ""),
        (EVEN, "aaaa", [], ["b", "b", "a", "a"], {}, ""),
        (EVEN, "ab--", [], [""] * 4, {}, hints.NO_ZONE),
        (EVEN, "aabbA", [], ["a", "a", "b", "b", ""], {}, ""),
        (EVEN, "ab", [("ab", "ab")], ["a", "b"], {}, ""),
        (EVEN, "", [("aa", "aa")], [], {0: ["b", "a"]}, ""),
        ({}, "", [("ab", "ab")], [], {0: ["", ""]}, hints.NO_NODES),
    ],
)
def test_hints(parts: hints.Shares, fresh: str, kept: Any, expected: Any, rewritten: Any, problem: str) -> None:
    """A letter is an endpoint in that zone, a capital one that is not ready, - one without a zone."""
    written = [endpoint(z.lower().strip("-"), ready=z.islower() or z == "-") for z in fresh]
    stays = [[endpoint(z, h) for z, h in zip(zones, to, strict=True)] for zones, to in kept]
    found = hints.add(parts, [written], stays)
    assert found.problem == problem
    assert told(found.fresh[0]) == expected
    assert {i: told(x) for i, x in found.rewritten.items()} == rewritten


@settings(deadline=None)
@given(st.lists(st.sampled_from("abc"), max_size=30), st.lists(st.integers(1, 8), min_size=3, max_size=3))
def test_no_zone_that_could_give_leaves_another_without(zones: list[str], cpus: list[int]) -> None:
    """As upstream's, it stops while a zone lacks one when no other has half a one too many."""
    parts = hints.shares(node(z, str(c)) for z, c in zip("abc", cpus, strict=True))
    found = hints.add(parts, [[endpoint(z) for z in zones]], [])
    if found.problem:
        return
    allocations, _ = hints.allocate(parts, len(zones))
    given = Counter(told(found.fresh[0]))
    assert given.total() == len(zones)
    spare = max(given[z] - a.desired for z, a in allocations.items())
    lack = max(a.desired - given[z] for z, a in allocations.items())
    assert min(spare, lack) < 0.5 or max(spare, lack) < 1
    assert hints.overloaded(parts, [{"endpoints": found.fresh[0]}]) == any(
        given[z] < a.minimum for z, a in allocations.items()
    )


async def _zones(w: World) -> list[str]:
    slices = (await w.client.list(ENDPOINT_SLICES, "default")).items
    found = (e for s in slices if s["metadata"]["name"].startswith("web") for e in s.get("endpoints") or ())
    return sorted(zone for e in found for zone in hints.zones_of(e))


def test_a_service_that_asks_for_it_on_a_cluster_that_gets_zones() -> None:
    async def run() -> None:
        async with world("deployment,replicaset,endpointslice,nodelifecycle", nodes=2) as w:
            await w.client.create(DEPLOYMENTS, deployment(4), "default")
            marks = {"annotations": {"service.kubernetes.io/topology-mode": "Auto"}}
            service = {
                "metadata": {"name": "web", **marks},
                "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
            }
            await w.client.create(SERVICES, service, "default")
            await w.advance(2)
            assert await _zones(w) == []
            for name, zone in (("node-0", "a"), ("node-1", "b")):
                await w.client.patch(NODES, name, {"metadata": {"labels": {hints.ZONE: zone}}})
            again = {"metadata": {"annotations": {"again": "1"}}}
            await w.client.patch(SERVICES, "web", again, "default")
            await w.advance(2)
            assert await _zones(w) == ["a", "a", "b", "b"]
            path = "/metadata/labels/topology.kubernetes.io~1zone"
            await w.client.patch(NODES, "node-1", [{"op": "remove", "path": path}], content_type=JSON_PATCH)
            await w.advance(2)
            assert await _zones(w) == []
            said = [e["message"] for e in (await w.client.list(EVENTS, "default")).items if "Topology" in e["reason"]]
            assert set(said) == {f"{x}, addressType: IPv4" for x in (hints.NO_NODES, hints.ENABLED)}

    asyncio.run(run())
