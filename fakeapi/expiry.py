"""Events go an hour after they were last written (--event-ttl).

Stands for the etcd leases that apiserver's registry gives Events. Ends of leases are kept in memory: after a restart of
the server, or a restored snapshot, every Event has its full time again.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable, Sequence

from fakeapi.clock import Clock, Timer
from fakeapi.storage.base import Change, Conflict, Entry, KeyMissing, Storage, StorageError

PREFIX = "/registry/events/"
TTL_SECONDS = 3600.0

log = logging.getLogger("fakekube")


class Expiry:
    """Deletes what has not been written for `ttl` seconds. A storage.base.Listener; start() it, stop() it."""

    def __init__(self, storage: Storage, clock: Clock, ttl: float = TTL_SECONDS, prefix: str = PREFIX) -> None:
        self._storage = storage
        self._clock = clock
        self._ttl = ttl
        self._prefix = prefix
        self._due: list[tuple[float, int, str]] = []
        self._timer: Timer | None = None
        self._task: asyncio.Task[None] | None = None
        self._unlisten: Callable[[], None] | None = None

    async def start(self) -> None:
        """Follow the store."""
        self._unlisten = self._storage.listen(self._prefix, self)
        page = await self._storage.list(self._prefix)
        self.replaced(page.entries, page.revision)

    async def stop(self) -> None:
        """Leave the store alone."""
        if self._unlisten is not None:
            self._unlisten()
        self._disarm()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def drained(self) -> bool:
        """Nothing is being deleted."""
        return self._task is None or self._task.done()

    def changed(self, change: Change) -> None:
        if change.entry is not None:
            self._push(change.entry)

    def replaced(self, entries: Sequence[Entry], revision: int) -> None:
        self._disarm()
        self._due.clear()
        for entry in entries:
            self._push(entry)

    def _push(self, entry: Entry) -> None:
        heapq.heappush(self._due, (self._clock.monotonic() + self._ttl, entry.revision, entry.key))
        if self._timer is None:
            self._arm()

    def _arm(self) -> None:
        if self._due:
            self._timer = self._clock.call_later(self._due[0][0] - self._clock.monotonic(), self._fire)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        if self.drained:
            self._task = asyncio.get_running_loop().create_task(self._expire(), name="event expiry")

    async def _expire(self) -> None:
        """Delete what is due and has not been written since."""
        try:
            while self._due and self._due[0][0] <= self._clock.monotonic():
                _, revision, key = heapq.heappop(self._due)
                try:
                    await self._storage.delete(key, expected=revision)
                except (KeyMissing, Conflict):
                    continue
        except StorageError as error:
            log.info("events could not be expired: %s", error)
        finally:
            self._arm()
