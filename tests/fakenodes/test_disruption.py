from __future__ import annotations

from typing import Any

import pytest

from fakeapi.clock import rfc3339
from fakenodes.client.base import Obj
from fakenodes.controllers.disruption import needs_scale, plan, selector_text, stale_in

NOW = 1_800_000_000.0


def pods(ready: int, waiting: int = 0) -> list[Obj]:
    return [
        {
            "metadata": {"name": f"p{n}"},
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True" if n < ready else "False"}],
            },
        }
        for n in range(ready + waiting)
    ]


def budget(status: Obj | None = None, **spec: Any) -> Obj:
    return {"metadata": {"name": "b", "namespace": "default", "generation": 3}, "spec": spec, "status": status or {}}


@pytest.mark.parametrize(
    ("spec", "ready", "waiting", "expected", "allowed", "desired"),
    [
        ({"minAvailable": 1}, 2, 0, 2, 1, 1),
        ({"minAvailable": 2}, 2, 0, 2, 0, 2),
        ({"minAvailable": "50%"}, 3, 0, 3, 1, 2),
        ({"maxUnavailable": 1}, 3, 0, 3, 1, 2),
        ({"maxUnavailable": 1}, 2, 1, 3, 0, 2),
        ({"maxUnavailable": "30%"}, 10, 0, 10, 3, 7),
        ({"maxUnavailable": 1}, 1, 0, 0, 0, 0),  # pods that nobody controls
        ({"minAvailable": 1}, 0, 0, 0, 0, 1),
        ({}, 2, 0, 0, 0, 0),
    ],
)
def test_the_numbers(spec: Obj, ready: int, waiting: int, expected: int, allowed: int, desired: int) -> None:
    status = plan(budget(**spec), pods(ready, waiting), expected, NOW).status
    assert (status["disruptionsAllowed"], status["desiredHealthy"], status["currentHealthy"]) == (
        allowed,
        desired,
        ready,
    )
    assert status["conditions"][0]["reason"] == ("SufficientPods" if allowed else "InsufficientPods")
    assert status["observedGeneration"] == 3


def test_an_evicted_pod_does_not_count_until_it_is_clear_that_it_stays() -> None:
    evicted = budget({"disruptedPods": {"p0": rfc3339(NOW)}}, minAvailable=1)
    soon = plan(evicted, pods(2), 2, NOW + 60)
    assert (soon.status["currentHealthy"], soon.status["disruptedPods"], soon.again) == (1, {"p0": rfc3339(NOW)}, 60.0)
    late = plan(evicted, pods(2), 2, NOW + 121)
    assert (late.status["currentHealthy"], [p["metadata"]["name"] for p in late.not_deleted]) == (2, ["p0"])
    assert "disruptedPods" not in late.status


@pytest.mark.parametrize(
    ("spec", "result"),
    [({"maxUnavailable": 1}, True), ({"minAvailable": "1%"}, True), ({"minAvailable": 1}, False), ({}, False)],
)
def test_when_the_controllers_are_asked(spec: Obj, result: bool) -> None:
    assert needs_scale(spec) is result


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({}, 120.0),
        ({"reason": "TerminationByKubelet"}, None),
        ({"status": "False"}, None),
        ({"lastTransitionTime": rfc3339(NOW - 500)}, 0.0),
    ],
)
def test_a_mark_of_a_disruption_that_did_not_come_goes_stale(changes: Obj, left: float | None) -> None:
    found = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "lastTransitionTime": rfc3339(NOW),
        **changes,
    }
    pod = {"metadata": {"name": "p"}, "status": {"phase": "Running", "conditions": [found]}}
    assert stale_in(pod, NOW) == left


def test_a_selector_as_go_prints_it() -> None:
    assert selector_text({"matchLabels": {"b": "2", "a": "1"}}) == (
        "&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},MatchExpressions:[]LabelSelectorRequirement{},}"
    )
