"""A store in one SQLite file: the memory store, with every write on disk before it is seen.

Stands for the same part of etcd as memory.py. All reads are answered from memory (the watch caches hold the objects
anyway); the file is a copy of the latest state: a key's row is written inside the call, before anybody is told. In WAL
mode with synchronous=NORMAL a commit is a write(2) into the log, which survives the death of the process (kill -9);
losing power may lose the last writes, never the file. Such a write takes about 70 microseconds for a 3 KB object (8 ms
when the log is checkpointed), no more than handing it to a thread and back, so it is made inline on the event loop.

What it leaves out: history is not on disk. After a start the file's revision counts as compacted: older list tokens
and watches get 410, as they do from a restarted kube-apiserver's watch cache. One process at a time opens a file.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from fakeapi.storage.base import Change, Entry, Unavailable
from fakeapi.storage.memory import HISTORY, MemoryStorage

FILE = "fakekube.db"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
  key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS store (id INTEGER PRIMARY KEY CHECK (id = 0), revision INTEGER NOT NULL);
INSERT OR IGNORE INTO store VALUES (0, 1);
"""
_PUT = "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)"


class StoreInUse(Unavailable):
    """Another process has the file open; str() is a line for the user."""


class SqliteStorage(MemoryStorage):
    """A Storage; base.py describes the methods."""

    def __init__(self, path: str | os.PathLike[str], history: int = HISTORY) -> None:
        super().__init__(history)
        self._path = Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=1.0)
        try:
            # Before anything else: the lock is taken with the first write and kept until close.
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_SCHEMA)
        except sqlite3.OperationalError as e:
            self._db.close()
            raise StoreInUse(f"{self._path} is in use by another process") from e
        self._read()

    async def close(self) -> None:
        """Flush and let go of the file; harmless when done twice."""
        await super().close()
        self.shut()

    def shut(self) -> None:
        """Let go of the file, where there is no event loop."""
        self._db.close()

    def replace(self, entries: Iterable[Entry], revision: int = 0) -> None:
        """See MemoryStorage.replace; one transaction on disk."""
        kept = list(entries)
        newest = max((e.revision for e in kept), default=0)
        written = max(self._revision + 1, revision, newest)
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM entries")
            self._db.executemany(_PUT, [(e.key, e.value, e.revision, e.created) for e in kept])
            self._db.execute("UPDATE store SET revision = ?", (written,))
        super().replace(kept, revision)

    def _read(self) -> None:
        (self._revision,) = self._db.execute("SELECT revision FROM store").fetchone()
        rows = self._db.execute("SELECT key, value, revision, created FROM entries ORDER BY key")
        self._entries = {key: Entry(key, value, revision, created) for key, value, revision, created in rows}
        self._keys.update(self._entries)
        self._compacted = self._revision

    def _apply(self, change: Change) -> None:
        entry = change.entry
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            if entry is None:
                self._db.execute("DELETE FROM entries WHERE key = ?", (change.key,))
            else:
                self._db.execute(_PUT, (entry.key, entry.value, entry.revision, entry.created))
            self._db.execute("UPDATE store SET revision = ?", (change.revision,))
        super()._apply(change)
