"""A token bucket: how many of something may be done now.

Stands for client-go's util/flowcontrol.
"""

from __future__ import annotations


class TokenBucket:
    """Holds `burst` tokens at most and gets `qps` new ones a second. The time is the caller's, in seconds."""

    def __init__(self, qps: float, burst: int) -> None:
        self._qps = qps
        self._burst = burst
        self._tokens = float(burst)
        self._last: float | None = None

    def take(self, wanted: int, now: float) -> int:
        """As many of the wanted tokens as there are."""
        if self._last is not None:
            self._tokens = min(self._tokens + (now - self._last) * self._qps, float(self._burst))
        self._last = now
        # A token that rounding has left a hair short is one.
        given = min(wanted, int(self._tokens + 1e-9))
        self._tokens -= given
        return given

    @property
    def wait(self) -> float:
        """Seconds from the last take() until there is a token."""
        return max(1.0 - self._tokens, 0.0) / self._qps
