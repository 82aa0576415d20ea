"""Keeping metadata.managedFields: one call for every write that is not an apply, one for applies.

Stands for apimachinery's util/managedfields (FieldManager and its chain of managers) and structured-merge-diff's Updater.

How a handler calls this (all objects in the version of the request, with `type` that version's root Type):

create          decode, default -> on_update(None, obj) -> mutating admission -> keep_valid() -> prepare, validate, store.
PUT, patches    inside the retry loop, live being the stored object: decode, default (of the patched document for JSON and
                merge patches) -> on_update(live, new) -> mutating admission -> keep_valid() -> prepare_update ->
                keep_times(live, obj) -> validate -> no write at all when obj now equals live -> store.
apply           same loop: parsed = parse the body (YAML) -> on_apply(live or None, parsed) -> decode, default ->
                name and uid checks -> mutating admission -> and on as above (create when live is None).
                Decoding and defaulting come after, because appliers never own what the server fills in.
status          the same calls with subresource="status" and the strategy's status_reset; metadata.managedFields that the
                client sent is ignored on subresources.
scale           scale.to_scale(entries, ...) puts the parent's entries on the Scale; then the same calls on it with the Scale
                type, api_version "autoscaling/v1" and subresource="scale"; scale.to_parent() brings the entries back.

Fields that prepare_* and admission set are owned by nobody. `reset` names fields ("status", "metadata.labels") that this
kind of write never owns. `convert(obj, version)` gives the object and the root Type in another served version, or None when
that version is gone (its entries are then dropped); without it all versions count as alike. Times are RFC 3339 in whole
seconds. Results share parts with the arguments, except that on_apply's object is a private copy.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from fakeapi import errors
from fakeapi.managedfields import lastapplied
from fakeapi.managedfields.elements import ItemError, zero
from fakeapi.managedfields.entries import (
    Id,
    Managed,
    ManagedFieldsError,
    Owner,
    cap,
    decode,
    encode,
    id_text,
    make_id,
    trusted,
)
from fakeapi.managedfields.fieldset import (
    FieldSet,
    difference,
    intersection,
    of_names,
    path_text,
    paths,
    recursive_difference,
    union,
)
from fakeapi.managedfields.prune import prune
from fakeapi.managedfields.typed import ABSENT, Comparison, compare, equal, field_set, merge
from fakeapi.managedfields.validate import problems
from fakeapi.schema.types import Type

Obj = dict[str, Any]
Convert = Callable[[Obj, str], tuple[Obj, Type] | None]

BEFORE_FIRST_APPLY = "before-first-apply"
MAX_NAME = 128

# What nobody owns, though everybody sends it.
_STRIPPED = of_names(
    (
        "apiVersion",
        "kind",
        "metadata",
        "metadata.name",
        "metadata.namespace",
        "metadata.creationTimestamp",
        "metadata.selfLink",
        "metadata.uid",
        "metadata.clusterName",
        "metadata.generation",
        "metadata.managedFields",
        "metadata.resourceVersion",
    )
)

_reset_set = functools.lru_cache(maxsize=None)(of_names)


@dataclass(frozen=True, slots=True)
class _Write:
    """What is the same all through one write."""

    type: Type
    api_version: str
    subresource: str
    now: str
    reset: FieldSet
    convert: Convert
    bare: dict[str, Any] = field(default_factory=dict)

    def id(self, manager: str, operation: str) -> Id:
        return make_id(manager or "unknown", operation, self.api_version, self.subresource)


class _Conflicts(Exception):
    """Fields of others that an apply without force would change."""

    def __init__(self, fields: dict[Id, FieldSet]) -> None:
        super().__init__()
        self.fields = fields


def on_update(
    live: Obj | None,
    new: Obj,
    *,
    type: Type,
    manager: str,
    api_version: str,
    now: str,
    subresource: str = "",
    reset: tuple[str, ...] = (),
    convert: Convert | None = None,
) -> Obj:
    """`new` with its managedFields as they are after this create, update or (not applying) patch.

    live: the stored object, None on create. manager: from the query's fieldManager or manager_from_user_agent(). Never
    raises: managedFields that cannot be kept are the live object's again, as upstream does."""
    write = _Write(type, api_version, subresource, now, _reset_set(reset), convert or _alike(type))
    managed = _tracked(live, new, subresource)
    bare = _with_entries(new, [])
    if live is not None and not managed and (live.get("metadata") or {}).get("uid"):
        return bare
    try:
        managed = _update(live, bare, managed, write, manager)
    except ItemError:
        return _with_entries(bare, _entries(live))
    return _with_entries(bare, encode(cap(managed)))


