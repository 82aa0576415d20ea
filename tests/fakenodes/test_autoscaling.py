from __future__ import annotations

from typing import Any

import pytest

from fakenodes.client.base import Obj
from fakenodes.controllers.autoscaling import (
    Memory,
    MetricError,
    Sample,
    average,
    group,
    normalise,
    proposal,
    remember,
    requests_of,
    utilization,
)

NOW = 1_800_000_000.0
EVEN = (0.1, 0.1)


def pod(name: str, phase: str = "Running", ready: str = "True", **meta: Any) -> Obj:
    return {
        "metadata": {"name": name, **meta},
        "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "100m"}}}]},
        "status": {
            "phase": phase,
            "startTime": "2026-01-01T00:00:00Z",
            "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:10:00Z"}],
        },
    }


def recommend(use: dict[str, int], pods: list[Obj], current: int, target: int = 50) -> int:
    """What the CPU use (thousandths by pod) asks for."""
    samples = {name: Sample(value, NOW) for name, value in use.items()}
    groups = group(pods, samples, True, NOW)
    counted = {n: x for n, x in samples.items() if n not in groups.unready | groups.ignored}
    asked = requests_of([p for p in pods if p["metadata"]["name"] not in groups.ignored], "cpu")
    ratio = utilization(counted, asked, target)[0]
    return proposal(
        current,
        groups,
        counted,
        ratio,
        lambda s: utilization(s, asked, target)[0],
        lambda name: asked[name] * max(100, target) // 100,
        EVEN,
    )


@pytest.mark.parametrize(
    ("use", "pods", "current", "wanted"),
    [
        ({"a": 100, "b": 100}, [pod("a"), pod("b")], 2, 4),
        ({"a": 53, "b": 53}, [pod("a"), pod("b")], 2, 2),  # near enough
        ({"a": 10, "b": 10, "c": 10}, [pod("a"), pod("b"), pod("c")], 3, 1),
        ({"a": 100}, [pod("a"), pod("b")], 2, 2),  # no metric: taken for nothing when it would grow
        ({"a": 10}, [pod("a"), pod("b")], 2, 2),  # and for all that it asked for when it would shrink
        ({"a": 150}, [pod("a"), pod("b", "Pending")], 2, 3),
        ({"a": 100, "b": 100}, [pod("a"), pod("b", deletionTimestamp="x")], 1, 2),
        ({"a": 100, "b": 100}, [pod("a"), pod("b", "Failed")], 1, 2),
    ],
)
def test_utilization(use: dict[str, int], pods: list[Obj], current: int, wanted: int) -> None:
    assert recommend(use, pods, current) == wanted


def test_a_container_that_requests_nothing_is_named() -> None:
    found = pod("a")
    found["spec"]["containers"][0].pop("resources")
    with pytest.raises(MetricError, match="missing request for cpu in container c of Pod a"):
        requests_of([found], "cpu")


def test_an_average_is_of_whole_thousandths() -> None:
    assert average({"a": Sample(10, NOW), "b": Sample(15, NOW)}, 6) == (2.0, 12)


def behavior(up: Obj | None = None, down: Obj | None = None) -> Obj:
    return {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [
                {"type": "Pods", "value": 4, "periodSeconds": 15},
                {"type": "Percent", "value": 100, "periodSeconds": 15},
            ],
            **(up or {}),
        },
        "scaleDown": {
            "selectPolicy": "Max",
            "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
            **(down or {}),
        },
    }


@pytest.mark.parametrize(
    ("rules", "current", "wanted", "result", "able", "limited"),
    [
        (None, 2, 3, 3, "ReadyForNewScale", "DesiredWithinRange"),
        (None, 1, 9, 4, "ReadyForNewScale", "ScaleUpLimit"),
        (None, 9, 90, 10, "ReadyForNewScale", "TooManyReplicas"),
        (behavior(), 1, 9, 5, "ReadyForNewScale", "ScaleUpLimit"),
        (behavior(up={"selectPolicy": "Min"}), 1, 9, 2, "ReadyForNewScale", "ScaleUpLimit"),
        (behavior(up={"selectPolicy": "Disabled"}), 1, 9, 1, "ReadyForNewScale", "ScaleUpLimit"),
        (behavior(down={"stabilizationWindowSeconds": 0}), 9, 1, 1, "ReadyForNewScale", "DesiredWithinRange"),
        (behavior(down={"stabilizationWindowSeconds": 0}), 9, 0, 1, "ReadyForNewScale", "TooFewReplicas"),
        (
            behavior(
                down={"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]}
            ),
            9,
            1,
            7,
            "ReadyForNewScale",
            "ScaleDownLimit",
        ),
    ],
)
def test_what_is_too_sudden_is_held_back(
    rules: Obj | None, current: int, wanted: int, result: int, able: str, limited: str
) -> None:
    spec = {"minReplicas": 1, "maxReplicas": 10, **({"behavior": rules} if rules else {})}
    found = normalise(spec, Memory(), current, wanted, NOW)
    assert (found.replicas, found.able[1], found.limited[1]) == (result, able, limited)


def test_going_down_waits_until_no_higher_number_was_recommended_for_five_minutes() -> None:
    memory, spec = Memory([(NOW, 8)]), {"minReplicas": 1, "maxReplicas": 10}
    early = normalise(spec, memory, 8, 2, NOW + 299)
    assert (early.replicas, early.able[1]) == (8, "ScaleDownStabilized")
    late = normalise(spec, memory, 8, 2, NOW + 301)
    assert (late.replicas, late.able[1]) == (2, "ReadyForNewScale")


@pytest.mark.parametrize(
    ("recent", "current", "wanted", "result", "able"),
    [
        (3, 5, 6, 5, "ScaleUpStabilized"),  # and not 3
        (6, 5, 7, 6, "ScaleUpStabilized"),
        (9, 5, 3, 5, "ScaleDownStabilized"),  # and not 9
        (4, 5, 3, 4, "ScaleDownStabilized"),
    ],
)
def test_old_recommendations_hold_back_and_never_push(
    recent: int, current: int, wanted: int, result: int, able: str
) -> None:
    rules = behavior(up={"stabilizationWindowSeconds": 60})
    spec = {"minReplicas": 1, "maxReplicas": 10, "behavior": rules}
    found = normalise(spec, Memory([(NOW, recent)]), current, wanted, NOW + 10)
    assert (found.replicas, found.able[1]) == (result, able)


def test_changes_of_the_same_period_count() -> None:
    memory, rules = Memory(), behavior()
    spec = {"minReplicas": 1, "maxReplicas": 100, "behavior": rules}
    remember(memory, rules, 4, 8, NOW)
    assert normalise(spec, memory, 8, 100, NOW + 1).replicas == 8
    assert normalise(spec, memory, 8, 100, NOW + 16).replicas == 16
