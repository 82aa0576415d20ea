"""PrioritySort: higher priority first, then the longest waiting."""

from __future__ import annotations

from typing import Any

from fakenodes.scheduler.framework import Handle
from fakenodes.scheduler.snapshot import PodInfo


class PrioritySort:
    """The QueueSort plugin."""

    name = "PrioritySort"

    def __init__(self, handle: Handle) -> None:
        pass

    def sort_key(self, pod: PodInfo, since: float) -> tuple[Any, ...]:
        """Smaller goes first."""
        return (-pod.priority, since)
