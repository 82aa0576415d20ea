"""NodeUnschedulable: no pods for cordoned nodes, unless they tolerate that."""

from __future__ import annotations

from collections.abc import Hashable

from fakenodes.scheduler.framework import Code, Event, Handle, State, Status
from fakenodes.scheduler.matching import tolerates
from fakenodes.scheduler.snapshot import NodeInfo, Obj, PodInfo

TAINT = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
REJECTED = Status(Code.UNRESOLVABLE, ("node(s) were unschedulable",), "NodeUnschedulable")


class NodeUnschedulable:
    """The filter."""

    name = "NodeUnschedulable"
    events = ("Node/Add", "Node/UpdateTaint", "Pod/UpdateToleration")

    def __init__(self, handle: Handle) -> None:
        pass

    def sign(self, pod: PodInfo) -> Hashable:
        """Does it tolerate cordoned nodes?"""
        return any(tolerates(t, TAINT) for t in pod.tolerations)

    def filter(self, state: State, pod: PodInfo, node: NodeInfo) -> Status | None:
        """None unless the node is cordoned."""
        return REJECTED if node.unschedulable and not self.sign(pod) else None

    def hint(self, pod: PodInfo, event: Event) -> bool:
        """A node helps that can be used now and could not before; the pod itself, when it tolerates cordoned nodes."""
        if event.new is None or not event.kind.startswith("Node/"):
            return bool(self.sign(pod))
        return not _cordoned(event.new) and (event.old is None or _cordoned(event.old))


def _cordoned(node: Obj) -> bool:
    return bool((node.get("spec") or {}).get("unschedulable"))
