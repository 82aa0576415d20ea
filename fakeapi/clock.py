"""The one source of time: every component sleeps and reads time through a Clock.

Stands for k8s.io/utils/clock. RealClock is the machine's; VirtualClock flows with it, jumps ahead when told, and can
stand still. A lint bans asyncio.sleep, call_later, time.time and datetime.now elsewhere.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Timer(Protocol):
    """A pending callback."""

    def cancel(self) -> None:
        """Forget the callback; harmless when it has already run."""


class Clock(Protocol):
    """Time as components see it, in seconds."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary point, never going back."""

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds of this clock."""

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Run callback on the running event loop after so many seconds of this clock."""


class RealClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0))

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        return asyncio.get_running_loop().call_later(max(seconds, 0.0), callback)


class _Pending:
    """A callback of a VirtualClock, until it is run or cancelled."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None

    def run(self) -> None:
        callback, self.callback = self.callback, None
        if callback is not None:
            callback()


class VirtualClock:
    """Time under a test's control. It flows with the machine's clock until freeze(); advance() jumps ahead.

    now() and monotonic() may be called from any thread, everything else on one event loop.
    """

    def __init__(self) -> None:
        self.flowing = True
        self._elapsed = 0.0
        self._since = time.monotonic()
        self._epoch = time.time()
        self._timers: list[tuple[float, int, _Pending]] = []
        self._serial = 0
        self._armed: tuple[float, asyncio.TimerHandle] | None = None

    def now(self) -> float:
        return self._epoch + self.monotonic()

    def monotonic(self) -> float:
        return self._elapsed + (time.monotonic() - self._since if self.flowing else 0.0)

    def set_now(self, seconds: float) -> None:
        """Let now() be that from here on; timers keep their distance."""
        self._epoch = seconds - self.monotonic()

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self.call_later(seconds, lambda: None if future.done() else future.set_result(None))
        try:
            await future
        finally:
            timer.cancel()

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        pending = _Pending(callback)
        self._serial += 1
        due = self.monotonic() + max(seconds, 0.0)
        heapq.heappush(self._timers, (due, self._serial, pending))
        if self.flowing and (self._armed is None or due < self._armed[0]):
            self._arm()
        return pending

    def freeze(self) -> None:
        """Stand still: only advance() moves time."""
        if self.flowing:
            self._elapsed = self.monotonic()
            self.flowing = False
            self._disarm()

    def flow(self) -> None:
        """Go on with the machine's clock from where this one stands."""
        if not self.flowing:
            self._since = time.monotonic()
            self.flowing = True
            self._arm()

    async def advance(self, seconds: float, settled: Callable[[], Awaitable[None]]) -> None:
        """Jump ahead, visiting every timer on the way in order, each after `settled` has returned."""
        target = self.monotonic() + seconds
        flowing = self.flowing
        self.freeze()
        try:
            await settled()
            while (due := self._next()) is not None and due <= target:
                self._elapsed = max(self._elapsed, due)
                self._run_due()
                await settled()
            self._elapsed = max(self._elapsed, target)
        finally:
            if flowing:
                self.flow()

    def _next(self) -> float | None:
        """When the earliest timer that was not cancelled is due."""
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def _run_due(self) -> None:
        now = self.monotonic()
        while (due := self._next()) is not None and due <= now:
            heapq.heappop(self._timers)[2].run()

    def _arm(self) -> None:
        self._disarm()
        due = self._next()
        if due is not None:
            handle = asyncio.get_running_loop().call_later(max(due - self.monotonic(), 0.0), self._fire)
            self._armed = (due, handle)

    def _disarm(self) -> None:
        if self._armed is not None:
            self._armed[1].cancel()
            self._armed = None

    def _fire(self) -> None:
        self._armed = None
        try:
            self._run_due()
        finally:
            if self.flowing:
                self._arm()


def rfc3339(seconds: float) -> str:
    """Seconds since the epoch as metav1.Time prints them: whole seconds, UTC, `2026-01-02T03:04:05Z`."""
    return _whole_seconds(int(seconds))


@lru_cache(maxsize=64)
def _whole_seconds(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(seconds: float) -> str:
    """Seconds since the epoch as metav1.MicroTime prints them: `2026-01-02T03:04:05.678901Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_rfc3339(text: str) -> float:
    """The inverse of both: seconds since the epoch; ValueError for anything that is not RFC 3339."""
    return datetime.fromisoformat(text.replace("Z", "+00:00") if text.endswith("Z") else text).timestamp()
