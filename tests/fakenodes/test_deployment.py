from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakenodes.client.base import Obj
from fakenodes.controllers.deployments.rollout import plan
from fakenodes.controllers.deployments.sets import DESIRED, MAXIMUM, REVISION, bounds, replicas, template_hash
from fakenodes.controllers.deployments.status import deadline_in, status_of

NOW = 1_800_000_000.0


def deployment(wanted: int = 3, image: str = "nginx:1", **spec: Any) -> Obj:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "uid": "d", "generation": 1},
        "spec": {
            "replicas": wanted,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": strategy,
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
            **spec,
        },
    }


class World:
    """ReplicaSets and their pods, as far as a Deployment sees them."""

    def __init__(self, found: Obj) -> None:
        self.deployment = found
        self.sets: list[Obj] = []
        self.serial = 0

    def step(self) -> bool:
        """Carry out one plan; whether it changed anything."""
        found = plan(self.deployment, self.sets, False)
        for name, changed in found.update.items():
            self.sets = [changed if x["metadata"]["name"] == name else x for x in self.sets]
        if found.create:
            self.serial += 1
            meta = {
                **found.create["metadata"],
                "uid": f"s{self.serial}",
                "generation": 1,
                "creationTimestamp": f"2026-01-01T00:00:{self.serial:02d}Z",
            }
            self.sets.append({**found.create, "metadata": meta, "status": {"replicas": 0}})
        gone = {x["metadata"]["name"] for x in found.delete}
        self.sets = [x for x in self.sets if x["metadata"]["name"] not in gone]
        status = status_of(
            self.deployment,
            self.sets,
            found.new and next(x for x in self.sets if x["metadata"]["name"] == found.new["metadata"]["name"]),
            found.rollout,
            NOW,
        )
        changed = bool(found.update or found.create or gone) or status != self.deployment.get("status")
        self.deployment = {**self.deployment, "status": status}
        return changed

    def pods(self, index: int, ready: int) -> None:
        """A set makes or deletes its pods; so many of them are available."""
        each = self.sets[index]
        size = replicas(each)
        available = min(size, ready)
        status = {
            "replicas": size,
            "readyReplicas": available,
            "availableReplicas": available,
            "terminatingReplicas": 0,
            "observedGeneration": 1,
        }
        self.sets[index] = {**each, "status": status}

    def settle(self) -> None:
        """Everything becomes available until nothing changes."""
        for _ in range(500):
            changed = self.step()
            before = self.sets
            self.sets = list(before)
            for i in range(len(self.sets)):
                self.pods(i, 10**6)
            if not changed and self.sets == before:
                return
        raise AssertionError("does not come to rest")


def image(found: Obj, name: str) -> Obj:
    spec = {**found["spec"]["template"]["spec"], "containers": [{"name": "c", "image": name}]}
    template = {**found["spec"]["template"], "spec": spec}
    return {**found, "spec": {**found["spec"], "template": template}}


def test_the_first_set() -> None:
    found = plan(deployment(), [], False)
    assert found.create is not None
    meta, spec = found.create["metadata"], found.create["spec"]
    digest = template_hash(deployment())
    assert meta["name"] == f"web-{digest}"
    assert meta["annotations"] == {REVISION: "1", DESIRED: "3", MAXIMUM: "4"}
    assert spec["replicas"] == 3
    assert (
        spec["selector"]["matchLabels"]
        == spec["template"]["metadata"]["labels"]
        == {"app": "web", "pod-template-hash": digest}
    )
    assert (found.revision, found.progress and found.progress[1]) == ("1", "NewReplicaSetCreated")


@pytest.mark.parametrize(
    ("surge", "unavailable", "wanted", "result"),
    [
        ("25%", "25%", 4, (1, 1)),
        ("25%", "25%", 3, (1, 0)),
        ("25%", "25%", 1, (1, 0)),
        (0, 0, 5, (0, 1)),
        ("0%", "10%", 5, (0, 1)),
        (2, 9, 5, (2, 5)),
        ("100%", 0, 3, (3, 0)),
        ("25%", "25%", 0, (0, 0)),
    ],
)
def test_bounds(surge: Any, unavailable: Any, wanted: int, result: tuple[int, int]) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    assert bounds(deployment(wanted, strategy=strategy)) == result


