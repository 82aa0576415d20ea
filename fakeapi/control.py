"""Taking a running API server back and forth: its state, its clock, its faults and its request log.

What the admin endpoint and Cluster act on. `fakekube serve` has this one; with components in the same process it is
running.Running, which knows how to stop and start them. Everything is to be called on the server's event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from fakeapi.clock import Clock, RealClock, VirtualClock
from fakeapi.faults import Fault, FaultError, Faults
from fakeapi.requestlog import Record, RequestLog
from fakeapi.storage.base import Entry
from fakeapi.storage.memory import MemoryStorage
from fakeapi.tap import Tap

if TYPE_CHECKING:
    from fakeapi.app import ApiServer

# Turns of the event loop without any work in sight after which nothing is under way in this process: a change passes
# from the store through a watch to a worker in four.
QUIET_TURNS = 12
# Work that rests this long (real seconds) and for so many turns waits for time to go on, or for somebody outside. Turns
# too, since a process that the machine has put aside does nothing for a second with much left to do.
RESTING_SECONDS = 1.0
RESTING_TURNS = 200
_PAUSE = 0.001


class ControlError(Exception):
    """What was asked for cannot be done here; the message is one line for a person."""


class Snapshot(Struct, frozen=True):
    """A state to go back to. entries: every object with its own revisions; now: the clock, in seconds since the epoch;
    flowing: whether it went with the machine's."""

    entries: tuple[Entry, ...]
    revision: int
    now: float
    faults: tuple[Fault, ...] = ()
    requests: tuple[Record, ...] = ()
    parts: Any = None
    flowing: bool = True


class Control:
    """One server's controls. `ready()` once it is up: reset() goes back to that."""

    def __init__(self, server: ApiServer, clock: Clock) -> None:
        self.server = server
        self.clock = clock
        self.faults = Faults(server.config.seed)
        self.requests = RequestLog()
        self.snapshots: dict[str, Snapshot] = {}
        self._first: Snapshot | None = None
        storage = server.storage
        if isinstance(storage, MemoryStorage):
            self.faults.revision = lambda: storage.newest
        server.tap = Tap(self.faults, self.requests, server.refuse)
        server.control = self

    def inject(self, faults: Iterable[Fault]) -> None:
        """Disturb requests from the start. ControlError for what this store cannot do."""
        try:
            for fault in faults:
                self.faults.put(fault)
        except FaultError as error:
            raise ControlError(str(error)) from None

    def ready(self) -> None:
        """What is now is what reset() goes back to."""
        self.requests.clear()
        if isinstance(self.server.storage, MemoryStorage):
            self._first = self.snapshot()

    def snapshot(self) -> Snapshot:
        """The state now. ControlError for a store that cannot go back."""
        storage = self._storage()
        flowing = not isinstance(self.clock, VirtualClock) or self.clock.flowing
        return Snapshot(
            tuple(storage.entries()),
            storage.newest,
            self.clock.now(),
            self.faults.state(),
            self.requests.state(),
            self._parts(),
            flowing,
        )

    async def restore(self, snapshot: Snapshot) -> None:
        """Go back: objects with their own resourceVersions, a later revision, every open watch ended with 410.
        Components go on as if their process had died. ControlError."""
        storage = self._storage()
        await self._halt()
        self.server.expire()
        storage.replace(snapshot.entries, snapshot.revision)
        await self.server.restored()
        self.faults.set_state(snapshot.faults)
        self.requests.set_state(snapshot.requests)
        if isinstance(self.clock, VirtualClock):
            self.clock.set_now(snapshot.now)
            (self.clock.flow if snapshot.flowing else self.clock.freeze)()
        await self._resume(snapshot.parts)

    async def reset(self) -> None:
        """Go back to when the server was ready. ControlError."""
        if self._first is None:
            raise ControlError("a cluster in etcd cannot be reset: others may write to it")
        await self.restore(self._first)

    async def replace(self, entries: tuple[Entry, ...], revision: int) -> None:
        """Swap the objects (a backup's), and nothing else."""
        now = self.snapshot()
        await self.restore(replace(now, entries=entries, revision=revision))

    async def advance(self, seconds: float) -> None:
        """Let time jump, every timer on the way in its turn; returns when all that follows is done. ControlError."""
        if not isinstance(self.clock, VirtualClock):
            raise ControlError("this server follows the machine's clock")
        if seconds < 0:
            raise ControlError("time does not go back; restore a snapshot")
        await self.clock.advance(seconds, self.settle)
        await self.settle()

    async def settle(self) -> None:
        """Return when queues are empty, no reconcile is in flight, and every in-process watch has been told."""
        clock, loop = RealClock(), asyncio.get_running_loop()
        quiet, turns, moved, seen, since = 0, 0, 0, -1, loop.time()
        while True:
            await clock.sleep(0 if turns < 10 * QUIET_TURNS else _PAUSE)
            turns += 1
            progress = self._progress()
            if progress != seen:
                quiet, moved, seen, since = 0, turns, progress, loop.time()
                continue
            quiet += 1
            if quiet < QUIET_TURNS:
                continue
            if self.drained or (loop.time() - since > RESTING_SECONDS and turns - moved > RESTING_TURNS):
                return
            quiet = QUIET_TURNS // 2

    @property
    def drained(self) -> bool:
        """Whether nothing is left to do before time goes on."""
        return True

    def _progress(self) -> int:
        """Grows with every write but those of Leases: a cluster of many nodes is never without a heartbeat."""
        storage = self.server.storage
        if not isinstance(storage, MemoryStorage):
            return 0
        leases = self.server.registries.get(("coordination.k8s.io", "leases", ""))
        return storage.newest - (leases.cache.changes if leases is not None else 0)

    def _storage(self) -> MemoryStorage:
        storage = self.server.storage
        if not isinstance(storage, MemoryStorage):
            raise ControlError("a cluster in etcd has no snapshots: others may write to it")
        return storage

    def _parts(self) -> Any:
        """What a snapshot keeps of the components."""
        return None

    async def _halt(self) -> None:
        """End the components at once."""

    async def _resume(self, parts: Any) -> None:
        """Start them again on what the store holds now."""


async def gone(task: asyncio.Future[Any] | None) -> None:
    """Cancel a task and wait for its end."""
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
