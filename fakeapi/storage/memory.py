"""The default store: every object in this process, with etcd's multi-version behaviour.

Stands for etcd v3 as apiserver uses it (mvcc: one revision counter, mod and create revisions, reads at older revisions,
watches from a revision, compaction). The revision starts at 1 as an empty etcd's does, so the first write is 2.

What it decides: history is a log of the last HISTORY changes of the whole store (not, as upstream, of the last five
minutes: a count needs no timer and bounds memory); a read or watch below it raises Compacted. A list at an older
revision undoes the newer changes of the log, so that it costs the length of the log above it and nothing is copied
per write. No method suspends.

Leaves out: leases, multi-key transactions, ranges that are not prefixes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice

from sortedcontainers import SortedList  # type: ignore[import-untyped]

from fakeapi.storage.base import (
    Batch,
    Change,
    Compacted,
    Conflict,
    Entry,
    FutureRevision,
    KeyExists,
    KeyMissing,
    Listener,
    Page,
)
from fakeapi.storage.feed import Listeners

HISTORY = 20_000
# ... or of so many replaced bytes, as long as there are this many changes.
HISTORY_BYTES, HISTORY_LEAST = 32 * 1024 * 1024, 2_000
# No key contains it: the end of a prefix's range, since keys are compared by code point.
_LAST = "\U0010ffff"


class MemoryStorage:
    """A Storage; base.py describes the methods. Nothing but this process writes to it."""

    def __init__(self, history: int = HISTORY) -> None:
        self._entries: dict[str, Entry] = {}
        self._keys: SortedList = SortedList()
        self._revision = 1
        self._compacted = 0
        self._history = history
        self._log: deque[Change] = deque()
        self._log_bytes = 0
        self._listeners = Listeners()

    async def revision(self) -> int:
        return self._revision

    async def get(self, key: str) -> Entry | None:
        return self._entries.get(key)

    async def list(self, prefix: str, *, revision: int = 0, after: str = "", limit: int = 0) -> Page:
        if revision > self._revision:
            raise FutureRevision(self._revision)
        if revision and revision < self._compacted:
            raise Compacted(self._compacted)
        undone = self._undo(prefix, revision) if revision and revision < self._revision else {}
        if undone:
            return self._list_undone(prefix, revision, after, limit, undone)
        first, last = self._range(prefix, after)
        count = max(last - first, 0)
        taken = min(count, limit) if limit > 0 else count
        entries = [self._entries[k] for k in self._keys.islice(first, first + taken)]
        return Page(entries, revision or self._revision, taken < count, count - taken)

    async def create(self, key: str, value: bytes) -> Entry:
        if key in self._entries:
            raise KeyExists(key)
        revision = self._revision + 1
        return self._put(Change(key, revision, Entry(key, _exact(value), revision, revision), None))

    async def update(self, key: str, value: bytes, *, expected: int) -> Entry:
        previous = self._expect(key, expected)
        revision = self._revision + 1
        return self._put(Change(key, revision, Entry(key, _exact(value), revision, previous.created), previous))

    async def delete(self, key: str, *, expected: int = 0) -> Entry:
        previous = self._expect(key, expected)
        revision = self._revision + 1
        self._apply(Change(key, revision, None, previous))
        return Entry(key, previous.value, revision, previous.created)

    async def watch(self, prefix: str, *, revision: int) -> AsyncIterator[Batch]:
        """See base.py. Several changes that happen between two steps of the reader come as one batch."""
        if revision < self._compacted:
            raise Compacted(self._compacted)
        reader = _Reader()
        reader.pending.extend(c for c in self._log if c.revision > revision and c.key.startswith(prefix))
        cancel = self.listen(prefix, reader)
        try:
            while True:
                yield await reader.batch()
        finally:
            cancel()

    async def settle(self) -> int:
        return self._revision

    async def compact(self, revision: int) -> None:
        self._forget(min(revision, self._revision))

    async def close(self) -> None:
        self._listeners.clear()

    def listen(self, prefix: str, listener: Listener) -> Callable[[], None]:
        return self._listeners.add(prefix, listener)

    @property
    def newest(self) -> int:
        """The revision now."""
        return self._revision

    def entries(self) -> Iterator[Entry]:
        """Every entry as it is now, in key order: what a snapshot or a backup keeps."""
        return (self._entries[key] for key in self._keys)

    def replace(self, entries: Iterable[Entry], revision: int = 0) -> None:
        """Swap the whole contents for `entries`, each with its own revisions. The store's revision goes on (at least to
        `revision` and every entry's), never back; history before it is compacted and every watch is told."""
        self._entries = {e.key: e for e in entries}
        self._keys = SortedList(self._entries)
        newest = max((e.revision for e in self._entries.values()), default=0)
        self._revision = max(self._revision + 1, revision, newest)
        self._log.clear()
        self._log_bytes = 0
        self._compacted = self._revision
        for prefix in self._listeners.prefixes():
            first, last = self._range(prefix, "")
            under = [self._entries[k] for k in self._keys.islice(first, last)]
            self._listeners.replaced(prefix, under, self._revision)

    def _expect(self, key: str, expected: int) -> Entry:
        entry = self._entries.get(key)
        if entry is None:
            raise KeyMissing(key)
        if expected and entry.revision != expected:
            raise Conflict(entry)
        return entry

    def _put(self, change: Change) -> Entry:
        assert change.entry is not None
        self._apply(change)
        return change.entry

    def _apply(self, change: Change) -> None:
        self._revision = change.revision
        if change.entry is None:
            del self._entries[change.key]
            self._keys.remove(change.key)
        else:
            self._entries[change.key] = change.entry
            if change.previous is None:
                self._keys.add(change.key)
        self._log.append(change)
        self._log_bytes += _weight(change)
        while len(self._log) > self._history or (self._log_bytes > HISTORY_BYTES and len(self._log) > HISTORY_LEAST):
            self._forget(self._log[0].revision)
        self._listeners.changed(change)

    def _forget(self, revision: int) -> None:
        """Drop what a read at `revision` or later does not need."""
        while self._log and self._log[0].revision <= revision:
            self._log_bytes -= _weight(self._log.popleft())
        self._compacted = max(self._compacted, revision)

    def _range(self, prefix: str, after: str) -> tuple[int, int]:
        """Indices of the keys under prefix that are > after."""
        first = self._keys.bisect_right(after) if after >= prefix else self._keys.bisect_left(prefix)
        return first, self._keys.bisect_left(prefix + _LAST)

    def _undo(self, prefix: str, revision: int) -> dict[str, Entry | None]:
        """What the keys under prefix that changed after `revision` were at it; None: not there."""
        found: dict[str, Entry | None] = {}
        for change in reversed(self._log):
            if change.revision <= revision:
                break
            if change.key.startswith(prefix):
                found[change.key] = change.previous
        return found

    def _list_undone(self, prefix: str, revision: int, after: str, limit: int, undone: dict[str, Entry | None]) -> Page:
        first, last = self._range(prefix, after)
        old = sorted(k for k, e in undone.items() if e is not None and k > after)
        replaced = sum(1 for k in undone if k > after and k in self._entries)
        count = max(last - first, 0) - replaced + len(old)
        kept = (k for k in self._keys.islice(first, max(last, first)) if k not in undone)
        keys = merge(kept, old)
        taken = min(count, limit) if limit > 0 else count
        entries = [undone.get(k) or self._entries[k] for k in islice(keys, taken)]
        return Page(entries, revision, taken < count, count - taken)


def _exact(value: bytes) -> bytes:
    """A copy without slack: orjson leaves its results in buffers of up to 16 KB for a 2 KB object."""
    return bytes(memoryview(value))


class _Reader:
    """The listener behind watch(): a queue of what has happened since the reader last asked."""

    def __init__(self) -> None:
        self.pending: list[Change] = []
        self._ended: int = 0
        self._waiting: asyncio.Future[None] | None = None

    def changed(self, change: Change) -> None:
        self.pending.append(change)
        self._wake()

    def replaced(self, entries: Sequence[Entry], revision: int) -> None:
        self._ended = revision
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def batch(self) -> list[Change]:
        while not self.pending and not self._ended:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        if self._ended:
            raise Compacted(self._ended)
        found, self.pending = self.pending, []
        return found


def _weight(change: Change) -> int:
    """Bytes that only the log keeps alive."""
    return len(change.previous.value) if change.previous is not None else 0
