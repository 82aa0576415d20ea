"""DynamicResources: upstream's part in the scheduler's texts. Allocating ResourceClaims is left out: such pods wait.

It stands before DefaultPreemption, and so "no new claims to deallocate" is in every FailedScheduling; when an earlier
PreFilter has ended the cycle its own state is missing, and upstream's text is then "not found".
"""

from __future__ import annotations

from collections.abc import Mapping

from fakenodes.scheduler.framework import SKIP, Code, Filters, Handle, State, Status
from fakenodes.scheduler.snapshot import PodInfo


class DynamicResources:
    """PreFilter and PostFilter."""

    name = "DynamicResources"
    events = ("ResourceClaim/Add", "ResourceClaim/Update", "Pod/UpdateClaims")

    def __init__(self, handle: Handle) -> None:
        pass

    def pre_filter(self, state: State, pod: PodInfo) -> Status | None:
        """Only pods without claims go on."""
        state[self.name] = True
        claims = pod.spec.get("resourceClaims") or ()
        if not claims:
            return SKIP
        return Status(Code.UNRESOLVABLE, (f"resourceclaim {claims[0]['name']} is not allocated",), self.name)

    def post_filter(
        self, state: State, pod: PodInfo, statuses: Mapping[str, Status], cycle: Filters
    ) -> tuple[str | None, Status | None]:
        """There is never a claim to take back."""
        if self.name not in state:
            return None, Status(Code.ERROR, ("not found",), self.name)
        return None, Status(Code.UNSCHEDULABLE, ("no new claims to deallocate",), self.name)
