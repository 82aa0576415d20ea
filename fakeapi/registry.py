"""The generic store over any row of the resource table: create, update, delete, with upstream's order of steps.

Stands for apiserver's registry/generic/registry.Store and registry/rest (BeforeCreate, BeforeUpdate, BeforeDelete).
Objects here are in the storage version. What a kind decides is its Strategy; admission and the object's transformation
come in as awaitable steps and run inside the compare-and-swap loop, as upstream's do. Reads and watches are the watch
cache's. Storage errors become Status here and nowhere else.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Protocol

import orjson
from msgspec import Struct

from fakeapi import errors, meta, names
from fakeapi.clock import Clock
from fakeapi.deletion import (
    DeleteOptions,
    begin_grace,
    check_preconditions,
    deletion_finalizers,
    mark_now,
    set_finalizers,
)
from fakeapi.errors import ApiError, FieldError
from fakeapi.managedfields.manager import keep_times
from fakeapi.resources.base import Resource
from fakeapi.schema.decode import decode, through_storage
from fakeapi.schema.types import Type
from fakeapi.storage.base import Conflict, Entry, KeyExists, KeyMissing, Storage
from fakeapi.strategies.base import Context, Obj
from fakeapi.watchcache import WatchCache, splice

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
_UID_CONFLICT = "Precondition failed: UID in precondition: {}, UID in object meta: {}"
_NAME_ATTEMPTS = 8

Admit = Callable[[Obj | None, Obj | None], Awaitable[None]]
Transform = Callable[[Obj | None], Awaitable[Obj]]


async def admit_all(new: Obj | None, old: Obj | None) -> None:
    """An admission step that lets everything pass."""


class Rules(Struct, frozen=True):
    """The functions that govern one way of writing an object: the main resource, /status, or another subresource.

    reset: top-level fields that this way cannot change (they are put back to the old object's).
    """

    prepare: Callable[[Obj, Obj, Context], None]
    validate: Callable[[Obj, Obj, Context], list[FieldError]]
    reset: tuple[str, ...] = ()
    only: str = ""


class Stored(Struct, frozen=True):
    """An object as it is now: its JSON with resourceVersion, and whether this request created (or deleted) it."""

    raw: bytes
    created: bool = False
    deleted: bool = False


def encode(obj: Obj) -> bytes:
    """An object as the store keeps it: kind, apiVersion and metadata first, without a resourceVersion."""
    metadata = {k: v for k, v in obj["metadata"].items() if k != "resourceVersion"}
    head = {"kind": obj["kind"], "apiVersion": obj["apiVersion"], "metadata": metadata}
    return orjson.dumps(head | {k: v for k, v in obj.items() if k not in head})


class Allocator(Protocol):
    """Gives out values that are unique in the cluster (allocators.py describes the protocol)."""

    def allocate(self, new: Obj, old: Obj | None, ctx: Context) -> Callable[[bool], None] | None:
        """Fill in and take what the write needs; the answer, if any, is told whether the write took place. ApiError."""

    def release(self, obj: Obj) -> None:
        """Give back what a deleted object held."""


class Registry:
    """The store of one row.

    `kind_type` is the Type of the storage version; `old`: of a minor before the strategies'.
    """

    def __init__(
        self,
        row: Resource,
        storage: Storage,
        cache: WatchCache,
        *,
        clock: Clock,
        rng: random.Random,
        kind_type: Type | None,
        old: bool = False,
    ) -> None:
        self.row = row
        self.old = old
        self.group = row.group if row.storage_group is None else row.storage_group
        self.strategy = row.strategy
        self.storage = storage
        self.cache = cache
        self.clock = clock
        self.rng = rng
        self.kind_type = kind_type
        self.has_status = row.subresource("status") is not None
        self.status_required = (
            kind_type is not None and "status" in kind_type.fields and not kind_type.fields["status"].omitempty
        )
        self.allocator: Allocator | None = None
        self.name_rule = self.strategy.name or names.name_is_dns_subdomain
        self.main = Rules(
            self.strategy.prepare_update, self.strategy.validate_update, ("status",) if self.has_status else ()
        )
        self.status = Rules(self.strategy.prepare_status, self.strategy.validate_status, only="status")

    def hold(self, allocator: Allocator) -> None:
        """Let that allocator give out the resource's cluster-wide values."""
        self.allocator = allocator

    def trim(self, obj: Obj) -> None:
        """Take away in place what strategies, which are the newest minor's, filled in and the served minor lacks."""
        if self.old and self.kind_type is not None and self.row.custom is None:
            known = decode(obj, self.kind_type).value
            obj.clear()
            obj.update(known)

    # -- reading ---------------------------------------------------------------------------------------------------

    def group_of(self, obj: Obj) -> str:
        """The group that an object claims to be of: only custom resources get this far with a wrong one."""
        group: str = obj["apiVersion"].rpartition("/")[0] if self.row.custom is not None else self.group
        return group

    def missing(self, name: str) -> ApiError:
        """404 for that name."""
        return errors.missing(self.row.group, self.row.plural, name)

    async def current(self, namespace: str, name: str) -> Entry:
        """The newest entry. ApiError 404."""
        entry = await self.storage.get(self.cache.key(namespace, name))
        if entry is None:
            raise self.missing(name)
        return entry

    # -- creating --------------------------------------------------------------------------------------------------

    async def create(self, obj: Obj, ctx: Context, validate: Admit = admit_all) -> Stored:
        """Store a new object. ApiError 4xx."""
        generated = bool(obj["metadata"].get("generateName")) and not obj["metadata"].get("name")
        for attempt in range(_NAME_ATTEMPTS if generated else 1):
            copy: Obj = orjson.loads(orjson.dumps(obj)) if generated else obj
            try:
                return await self._create(copy, ctx, validate)
            except ApiError as error:
                if error.reason != "AlreadyExists" or attempt == _NAME_ATTEMPTS - 1 or not generated:
                    raise
        raise AssertionError("unreachable")

    async def _create(self, obj: Obj, ctx: Context, validate: Admit) -> Stored:
        if self.row.custom is not None and self.row.custom.terminating:
            text = "create not allowed while custom resource definition is terminating"
            raise errors.forbidden_object(self.row.group, self.row.plural, obj["metadata"].get("name", ""), text)
        meta.fill_on_create(obj, now=ctx.now, rng=self.rng)
        self._prepare_create(obj, ctx)
        release = self.allocator.allocate(obj, None, ctx) if self.allocator else None
        try:
            found = self._check_create(obj, ctx)
            if found:
                raise errors.invalid_object(self.group_of(obj), obj["kind"], obj["metadata"].get("name", ""), found)
            await validate(obj, None)
            ctx.warnings += self.strategy.warnings(obj, None, ctx)
            stored = await self._write_new(obj, ctx)
        except BaseException:
            if release:
                release(False)
            raise
        if release:
            release(not ctx.dry_run)
        return stored

    def _prepare_create(self, obj: Obj, ctx: Context) -> None:
        metadata = obj["metadata"]
        metadata.pop("resourceVersion", None)
        if self.strategy.generation:
            metadata["generation"] = 1
        if self.has_status and not self.strategy.keeps_status:
            obj.pop("status", None)
            if self.status_required:
                obj["status"] = {}
        self.strategy.prepare_create(obj, ctx)
        self.trim(obj)

    def _check_create(self, obj: Obj, ctx: Context) -> list[FieldError]:
        metadata = obj["metadata"]
        found = meta.check(metadata, self.row.namespaced, self.name_rule)
        found += [] if self.strategy.bare_finalizers else meta.check_finalizer_names(metadata)
        found += self.strategy.validate(obj, ctx)
        return found or meta.check(metadata, self.row.namespaced, names.name_is_path_segment)

    async def _write_new(self, obj: Obj, ctx: Context) -> Stored:
        metadata = obj["metadata"]
        name = metadata["name"]
        key = self.cache.key(metadata.get("namespace", ""), name)
        if self.kind_type is not None:
            through_storage(obj, self.kind_type)
        value = encode(obj)
        if ctx.dry_run:
            if await self.storage.get(key) is not None:
                raise errors.already_exists(self.row.group, self.row.plural, name)
            return Stored(value, created=True)
        try:
            entry = await self.storage.create(key, value)
        except KeyExists:
            raise await self._exists(key, name) from None
        return Stored(splice(entry.value, entry.revision), created=True)

    async def _exists(self, key: str, name: str) -> ApiError:
        error = errors.already_exists(self.row.group, self.row.plural, name)
        entry = await self.storage.get(key)
        if entry is not None and orjson.loads(entry.value)["metadata"].get("deletionTimestamp"):
            error.status["message"] = f"object is being deleted: {error.status['message']}"
        return error

    # -- updating --------------------------------------------------------------------------------------------------

    async def update(
        self,
        namespace: str,
        name: str,
        ctx: Context,
        transform: Transform,
        *,
        rules: Rules | None = None,
        validate: Admit = admit_all,
        validate_create: Admit | None = None,
        create: bool = False,
        precondition_uid: str = "",
    ) -> Stored:
        """Replace an object by what transform makes of it (of None, where create allows an absent one). ApiError 4xx.

        transform decodes, applies managedFields and mutating admission, and is run anew when somebody else wrote first.
        """
        key = self.cache.key(namespace, name)
        while True:
            entry = await self.storage.get(key)
            if entry is None:
                if not create:
                    raise self.missing(name)
                if precondition_uid:
                    raise self._uid_changed(key, name, precondition_uid, "")
                made = await transform(None)
                made["metadata"].pop("resourceVersion", None)
                return await self._create(made, ctx, validate_create or validate)
            old: Obj = orjson.loads(splice(entry.value, entry.revision))
            if precondition_uid and precondition_uid != old["metadata"].get("uid"):
                raise self._uid_changed(key, name, precondition_uid, old["metadata"].get("uid", ""))
            new = await transform(old)
            pinned = self._check_version(new, old, name)
            stored = await self._replace(entry, new, old, ctx, rules or self.main, validate)
            if stored is not None:
                return stored
            if pinned:
                raise errors.conflict(self.row.group, self.row.plural, name, MODIFIED)

    async def change(self, namespace: str, name: str, ctx: Context, apply: Callable[[Obj], None]) -> Stored:
        """GuaranteedUpdate: change the stored object in place, past the strategy. apply may raise ApiError."""
        key = self.cache.key(namespace, name)
        while True:
            entry = await self.storage.get(key)
            if entry is None:
                raise self.missing(name)
            obj: Obj = orjson.loads(splice(entry.value, entry.revision))
            apply(obj)
            stored = await self._mark(entry, obj, ctx)
            if stored is not None:
                return stored

    def _uid_conflict(self, name: str, given: str, found: str) -> ApiError:
        return errors.conflict(self.row.group, self.row.plural, name, _UID_CONFLICT.format(given, found))

    def _uid_changed(self, key: str, name: str, given: str, found: str) -> ApiError:
        """The same, found by the store while it writes."""
        text = f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
        return errors.conflict(self.row.group, self.row.plural, name, text + _UID_CONFLICT.format(given, found))

    def _check_version(self, new: Obj, old: Obj, name: str) -> bool:
        """Optimistic concurrency; whether the client named a version. ApiError 409, 422, 500."""
        given = new["metadata"].get("resourceVersion") or ""
        current = old["metadata"]["resourceVersion"]
        if given in ("", "0"):
            if not self.strategy.unconditional_update:
                found = [errors.invalid("metadata.resourceVersion", 0, "must be specified for an update")]
                raise errors.invalid_object(self.group, self.row.plural, name, found)
            new["metadata"]["resourceVersion"] = current
            return False
        if not given.isdigit():
            raise errors.plain_500(f'strconv.ParseUint: parsing "{given}": invalid syntax')
        if given != current:
            raise errors.conflict(self.row.group, self.row.plural, name, MODIFIED)
        return True

    async def _replace(
        self, entry: Entry, new: Obj, old: Obj, ctx: Context, rules: Rules, validate: Admit
    ) -> Stored | None:
        """One attempt to write; None when somebody else was faster."""
        self._prepare_update(new, old, ctx, rules)
        release = self.allocator.allocate(new, old, ctx) if self.allocator else None
        committed = False
        try:
            found = meta.check_whole_update(
                new["metadata"], old["metadata"], self.row.namespaced, self.strategy.bare_finalizers
            )
            found += rules.validate(new, old, ctx)
            if found:
                raise errors.invalid_object(self.group_of(new), new["kind"], new["metadata"].get("name", ""), found)
            ctx.warnings += self.strategy.warnings(new, old, ctx) if rules is self.main else []
            await validate(new, old)
            stored = await self._write(entry, new, old, ctx)
            committed = stored is not None and not ctx.dry_run
            return stored
        finally:
            if release:
                release(committed)

    def _prepare_update(self, new: Obj, old: Obj, ctx: Context, rules: Rules) -> None:
        if "generation" in old["metadata"]:
            new["metadata"]["generation"] = old["metadata"]["generation"]
        else:
            new["metadata"].pop("generation", None)
        if rules.only:
            for field in [f for f in {**old, **new} if f not in ("metadata", "kind", "apiVersion", rules.only)]:
                _put_back(new, old, field)
        for field in rules.reset:
            _put_back(new, old, field)
        rules.prepare(new, old, ctx)
        self.trim(new)
        if self.kind_type is not None:
            through_storage(new, self.kind_type)
        if self.strategy.generation and any(
            new.get(f) != old.get(f) for f in {**old, **new} if f not in ("metadata", "status")
        ):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        meta.keep_on_update(new, old)

    async def _write(self, entry: Entry, new: Obj, old: Obj, ctx: Context) -> Stored | None:
        new = keep_times(old, new)
        value = entry.value if new == old else encode(new)
        if self._ends_deletion(new, old):
            return await self._remove_finished(entry, value, ctx)
        if value == entry.value:
            return Stored(splice(entry.value, entry.revision))
        if ctx.dry_run:
            return Stored(splice(value, entry.revision))
        try:
            written = await self.storage.update(entry.key, value, expected=entry.revision)
        except Conflict:
            return None
        except KeyMissing:
            raise self.missing(new["metadata"]["name"]) from None
        return Stored(splice(written.value, written.revision))

    def _ends_deletion(self, new: Obj, old: Obj) -> bool:
        """ShouldDeleteDuringUpdate: the last finalizer of a deleted object went away."""
        was = old["metadata"]
        if new["metadata"].get("finalizers") or not was.get("deletionTimestamp"):
            return False
        if self.strategy.should_delete is not None and not self.strategy.should_delete(new, old):
            return False
        return not was.get("deletionGracePeriodSeconds")

    async def _remove_finished(self, entry: Entry, value: bytes, ctx: Context) -> Stored | None:
        if ctx.dry_run:
            return Stored(splice(value, entry.revision), deleted=True)
        try:
            await self.storage.delete(entry.key, expected=entry.revision)
        except Conflict:
            return None
        except KeyMissing:
            pass
        self._forget(orjson.loads(entry.value))
        return Stored(splice(value, entry.revision), deleted=True)

    # -- deleting --------------------------------------------------------------------------------------------------

    async def delete(
        self, namespace: str, name: str, ctx: Context, options: DeleteOptions, validate: Admit = admit_all
    ) -> Stored:
        """Delete, or begin to: Stored.deleted tells which; raw is the object as it is after (or was before) that.

        ApiError 4xx.
        """
        key = self.cache.key(namespace, name)
        while True:
            entry = await self.storage.get(key)
            if entry is None:
                raise self.missing(name)
            old: Obj = orjson.loads(splice(entry.value, entry.revision))
            if self.strategy.begin_delete is None:
                check_preconditions(old, options, self.row.group, self.row.kind)
            elif options.uid is not None and options.uid != old["metadata"]["uid"]:
                raise self._uid_conflict(name, options.uid, old["metadata"]["uid"])
            await validate(None, old)
            if self.strategy.begin_delete is not None and self.strategy.begin_delete(old, ctx):
                finalizers = deletion_finalizers(old["metadata"], options, self.strategy.default_propagation)
                set_finalizers(old["metadata"], finalizers)
                stored = await self._mark(entry, old, ctx)
            else:
                stored = await self._delete(entry, old, ctx, options)
            if stored is not None:
                return stored

    async def _delete(self, entry: Entry, old: Obj, ctx: Context, options: DeleteOptions) -> Stored | None:
        new: Obj = orjson.loads(splice(entry.value, entry.revision))
        pending, graceful = begin_grace(new, options, self.strategy.graceful, self.clock.now())
        if pending:
            return Stored(splice(entry.value, entry.revision))
        finalizers = deletion_finalizers(new["metadata"], options, self.strategy.default_propagation)
        set_finalizers(new["metadata"], finalizers)
        if graceful:
            marked = await self._mark(entry, new, ctx)
            if marked is None or finalizers or new["metadata"].get("deletionGracePeriodSeconds"):
                return marked
            if ctx.dry_run:
                return Stored(marked.raw, deleted=True)
            return await self._remove(await self._entry(entry.key), ctx)
        if finalizers:
            mark_now(new, self.clock.now())
            return await self._mark(entry, new, ctx)
        return await self._remove(entry, ctx)

    async def _entry(self, key: str) -> Entry:
        entry = await self.storage.get(key)
        if entry is None:
            raise self.missing(key.rsplit("/", 1)[-1])
        return entry

    async def _mark(self, entry: Entry, new: Obj, ctx: Context) -> Stored | None:
        value = encode(new)
        if value == entry.value or ctx.dry_run:
            return Stored(splice(value, entry.revision))
        try:
            written = await self.storage.update(entry.key, value, expected=entry.revision)
        except (Conflict, KeyMissing):
            return None
        return Stored(splice(written.value, written.revision))

    async def _remove(self, entry: Entry, ctx: Context) -> Stored | None:
        if not ctx.dry_run:
            try:
                await self.storage.delete(entry.key, expected=entry.revision)
            except (Conflict, KeyMissing):
                return None
            self._forget(orjson.loads(entry.value))
        return Stored(splice(entry.value, entry.revision), deleted=True)

    def _forget(self, obj: Obj) -> None:
        if self.allocator is not None:
            self.allocator.release(obj)


def _put_back(new: Obj, old: Obj, field: str) -> None:
    if field in old:
        new[field] = old[field]
    else:
        new.pop(field, None)
