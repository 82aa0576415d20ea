"""A whole running cluster on the current event loop: API server and components, and going back to an earlier state.

What Cluster, `fakekube up` and the admin endpoint share. Leaves out snapshots of a cluster in etcd, which others may
write to.
"""

from __future__ import annotations

from dataclasses import dataclass

from fakeapi.clock import Clock
from fakeapi.components import components
from fakeapi.config import Config
from fakeapi.launch import Launched, launch
from fakeapi.storage.base import Entry
from fakeapi.storage.memory import MemoryStorage
from fakenodes.components import Components, Plan


class SnapshotError(Exception):
    """The store cannot go back in time; the message is one line for a person."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state to go back to: every object with its own revisions."""

    entries: tuple[Entry, ...]
    revision: int


class Running:
    """start() it, stop() it. Everything is to be called on its event loop."""

    def __init__(self, launched: Launched, plan: Plan, clock: Clock) -> None:
        self.launched = launched
        self.clock = clock
        self.plan = plan
        self.components: Components = components(launched, plan, clock)

    @classmethod
    async def start(cls, config: Config, plan: Plan, clock: Clock) -> Running:
        """A cluster that is ready for use. LaunchError, TimeoutError, ValueError for a controller that there is not."""
        running = cls(await launch(config, clock=clock), plan, clock)
        try:
            await running.components.start()
            await running.components.ready()
        except BaseException:
            await running.stop()
            raise
        return running

    async def stop(self) -> None:
        """End everything."""
        await self.components.stop()
        await self.launched.stop()

    def snapshot(self) -> Snapshot:
        """The state now. SnapshotError."""
        storage = self._storage()
        return Snapshot(tuple(storage.entries()), storage._revision)

    async def restore(self, snapshot: Snapshot) -> None:
        """Go back: objects with their own resourceVersions, a later revision, every watch ended. SnapshotError."""
        storage = self._storage()
        await self.components.stop()
        storage.replace(snapshot.entries)
        self.components = components(self.launched, self.plan, self.clock)
        await self.components.start()
        await self.components.ready()

    def _storage(self) -> MemoryStorage:
        storage = self.launched.server.storage
        if not isinstance(storage, MemoryStorage):
            raise SnapshotError("a cluster in etcd has no snapshots: others may write to it")
        return storage