def test_a_rollout_and_its_undoing_number_the_revisions() -> None:
    world = World(deployment(2))
    world.settle()
    world.deployment = image(world.deployment, "nginx:2")
    world.settle()
    world.deployment = image(world.deployment, "nginx:1")
    world.settle()
    first, second = world.sets
    assert (replicas(first), replicas(second)) == (2, 0)
    assert first["metadata"]["annotations"][REVISION] == "3"
    assert first["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == "1"
    assert second["metadata"]["annotations"][REVISION] == "2"
    reasons = {c["type"]: c["reason"] for c in world.deployment["status"]["conditions"]}
    assert reasons == {"Available": "MinimumReplicasAvailable", "Progressing": "NewReplicaSetAvailable"}


def test_history_beyond_the_limit_goes_oldest_first() -> None:
    world = World(deployment(1, revisionHistoryLimit=2))
    for number in range(6):
        world.deployment = image(world.deployment, f"nginx:{number}")
        world.settle()
    assert [x["metadata"]["annotations"][REVISION] for x in world.sets] == ["4", "5", "6"]


def test_recreate_waits_for_old_pods() -> None:
    world = World(deployment(2, strategy={"type": "Recreate"}))
    world.settle()
    changed = image(world.deployment, "nginx:2")
    first = plan(changed, world.sets, True)
    assert list(first.resized.values()) == [(2, 0)]
    emptied = [next(iter(first.update.values()))]
    assert plan(changed, emptied, True).create is None
    made = plan(changed, emptied, False).create
    assert made is not None
    assert made["spec"]["replicas"] == 2


def test_pausing_is_noted_and_stops_the_rollout_but_not_scaling() -> None:
    world = World(deployment(2))
    world.settle()
    paused = image(world.deployment, "nginx:2")
    paused["spec"] = {**paused["spec"], "paused": True, "replicas": 5}
    found = plan(paused, world.sets, False)
    assert found.create is None
    assert found.progress == ("Unknown", "DeploymentPaused", "Deployment is paused")
    assert list(found.resized.values()) == [(2, 5)]


def test_a_change_of_size_in_mid_rollout_is_shared_in_proportion() -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2, "maxUnavailable": 0}}
    world = World(deployment(4, strategy=strategy))
    world.settle()
    world.deployment = image(world.deployment, "no-such")
    for _ in range(10):
        world.step()
    assert [replicas(x) for x in world.sets] == [4, 2]
    world.pods(1, 0)
    world.deployment["spec"] = {**world.deployment["spec"], "replicas": 8}
    world.step()
    assert [replicas(x) for x in world.sets] == [7, 3]
    assert {x["metadata"]["annotations"][MAXIMUM] for x in world.sets} == {"10"}


def test_the_deadline_is_waited_for_and_told() -> None:
    world = World(deployment(1))
    world.step()
    status = world.deployment["status"]
    stuck = {
        **world.deployment,
        "status": {
            **status,
            "conditions": [
                {
                    "type": "Progressing",
                    "status": "True",
                    "reason": "ReplicaSetUpdated",
                    "message": "",
                    "lastUpdateTime": "2027-01-15T08:00:00Z",
                    "lastTransitionTime": "2027-01-15T08:00:00Z",
                }
            ],
        },
    }
    assert deadline_in(stuck, stuck["status"], NOW) == 601.0
    late = status_of(stuck, world.sets, world.sets[0], True, NOW + 601)
    assert {c["type"]: (c["status"], c["reason"]) for c in late["conditions"]}["Progressing"] == (
        "False",
        "ProgressDeadlineExceeded",
    )
    assert deadline_in(stuck, late, NOW + 601) is None


portion = st.one_of(st.integers(0, 4), st.sampled_from(["0%", "10%", "25%", "50%", "100%"]))


@settings(max_examples=30, deadline=None)
@given(wanted=st.integers(1, 12), surge=portion, unavailable=portion, data=st.data())
def test_never_above_the_surge_nor_below_availability(
    wanted: int, surge: Any, unavailable: Any, data: st.DataObject
) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    world = World(deployment(wanted, strategy=strategy))
    world.settle()
    more, fewer = bounds(world.deployment)
    for name in data.draw(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3), label="images"):
        world.deployment = image(world.deployment, name)
        for _ in range(data.draw(st.integers(1, 12), label="steps")):
            world.step()
            assert sum(map(replicas, world.sets)) <= wanted + more
            available = sum(min(x["status"].get("availableReplicas", 0), replicas(x)) for x in world.sets)
            assert available >= wanted - fewer
            index = data.draw(st.integers(0, len(world.sets) - 1), label="set")
            before = world.sets[index]["status"].get("availableReplicas", 0)
            world.pods(index, data.draw(st.integers(before, wanted + more), label="available"))
    world.settle()
    assert sorted(map(replicas, world.sets))[-1] == wanted == sum(map(replicas, world.sets))
