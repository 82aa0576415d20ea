"""What the scheduler's tests share: small nodes and pods, and a profile over them without any API server."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from fakeapi.clock import RealClock
from fakenodes.scheduler.cycle import Cycle
from fakenodes.scheduler.framework import Handle, State, Unfit
from fakenodes.scheduler.nominator import Nominations
from fakenodes.scheduler.plugins import PLUGINS
from fakenodes.scheduler.plugins.default_preemption import Candidate, DefaultPreemption
from fakenodes.scheduler.runtime import Profile
from fakenodes.scheduler.snapshot import Obj, PodInfo, Snapshot


class Objects:
    """A Lister over fixed objects."""

    def __init__(self, objects: Sequence[Obj] = ()) -> None:
        self._objects = list(objects)

    def get(self, key: str) -> Obj | None:
        """By `namespace/name` or `name`."""
        return next((o for o in self._objects if key == _key(o)), None)

    def list(self, namespace: str = "") -> Sequence[Obj]:
        """All, or those of a namespace."""
        return [o for o in self._objects if not namespace or o["metadata"].get("namespace") == namespace]


def _key(obj: Obj) -> str:
    meta = obj["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


RESOURCES = (
    "services",
    "replicationcontrollers",
    "replicasets",
    "statefulsets",
    "poddisruptionbudgets",
    "persistentvolumeclaims",
    "persistentvolumes",
    "storageclasses",
    "csinodes",
)


def node(
    name: str,
    *,
    cpu: str = "4",
    memory: str = "8Gi",
    pods: str = "110",
    labels: Obj | None = None,
    taints: Sequence[Obj] = (),
    unschedulable: bool = False,
    **more: str,
) -> Obj:
    """A Node; `more` are further allocatable resources."""
    allocatable = {"cpu": cpu, "memory": memory, "pods": pods, **more}
    spec: Obj = {"taints": list(taints)} if taints else {}
    if unschedulable:
        spec["unschedulable"] = True
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "uid": f"uid-{name}", "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "spec": spec,
        "status": {"allocatable": allocatable, "capacity": allocatable},
    }


def pod(
    name: str, *, requests: Obj | None = None, labels: Obj | None = None, namespace: str = "default", **spec: Any
) -> Obj:
    """A Pod with one container that requests so much; `spec` are further fields of its spec."""
    container: Obj = {"name": "c", "image": "i", "resources": {"requests": requests} if requests else {}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}", "labels": labels or {}},
        "spec": {"containers": [container], **spec},
        "status": {},
    }


class World:
    """A snapshot with nodes and placed pods, and cycles over it."""

    def __init__(
        self, nodes: Sequence[Obj], placed: Sequence[Obj] = (), percentage: int = 0, **listed: Sequence[Obj]
    ) -> None:
        self.snapshot = Snapshot()
        self.started: list[Any] = []
        listers = {name: Objects(listed.get(name, ())) for name in RESOURCES}
        self.handle = Handle(
            self.snapshot,
            None,
            RealClock(),
            random.Random(1),
            listers,  # type: ignore[arg-type]
            lambda *event: None,
            self.start,
        )
        for obj in nodes:
            self.snapshot.set_node(obj)
        for obj in placed:
            self.snapshot.set_pod(PodInfo(obj))
        self.nominations = Nominations()
        self.cycle = Cycle(Profile(self.handle, PLUGINS), self.nominations, percentage)

    def start(self, work: Any) -> None:
        """Keep the coroutines that plugins want run."""
        self.started.append(work)
        work.close()

    def place(self, obj: Obj) -> str:
        """The chosen node, on which the pod is then assumed."""
        info = PodInfo(obj)
        chosen = self.cycle.schedule({}, info).node
        self.snapshot.assume(info, chosen)
        return chosen

    def refusal(self, obj: Obj) -> str:
        """FailedScheduling's text; "" when the pod fits."""
        state: State = {}
        info = PodInfo(obj)
        try:
            self.cycle.schedule(state, info)
        except Unfit as unfit:
            self.nominated = self.cycle.post_filter(state, info, unfit.diagnosis)
            return unfit.diagnosis.message
        return ""

    def feasible(self, obj: Obj) -> set[str]:
        """Every node that passes all filters."""
        state: State = {}
        info = PodInfo(obj)
        try:
            self.cycle.schedule(state, info)
        except Unfit:
            return set()
        return {n.name for n in self.snapshot.nodes if self.cycle.passes(state, info, n) is None}

    def victims(self, obj: Obj) -> tuple[str, set[str]] | None:
        """(node, uids of the pods to be deleted there) when room would be made; None when not, or when it fits."""
        plugin = next(p for p in self.cycle.profile.post_filters if isinstance(p, DefaultPreemption))
        chosen: list[Candidate] = []
        preempt = plugin._preempt
        plugin._preempt = lambda candidate, *more: (chosen.append(candidate), preempt(candidate, *more))[1]  # type: ignore[method-assign]
        self.refusal(obj)
        return (chosen[0].node, {v.uid for v in chosen[0].victims}) if chosen else None
