"""When which node is to send what: one task for all nodes of a process."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable

from fakeapi.clock import Clock

# What falls due within so many seconds goes together: a process that wakes up for every node pays more for that than
# for what it sends.
TOGETHER_SECONDS = 0.1
# So many are sent before others have a turn. A server in this process answers without a pause, so nodes that are late
# would let nobody else work; but if each waited for everybody, a busy process would lose the nodes, and have to evict
# their Pods on top.
TURN = 10

# Sends one thing of a node; seconds until the next of its kind, None for none.
Send = Callable[[str, str], Awaitable[float | None]]


class Heartbeats:
    """The schedule. What a node was about to send before it began anew is void."""

    def __init__(self, clock: Clock, send: Send) -> None:
        self._clock = clock
        self._send = send
        self._due: list[tuple[float, int, int, str, str]] = []
        self._epochs: dict[str, int] = {}
        self._serial = 0
        self._more = asyncio.Event()

    def begin(self, name: str) -> None:
        """Forget what the node was about to send."""
        self._epochs[name] = self._epochs.get(name, 0) + 1

    def plan(self, name: str, what: str, after: float) -> None:
        """Let the node send it after so many seconds."""
        self._serial += 1
        due = self._clock.monotonic() + after
        heapq.heappush(self._due, (due, self._serial, self._epochs.get(name, 0), name, what))
        self._more.set()

    async def run(self) -> None:
        """Send what is due until cancelled; all nodes take turns."""
        sent = 0
        while True:
            now = self._clock.monotonic()
            if self._due and self._due[0][0] <= now:
                await self._next()
                sent += 1
                if sent % TURN == 0:
                    await self._clock.sleep(0)
                continue
            self._more.clear()
            wait = max(self._due[0][0] - now, TOGETHER_SECONDS) if self._due else 0.0
            timer = self._clock.call_later(wait, self._more.set) if self._due else None
            await self._more.wait()
            if timer is not None:
                timer.cancel()

    async def _next(self) -> None:
        _, _, epoch, name, what = heapq.heappop(self._due)
        if epoch != self._epochs.get(name, 0):
            return
        seconds = await self._send(name, what)
        if seconds is not None and epoch == self._epochs.get(name, 0):
            self.plan(name, what, seconds)
