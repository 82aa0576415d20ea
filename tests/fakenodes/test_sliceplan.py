"""Which slices become which, as tables."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fakenodes.client.base import MERGE_PATCH, Obj
from fakenodes.client.gvrs import ENDPOINT_SLICES, PODS, SERVICES
from fakenodes.controllers.mirroring import pairs
from fakenodes.controllers.sliceplan import Group, Plan, placed, plan, recycled
from tests.fakenodes.world import world

HTTP: Group = ("IPv4", (("", "TCP", 80, ""),))
OTHER: Group = ("IPv4", (("", "TCP", 81, ""),))
NONE: Group = ("IPv4", ())
SIX: Group = ("IPv6", ())
END: Obj = {"addresses": ["10.0.0.1"], "conditions": {"ready": True}}


def a_slice(name: str, group: Group, endpoints: list[Obj] | None = None) -> Obj:
    ports = [{"name": n, "protocol": p, "port": number} for n, p, number, _ in group[1]]
    meta = {"name": name, "labels": {}, "annotations": {"old": "mark"}}
    return {"metadata": meta, "addressType": group[0], "ports": ports, "endpoints": endpoints or []}


@pytest.mark.parametrize(
    ("groups", "slices", "made", "written", "gone"),
    [
        ({HTTP: [END]}, [], [HTTP], {}, []),
        ({HTTP: [END]}, [a_slice("a", NONE)], [], {"a": 80}, []),  # what stood for none
        ({OTHER: [END]}, [a_slice("a", HTTP, [END])], [], {"a": 81}, []),
        ({NONE: []}, [a_slice("a", HTTP, [END])], [], {"a": None}, []),
        ({NONE: []}, [a_slice("a", NONE)], [], {}, []),
        ({OTHER: [END]}, [a_slice("a", HTTP), a_slice("b", NONE)], [], {"a": 81}, ["b"]),
        ({SIX: []}, [a_slice("a", HTTP)], [SIX], {}, ["a"]),  # the family never changes
    ],
)
def test_slices_that_would_go_become_others(
    groups: dict[Group, list[Obj]],
    slices: list[Obj],
    made: list[Group],
    written: dict[str, int | None],
    gone: list[str],
) -> None:
    found = recycled(plan(groups, slices, {}), {"l": "v"})
    assert [group for group, _ in found.create] == made
    assert {x["metadata"]["name"]: (x["ports"] or [{"port": None}])[0]["port"] for x in found.update} == written
    assert [x["metadata"]["name"] for x in found.delete] == gone


def test_one_that_becomes_another_loses_its_marks() -> None:
    found = recycled(Plan([(OTHER, [END])], [], [a_slice("a", HTTP)]), {"l": "v"})
    assert found.update[0]["metadata"] == {"name": "a", "labels": {"l": "v"}}


def pod(name: str, node: str) -> Obj:
    return {
        "metadata": {"name": name},
        "spec": {"nodeName": node},
        "status": {"phase": "Running", "podIP": "10.0.0.1"},
    }


@pytest.mark.parametrize(("publish", "names", "lost"), [(False, ["a"], 1), (True, ["a", "b"], 0)])
def test_pods_of_unknown_nodes_are_left_out(publish: bool, names: list[str], lost: int) -> None:
    service = {"metadata": {"name": "s", "namespace": "ns"}, "spec": {"publishNotReadyAddresses": publish}}
    chosen, why = placed(service, [pod("a", "n"), pod("b", "gone")], {"n"})
    assert [p["metadata"]["name"] for p in chosen] == names
    assert why == ["skipping Pod b for Service ns/s: Node gone Not Found"][:lost]


def mirrored(port: int | None, family: str = "IPv4", **more: Any) -> Obj:
    return {"addressType": family, "ports": [{"port": port}] if port else None, **more}


@pytest.mark.parametrize(
    ("wanted", "slices", "names"),
    [
        ([mirrored(80)], [mirrored(80, name="a")], ["a"]),
        ([mirrored(81)], [mirrored(80, name="a")], ["a"]),
        ([mirrored(81), mirrored(80)], [mirrored(80, name="a")], ["a", None]),
        ([mirrored(81), mirrored(80)], [mirrored(82, name="b"), mirrored(80, name="a")], ["a", "b"]),
        ([mirrored(80, "IPv6")], [mirrored(80, name="a")], [None]),
    ],
)
def test_mirrors_too_become_others(wanted: list[Obj], slices: list[Obj], names: list[str | None]) -> None:
    found = pairs(wanted, slices)
    assert [old["name"] if old else None for _, old in found] == names
    assert sorted(map(str, wanted)) == sorted(str(each) for each, _ in found)


def test_a_service_keeps_its_slice_when_its_port_changes() -> None:
    async def run() -> None:
        async with world("endpointslice,nodelifecycle", nodes=1) as w:
            spec = {"containers": [{"name": "c", "image": "nginx:1"}]}
            await w.client.create(PODS, {"metadata": {"name": "p", "labels": {"app": "x"}}, "spec": spec}, "default")
            service = {"selector": {"app": "x"}, "ports": [{"port": 80}]}
            await w.client.create(SERVICES, {"metadata": {"name": "s"}, "spec": service}, "default")
            await w.advance(3)
            before = await one(w)
            changed = {"spec": {"ports": [{"port": 80, "targetPort": 8080}]}}
            await w.client.patch(SERVICES, "s", changed, "default", content_type=MERGE_PATCH)
            await w.advance(1)
            after = await one(w)
            assert (before["ports"][0]["port"], after["ports"][0]["port"]) == (80, 8080)
            assert before["metadata"]["uid"] == after["metadata"]["uid"]

    async def one(w: Any) -> Obj:
        found: Obj
        (found,) = [s for s in (await w.client.list(ENDPOINT_SLICES, "default")).items if "s-" in s["metadata"]["name"]]
        return found

    asyncio.run(run())
