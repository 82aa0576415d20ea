"""NodeResourcesBalancedAllocation: prefers nodes on which the pod would bring the used shares of CPU and memory closer.

Since 1.36 the change counts (balanced_allocation.go's balancedResourceScorer), not the balance that results.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from fakenodes.scheduler.framework import MAX_SCORE, SKIP, Handle, State, Status
from fakenodes.scheduler.resources import CPU, MEMORY
from fakenodes.scheduler.snapshot import NodeInfo, PodInfo


def balance(cpu: int, memory: int, offered: tuple[int, int]) -> int:
    """100 less the standard deviation of the used shares, in percent: 50 to 100."""
    if not all(offered):  # a single share does not deviate
        return MAX_SCORE
    first, second = min(cpu / offered[0], 1.0), min(memory / offered[1], 1.0)
    return int((1 - abs(first - second) / 2) * MAX_SCORE)


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
        """75 when the balance stays as it is, 100 from none to perfect, 50 from perfect to none."""
        cpu, memory = node.requested.get(CPU, 0), node.requested.get(MEMORY, 0)
        before = balance(cpu, memory, node.offered)
        after = balance(cpu + pod.requests.get(CPU, 0), memory + pod.requests.get(MEMORY, 0), node.offered)
        return MAX_SCORE // 2 + (MAX_SCORE // 2 + after - before) // 2
