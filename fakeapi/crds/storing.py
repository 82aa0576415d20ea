"""The store as one version of a custom kind sees it: objects come out in that version and go in in the storage version.

Stands for the codec that apiextensions puts around a custom resource's storage (crdConversionRESTOptionsGetter): what
is read is pruned and defaulted by the schema of the version it was stored in, converted, and pruned again; what is
written is converted and pruned. Objects written before the definition took its present form are therefore read by its
rules.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence

import orjson
from msgspec.structs import replace

from fakeapi.crds.conversion import Converter
from fakeapi.crds.kinds import Version
from fakeapi.errors import ApiError
from fakeapi.storage.base import Batch, Change, Entry, Listener, Page, Storage

log = logging.getLogger("fakekube")

_REMEMBERED = 256


class VersionStorage:
    """A Storage over the cluster's, for the keys of one kind. Raises what the store raises, and ApiError (conversion).

    broken: called when a change cannot be converted, so that whoever follows has to start anew.
    """

    def __init__(self, inner: Storage, version: Version, converter: Converter, broken: Callable[[], None]) -> None:
        self._inner = inner
        self.broken = broken
        self._version = version
        self._converter = converter
        self._same = version is version.kind.storage
        self._trusted_after: int | None = None
        self._recent: dict[tuple[str, int], Entry] = {}
        self._relays: set[_Relay] = set()

    # Reading

    async def get(self, key: str) -> Entry | None:
        """See Storage."""
        entry = await self._inner.get(key)
        return await self.read(entry) if entry is not None else None

    async def list(self, prefix: str, *, revision: int = 0, after: str = "", limit: int = 0) -> Page:
        """See Storage."""
        page = await self._inner.list(prefix, revision=revision, after=after, limit=limit)
        return replace(page, entries=[await self.read(entry) for entry in page.entries])

    async def read(self, entry: Entry) -> Entry:
        """The entry in this version. ApiError 500: it cannot be converted."""
        if self._trusted_after is None:
            self._trusted_after = await self._inner.revision()
        made = self.read_now(entry)
        if made is None:
            obj = self._as_stored(entry)
            (obj,) = await self._converter.convert([obj], self._version)
            made = self._remember(entry, self._finish(obj))
        return made

    def read_now(self, entry: Entry) -> Entry | None:
        """The entry in this version, where nobody has to be asked; else None."""
        known = self._recent.get((entry.key, entry.revision))
        if known is not None:
            return known
        stored = self._version.kind.storage
        trusted = self._trusted_after is not None and entry.revision > self._trusted_after
        if trusted and self._same and not stored.has_defaults:
            return entry
        obj = self._as_stored(entry)
        if obj["apiVersion"] != self._version.api_version:
            if self._version.kind.converts_by_webhook:
                return None
            obj["apiVersion"] = self._version.api_version
        return self._remember(entry, self._finish(obj))

    def _as_stored(self, entry: Entry) -> dict[str, object]:
        obj: dict[str, object] = orjson.loads(entry.value)
        wrote = self._version.kind.versions.get(str(obj["apiVersion"]).rpartition("/")[2])
        if wrote is not None:
            wrote.read(obj)
            wrote.default(obj)
        return obj

    def _finish(self, obj: dict[str, object]) -> bytes:
        if not self._same:
            self._version.read(obj)
        return orjson.dumps(obj)

    def _remember(self, entry: Entry, value: bytes) -> Entry:
        made = self._recent[entry.key, entry.revision] = replace(entry, value=value)
        if len(self._recent) > _REMEMBERED:
            del self._recent[next(iter(self._recent))]
        return made

    # Writing

    async def create(self, key: str, value: bytes) -> Entry:
        """See Storage."""
        return await self.read(await self._inner.create(key, await self._write(value)))

    async def update(self, key: str, value: bytes, *, expected: int) -> Entry:
        """See Storage."""
        return await self.read(await self._inner.update(key, await self._write(value), expected=expected))

    async def delete(self, key: str, *, expected: int = 0) -> Entry:
        """See Storage."""
        return await self.read(await self._inner.delete(key, expected=expected))

    async def _write(self, value: bytes) -> bytes:
        if self._same:
            return value
        stored = self._version.kind.storage
        (obj,) = await self._converter.convert([orjson.loads(value)], stored)
        stored.read(obj)
        return orjson.dumps(obj)

    # Following

    def listen(self, prefix: str, listener: Listener) -> Callable[[], None]:
        """See Storage. Where a webhook converts, changes are told once it has answered, still in order."""
        relay = _Relay(self, listener)
        self._relays.add(relay)
        unlisten = self._inner.listen(prefix, relay)

        def stop() -> None:
            unlisten()
            self._relays.discard(relay)
            relay.stop()

        return stop

    async def settle(self) -> int:
        """See Storage."""
        revision = await self._inner.settle()
        for relay in tuple(self._relays):
            await relay.drained()
        return revision

    async def watch(self, prefix: str, *, revision: int) -> AsyncIterator[Batch]:
        """See Storage."""
        async for batch in self._inner.watch(prefix, revision=revision):
            yield [replace(c, entry=await self.read(c.entry) if c.entry is not None else None) for c in batch]

    async def revision(self) -> int:
        """See Storage."""
        return await self._inner.revision()

    async def compact(self, revision: int) -> None:
        """See Storage."""
        await self._inner.compact(revision)

    async def close(self) -> None:
        """See Storage: the cluster's store is not this object's to close."""


class _Relay:
    """Passes changes on in this version: at once, or from a task while a webhook is asked."""

    def __init__(self, storage: VersionStorage, listener: Listener) -> None:
        self._storage = storage
        self._listener = listener
        self._waiting: list[Change | tuple[Sequence[Entry], int]] = []
        self._task: asyncio.Task[None] | None = None
        self._error: ApiError | None = None

    def changed(self, change: Change) -> None:
        """See Listener."""
        made = self._storage.read_now(change.entry) if change.entry is not None else None
        if not self._waiting and (made is not None or change.entry is None):
            self._listener.changed(replace(change, entry=made))
            return
        self._later(change)

    def replaced(self, entries: Sequence[Entry], revision: int) -> None:
        """See Listener."""
        made = [self._storage.read_now(entry) for entry in entries]
        if not self._waiting and None not in made:
            self._listener.replaced([entry for entry in made if entry is not None], revision)
            return
        self._later((entries, revision))

    def _later(self, change: Change | tuple[Sequence[Entry], int]) -> None:
        self._waiting.append(change)
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._work())

    async def _work(self) -> None:
        try:
            await self._pass_on()
        except ApiError as error:
            log.info("a change is not passed on: %s", error)
            self._waiting.clear()
            self._error = error
            self._storage.broken()

    async def _pass_on(self) -> None:
        while self._waiting:
            change = self._waiting[0]
            if isinstance(change, Change):
                entry = await self._storage.read(change.entry) if change.entry is not None else None
                self._listener.changed(replace(change, entry=entry))
            else:
                entries, revision = change
                self._listener.replaced([await self._storage.read(entry) for entry in entries], revision)
            self._waiting.pop(0)

    async def drained(self) -> None:
        """Wait until everything has been passed on. ApiError: something could not be converted."""
        if self._task is not None:
            await asyncio.shield(self._task)
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Pass nothing on any more."""
        # A change that cannot be converted stops its own relay, and is to be told to whoever waits for it.
        if self._task is not None and self._error is None:
            self._task.cancel()
