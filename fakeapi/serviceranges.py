"""Which ranges cluster IPs come from: those of the ServiceCIDRs that are ready.

Stands for the part of ipallocator's MetaAllocator that follows ServiceCIDRs. One without a condition counts as ready,
since there may be no controller to say so; one that is going gives no further addresses. Where no ServiceCIDR is served
(before 1.33) or left, the ranges of --service-cluster-ip-range stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import orjson

from fakeapi.resources.base import Resource
from fakeapi.storage.base import Change, Entry, Storage
from fakeapi.strategies.base import Obj


class Ranged(Protocol):
    """Who gives addresses out."""

    def set_ranges(self, cidrs: Sequence[str]) -> None:
        """From here on addresses come from these ranges."""


def is_ready(obj: Obj) -> bool:
    """Whether addresses may be taken from a ServiceCIDR."""
    if obj["metadata"].get("deletionTimestamp"):
        return False
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((c.get("status") == "True" for c in conditions if c.get("type") == "Ready"), True)


def ready_cidrs(objects: Iterable[Obj]) -> list[str]:
    """The ranges of those that are ready, each once."""
    return list(dict.fromkeys(c for obj in objects if is_ready(obj) for c in obj["spec"].get("cidrs") or ()))


class ServiceRanges:
    """Tells an allocator of the ranges as they change. A storage.base.Listener."""

    def __init__(self, storage: Storage, row: Resource | None) -> None:
        self._storage = storage
        self._row = row
        self._known: dict[str, Obj] = {}
        self._ranged: Ranged | None = None
        self._unlisten: Callable[[], None] | None = None

    async def serve(self, ranged: Ranged) -> None:
        """Tell this one from here on, in place of any before."""
        self._ranged = ranged
        if self._row is not None and self._unlisten is None:
            self._unlisten = self._storage.listen(self._row.prefix, self)
            page = await self._storage.list(self._row.prefix)
            self._known = {entry.key: orjson.loads(entry.value) for entry in page.entries}
        self._tell()

    def stop(self) -> None:
        """Follow no more."""
        if self._unlisten is not None:
            self._unlisten()

    def changed(self, change: Change) -> None:
        """See Listener."""
        if change.entry is None:
            self._known.pop(change.key, None)
        else:
            self._known[change.key] = orjson.loads(change.entry.value)
        self._tell()

    def replaced(self, entries: Sequence[Entry], revision: int) -> None:
        """See Listener."""
        self._known = {entry.key: orjson.loads(entry.value) for entry in entries}
        self._tell()

    def _tell(self) -> None:
        if self._ranged is not None and self._known:
            self._ranged.set_ranges(ready_cidrs(self._known.values()))
