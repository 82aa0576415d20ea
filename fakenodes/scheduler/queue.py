"""Which pod is tried next: pods that can be, that wait out a back-off, and that wait for something to change.

Stands for the scheduler's backend/queue. An event moves those waiting pods whose rejecting plugins say that it may
help. Leaves out in-flight events: a cycle never awaits, so no event can come between it and its failure.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct, field

from fakeapi.clock import Clock, Timer
from fakenodes.scheduler.framework import Event, EventHints, Hint
from fakenodes.scheduler.snapshot import PodInfo

INITIAL_BACKOFF = 1.0
MAX_BACKOFF = 10.0
FLUSH_SECONDS = 30.0
MAX_WAIT = 300.0  # after which an unschedulable pod is tried again without any event

SortKey = Callable[[PodInfo, float], tuple[Any, ...]]
Hints = Mapping[str, EventHints]


class Queued(Struct, eq=False):
    """A pod in the queue. `since`: when it came, or came back. `place`: active, backoff, error, waiting, gated or out.

    failures and errors (those since the last proper rejection) count towards back-off.
    """

    pod: PodInfo
    since: float
    place: str = "out"
    failures: int = 0
    errors: int = 0
    failed_at: float = 0.0
    rejected_by: set[str] = field(default_factory=set)

    @property
    def backoff(self) -> float:
        """Seconds to wait after the last failure: 1, 2, 4, 8, 10, 10, ..."""
        count = self.errors or self.failures
        return min(INITIAL_BACKOFF * 2.0 ** min(count - 1, 10), MAX_BACKOFF) if count else 0.0

    @property
    def due(self) -> int:
        """When the back-off ends: at a whole second, so that priority orders the pods of one second."""
        return int(self.failed_at + self.backoff)


class SchedulingQueue:
    """The three queues as one. For use on one loop."""

    def __init__(self, clock: Clock, sort_key: SortKey, hints: Hints, gated: Callable[[PodInfo], set[str]]) -> None:
        self._clock = clock
        self._sort_key = sort_key
        self._hints = hints
        self._gated = gated
        self._pods: dict[str, Queued] = {}
        self._waiting: dict[str, Queued] = {}  # those of them whose place is "waiting": every event asks for these
        self._active: list[tuple[Any, int, Queued]] = []
        self._backoff: list[tuple[int, Any, int, Queued]] = []
        self._errors: list[tuple[int, Any, int, Queued]] = []
        self._serial = 0
        self._wake = asyncio.Event()
        self._timer: Timer | None = None

    def __len__(self) -> int:
        return len(self._pods)

    def places(self) -> dict[str, int]:
        """How many pods are where."""
        found: dict[str, int] = {}
        for queued in self._pods.values():
            found[queued.place] = found.get(queued.place, 0) + 1
        return found

    def add(self, pod: PodInfo) -> None:
        """A new pod that has no node."""
        queued = self._pods[pod.uid] = Queued(pod, self._clock.monotonic())
        self._admit(queued)

    def update(self, pod: PodInfo, events: Iterable[Event]) -> None:
        """The pod itself has changed; events say how."""
        queued = self._pods.get(pod.uid)
        if queued is None:
            self.add(pod)
            return
        queued.pod = pod
        if queued.place == "gated":
            self._admit(queued)
        elif queued.place == "waiting" and any(self._helps(queued, event) for event in events):
            self._requeue(queued)

    def refresh(self, pod: PodInfo) -> None:
        """The pod's status has changed, which makes nothing possible."""
        queued = self._pods.get(pod.uid)
        if queued is not None:
            queued.pod = pod

    def delete(self, uid: str) -> None:
        """The pod is gone or has a node."""
        queued = self._pods.pop(uid, None)
        if queued is not None:
            self._put(queued, "out")

    def rejected(self, queued: Queued, plugins: set[str]) -> None:
        """No node could take the pod: wait for an event that one of the plugins cares for."""
        if self._pods.get(queued.pod.uid) is not queued:
            return
        queued.rejected_by = plugins
        queued.failures += 1
        queued.errors = 0
        queued.since = queued.failed_at = self._clock.monotonic()
        self._put(queued, "waiting")

    def failed(self, queued: Queued) -> None:
        """Something went wrong: try again after the back-off."""
        if self._pods.get(queued.pod.uid) is not queued:
            return
        queued.errors += 1
        queued.since = queued.failed_at = self._clock.monotonic()
        queued.rejected_by = set()
        self._push_backoff(queued, "error")

    def move(self, event: Event) -> None:
        """Let the waiting pods that the event may help be tried again."""
        for queued in list(self._waiting.values()):
            if self._helps(queued, event):
                self._requeue(queued)

    def activate(self, uid: str) -> None:
        """Try the pod at once, wherever it waits."""
        queued = self._pods.get(uid)
        if queued is not None and queued.place in ("waiting", "backoff", "error"):
            self._push_active(queued)

    async def run(self) -> None:
        """Flush pods that have waited too long; runs until cancelled."""
        while True:
            await self._clock.sleep(FLUSH_SECONDS)
            now = self._clock.monotonic()
            for queued in [q for q in self._waiting.values() if now - q.failed_at > MAX_WAIT]:
                self._requeue(queued)

    async def pop(self) -> Queued:
        """The next pod to try, when there is one."""
        while True:
            queued = self._next()
            if queued is not None:
                queued.place = "out"
                return queued
            self._wake.clear()
            await self._wake.wait()

    def _next(self) -> Queued | None:
        while self._active:
            _, _, queued = heapq.heappop(self._active)
            if queued.place == "active" and self._pods.get(queued.pod.uid) is queued:
                return queued
        # With nothing better to do, back-off is cut short (upstream's SchedulerPopFromBackoffQ), but not after errors.
        while self._backoff:
            *_, queued = heapq.heappop(self._backoff)
            if queued.place == "backoff" and self._pods.get(queued.pod.uid) is queued:
                return queued
        return None

    def _admit(self, queued: Queued) -> None:
        queued.rejected_by = self._gated(queued.pod)
        if queued.rejected_by:
            self._put(queued, "gated")
        else:
            self._push_active(queued)

    def _helps(self, queued: Queued, event: Event) -> bool:
        for name in queued.rejected_by:
            plugin = self._hints.get(name)
            if plugin is None or event.kind not in plugin.events:
                continue
            if not isinstance(plugin, Hint) or plugin.hint(queued.pod, event):
                return True
        return False

    def _requeue(self, queued: Queued) -> None:
        if queued.due > self._clock.monotonic():
            self._push_backoff(queued, "backoff")
        else:
            self._push_active(queued)

    def _put(self, queued: Queued, place: str) -> None:
        queued.place = place
        if place == "waiting":
            self._waiting[queued.pod.uid] = queued
        else:
            self._waiting.pop(queued.pod.uid, None)

    def _push_active(self, queued: Queued) -> None:
        self._put(queued, "active")
        self._serial += 1
        heapq.heappush(self._active, (self._sort_key(queued.pod, queued.since), self._serial, queued))
        self._wake.set()

    def _push_backoff(self, queued: Queued, place: str) -> None:
        self._put(queued, place)
        self._serial += 1
        heap = self._errors if place == "error" else self._backoff
        heapq.heappush(heap, (queued.due, self._sort_key(queued.pod, queued.since), self._serial, queued))
        self._wake.set()
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        firsts = [heap[0][0] for heap in (self._backoff, self._errors) if heap]
        if firsts:
            due = min(firsts) - self._clock.monotonic()
            self._timer = self._clock.call_later(max(due, 0.0), self._expire)

    def _expire(self) -> None:
        now = self._clock.monotonic()
        for heap, place in ((self._backoff, "backoff"), (self._errors, "error")):
            while heap and heap[0][0] <= now:
                *_, queued = heapq.heappop(heap)
                if queued.place == place and self._pods.get(queued.pod.uid) is queued:
                    self._push_active(queued)
        self._arm()
