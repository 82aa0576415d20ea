"""Cells of the tables of pods and workloads."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from fakeapi.clock import parse_rfc3339
from fakeapi.strategies.base import Printer
from fakeapi.strategies.podspec.printing import human_duration, label_map

Obj = dict[str, Any]
CREATED = "2026-01-02T03:04:05Z"
NOW = parse_rfc3339(CREATED) + 100
META = {"name": "x", "creationTimestamp": CREATED}
TEMPLATE = {"spec": {"containers": [{"name": "c", "image": "i"}, {"name": "d", "image": "j"}]}}
SELECTOR = {"matchLabels": {"a": "b"}}


def printer(kind: str) -> Printer:
    """A kind's table."""
    found = importlib.import_module(f"fakeapi.strategies.{kind}").STRATEGY.printer
    assert isinstance(found, Printer)
    return found


def cells(kind: str, obj: Obj) -> list[Any]:
    """The row of an object called x that is 100 seconds old; there is a cell a column."""
    table = printer(kind)
    row = table.cells({"metadata": META, **obj}, NOW)
    assert len(row) == len(table.columns)
    return row


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (121, "2m1s"),
        (600, "10m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (8 * 3600, "8h"),
        (48 * 3600, "2d"),
        (49 * 3600, "2d1h"),
        (8 * 86400, "8d"),
        (2 * 365 * 86400, "2y"),
        (3 * 365 * 86400 + 86400, "3y1d"),
    ],
)
def test_ages(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


@pytest.mark.parametrize(("labels", "text"), [(None, "<none>"), ({}, "<none>"), ({"b": "2", "a": "1"}, "a=1,b=2")])
def test_label_maps(labels: dict[str, str] | None, text: str) -> None:
    assert label_map(labels) == text


def waiting(reason: str) -> Obj:
    """A container's status."""
    return {"name": "c", "state": {"waiting": {"reason": reason}}}


def ended(**fields: Any) -> Obj:
    """A container's status."""
    return {"name": "c", "state": {"terminated": fields}}


RUNNING: Obj = {"name": "d", "state": {"running": {}}, "ready": True}
READY = [{"type": "Ready", "status": "True"}]


@pytest.mark.parametrize(
    ("status", "ready", "shown", "restarts"),
    [
        ({"phase": "Pending"}, "0/2", "Pending", "0"),
        ({"phase": "Running", "containerStatuses": [RUNNING, RUNNING]}, "2/2", "Running", "0"),
        ({"phase": "Pending", "containerStatuses": [waiting("ErrImagePull")]}, "0/2", "ErrImagePull", "0"),
        ({"phase": "Failed", "containerStatuses": [ended(exitCode=3)]}, "0/2", "ExitCode:3", "0"),
        ({"phase": "Failed", "containerStatuses": [ended(signal=9, exitCode=137)]}, "0/2", "Signal:9", "0"),
        ({"phase": "Failed", "containerStatuses": [ended(reason="Error")]}, "0/2", "Error", "0"),
        ({"phase": "Running", "containerStatuses": [ended(reason="Completed"), RUNNING]}, "1/2", "NotReady", "0"),
        (
            {"phase": "Running", "conditions": READY, "containerStatuses": [ended(reason="Completed"), RUNNING]},
            "1/2",
            "Running",
            "0",
        ),
        ({"phase": "Running", "containerStatuses": [{**RUNNING, "restartCount": 2}]}, "1/2", "Running", "2"),
        (
            {
                "phase": "Running",
                "containerStatuses": [
                    {**RUNNING, "restartCount": 2, "lastState": {"terminated": {"finishedAt": "2026-01-02T03:05:35Z"}}}
                ],
            },
            "1/2",
            "Running",
            "2 (10s ago)",
        ),
        (
            {
                "phase": "Pending",
                "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}],
            },
            "0/2",
            "SchedulingGated",
            "0",
        ),
        ({"phase": "Failed", "reason": "Evicted"}, "0/2", "Evicted", "0"),
    ],
)
def test_pods(status: Obj, ready: str, shown: str, restarts: str) -> None:
    row = cells("pod", {"spec": TEMPLATE["spec"], "status": status})
    assert row[:5] == ["x", ready, shown, restarts, "100s"]


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        ([waiting("PodInitializing")], "Init:0/2"),
        ([waiting("CrashLoopBackOff")], "Init:CrashLoopBackOff"),
        ([ended(exitCode=0), waiting("PodInitializing")], "Init:1/2"),
        ([ended(exitCode=1)], "Init:ExitCode:1"),
        ([ended(exitCode=1, reason="Error")], "Init:Error"),
    ],
)
def test_init_containers(states: list[Obj], shown: str) -> None:
    spec = {**TEMPLATE["spec"], "initContainers": [{"name": "c"}, {"name": "e"}]}
    assert cells("pod", {"spec": spec, "status": {"phase": "Pending", "initContainerStatuses": states}})[2] == shown


