"""The seam between the registry and where objects are kept; shaped like etcd v3 (apiserver's pkg/storage/etcd3).

Keys are `/registry/<group/resource>/<namespace>/<name>`, values are JSON bytes without a resourceVersion (the revision
is known only after the write), and there is one revision for the whole store that grows by one with every write.
Compare-and-swap on a key's mod revision is the whole concurrency model. The same test suite runs on every backend.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from msgspec import Struct


class StorageError(Exception):
    """Base of the four errors a store may raise; the registry maps each to a Status once."""


class KeyExists(StorageError):
    """create: the key is there already."""


class KeyMissing(StorageError):
    """update, delete: there is no such key."""


class Conflict(StorageError):
    """update, delete: the key's mod revision is not the expected one. `current` is the entry as it is now."""

    def __init__(self, current: Entry) -> None:
        super().__init__(current.key)
        self.current = current


class Compacted(StorageError):
    """list, watch: that revision is gone. `oldest` is the first revision still answered."""

    def __init__(self, oldest: int) -> None:
        super().__init__(oldest)
        self.oldest = oldest


class FutureRevision(StorageError):
    """list, watch at a revision that has not happened. `current` is the newest one."""

    def __init__(self, current: int) -> None:
        super().__init__(current)
        self.current = current


class Unavailable(StorageError):
    """any: the backend does not answer; str() says why. Not one of the four: it becomes a 500."""


class Entry(Struct, frozen=True):
    """One key at one revision. `revision` is the mod revision: what clients see as resourceVersion."""

    key: str
    value: bytes
    revision: int
    created: int


class Page(Struct, frozen=True):
    """A part of a prefix at one revision, in key order. `more`: the limit cut it; `remaining` counts the rest."""

    entries: list[Entry]
    revision: int
    more: bool
    remaining: int


class Change(Struct, frozen=True):
    """One write. `entry` is None for a delete; `previous` is None for a create. `revision` is that of the write."""

    key: str
    revision: int
    entry: Entry | None
    previous: Entry | None


Batch = list[Change]


class Listener(Protocol):
    """Who is told of writes while they happen (a watch cache). Neither method may raise, or write to the store."""

    def changed(self, change: Change) -> None:
        """One write, in the order of revisions."""

    def replaced(self, entries: Sequence[Entry], revision: int) -> None:
        """The contents were swapped (a restore), or changes were missed: what is under the prefix now, in key order,
        and the store's revision."""


class Storage(Protocol):
    """What a backend does. Every method may be awaited from one event loop at a time; memory never suspends."""

    async def revision(self) -> int:
        """The newest revision."""

    async def get(self, key: str) -> Entry | None:
        """The key's newest entry."""

    async def list(self, prefix: str, *, revision: int = 0, after: str = "", limit: int = 0) -> Page:
        """Entries under prefix with key > after, at `revision` (0: newest). Raises Compacted, FutureRevision."""

    async def create(self, key: str, value: bytes) -> Entry:
        """Write a key that must not exist. Raises KeyExists."""

    async def update(self, key: str, value: bytes, *, expected: int) -> Entry:
        """Replace the value if the mod revision is `expected`. Raises KeyMissing, Conflict."""

    async def delete(self, key: str, *, expected: int = 0) -> Entry:
        """Remove the key (if at mod revision `expected`, when given); the last entry, with the revision of the
        delete as `revision`. Raises KeyMissing, Conflict."""

    def watch(self, prefix: str, *, revision: int) -> AsyncIterator[Batch]:
        """Batches of changes under prefix with revision > `revision`, in order, never ending. Raises Compacted."""

    def listen(self, prefix: str, listener: Listener) -> Callable[[], None]:
        """Call listener for every later write under prefix (which ends in "/"), whoever makes it. A write through this
        object has been told of when it returns. The answer unsubscribes."""

    async def settle(self) -> int:
        """The newest revision, once every listener has been told of all changes up to it: a consistent read."""

    async def compact(self, revision: int) -> None:
        """Forget history before `revision`."""

    async def close(self) -> None:
        """Flush and let go of every resource."""
