"""NodeResourcesFit: the node must have what the pod requests; nodes score by how much would be left, or used.

Strategies: LeastAllocated (default), MostAllocated, RequestedToCapacityRatio.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from msgspec import Struct

from fakenodes.scheduler.framework import MAX_SCORE, Code, Event, Handle, State, Status
from fakenodes.scheduler.resources import CPU, MEMORY, PODS, STORAGE
from fakenodes.scheduler.snapshot import NodeInfo, Obj, PodInfo

ALWAYS = (CPU, MEMORY, STORAGE)  # they count in scores even of pods that do not ask for them


def insufficient(pod: PodInfo, node: NodeInfo) -> Status | None:
    """None when the pod fits; otherwise what is lacking, and whether fewer pods would help."""
    reasons = []
    hopeless = False
    if node.free_pods < 1:
        reasons.append("Too many pods")
    for name, wanted in pod.requests.items():
        offered = node.allocatable.get(name, 0)
        if wanted > offered - node.requested.get(name, 0):
            reasons.append(f"Insufficient {name}")
            hopeless = hopeless or wanted > offered
    if not reasons:
        return None
    return Status(Code.UNRESOLVABLE if hopeless else Code.UNSCHEDULABLE, tuple(reasons), "NodeResourcesFit")


def least_allocated(requested: int, offered: int) -> int:
    """The share that stays free."""
    return (offered - requested) * MAX_SCORE // offered if 0 < offered >= requested else 0


def most_allocated(requested: int, offered: int) -> int:
    """The share in use."""
    return min(requested, offered) * MAX_SCORE // offered if offered else 0


class RequestedToCapacityRatio:
    """A strategy from points (utilization in percent, score 0..10), joined by straight lines.

    Alone among the strategies it leaves resources of score 0 out of the mean, and rounds it to the nearest.
    """

    def __init__(self, shape: Sequence[tuple[int, int]]) -> None:
        self._points = [(x, y * MAX_SCORE // 10) for x, y in shape]

    def __call__(self, requested: int, offered: int) -> int:
        """The score of one resource."""
        used = MAX_SCORE if not offered or requested > offered else requested * MAX_SCORE // offered
        for i, (x, y) in enumerate(self._points):
            if used <= x:
                if i == 0:
                    return y
                before_x, before_y = self._points[i - 1]
                return before_y + int((y - before_y) * (used - before_x) / (x - before_x))
        return self._points[-1][1]

    @staticmethod
    def mean(scores: Sequence[tuple[int, int]]) -> int:
        """Of (score, weight)."""
        counted = [(score, weight) for score, weight in scores if score > 0]
        weights = sum(weight for _, weight in counted)
        return int(sum(score * weight for score, weight in counted) / weights + 0.5) if weights else 0


def mean(scores: Sequence[tuple[int, int]]) -> int:
    """Of (score, weight), rounded down; 0 without any."""
    total = weights = 0
    for score, weight in scores:
        total += score * weight
        weights += weight
    return total // weights if weights else 0


class FitArgs(Struct, frozen=True):
    """How to score: the strategy, and weights by resource name."""

    strategy: Callable[[int, int], int] = least_allocated
    weights: tuple[tuple[str, int], ...] = ((CPU, 1), (MEMORY, 1))


def _used(name: str, pod: PodInfo, node: NodeInfo) -> int:
    if name == CPU:
        return node.scored_cpu + pod.scored[0]
    if name == MEMORY:
        return node.scored_memory + pod.scored[1]
    return node.requested.get(name, 0) + pod.requests.get(name, 0)


class NodeResourcesFit:
    """Filter and score."""

    name = "NodeResourcesFit"
    events = ("AssignedPod/Delete", "AssignedPod/ScaleDown", "Node/Add", "Node/UpdateAllocatable", "Pod/ScaleDown")

    def __init__(self, handle: Handle, args: FitArgs | None = None) -> None:
        self._args = args or FitArgs()
        strategy = self._args.strategy
        self._mean = strategy.mean if isinstance(strategy, RequestedToCapacityRatio) else mean

    def sign(self, pod: PodInfo) -> Hashable:
        """The requests, for fit and for scores."""
        return (*pod.requests.items(), pod.scored)

    def filter(self, state: State, pod: PodInfo, node: NodeInfo) -> Status | None:
        """None when it fits."""
        return insufficient(pod, node)

    def score(self, state: State, pod: PodInfo, node: NodeInfo) -> int:
        """The weighted mean over the resources that the node offers."""
        strategy = self._args.strategy
        scores = []
        for name, weight in self._args.weights:
            offered = node.allocatable.get(name, 0)
            if offered and (name in ALWAYS or pod.requests.get(name)):
                scores.append((strategy(_used(name, pod, node), offered), weight))
        return self._mean(scores)

    def hint(self, pod: PodInfo, event: Event) -> bool:
        """A node helps if the pod fits on it when it is empty, and it has more than it had; another pod, by less."""
        if event.kind.startswith("Node/") and event.new is not None:
            node = _empty(event.new)
            fits = insufficient(pod, node) is None
            return fits and (event.old is None or _more(pod, _empty(event.old), node))
        if event.kind == "AssignedPod/ScaleDown" and event.old is not None and event.new is not None:
            before, after = PodInfo(event.old).requests, PodInfo(event.new).requests
            return any(before.get(name, 0) > after.get(name, 0) for name in pod.requests)
        return True


def _empty(obj: Obj) -> NodeInfo:
    node = NodeInfo(obj["metadata"]["name"])
    node.set_node(obj)
    return node


def _more(pod: PodInfo, old: NodeInfo, new: NodeInfo) -> bool:
    """Has the node room for more pods, or more of what the pod requests?"""
    return any(new.allocatable.get(name, 0) > old.allocatable.get(name, 0) for name in (PODS, *pod.requests))
