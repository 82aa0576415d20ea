"""The one source of time: every component sleeps and reads time through a Clock.

Stands for k8s.io/utils/clock. RealClock is the default; VirtualClock (a later module of the same Protocol) moves only
when told. A lint bans asyncio.sleep, call_later, time.time and datetime.now elsewhere.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
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


def rfc3339(seconds: float) -> str:
    """Seconds since the epoch as metav1.Time prints them: whole seconds, UTC, `2026-01-02T03:04:05Z`."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(seconds: float) -> str:
    """Seconds since the epoch as metav1.MicroTime prints them: `2026-01-02T03:04:05.678901Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_rfc3339(text: str) -> float:
    """The inverse of both: seconds since the epoch; ValueError for anything that is not RFC 3339."""
    return datetime.fromisoformat(text.replace("Z", "+00:00") if text.endswith("Z") else text).timestamp()
