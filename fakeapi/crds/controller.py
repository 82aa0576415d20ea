"""Keeps the resource table in step with the CustomResourceDefinitions in the store, and brings those on their way.

Listens to the store, so definitions that another server wrote become rows as well. A row stands from the moment its
definition is established until the definition goes. What takes writes (names, conditions, deletion of objects) is done
by one task, definition by definition, as upstream's controllers would.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import orjson

from fakeapi.clock import rfc3339
from fakeapi.crds import lifecycle, rows
from fakeapi.crds.conversion import Ask
from fakeapi.crds.kinds import Kind
from fakeapi.deletion import DeleteOptions
from fakeapi.errors import ApiError
from fakeapi.managedfields import manager
from fakeapi.registry import encode
from fakeapi.resources.base import Resource
from fakeapi.storage.base import Change, Conflict, Entry, KeyMissing
from fakeapi.strategies.base import Context, Obj

if TYPE_CHECKING:
    from fakeapi.app import ApiServer

log = logging.getLogger("fakekube")

GROUP, PLURAL, VERSION = "apiextensions.k8s.io", "customresourcedefinitions", "v1"
PREFIX = f"/registry/{GROUP}/{PLURAL}/"
META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
MANAGER = "kube-apiserver"


class Definitions:
    """The definitions of one server. `start` once the store is there, `stop` in the end."""

    def __init__(self, server: ApiServer, ask: Ask) -> None:
        self._server = server
        self._ask = ask
        self._known: dict[str, Obj] = {}
        self._rows: dict[str, list[Resource]] = {}
        self._kinds: dict[str, Kind] = {}
        self._queue: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._unlisten: Callable[[], None] | None = None
        self._gone: dict[str, Callable[[], None]] = {}

    async def start(self) -> None:
        """Take in what is stored and follow the store from there."""
        storage = self._server.storage
        self._unlisten = storage.listen(PREFIX, self)
        page = await storage.list(PREFIX)
        self.replaced(page.entries, page.revision)
        self._task = asyncio.ensure_future(self._work())

    async def stop(self) -> None:
        """Leave the store alone."""
        if self._unlisten is not None:
            self._unlisten()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for forget in self._gone.values():
            forget()

    # What the store tells

    def changed(self, change: Change) -> None:
        """A definition was written or is gone."""
        name = change.key.removeprefix(PREFIX)
        self._take(name, orjson.loads(change.entry.value) if change.entry is not None else None)

    def replaced(self, entries: Sequence[Entry], revision: int) -> None:
        """All definitions anew."""
        found = {entry.key.removeprefix(PREFIX): orjson.loads(entry.value) for entry in entries}
        for name in [name for name in self._known if name not in found]:
            self._take(name, None)
        for name, definition in found.items():
            self._take(name, definition)

    def _take(self, name: str, definition: Obj | None) -> None:
        old = self._known.pop(name, None)
        if definition is not None:
            self._known[name] = definition
            self._enqueue(name)
        elif old is not None:
            group = old["spec"]["group"]
            for other, known in self._known.items():
                if known["spec"]["group"] == group:
                    self._enqueue(other)
        if _served_form(old) != _served_form(definition):
            self._serve(name, definition)
        elif definition is not None and name in self._kinds:
            self._kinds[name].definition = definition

    def _serve(self, name: str, definition: Obj | None) -> None:
        """Put the definition's rows into the table in place of those it had."""
        table = self._server.table
        for row in self._rows.pop(name, ()):
            if table.find(row.group, row.storage_version, row.plural) is row:
                table.remove(row)
            self._server.retire(row)
        self._kinds.pop(name, None)
        if definition is None or not lifecycle.is_true(definition, "Established"):
            return
        kind = self._kinds[name] = Kind(definition, self._server.definitions.type(META))
        made = rows.make(kind, self._ask, self._server.retire)
        made = [row for row in made if self._free(row)]
        for row in made:
            table.add(row)
        self._rows[name] = made

    def _free(self, row: Resource) -> bool:
        """Built-in resources cannot be replaced."""
        found = self._server.table.find(row.group, row.storage_version, row.plural)
        return found is None or found.custom is not None

    # The work

    def _enqueue(self, name: str) -> None:
        self._queue[name] = None
        self._wake.set()

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                name = next(iter(self._queue))
                del self._queue[name]
                try:
                    await self._sync(name)
                except (ApiError, Conflict, KeyMissing) as error:
                    log.debug("CustomResourceDefinition %s: %s", name, error)
                except Exception:
                    log.exception("unhandled exception while looking after CustomResourceDefinition %s", name)

    async def _sync(self, name: str) -> None:
        definition = self._known.get(name)
        if definition is None:
            return
        if definition["metadata"].get("deletionTimestamp"):
            if lifecycle.is_ending(definition):
                await self._end(name)
            return
        group = definition["spec"]["group"]
        others = [d for n, d in self._known.items() if n != name and d["spec"]["group"] == group]
        now = rfc3339(self._server.clock.now())
        new = lifecycle.advance(definition, others, now)
        if new is not None:
            await self._write(name, lambda current: lifecycle.advance(current, others, now))
            for other in others:
                self._enqueue(other["metadata"]["name"])

    async def _end(self, name: str) -> None:
        """Delete the objects; when all are gone take the finalizer away."""
        now = rfc3339(self._server.clock.now())
        definition = self._known[name]
        if not lifecycle.is_true(definition, "Established"):
            text = "False", "NeverEstablished", "resource was never established"
            await self._write(name, lambda d: lifecycle.without_finalizer(lifecycle.terminating(d, now, *text)))
            return
        found = lifecycle.condition_of(definition["status"], "Terminating")
        if found is None or found["reason"] == "InstanceDeletionPending":
            text = "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress"
            await self._write(name, lambda d: lifecycle.terminating(d, now, *text))
        if await self._delete_objects(name, definition):
            text = "False", "InstanceDeletionCompleted", "removed all instances"
            await self._write(name, lambda d: lifecycle.without_finalizer(lifecycle.terminating(d, now, *text)))

    async def _delete_objects(self, name: str, definition: Obj) -> bool:
        """Ask every object to go; whether none is left."""
        kind = Kind(definition, self._server.definitions.type(META))
        row = next(iter(rows.make(kind, self._ask, self._server.retire)), None)
        prefix = f"/registry/{kind.storage_key}/"
        storage = self._server.storage
        if name not in self._gone:
            self._gone[name] = storage.listen(prefix, _Nudge(lambda: self._enqueue(name)))
        entries = (await storage.list(prefix)).entries
        current = self._rows.get(name) or ([row] if row is not None else [])
        ctx = Context(now=rfc3339(self._server.clock.now()), user="system:apiserver")
        for entry in entries if current else ():
            metadata = orjson.loads(entry.value)["metadata"]
            if metadata.get("deletionTimestamp"):
                continue
            registry = await self._server.registry(current[0])
            try:
                await registry.delete(metadata.get("namespace", ""), metadata["name"], ctx, DeleteOptions())
            except ApiError as error:
                log.debug("deleting %s: %s", entry.key, error)
        if (await storage.list(prefix, limit=1)).entries:
            return False
        self._gone.pop(name)()
        return True

    async def _write(self, name: str, change: Callable[[Obj], Obj | None]) -> None:
        """Change a definition as its controllers do, through compare-and-swap."""
        storage, key = self._server.storage, PREFIX + name
        while True:
            entry = await storage.get(key)
            if entry is None:
                return
            old = orjson.loads(entry.value)
            new = change(old)
            if new is None or new == old:
                return
            if not new["metadata"].get("finalizers") and new["metadata"].get("deletionTimestamp"):
                try:
                    await storage.delete(key, expected=entry.revision)
                except Conflict:
                    continue
                return
            try:
                await storage.update(key, encode(self._owned(old, new)), expected=entry.revision)
            except Conflict:
                continue
            return

    def _owned(self, old: Obj, new: Obj) -> Obj:
        server = self._server
        return manager.on_update(
            old,
            new,
            type=server.definitions.type(
                f"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.{VERSION}.CustomResourceDefinition"
            ),
            manager=MANAGER,
            api_version=f"{GROUP}/{VERSION}",
            subresource="status",
            now=rfc3339(server.clock.now()),
            reset=("spec",),
        )


class _Nudge:
    """Calls back on any write."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call

    def changed(self, change: Change) -> None:
        """See Listener."""
        if change.entry is None:
            self._call()

    def replaced(self, entries: Sequence[Entry], revision: int) -> None:
        """See Listener."""
        self._call()


def _served_form(definition: Obj | None) -> object:
    """All of a definition that its rows are made from: while it stays the same, so do stores and open watches."""
    if definition is None or not lifecycle.is_true(definition, "Established"):
        return None
    return definition["spec"], definition["status"]["acceptedNames"]
