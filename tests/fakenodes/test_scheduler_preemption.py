"""Preemption: whose room is taken, what the victims are told, and what the preemptor waits for."""

from __future__ import annotations

import asyncio

import pytest

from fakenodes.client.base import GVR
from fakenodes.scheduler.cycle import Cycle
from fakenodes.scheduler.framework import Code, Status
from fakenodes.scheduler.plugins import PLUGINS
from fakenodes.scheduler.plugins.default_preemption import Candidate, best
from fakenodes.scheduler.runtime import Profile
from fakenodes.scheduler.snapshot import PodInfo
from tests.fakenodes.scheduling import World, node, pod
from tests.fakenodes.world import EVENTS, world

PODS = GVR("", "v1", "pods")
NODES = GVR("", "v1", "nodes", namespaced=False)
CLASSES = GVR("scheduling.k8s.io", "v1", "priorityclasses", namespaced=False)
ONE = {"example.com/x": "1"}
EARLY, LATE = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def victim(name, priority=0, started=""):
    made = pod(name, priority=priority, nodeName="n")
    made["metadata"]["creationTimestamp"] = EARLY
    if started:
        made["status"]["startTime"] = started
    return PodInfo(made)


def candidate(name, *victims, violations=0):
    return Candidate(name, victims, violations)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (candidate("a", victim("v", 9)), candidate("b", victim("v", 1), violations=1)),
        (candidate("a", victim("v", 1), victim("w", 1)), candidate("b", victim("v", 2))),
        (candidate("a", victim("v", 2), victim("w", 0)), candidate("b", victim("v", 2), victim("w", 1))),
        (candidate("a", victim("v", 2)), candidate("b", victim("v", 2), victim("w", -5))),
        (candidate("a", victim("v", 1, LATE)), candidate("b", victim("v", 1, EARLY))),
        # The earliest of the highest priority decides; what has not started yet is the latest.
        (
            candidate("a", victim("v", 1, LATE), victim("w", 0, EARLY)),
            candidate("b", victim("v", 1, EARLY), victim("w", 0, LATE)),
        ),
        (candidate("a", victim("v", 1)), candidate("b", victim("v", 1, LATE))),
    ],
)
def test_the_best_candidate(better, worse):
    assert best([better, worse]) is better
    assert best([worse, better]) is better


def small():
    """A world of one node with one place, taken by a pod of low priority."""
    return World([node("a", **ONE)], [pod("low", requests=ONE, nodeName="a")])


URGENT = pod("urgent", requests=ONE, priority=9)


def test_nobody_is_preempted_twice_for_the_same_pod():
    found = small()
    assert found.refusal(URGENT) == "0/1 nodes are available: 1 Insufficient example.com/x."
    assert (found.nominated, len(found.started)) == ("a", 1)
    assert found.refusal(URGENT) == "0/1 nodes are available: 1 Insufficient example.com/x."
    assert (found.nominated, len(found.started)) == ("a", 1)


def test_who_is_going_already_is_not_told_again():
    found = small()
    going = pod("low", requests=ONE, nodeName="a")
    going["metadata"]["deletionTimestamp"] = LATE
    found.snapshot.set_pod(PodInfo(going))
    found.refusal(URGENT)
    assert (found.nominated, len(found.started)) == ("a", 0)


def test_a_preemptor_waits_for_its_victims_even_before_the_api_server_has_its_nomination():
    found = small()
    going = pod("low", requests=ONE, nodeName="a")
    going["metadata"]["deletionTimestamp"] = LATE
    going["status"]["conditions"] = [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]
    found.snapshot.set_pod(PodInfo(going))
    found.nominations.set(PodInfo(URGENT), "a")
    assert found.refusal(URGENT).endswith("preemption: not eligible due to a terminating pod on the nominated node.")


class Choosy:
    """Refuses every pod before any node is looked at."""

    name = "Choosy"

    def __init__(self, handle):
        pass

    def pre_filter(self, state, pod):
        return Status(self.code, ("not today",), self.name)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (Code.UNRESOLVABLE, "not found"),  # the other plugins have not been asked
        (
            Code.UNSCHEDULABLE,
            "no new claims to deallocate, "
            "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
        ),
    ],
)
def test_preemption_is_tried_when_a_pre_filter_says_that_it_may_help(code, text):
    found = small()
    choosy = type("Choosy", (Choosy,), {"code": code})
    found.cycle = Cycle(Profile(found.handle, ((choosy, 0), *PLUGINS)), found.nominations)
    assert found.refusal(pod("p")) == f"0/1 nodes are available: not today. {text}"


def test_pods_for_a_node_of_their_own_do_not_set_the_search_back():
    nodes = [node(f"n{i}") for i in range(200)]
    found = World(nodes)
    assert found.cycle.schedule({}, PodInfo(pod("p"))).evaluated == 100
    wanted = {"key": "metadata.name", "operator": "In", "values": ["n150"]}
    required = {"nodeSelectorTerms": [{"matchFields": [wanted]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    assert found.place(pod("daemon", affinity=affinity)) == "n150"
    assert int(found.place(pod("next", requests={"cpu": "1"}))[1:]) > 100


def asking(name, cpu, priority=""):
    """A Pod that takes its time to end."""
    slow = {"preStop": {"sleep": {"seconds": 20}}}
    container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": str(cpu)}}, "lifecycle": slow}
    spec = {"containers": [container], **({"priorityClassName": priority} if priority else {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


async def _preemption() -> None:
    async with world("nodelifecycle", nodes=1) as w:
        (there,) = (await w.client.list(NODES)).items
        name, cpu = there["metadata"]["name"], int(there["status"]["allocatable"]["cpu"])
        for priority, value in (("mid", 5), ("high", 9)):
            await w.client.create(CLASSES, {"metadata": {"name": priority}, "value": value})

        async def create(*args):
            made = await w.client.create(PODS, asking(*args), "default")
            await w.settle()
            return made["metadata"]["uid"]

        async def preempted():
            events = (await w.client.list(EVENTS, "default")).items
            return {e["message"] for e in events if e["reason"] == "Preempted"}

        async def nominated(pod):
            return (await w.find(PODS, pod))["status"].get("nominatedNodeName")

        await create("one", cpu // 2)
        await create("two", cpu // 2)
        mid = await create("mid", cpu // 2, "mid")
        assert await preempted() == {f"Preempted by pod {mid} on node {name}"}
        assert await nominated("mid") == name
        lows = [await w.find(PODS, low) for low in ("one", "two")]
        (condition,) = [c for low in lows for c in low["status"]["conditions"] if c["type"] == "DisruptionTarget"]
        assert (condition["status"], condition["reason"], condition["message"]) == (
            "True",
            "PreemptionByScheduler",
            "default-scheduler: preempting to accommodate a higher priority pod",
        )
        # What it waits for does not make it preempt again, whatever else happens.
        await w.client.patch(NODES, name, {"status": {"allocatable": {"pods": "200"}}}, subresource="status")
        await w.settle()
        assert len(await preempted()) == 1
        # One that needs more takes the node over.
        high = await create("high", cpu, "high")
        assert (await nominated("high"), await nominated("mid")) == (name, None)
        assert f"Preempted by pod {high} on node {name}" in await preempted()
        await w.advance(40)
        assert (await w.find(PODS, "high"))["spec"]["nodeName"] == name
        assert await nominated("high") is None
        assert "nodeName" not in (await w.find(PODS, "mid"))["spec"]
        assert len(await preempted()) == 2


def test_from_the_nomination_to_the_binding():
    asyncio.run(_preemption())
