"""What the server does by itself beside answering: it looks anew at objects when they, or what they depend on, change.

Stands for the shape of the controllers that run inside kube-apiserver: a queue of keys and one worker. A Keeper follows
the store, so that writes of other servers on the same store count too.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

from fakeapi.storage.base import Change, Conflict, Entry, KeyExists, KeyMissing, Storage

log = logging.getLogger("fakekube")


class Keeper(ABC):
    """`start` once the store is there, `stop` in the end.

    followed: prefix -> what is looked at anew when something under it is written or gone: "" for that itself, else
    everything under another prefix.
    """

    def __init__(self, storage: Storage, followed: Mapping[str, str]) -> None:
        self.storage = storage
        self._followed = followed
        self._queue: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._unlisten: list[Callable[[], None]] = []

    @abstractmethod
    async def look(self, key: str) -> None:
        """Look at an object, which may be gone, or at everything below a prefix (it ends in "/"). Errors of the store
        mean that somebody else was faster: the key is looked at again."""

    async def start(self) -> None:
        """Look at everything once, and follow the store from there."""
        for prefix, subjects in self._followed.items():
            self._unlisten.append(self.storage.listen(prefix, _Follower(self._enqueue, subjects)))
            if not subjects:
                self._enqueue(prefix)
        self._task = asyncio.ensure_future(self._work())

    async def stop(self) -> None:
        """Leave the store alone."""
        for unlisten in self._unlisten:
            unlisten()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def drained(self) -> bool:
        """Nothing waits to be looked at."""
        return not self._queue

    def _enqueue(self, key: str) -> None:
        self._queue[key] = None
        self._wake.set()

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                key = next(iter(self._queue))
                del self._queue[key]
                try:
                    await self.look(key)
                except (Conflict, KeyExists, KeyMissing):
                    self._queue[key] = None
                except Exception:
                    log.exception("unhandled exception while looking after %s", key)


class _Follower:
    """Enqueues what was written, or all of `subjects`, which depend on it. A storage.base.Listener."""

    def __init__(self, enqueue: Callable[[str], None], subjects: str) -> None:
        self._enqueue = enqueue
        self._subjects = subjects

    def changed(self, change: Change) -> None:
        """See Listener."""
        self._enqueue(self._subjects or change.key)

    def replaced(self, entries: Sequence[Entry], revision: int) -> None:
        """See Listener."""
        for key in [self._subjects] if self._subjects else [entry.key for entry in entries]:
            self._enqueue(key)
