"""TaintToleration: keeps pods off nodes whose taints they do not tolerate; PreferNoSchedule only counts against."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import orjson

from fakenodes.scheduler.framework import Code, Event, Handle, State, Status, default_normalize
from fakenodes.scheduler.matching import tolerates, untolerated
from fakenodes.scheduler.snapshot import NodeInfo, Obj, PodInfo

EFFECTS = ("NoSchedule", "NoExecute")
REJECTED = Status(Code.UNRESOLVABLE, ("node(s) had untolerated taint(s)",), "TaintToleration")


class TaintToleration:
    """Filter and score."""

    name = "TaintToleration"
    events = ("Node/Add", "Node/UpdateTaint", "Pod/UpdateToleration")

    def __init__(self, handle: Handle) -> None:
        pass

    def sign(self, pod: PodInfo) -> Hashable:
        """The tolerations."""
        return orjson.dumps(pod.tolerations)

    def filter(self, state: State, pod: PodInfo, node: NodeInfo) -> Status | None:
        """None when every NoSchedule and NoExecute taint is tolerated."""
        return None if not node.taints or untolerated(node.taints, pod.tolerations, EFFECTS) is None else REJECTED

    def hint(self, pod: PodInfo, event: Event) -> bool:
        """A node helps whose taints are all tolerated and were not before; any new toleration of the pod does."""
        if event.new is None or not event.kind.startswith("Node/"):
            return True
        return self._tolerated(pod, event.new) and (event.old is None or not self._tolerated(pod, event.old))

    @staticmethod
    def _tolerated(pod: PodInfo, node: Obj) -> bool:
        return untolerated((node.get("spec") or {}).get("taints") or (), pod.tolerations, EFFECTS) is None

    def score(self, state: State, pod: PodInfo, node: NodeInfo) -> int:
        """How many PreferNoSchedule taints are not tolerated."""
        preferred = [t for t in pod.tolerations if t.get("effect") in (None, "", "PreferNoSchedule")]
        return sum(
            1
            for taint in node.taints
            if taint.get("effect") == "PreferNoSchedule" and not any(tolerates(t, taint) for t in preferred)
        )

    def normalize(self, state: State, pod: PodInfo, nodes: Sequence[NodeInfo], scores: list[int]) -> list[int]:
        """Fewer is better."""
        return default_normalize(scores, reverse=True)
