"""NodePorts: two pods cannot have the same port of a node."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from fakenodes.scheduler.framework import SKIP, Code, Event, Handle, State, Status
from fakenodes.scheduler.snapshot import NodeInfo, PodInfo, Port

REJECTED = Status(Code.UNSCHEDULABLE, ("node(s) didn't have free ports for the requested pod ports",), "NodePorts")
ANY = "0.0.0.0"


def conflicts(wanted: Iterable[Port], used: Iterable[Port]) -> bool:
    """Does any wanted port clash with a used one? The address 0.0.0.0 clashes with every other."""
    taken = list(used)
    return any(
        port == other_port and protocol == other_protocol and (ip == other_ip or ANY in (ip, other_ip))
        for ip, protocol, port in wanted
        for other_ip, other_protocol, other_port in taken
    )


class NodePorts:
    """PreFilter and filter."""

    name = "NodePorts"
    events = ("AssignedPod/Delete", "Node/Add")

    def __init__(self, handle: Handle) -> None:
        pass

    def sign(self, pod: PodInfo) -> Hashable:
        """The ports."""
        return pod.host_ports

    def pre_filter(self, state: State, pod: PodInfo) -> Status | None:
        """Pods without host ports are no business of ours."""
        return None if pod.host_ports else SKIP

    def filter(self, state: State, pod: PodInfo, node: NodeInfo) -> Status | None:
        """None when the ports are free."""
        return REJECTED if node.ports and conflicts(pod.host_ports, node.ports) else None

    def hint(self, pod: PodInfo, event: Event) -> bool:
        """A deleted pod helps if it had one of the ports."""
        if event.kind != "AssignedPod/Delete" or event.old is None:
            return True
        return conflicts(pod.host_ports, PodInfo(event.old).host_ports)
