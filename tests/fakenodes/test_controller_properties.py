"""Invariants of the pure plans, whatever happens in between."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fakeapi.clock import rfc3339
from fakenodes.client.base import Obj
from fakenodes.controllers import jobplan as jobs
from fakenodes.controllers import statefulplan as statefulset
from fakenodes.controllers.jobrules import INDEX_MARK
from fakenodes.controllers.pods import is_ready, phase

NOW = 1_800_000_000.0
STEPS = settings(max_examples=40, stateful_step_count=40, deadline=None)


def conditions(ready: bool) -> list[Obj]:
    return [{"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": rfc3339(NOW)}]


class StatefulSetMachine(RuleBasedStateMachine):
    """An ordered StatefulSet of which one pod at a time comes, goes and is replaced."""

    @initialize(size=st.integers(0, 4), ordered=st.booleans())
    def begin(self, size: int, ordered: bool) -> None:
        self.ordered = ordered
        self.revision = 1
        self.serial = 0
        self.pods: dict[int, Obj] = {}
        self.owner: Obj = {
            "metadata": {"name": "db", "namespace": "ns", "uid": "o", "generation": 1},
            "spec": {
                "replicas": size,
                "podManagementPolicy": "OrderedReady" if ordered else "Parallel",
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            },
        }

    def plan(self) -> statefulset.Plan:
        current = f"r{self.revision - 1}" if self.revision > 1 else "r1"
        return statefulset.plan(self.owner, list(self.pods.values()), current, f"r{self.revision}", NOW)

    @rule()
    def step(self) -> None:
        self.carry_out()

    def carry_out(self) -> bool:
        """One plan; whether it had something to do."""
        found = self.plan()
        for number, revision in found.create:
            assert number not in self.pods
            if self.ordered:
                lower = [self.pods.get(n) for n in range(number)]
                assert all(p is not None and is_ready(p) for p in lower), "made before those below were ready"
            self.serial += 1
            self.pods[number] = {
                "metadata": {
                    "name": f"db-{number}",
                    "namespace": "ns",
                    "uid": str(self.serial),
                    "creationTimestamp": rfc3339(NOW),
                    "labels": {"controller-revision-hash": revision},
                },
                "spec": {"nodeName": "n"},
                "status": {"phase": "Pending"},
            }
        assert not self.ordered or len(found.create) + len(found.delete) <= 1
        if self.ordered and found.delete and phase(found.delete[0]) != "Failed":
            number = statefulset.ordinal(self.owner, found.delete[0])
            if number >= self.owner["spec"]["replicas"]:
                assert number == max(self.pods), "the highest goes first"
        for pod in found.delete:
            pod["metadata"]["deletionTimestamp"] = rfc3339(NOW)
        return bool(found.create or found.delete)

    @rule(number=st.integers(0, 5), ready=st.booleans())
    def readiness(self, number: int, ready: bool) -> None:
        pod = self.pods.get(number)
        if pod is not None and not pod["metadata"].get("deletionTimestamp"):
            pod["status"] = {"phase": "Running", "conditions": conditions(ready)}

    @rule(number=st.integers(0, 5))
    def vanish(self, number: int) -> None:
        if number in self.pods and self.pods[number]["metadata"].get("deletionTimestamp"):
            del self.pods[number]

    @rule(size=st.integers(0, 4))
    def scale(self, size: int) -> None:
        self.owner["spec"]["replicas"] = size

    @precondition(lambda self: self.revision < 3)
    @rule()
    def change(self) -> None:
        self.revision += 1

    @invariant()
    def never_twice(self) -> None:
        """An ordinal has one pod at most: a new one waits until the old one has gone."""
        names = [p["metadata"]["name"] for p in getattr(self, "pods", {}).values()]
        assert len(names) == len(set(names))

    def teardown(self) -> None:
        """Left alone, it comes to what was asked for."""
        if not hasattr(self, "pods"):
            return
        for _ in range(100):
            moved = self.carry_out()
            for number, pod in list(self.pods.items()):
                if pod["metadata"].get("deletionTimestamp"):
                    del self.pods[number]
                else:
                    pod["status"] = {"phase": "Running", "conditions": conditions(True)}
            if not moved and not self.plan().create and not self.plan().delete:
                break
        assert sorted(self.pods) == list(range(self.owner["spec"]["replicas"]))
        assert all(statefulset.revision_label(p) == f"r{self.revision}" for p in self.pods.values())


class JobMachine(RuleBasedStateMachine):
    """A Job whose pods end well or badly, with crashes between writing an end down and counting it."""

    @initialize(parallelism=st.integers(1, 4), completions=st.integers(1, 6), indexed=st.booleans())
    def begin(self, parallelism: int, completions: int, indexed: bool) -> None:
        self.now = NOW
        self.serial = 0
        self.pods: dict[str, Obj] = {}
        self.ends = 0
        self.done = False
        self.job: Obj = {
            "metadata": {"name": "pi", "namespace": "ns", "uid": "j", "creationTimestamp": rfc3339(NOW)},
            "spec": {
                "parallelism": parallelism,
                "completions": completions,
                "backoffLimit": 1000,
                "completionMode": "Indexed" if indexed else "NonIndexed",
                "template": {"spec": {"restartPolicy": "Never"}},
            },
            "status": {"startTime": rfc3339(NOW)},
        }

    @rule()
    def step(self) -> None:
        """Carry out one plan, and count as the controller does: write down, let go, count."""
        if self.done:
            return
        found = jobs.plan(self.job, list(self.pods.values()), self.now)
        status = self.job["status"]
        for name, ended in (("succeeded", found.succeeded), ("failed", found.failed)):
            for pod in ended:
                assert jobs.tracked(pod), "counted twice"
                pod["metadata"]["finalizers"] = []
            status[name] = status.get(name, 0) + len(ended)
        if jobs.indexed(self.job):
            status["completedIndexes"] = str(found.completed)
            status["succeeded"] = len(found.completed)
        if found.target is not None:
            self.done = True
            return
        for number in found.create:
            self.serial += 1
            marks: dict[str, Any] = {} if number is None else {INDEX_MARK: str(number)}
            self.pods[str(self.serial)] = {
                "metadata": {
                    "name": f"pi-{self.serial}",
                    "uid": str(self.serial),
                    "finalizers": [jobs.FINALIZER],
                    "annotations": marks,
                    "creationTimestamp": rfc3339(self.now),
                },
                "spec": {"nodeName": "n"},
                "status": {"phase": "Running", "conditions": conditions(True)},
            }
        for pod in found.delete:
            pod["metadata"]["deletionTimestamp"] = rfc3339(self.now)

    @rule(data=st.data(), well=st.booleans())
    def end(self, data: st.DataObject, well: bool) -> None:
        running = sorted(u for u, p in self.pods.items() if phase(p) == "Running")
        if running:
            pod = self.pods[data.draw(st.sampled_from(running))]
            going = bool(pod["metadata"].get("deletionTimestamp"))
            pod["status"] = {"phase": "Succeeded" if well else "Failed", "conditions": conditions(False)}
            self.ends += well and not going

    @rule()
    def wait(self) -> None:
        self.now += 700.0

    @rule(parallelism=st.integers(0, 4))
    def resize(self, parallelism: int) -> None:
        self.job["spec"]["parallelism"] = parallelism

    @rule()
    def plan_alone(self) -> None:
        """A plan that was made and lost changes nothing."""
        if not self.done:
            jobs.plan(self.job, list(self.pods.values()), self.now)

    @invariant()
    def within_bounds(self) -> None:
        if not hasattr(self, "job"):
            return
        status, spec = self.job["status"], self.job["spec"]
        if not self.done:
            found = jobs.plan(self.job, list(self.pods.values()), self.now)
            active = len(found.active) + len(found.create) - len(found.delete)
            assert active <= max(spec["parallelism"], 0) or not found.create
        assert status.get("succeeded", 0) <= sum(phase(p) == "Succeeded" for p in self.pods.values())
        if jobs.indexed(self.job):
            assert status.get("succeeded", 0) <= spec["completions"]

    def teardown(self) -> None:
        """Left alone with pods that succeed, it completes."""
        if not hasattr(self, "job"):
            return
        self.job["spec"]["parallelism"] = max(self.job["spec"]["parallelism"], 1)
        for _ in range(60):
            self.now += 700.0
            self.step()
            if self.done:
                break
            for pod in self.pods.values():
                if phase(pod) == "Running" and not pod["metadata"].get("deletionTimestamp"):
                    pod["status"] = {"phase": "Succeeded", "conditions": conditions(False)}
        assert self.done
        assert self.job["status"]["succeeded"] >= self.job["spec"]["completions"]


TestStatefulSet = StatefulSetMachine.TestCase
TestStatefulSet.settings = STEPS
TestJob = JobMachine.TestCase
TestJob.settings = STEPS
