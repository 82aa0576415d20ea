"""Where objects are kept: one seam (base.py), three backends behind it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fakeapi.storage.base import Storage


async def open_storage(data: str | Path | None = None, etcd: Sequence[str] = ()) -> Storage:
    """The backend that the options ask for: etcd servers' URLs, a data directory (made if need be), or memory.
    Raises base.Unavailable when no etcd answers, sqlite.StoreInUse when the directory belongs to another process."""
    # Imported when asked for: the default needs neither sqlite3 nor aiohttp.
    if etcd:
        from fakeapi.storage.etcd import EtcdStorage

        return await EtcdStorage.open(etcd)
    if data is not None:
        from fakeapi.storage.sqlite import FILE, SqliteStorage

        return SqliteStorage(Path(data) / FILE)
    from fakeapi.storage.memory import MemoryStorage

    return MemoryStorage()