def on_apply(
    live: Obj | None,
    applied: Obj,
    *,
    type: Type,
    kind: str,
    manager: str,
    force: bool,
    api_version: str,
    now: str,
    subresource: str = "",
    reset: tuple[str, ...] = (),
    convert: Convert | None = None,
) -> Obj:
    """The live object with the applied configuration laid over it, and its managedFields; a private copy, not defaulted.

    live: None when there is none yet. kind: the one that the body must have, in api_version. ApiError: 400 for a body of
    another kind or with managedFields, 409 with a cause a conflict, 500 (as upstream) when the body does not fit the type."""
    write = _Write(type, api_version, subresource, now, _reset_set(reset), convert or _alike(type))
    _check_body(applied, kind, write)
    try:
        managed = decode(_entries(live))
    except ManagedFieldsError as error:
        raise errors.plain_500(f"failed to decode managed fields: {error}") from None
    bare = _with_entries(live, []) if live is not None else None
    if not managed and bare is not None:
        managed = cap(_update(None, bare, managed, write, BEFORE_FIRST_APPLY))
    merged, managed = _apply_over_last_applied(bare, applied, managed, write, manager, force)
    result: Obj = orjson.loads(orjson.dumps(merged))
    if manager == lastapplied.MANAGER:
        lastapplied.follow(result, applied)
    return _with_entries(result, encode(managed))


def keep_times(live: Obj, new: Obj) -> Obj:
    """`new`, with the live entries when the two objects differ in nothing but times of managedFields (and resourceVersion).

    A write that changes nothing then compares equal to what is stored. Call it after prepare_update, before validation."""
    before, after = _entries(live), _entries(new)
    if len(before) != len(after) or not after or before == after:
        return new
    if any(_timeless(a) != _timeless(b) for a, b in zip(before, after, strict=True)):
        return new
    if not equal(_comparable(live), _comparable(new)):
        return new
    return _with_entries(new, before)


def keep_valid(before: Obj, after: Obj, warnings: list[str]) -> Obj:
    """`after` mutating admission: managedFields that a webhook broke are those of before, with a warning."""
    try:
        decode(_entries(after))
    except (ManagedFieldsError, AttributeError) as error:
        warnings.append(
            ".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating "
            f"admission controller; please fix your requests: {error}"
        )
        return _with_entries(after, _entries(before))
    return after


def manager_from_user_agent(user_agent: str) -> str:
    """The manager's name when the request names none: the User-Agent up to "/", printable, at most 128 bytes."""
    out, size = [], 0
    for ch in user_agent.split("/", 1)[0]:
        if not ch.isprintable():
            continue
        size += len(ch.encode())
        if size > MAX_NAME:
            break
        out.append(ch)
    return "".join(out)


def _alike(type: Type) -> Convert:
    return lambda obj, _version: (obj, type)


def _entries(obj: Obj | None) -> list[Any]:
    found = ((obj or {}).get("metadata") or {}).get("managedFields")
    return found if isinstance(found, list) else []


def _with_entries(obj: Obj, entries: list[Any]) -> Obj:
    metadata = dict(obj.get("metadata") or {})
    metadata.pop("managedFields", None)
    if entries:
        metadata["managedFields"] = entries
    return {**obj, "metadata": metadata}


def _timeless(entry: Obj) -> Obj:
    return {k: v for k, v in entry.items() if k != "time"}


