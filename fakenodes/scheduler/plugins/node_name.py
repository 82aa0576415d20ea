"""NodeName: a pod that names its node goes there only."""

from __future__ import annotations

from collections.abc import Hashable

from fakenodes.scheduler.framework import Code, Handle, State, Status
from fakenodes.scheduler.snapshot import NodeInfo, PodInfo

REJECTED = Status(Code.UNRESOLVABLE, ("node(s) didn't match the requested node name",), "NodeName")


class NodeName:
    """The filter."""

    name = "NodeName"
    events = ("Node/Add",)

    def __init__(self, handle: Handle) -> None:
        pass

    def sign(self, pod: PodInfo) -> Hashable:
        """The node it names."""
        return pod.node_name

    def filter(self, state: State, pod: PodInfo, node: NodeInfo) -> Status | None:
        """None when no other node is named."""
        return None if pod.node_name in ("", node.name) else REJECTED
