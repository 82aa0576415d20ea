from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fakeapi.clock import rfc3339
from fakenodes.client.base import Obj
from fakenodes.client.gvrs import JOBS, PODS
from fakenodes.controllers.job import pod_for
from fakenodes.controllers.jobplan import EXCEEDED, FAILED_INDEXES, FINALIZER, REACHED, TOO_MANY_INDEXES, plan
from fakenodes.controllers.jobrules import FAILURES_MARK, IGNORED_MARK, INDEX_MARK
from tests.fakenodes.world import world

NOW = 1_800_000_000.0
IGNORED = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]}


def job(status: Obj | None = None, restart: str = "Never", **spec: Any) -> Obj:
    pod = {"restartPolicy": restart, "containers": [{"name": "c", "image": "busybox", "command": ["false"]}]}
    return {
        "metadata": {"name": "j", "namespace": "ns", "uid": "j"},
        "spec": {"parallelism": 1, "completions": 1, "template": {"spec": pod}, **spec},
        "status": {"startTime": rfc3339(NOW), **(status or {})},
    }


def by_index(**spec: Any) -> Obj:
    return job(completionMode="Indexed", backoffLimit=2**31 - 1, **spec)


def pod(phase: str, index: int | None = None, failures: int = 0, age: float = 0, **more: Any) -> Obj:
    """A pod that is `age` seconds old and, if it has ended, ended then."""
    marks = {} if index is None else {INDEX_MARK: str(index), FAILURES_MARK: str(failures)}
    meta = {"name": f"j-{index}-{age}", "namespace": "ns", "uid": f"{index}-{failures}-{age}", "annotations": marks}
    meta |= {"finalizers": [FINALIZER], "creationTimestamp": rfc3339(NOW - age), **more.pop("meta", {})}
    return {"metadata": meta, "spec": {"nodeName": more.pop("node", "n")}, "status": {"phase": phase, **more}}


def restarted(*counts: int) -> Obj:
    return pod("Running", containerStatuses=[{"name": str(i), "restartCount": n} for i, n in enumerate(counts)])


@pytest.mark.parametrize(
    ("owner", "pods", "target"),
    [
        (job(backoffLimit=2), [pod("Failed", age=a) for a in (1, 2)], None),
        (job(backoffLimit=2), [pod("Failed", age=a) for a in (1, 2, 3)], EXCEEDED),
        (job(backoffLimit=2, restart="OnFailure"), [restarted(1)], None),
        (job(backoffLimit=2, restart="OnFailure"), [restarted(1, 1)], EXCEEDED),
        (job(backoffLimit=0, restart="OnFailure"), [restarted(0)], None),
        (job(backoffLimit=0, restart="OnFailure"), [restarted(1)], EXCEEDED),
        (job(backoffLimit=0, restart="Never"), [restarted(5)], None),
        (by_index(completions=2, backoffLimitPerIndex=1), [pod("Failed", 0, 1), pod("Succeeded", 1)], FAILED_INDEXES),
        (by_index(completions=3, backoffLimitPerIndex=0, maxFailedIndexes=0), [pod("Failed", 0)], TOO_MANY_INDEXES),
        (by_index(completions=2, backoffLimitPerIndex=1), [pod("Succeeded", 0), pod("Succeeded", 1)], REACHED),
        (job({"completedIndexes": "0-4"}, completionMode="Indexed", completions=2), [], REACHED),
        # Failed indexes go before a success policy that is met with the same pod.
        (
            by_index(completions=2, backoffLimitPerIndex=0, successPolicy={"rules": [{"succeededIndexes": "1"}]}),
            [pod("Failed", 0), pod("Succeeded", 1)],
            FAILED_INDEXES,
        ),
    ],
)
def test_what_a_job_comes_to(owner: Obj, pods: list[Obj], target: Any) -> None:
    assert plan(owner, pods, NOW).target == target


@pytest.mark.parametrize(
    ("age", "failures", "create", "again"), [(3, 0, [], 7), (10, 0, [0], None), (19, 1, [], 1), (20, 1, [0], None)]
)
def test_each_index_backs_off_by_itself(age: float, failures: int, create: list[int], again: float | None) -> None:
    owner = by_index(completions=2, parallelism=2, backoffLimitPerIndex=5)
    found = plan(owner, [pod("Running", 1), pod("Failed", 0, failures, age)], NOW)
    assert (found.create, found.again, found.failed) == (create, again, [])
    assert [p["metadata"]["annotations"][FAILURES_MARK] for p in found.replaced.values()] == [str(failures)]


@pytest.mark.parametrize(
    ("conditions", "marks"),
    [
        ([], {FAILURES_MARK: "3"}),
        ([{"type": "DisruptionTarget", "status": "True"}], {FAILURES_MARK: "2", IGNORED_MARK: "1"}),
    ],
)
def test_a_pod_carries_the_failures_of_its_index_on(conditions: list[Obj], marks: dict[str, str]) -> None:
    owner = by_index(backoffLimitPerIndex=5, podFailurePolicy=IGNORED)
    made = pod_for(owner, 0, pod("Failed", 0, 2, conditions=conditions))
    assert made["metadata"]["annotations"] == {INDEX_MARK: "0", **marks}
    assert made["metadata"]["generateName"] == "j-0-"


@pytest.mark.parametrize(
    ("owner", "pods", "gone"),
    [
        (job(completions=9, parallelism=1), [pod("Running", age=9), pod("Running", age=5)], [5]),
        (job(completions=9, parallelism=1), [pod("Running", age=9), pod("Pending", age=10)], [10]),
        (job(completions=9, parallelism=1), [pod("Pending", age=9, node=""), pod("Pending", age=1)], [9]),
        (by_index(completions=2, parallelism=2), [pod("Running", n, age=n) for n in range(4)], [2, 3]),
        (by_index(completions=3, parallelism=3), [pod("Running", 1, age=9), pod("Running", 1, age=5)], [5]),
    ],
)
def test_what_is_too_much_goes(owner: Obj, pods: list[Obj], gone: list[int]) -> None:
    """The pods of those ages."""
    found = plan(owner, pods, NOW)
    assert sorted(int(p["metadata"]["uid"].rpartition("-")[2]) for p in found.delete) == gone


def test_an_index_fails_after_its_own_number_of_retries() -> None:
    async def run() -> None:
        async with world("job,nodelifecycle", nodes=1) as w:
            owner = by_index(completions=1, backoffLimitPerIndex=2)
            await w.client.create(JOBS, {"metadata": {"name": "j"}, "spec": owner["spec"]}, "default")
            await w.advance(2)
            status = (await w.client.get(JOBS, "j", "default"))["status"]
            assert status["failedIndexes"] == ""
            # Not counted before it is replaced.
            assert "failed" not in status
            await w.advance(120)
            found = await w.client.get(JOBS, "j", "default")
            assert (found["status"]["failedIndexes"], found["status"]["failed"]) == ("0", 3)
            assert [c["type"] for c in found["status"]["conditions"]] == ["FailureTarget", "Failed"]
            pods = (await w.client.list(PODS, "default")).items
            assert sorted(p["metadata"]["annotations"][FAILURES_MARK] for p in pods) == ["0", "1", "2"]
            assert not any(p["metadata"].get("finalizers") for p in pods)

    asyncio.run(run())