def _comparable(obj: Obj) -> Obj:
    metadata = {k: v for k, v in obj["metadata"].items() if k not in ("managedFields", "resourceVersion")}
    return {**obj, "metadata": metadata}


def _tracked(live: Obj | None, new: Obj, subresource: str) -> Managed:
    """What is owned before this write: the client's idea of it when it sent one on the main resource, else the live one."""
    if not subresource:
        given = (new.get("metadata") or {}).get("managedFields")
        if given is not None and (given == [] or given == [{}]):
            return {}
        try:
            managed = decode(given) if given != _entries(live) else {}
        except (ManagedFieldsError, AttributeError):
            managed = {}
        if managed:
            return managed
    return trusted(_entries(live))


def _versions(live: Obj, new: Obj, write: _Write) -> Callable[[str], Comparison | None]:
    """How new differs from live, in any version, without the fields that this write resets; None: no such version."""

    @functools.cache
    def in_version(version: str) -> Comparison | None:
        if version == write.api_version:
            found = compare(live, new, write.type)
        else:
            before, after = write.convert(live, version), write.convert(new, version)
            if before is None or after is None:
                return None
            found = compare(before[0], after[0], after[1])
        if write.reset:
            found = Comparison(*(recursive_difference(x, write.reset) for x in (found.removed, found.modified, found.added)))
        return found

    return in_version


def _taken(managed: Managed, versions: Callable[[str], Comparison | None], but: Id | None) -> dict[Id, FieldSet]:
    """By owner, what it owns of the fields that were changed or added."""
    found = {}
    for who, owner in managed.items():
        comparison = versions(owner.api_version) if who != but else None
        if comparison is None or not (comparison.modified or comparison.added):
            continue
        fields = union(
            intersection(owner.fields, comparison.modified), intersection(owner.fields, comparison.added)
        )
        if fields:
            found[who] = fields
    return found


def _let_go(managed: Managed, versions: Callable[[str], Comparison | None], taken: dict[Id, FieldSet], but: Id | None) -> Managed:
    """The owners without what was taken from them, what is gone, and without those that are left with nothing."""
    out = {}
    for who, owner in managed.items():
        if who != but:
            comparison = versions(owner.api_version)
            if comparison is None:
                continue
            fields = difference(owner.fields, taken[who]) if who in taken else owner.fields
            fields = difference(fields, comparison.removed)
            if fields is not owner.fields:
                owner = owner._replace(fields=fields)
        if owner.fields:
            out[who] = owner
    return out


def _update(live: Obj | None, new: Obj, managed: Managed, write: _Write, manager: str) -> Managed:
    before = _with_entries(live, []) if live is not None else {**_typed_zero(write.type), **_identity(new)}
    versions = _versions(before, new, write)
    mine = versions(write.api_version)
    assert mine is not None
    managed = _let_go(managed, versions, _taken(managed, versions, None), None)
    fields = difference(union(mine.modified, mine.added), _STRIPPED)
    if fields:
        who = write.id(manager, "Update")
        previous = managed.get(who)
        if previous is not None:
            fields = union(fields, previous.fields)
        entry = previous.entry if previous is not None else None
        managed[who] = Owner(fields, write.api_version, False, write.now, entry)
    return managed


def _typed_zero(type: Type) -> Obj:
    found: Obj = zero(type) or {}
    return found


def _identity(obj: Obj) -> Obj:
    return {k: obj[k] for k in ("apiVersion", "kind") if k in obj}


def _apply_over_last_applied(
    live: Obj | None, applied: Obj, managed: Managed, write: _Write, manager: str, force: bool
) -> tuple[Obj, Managed]:
    """Apply; for kubectl, conflicts over values that it had applied on the client's side are waived."""
    try:
        return _apply(live, applied, managed, write, manager, force)
    except _Conflicts as conflicts:
        fields = conflicts.fields
        known = None
        if manager == lastapplied.MANAGER and live is not None:
            known = lastapplied.allowed(live, write.type, write.api_version)
        if known is None:
            raise _conflict_error(fields) from None
        rest = {who: _without(mine, known) for who, mine in fields.items()}
        rest = {who: mine for who, mine in rest.items() if mine}
        if rest:
            raise _conflict_error(rest) from None
    return _apply(live, applied, managed, write, manager, True)


