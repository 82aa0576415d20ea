"""Rollouts on a running cluster, seen event by event: never are more pods asked for than replicas and surge, and none
that is available is taken away below replicas less maxUnavailable, whatever is changed, killed or restarted on the way.

What is asked for is what the ReplicaSets say: upstream too counts pods that are about to be deleted as gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from fakenodes.client.base import MERGE_PATCH, ClientError, Obj
from fakenodes.client.gvrs import DEPLOYMENTS, PODS, REPLICA_SETS
from fakenodes.controllers.pods import is_active, is_ready
from fakenodes.informer import Informer
from tests.fakenodes.world import shared_world

LABELS = {"app": "web"}


def template(image: int) -> Obj:
    """Pods that take two seconds to be ready."""
    probe = {"periodSeconds": 1, "exec": {"command": ["true"]}}
    container = {"name": "c", "image": f"nginx:{image}", "readinessProbe": probe}
    return {
        "metadata": {"labels": LABELS, "annotations": {"fakekube.io/container.c": '{"readyAfter": 2}'}},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
    }


def available(pod: Obj | None) -> bool:
    return pod is not None and is_active(pod) and is_ready(pod)


class Watcher:
    """Counts at each event and holds the numbers against what is allowed just then."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.most, self.least = 0, 0  # pods, available pods
        self.pods: dict[str, Obj] = {}
        self.killed: set[str] = set()
        self.wrong: list[str] = []

    @property
    def available(self) -> int:
        return sum(map(available, self.pods.values()))

    def changed(self, old: Obj | None, new: Obj | None) -> None:
        uid = (new or old or {})["metadata"]["uid"]
        taken = available(old) and not (new is not None and is_active(new)) and uid not in self.killed
        if new is None:
            self.pods.pop(uid, None)
        else:
            self.pods[uid] = new
        if taken and self.available < self.least:
            self.wrong.append(f"{self.available} available pods where {self.least} have to be")

    def resized(self, old: Obj | None, new: Obj | None) -> None:
        name = (new or old or {})["metadata"]["name"]
        before = self.sizes.pop(name, 0)
        if new is not None:
            self.sizes[name] = new["spec"]["replicas"]
        total = sum(self.sizes.values())
        if self.sizes.get(name, 0) > before and total > self.most:
            self.wrong.append(f"{total} pods asked for where {self.most} are allowed")


def follow(informer: Informer, told: Callable[[Obj | None, Obj | None], None]) -> None:
    informer.add_handler(lambda new: told(None, new), told, lambda old: told(old, None))


class RolloutMachine(RuleBasedStateMachine):
    """One Deployment."""

    @initialize(size=st.integers(1, 6), surge=st.integers(0, 2), unavailable=st.integers(0, 2))
    def begin(self, size: int, surge: int, unavailable: int) -> None:
        looped = shared_world("deployment,replicaset,nodelifecycle,garbagecollector", nodes=2)
        self.world, self.run = looped.world, looped.run
        self.run(self.world.reset())
        self.surge, self.unavailable = surge, unavailable or (0 if surge else 1)
        self.size, self.image, self.up = size, 1, True
        self.watcher = Watcher()
        self.informers = [Informer(self.world.client, gvr, self.world.running.clock) for gvr in (PODS, REPLICA_SETS)]
        for informer, told in zip(self.informers, (self.watcher.changed, self.watcher.resized), strict=True):
            follow(informer, told)
        self.run(self.begin_watching())
        self.allow(size, size)
        strategy = {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": self.unavailable}}
        spec = {"replicas": size, "selector": {"matchLabels": LABELS}, "template": template(1), "strategy": strategy}
        self.run(self.world.client.create(DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": spec}, "default"))
        self.wait(4)

    async def begin_watching(self) -> None:
        for informer in self.informers:
            informer.start()
            await informer.synced()

    def allow(self, *sizes: int) -> None:
        """Until a change of size has been taken in, the larger one bounds above and the smaller one below."""
        self.watcher.most = max(sizes) + self.surge
        self.watcher.least = max(min(sizes) - self.unavailable, 0)

    def patch(self, spec: Any) -> None:
        self.run(self.world.client.patch(DEPLOYMENTS, "web", {"spec": spec}, "default", content_type=MERGE_PATCH))

    def wait(self, seconds: float) -> None:
        self.run(self.world.advance(seconds))
        assert not self.watcher.wrong

    @rule()
    def change(self) -> None:
        self.image += 1
        self.patch({"template": template(self.image)})

    @precondition(lambda self: self.image > 1)
    @rule()
    def back(self) -> None:
        self.image -= 1
        self.patch({"template": template(self.image)})

    @rule(size=st.integers(0, 6))
    def scale(self, size: int) -> None:
        self.allow(size, self.size)
        self.patch({"replicas": size})
        if self.up:
            self.wait(12)
            self.allow(size)
        self.size = size

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0]))
    def later(self, seconds: float) -> None:
        self.wait(seconds)

    @rule(data=st.data())
    def kill(self, data: st.DataObject) -> None:
        """Somebody else deletes a pod."""
        names = sorted(p["metadata"]["name"] for p in self.watcher.pods.values() if is_active(p))
        if not names:
            return
        name = data.draw(st.sampled_from(names))
        self.watcher.killed |= {u for u, p in self.watcher.pods.items() if p["metadata"]["name"] == name}
        try:
            self.run(self.world.client.delete(PODS, name, "default"))
        except ClientError as error:
            if error.code != 404:
                raise

    @precondition(lambda self: self.up)
    @rule(seconds=st.sampled_from([0.0, 1.0]))
    def crash(self, seconds: float) -> None:
        """Controllers, scheduler and kubelets die; time goes on, and they come again."""
        self.run(self.world.down())
        self.run(self.world.advance(seconds))
        self.run(self.world.up())
        self.wait(0.5)

    def teardown(self) -> None:
        """Left alone, it comes to what was asked for."""
        if not hasattr(self, "informers"):
            return
        try:
            self.wait(60)
            sets = self.run(self.world.client.list(REPLICA_SETS, "default")).items
            sizes = sorted(x["spec"]["replicas"] for x in sets)
            assert sizes[-1:] == [self.size]
            assert sum(sizes) == self.size
            images = [p["spec"]["containers"][0]["image"] for p in self.watcher.pods.values() if is_active(p)]
            assert images == [f"nginx:{self.image}"] * self.size
            assert self.watcher.available == self.size
        finally:
            for informer in self.informers:
                self.run(informer.stop())


TestRollout = RolloutMachine.TestCase
TestRollout.settings = settings(max_examples=4, stateful_step_count=12, deadline=None)