def test_wide_cells_of_a_pod() -> None:
    spec = {**TEMPLATE["spec"], "nodeName": "n", "readinessGates": [{"conditionType": "g"}, {"conditionType": "h"}]}
    status = {"podIP": "10.0.0.1", "conditions": [{"type": "h", "status": "True"}]}
    assert cells("pod", {"spec": spec, "status": status})[5:] == ["10.0.0.1", "n", "<none>", "1/2"]
    assert cells("pod", {"spec": {}, "status": {}})[5:] == ["<none>"] * 4


def test_a_pod_that_is_going_away() -> None:
    metadata = {**META, "deletionTimestamp": CREATED}
    assert cells("pod", {"metadata": metadata, "spec": {}, "status": {"phase": "Running"}})[2] == "Terminating"
    assert cells("pod", {"metadata": metadata, "spec": {}, "status": {"phase": "Failed"}})[2] == "Failed"


@pytest.mark.parametrize(
    ("kind", "spec", "status", "wanted"),
    [
        (
            "deployment",
            {"replicas": 3, "selector": SELECTOR, "template": TEMPLATE},
            {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1},
            ["x", "1/3", 2, 1, "100s", "c,d", "i,j", "a=b"],
        ),
        (
            "replicaset",
            {"replicas": 3, "selector": SELECTOR, "template": TEMPLATE},
            {"replicas": 2, "readyReplicas": 1},
            ["x", 3, 2, 1, "100s", "c,d", "i,j", "a=b"],
        ),
        (
            "replicationcontroller",
            {"replicas": 3, "selector": {"a": "b"}, "template": TEMPLATE},
            {"replicas": 2, "readyReplicas": 1},
            ["x", 3, 2, 1, "100s", "c,d", "i,j", "a=b"],
        ),
        (
            "statefulset",
            {"replicas": 3, "selector": SELECTOR, "template": TEMPLATE},
            {"replicas": 2, "readyReplicas": 1},
            ["x", "1/3", "100s", "c,d", "i,j"],
        ),
        (
            "daemonset",
            {"selector": SELECTOR, "template": TEMPLATE},
            {
                "desiredNumberScheduled": 5,
                "currentNumberScheduled": 4,
                "numberReady": 3,
                "updatedNumberScheduled": 2,
                "numberAvailable": 1,
            },
            ["x", 5, 4, 3, 2, 1, "<none>", "100s", "c,d", "i,j", "a=b"],
        ),
        (
            "job",
            {"completions": 2, "parallelism": 1, "selector": SELECTOR, "template": TEMPLATE},
            {"succeeded": 1, "startTime": CREATED},
            ["x", "Running", "1/2", "100s", "100s", "c,d", "i,j", "a=b"],
        ),
        (
            "job",
            {"parallelism": 3, "selector": SELECTOR, "template": TEMPLATE},
            {
                "succeeded": 1,
                "startTime": CREATED,
                "completionTime": "2026-01-02T03:04:15Z",
                "conditions": [{"type": "Complete", "status": "True"}],
            },
            ["x", "Complete", "1/1 of 3", "10s", "100s", "c,d", "i,j", "a=b"],
        ),
        (
            "cronjob",
            {"schedule": "* * * * *", "suspend": True, "jobTemplate": {"spec": {"template": TEMPLATE}}},
            {"active": [{}], "lastScheduleTime": CREATED},
            ["x", "* * * * *", "<none>", "True", 1, "100s", "100s", "c,d", "i,j", "<none>"],
        ),
    ],
)
def test_workloads(kind: str, spec: Obj, status: Obj, wanted: list[Any]) -> None:
    assert cells(kind, {"spec": spec, "status": status}) == wanted
