"""SchedulingGates: a pod with gates stays out of the queue until the last is removed."""

from __future__ import annotations

from fakenodes.scheduler.framework import Code, Handle, Status
from fakenodes.scheduler.snapshot import PodInfo


class SchedulingGates:
    """The PreEnqueue plugin."""

    name = "SchedulingGates"
    events = ("Pod/UpdateGates",)

    def __init__(self, handle: Handle) -> None:
        pass

    def pre_enqueue(self, pod: PodInfo) -> Status | None:
        """None when there is no gate."""
        gates = [gate["name"] for gate in pod.spec.get("schedulingGates") or ()]
        if not gates:
            return None
        return Status(Code.UNRESOLVABLE, (f"waiting for scheduling gates: [{' '.join(gates)}]",), self.name)
