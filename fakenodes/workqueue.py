"""A queue of keys: each is in it at most once, and never handled by two workers at a time.

Stands for client-go's util/workqueue (Type, delaying and rate-limiting queue). Exponential back-off a key, 5 ms to
1,000 s; leaves out the overall token bucket of upstream's default rate limiter and its metrics.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from fakeapi.clock import Clock, Timer

K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """FIFO of keys with delays and back-off. For use on one event loop; get() and done() bracket the work on a key."""

    def __init__(self, clock: Clock, base: float = 0.005, cap: float = 1000.0) -> None:
        self._clock = clock
        self._base = base
        self._cap = cap
        self._queue: deque[K] = deque()
        self._dirty: set[K] = set()
        self._processing: set[K] = set()
        self._failures: dict[K, int] = {}
        self._delayed: dict[K, tuple[float, Timer]] = {}
        self._resting: dict[K, float] = {}
        self._held: set[K] = set()  # came while they rest
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._closed = False

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def in_flight(self) -> int:
        """Keys that a worker holds: got and not yet done."""
        return len(self._processing)

    @property
    def delayed(self) -> int:
        """Keys that wait for their time."""
        return len(self._delayed)

    @property
    def drained(self) -> bool:
        """Nothing to do now; delayed keys do not count, unless it is for their rest that they wait."""
        return not self._dirty and not self._processing and not self._held

    def add(self, key: K) -> None:
        """Put the key in unless it is there; if a worker holds it, it comes again after done()."""
        if self._closed or key in self._dirty:
            return
        rested = self._resting.get(key)
        if rested is not None:
            wait = rested - self._clock.monotonic()
            if wait > 0:
                self._hold(key, wait)
                return
            del self._resting[key]
        self._dirty.add(key)
        if key not in self._processing:
            self._push(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Add the key after so many seconds; of several delays the earliest counts."""
        if seconds <= 0:
            self.add(key)
            return
        if self._closed:
            return
        due = self._clock.monotonic() + seconds
        pending = self._delayed.get(key)
        if pending is not None:
            if pending[0] <= due:
                return
            pending[1].cancel()
        self._delayed[key] = (due, self._clock.call_later(seconds, lambda: self._due(key)))

    def add_rate_limited(self, key: K) -> None:
        """Add the key after its back-off, which doubles each time until forget()."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.add_after(key, min(self._base * 2.0 ** min(failures, 60), self._cap))

    def forget(self, key: K) -> None:
        """Start the key's back-off anew."""
        self._failures.pop(key, None)

    def requeues(self, key: K) -> int:
        """How often the key was rate limited since forget()."""
        return self._failures.get(key, 0)

    async def get(self) -> K | None:
        """The next key, to be given back with done(); None once the queue is shut down and empty."""
        while not self._queue:
            if self._closed:
                return None
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()
                elif waiter in self._waiters:
                    self._waiters.remove(waiter)
                raise
        key = self._queue.popleft()
        self._dirty.discard(key)
        self._processing.add(key)
        return key

    def done(self, key: K, rest: float = 0.0) -> None:
        """The worker has finished with the key; it is not handed out again for `rest` seconds."""
        self._processing.discard(key)
        if rest > 0:
            self._resting[key] = self._clock.monotonic() + rest
        if key not in self._dirty:
            return
        if rest > 0:
            self._dirty.discard(key)
            self._hold(key, rest)
        else:
            self._push(key)

    def shut_down(self) -> None:
        """Take nothing more; waiting workers get None once the queue is empty."""
        self._closed = True
        for _, timer in self._delayed.values():
            timer.cancel()
        self._delayed.clear()
        self._held.clear()
        while self._waiters:
            self._wake()

    def _hold(self, key: K, seconds: float) -> None:
        self._held.add(key)
        self.add_after(key, seconds)

    def _push(self, key: K) -> None:
        self._queue.append(key)
        self._wake()

    def _due(self, key: K) -> None:
        self._delayed.pop(key, None)
        self._resting.pop(key, None)
        self._held.discard(key)
        self.add(key)

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
