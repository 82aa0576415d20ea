"""NodeResourcesBalancedAllocation: prefers nodes whose CPU and memory would be used to like shares."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from fakenodes.scheduler.framework import MAX_SCORE, SKIP, Handle, State, Status
from fakenodes.scheduler.resources import CPU, MEMORY
from fakenodes.scheduler.snapshot import NodeInfo, PodInfo


class NodeResourcesBalancedAllocation:
    """The score."""

    name = "NodeResourcesBalancedAllocation"

    def __init__(self, handle: Handle) -> None:
        pass

    def sign(self, pod: PodInfo) -> Hashable:
        """The requests."""
        return (pod.requests.get(CPU, 0), pod.requests.get(MEMORY, 0))

    def pre_score(self, state: State, pod: PodInfo, nodes: Sequence[NodeInfo]) -> Status | None:
        """A pod that asks for neither changes no balance."""
        return None if pod.requests.get(CPU) or pod.requests.get(MEMORY) else SKIP

    def score(self, state: State, pod: PodInfo, node: NodeInfo) -> int:
        """100 less the standard deviation of the shares, in percent."""
        cpu, memory = node.offered
        if not cpu or not memory:
            return MAX_SCORE if cpu or memory else 0
        first = min((node.requested.get(CPU, 0) + pod.requests.get(CPU, 0)) / cpu, 1.0)
        second = min((node.requested.get(MEMORY, 0) + pod.requests.get(MEMORY, 0)) / memory, 1.0)
        return int((1 - abs(first - second) / 2) * MAX_SCORE)