def _without(fields: FieldSet, known: FieldSet) -> FieldSet:
    return difference(fields, known)


def _apply(
    live: Obj | None, applied: Obj, managed: Managed, write: _Write, manager: str, force: bool
) -> tuple[Obj, Managed]:
    who = write.id(manager, "Apply")
    last = managed.get(who)
    try:
        fields = recursive_difference(field_set(applied, write.type), write.reset)
        merged = applied if live is None else merge(live, applied, write.type)
        assert merged is not ABSENT
        managed = {**managed, who: Owner(fields, write.api_version, True, last.time if last else "", last.entry if last else None)}
        if last is not None and live is not None:
            owned: dict[str, FieldSet] = {}
            for owner in managed.values():
                owned[owner.api_version] = union(owned.get(owner.api_version, {}), owner.fields)
            merged = prune(merged, write.type, write.api_version, last.fields, last.api_version, owned, write.convert)
        if live is None:
            managed = {who: managed[who]}
        else:
            versions = _versions(live, merged, write)
            taken = _taken(managed, versions, who)
            if taken and not force:
                raise _Conflicts(taken)
            managed = _let_go(managed, versions, taken, who)
    except ItemError as error:
        raise errors.plain_500(f"failed to create typed live object ({_name(live or applied, write)}): {error}") from None
    mine = managed.pop(who, None)
    stripped = difference(fields, _STRIPPED)
    if mine is not None and stripped:
        changed = live is None or not equal(live, merged)
        managed[who] = mine._replace(fields=stripped, time=write.now if changed else mine.time)
    return merged, managed


def _check_body(applied: Obj, kind: str, write: _Write) -> None:
    given = applied.get("apiVersion"), applied.get("kind")
    if given != (write.api_version, kind):
        raise errors.bad_request(f"invalid object type: {_kind_text(*given)}")
    metadata = applied.get("metadata")
    if isinstance(metadata, dict) and metadata.get("managedFields") is not None:
        raise errors.bad_request("metadata.managedFields must be nil")
    wrong = problems(applied, write.type)
    if wrong:
        raise errors.plain_500(f"failed to create typed patch object ({_name(applied, write)}): {wrong}")


def _kind_text(api_version: Any, kind: Any) -> str:
    """schema.GroupVersionKind's %v; what cannot be an apiVersion shows as none."""
    version = api_version if isinstance(api_version, str) else ""
    if version.count("/") > 1:
        return "/, Kind="
    group_version = version if "/" in version else f"/{version}"
    return f"{group_version}, Kind={kind if isinstance(kind, str) else ''}"


def _name(obj: Obj, write: _Write) -> str:
    metadata = obj.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    where = metadata.get("namespace") or ""
    name = metadata.get("name") or ""
    return f"{where}/{name}; {_kind_text(write.api_version, obj.get('kind'))}"


def _conflict_error(fields: dict[Id, FieldSet]) -> errors.ApiError:
    """409 in upstream's words."""
    found = [(who, [path_text(p) for p in paths(fields[who])]) for who in sorted(fields, key=id_text)]
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {_manager_text(who)}", "field": path}
        for who, texts in found
        for path in texts
    ]
    if len(causes) == 1:
        cause = causes[0]
        return errors.apply_conflict(f"Apply failed with 1 conflict: {cause['message']}: {cause['field']}", causes)
    lines = []
    for who, texts in found:
        lines += [f"conflicts with {_manager_text(who)}:", *(f"- {path}" for path in texts)]
    return errors.apply_conflict(f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines), causes)


def _manager_text(who: Id) -> str:
    text = errors.go_value(who.manager)
    if who.subresource:
        text += f" with subresource {errors.go_value(who.subresource)}"
    return f"{text} using {who.api_version}" if who.operation == "Update" else text
