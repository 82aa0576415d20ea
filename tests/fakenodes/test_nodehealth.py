from __future__ import annotations

import pytest

from fakenodes.client.base import Obj
from fakenodes.controllers.nodehealth import (
    MANAGED,
    no_schedule,
    not_ready_pod,
    renamed_labels,
    swapped,
    unknown,
    zone_rates,
)
from fakenodes.controllers.nodettl import step
from fakenodes.controllers.podgc import GONE, THRESHOLD, plan
from fakenodes.controllers.tainteviction import delay

NOW = 1_800_000_000.0


def node(ready: str = "True", zone: str = "", unschedulable: bool = False, **conditions: str) -> Obj:
    labels = {"topology.kubernetes.io/zone": zone} if zone else {}
    found = [
        {"type": t, "status": s, "lastTransitionTime": "x"} for t, s in {"Ready": ready, **conditions}.items() if s
    ]
    return {
        "metadata": {"name": "n", "labels": labels, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"unschedulable": True} if unschedulable else {},
        "status": {"conditions": found},
    }


@pytest.mark.parametrize(
    ("found", "keys"),
    [
        (node(), []),
        (node("False"), ["not-ready"]),
        (node("Unknown"), ["unreachable"]),
        (node(unschedulable=True), ["unschedulable"]),
        (node(MemoryPressure="True", DiskPressure="False"), ["memory-pressure"]),
        (node("False", NetworkUnavailable="True"), ["not-ready", "network-unavailable"]),
    ],
)
def test_conditions_become_taints(found: Obj, keys: list[str]) -> None:
    assert no_schedule(found) == [f"node.kubernetes.io/{key}" for key in keys]


def test_only_managed_taints_are_swapped() -> None:
    own = {"key": "mine", "effect": "NoSchedule"}
    old = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    evicting = {**old, "effect": "NoExecute"}
    assert swapped([own, old, evicting], "NoSchedule", MANAGED, (), NOW) == [own, evicting]
    assert swapped([own, evicting], "NoSchedule", MANAGED, (), NOW) is None
    added = swapped([own], "NoSchedule", MANAGED, ("node.kubernetes.io/unreachable",), NOW)
    assert added == [
        own,
        {"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule", "timeAdded": "2027-01-15T08:00:00Z"},
    ]


def test_a_silent_node_is_unknown_in_everything() -> None:
    found = {c["type"]: (c["status"], c["reason"]) for c in unknown(node(), NOW)}
    assert found["Ready"] == ("Unknown", "NodeStatusUnknown")
    assert found["DiskPressure"] == ("Unknown", "NodeStatusNeverUpdated")


@pytest.mark.parametrize(
    ("nodes", "rates"),
    [
        ([node(), node("False")], {"": 0.1}),
        ([node("False"), node("Unknown")], {"": 0.0}),  # everything is down: nobody is evicted
        ([node(zone="a"), node("False", "b")], {":\x00:a": 0.1, ":\x00:b": 0.1}),
        ([node(), *[node("False")] * 3], {"": 0.0}),
        ([*[node()] * 30, *[node("False")] * 40], {"": 0.01}),
    ],
)
def test_how_fast_a_zone_is_evicted(nodes: list[Obj], rates: dict[str, float]) -> None:
    assert zone_rates(nodes) == rates


def test_old_labels_follow_new_ones() -> None:
    found = node()
    found["metadata"]["labels"] = {
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "arm64",
        "beta.kubernetes.io/arch": "x",
    }
    assert renamed_labels(found) == {"beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": "arm64"}


def test_pods_of_a_lost_node_are_not_ready() -> None:
    pod = {"metadata": {"name": "p", "generation": 2}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    status = not_ready_pod(pod, NOW)
    assert status is not None
    assert (status["conditions"][0]["status"], status["conditions"][0]["observedGeneration"]) == ("False", 2)
    assert not_ready_pod({**pod, "status": status}, NOW) is None


@pytest.mark.parametrize(
    ("tolerations", "wait"),
    [
        ([], 0.0),
        ([{"operator": "Exists"}], None),
        ([{"key": "k", "operator": "Exists", "tolerationSeconds": 5}], 0.0),
        (
            [
                {"key": "k", "operator": "Exists", "tolerationSeconds": 5},
                {"key": "l", "operator": "Exists", "tolerationSeconds": 3},
            ],
            3.0,
        ),
        ([{"key": "k", "operator": "Exists"}, {"key": "l", "operator": "Exists", "tolerationSeconds": -1}], 0.0),
    ],
)
def test_how_long_a_pod_stays_beside_taints(tolerations: list[Obj], wait: float | None) -> None:
    assert delay([{"key": "k", "effect": "NoExecute"}, {"key": "l", "effect": "NoExecute"}], tolerations) == wait


def pod(name: str, on: str = "n", going: bool = False) -> Obj:
    meta = {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {
        "metadata": {**meta, **({"deletionTimestamp": "x"} if going else {})},
        "spec": {"nodeName": on} if on else {},
        "status": {"phase": "Running"},
    }


def test_pods_that_nobody_will_finish() -> None:
    out = {**node("Unknown"), "spec": {"taints": [{"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}]}}
    pods = [
        pod("fine"),
        pod("lost", "gone"),
        pod("quarantined", "away"),
        pod("nowhere", "", True),
        pod("new", ""),
        pod("stuck", "out", True),
        pod("stays", "out"),
    ]
    found = plan(pods, {"n": node(), "out": out}, {"gone"})
    assert [(p["metadata"]["name"], why) for p, why in found.delete] == [
        ("lost", GONE),
        ("nowhere", None),
        ("stuck", None),
    ]
    assert found.missing == {"gone", "away"}


def test_of_too_many_ended_pods_those_that_were_put_out_go_first() -> None:
    pods = [pod(f"p{n}") for n in range(THRESHOLD + 1)]
    for each in pods:
        each["status"] = {"phase": "Failed"}
    pods[7]["status"]["reason"] = "Evicted"
    assert [p["metadata"]["name"] for p, _ in plan(pods, {"n": node()}, set()).delete] == ["p7"]


@pytest.mark.parametrize(
    ("boundary", "nodes", "result"), [(0, 100, 0), (0, 101, 1), (1, 95, 1), (1, 89, 0), (0, 5000, 4)]
)
def test_the_ttl_does_not_flicker(boundary: int, nodes: int, result: int) -> None:
    assert step(boundary, nodes) == result
