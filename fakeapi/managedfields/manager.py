"""Keeping metadata.managedFields: one call for every write that is not an apply, one for applies.

Stands for apimachinery's util/managedfields (FieldManager and its chain of managers) and structured-merge-diff's
Updater.

How a handler calls this (all objects in the version of the request, with `type` that version's root Type):

create     decode, default -> on_update(None, obj) -> mutating admission -> keep_valid() -> prepare, validate, store.
update,    (PUT and all patches but apply) inside the retry loop, live being the stored object: decode and default the
patch      body or the patched document -> on_update(live, new) -> mutating admission -> keep_valid() -> prepare_update
           -> keep_times(live, obj) -> validate -> no write at all when obj now equals live -> store.
apply      the same loop: read the body (YAML) -> on_apply(live or None, parsed) -> decode, default -> name and uid
           checks -> mutating admission -> and on as above (as for create when live is None). Decoding and defaulting
           come after, because appliers never own what the server fills in.
status     the same calls with subresource="status" and the strategy's status_reset; metadata.managedFields that the
           client sent is ignored on subresources.
scale      scale.to_scale(entries, ...) puts the parent's entries on the Scale; then the same calls on it with the Scale
           type, api_version "autoscaling/v1" and subresource="scale"; scale.to_parent() brings the entries back.

Fields that prepare_* and admission set are owned by nobody. `reset` names fields ("status", "metadata.labels") that
this kind of write never owns. `convert(obj, version)` gives the object and the root Type in another served version, or
None when that version is gone (its entries are then dropped); without it all versions count as alike. Times are RFC
3339 in whole seconds. Results share parts with the arguments, except that on_apply's object is a private copy.
"""

from __future__ import annotations

import functools
from typing import Any

import orjson

from fakeapi import errors
from fakeapi.managedfields import lastapplied
from fakeapi.managedfields.conflicts import conflict_error, kind_text, object_text
from fakeapi.managedfields.elements import ItemError
from fakeapi.managedfields.entries import Managed, ManagedFieldsError, cap, decode, encode, trusted
from fakeapi.managedfields.fieldset import difference, of_names
from fakeapi.managedfields.prune import Convert
from fakeapi.managedfields.typed import equal
from fakeapi.managedfields.updater import Conflicts, Write, apply, update
from fakeapi.managedfields.validate import problems
from fakeapi.schema.types import Type

Obj = dict[str, Any]

BEFORE_FIRST_APPLY = "before-first-apply"
MAX_NAME = 128

_reset_set = functools.lru_cache(maxsize=None)(of_names)


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
    write = Write(type, api_version, subresource, now, _reset_set(reset), convert or _alike(type))
    managed = _tracked(live, new, subresource)
    bare = _with_entries(new, [])
    if live is not None and not managed and (live.get("metadata") or {}).get("uid"):
        return bare
    try:
        before = _with_entries(live, []) if live is not None else None
        managed = update(before, bare, managed, write, manager)
    except ItemError:
        return _with_entries(new, _entries(live))
    return _with_entries(new, encode(cap(managed)))


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
    """The live object with the applied configuration laid over it and its managedFields: a private copy, not defaulted.

    live: None when there is none yet. kind: the one that the body must have, in api_version. ApiError: 400 for a body
    of another kind or with managedFields, 409 with a cause a conflict, 500 (as upstream) for a body that does not fit
    the type."""
    write = Write(type, api_version, subresource, now, _reset_set(reset), convert or _alike(type))
    _check_body(applied, kind, write)
    managed = trusted(_entries(live))
    bare = _with_entries(live, []) if live is not None else None
    try:
        if not managed and bare is not None:
            managed = cap(update(None, bare, managed, write, BEFORE_FIRST_APPLY))
        merged, managed = _apply_over_last_applied(bare, applied, managed, write, manager, force)
    except ItemError as error:
        name = object_text(live or applied, api_version)
        raise errors.plain_500(f"failed to create typed live object ({name}): {error}") from None
    result: Obj = orjson.loads(orjson.dumps(merged))
    if manager == lastapplied.MANAGER:
        lastapplied.follow(result, applied)
    if live is not None and _entries(live):
        # managedFields keep their place too, so that a write which changes nothing also encodes the same.
        places = [k for k in live["metadata"] if k in result["metadata"] or k == "managedFields"]
        result["metadata"] = {**dict.fromkeys(places), **result["metadata"]}
    return _with_entries(result, encode(managed))


def keep_times(live: Obj, new: Obj) -> Obj:
    """`new`, with the live entries when the objects differ only in times of managedFields (and resourceVersion).

    A write that changes nothing then equals what is stored. Call it after prepare_update, before validation."""
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
            ".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated "
            f"mutating admission controller; please fix your requests: {error}"
        )
        return _with_entries(after, _entries(before))
    return after


@functools.lru_cache(maxsize=1024)
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
    """A copy with these entries, at the place in metadata where obj has some."""
    metadata = dict(obj.get("metadata") or {})
    if entries:
        metadata["managedFields"] = entries
    else:
        metadata.pop("managedFields", None)
    return {**obj, "metadata": metadata}


def _timeless(entry: Obj) -> Obj:
    return {k: v for k, v in entry.items() if k != "time"}


def _comparable(obj: Obj) -> Obj:
    metadata = {k: v for k, v in obj["metadata"].items() if k not in ("managedFields", "resourceVersion")}
    return {**obj, "metadata": metadata}


def _tracked(live: Obj | None, new: Obj, subresource: str) -> Managed:
    """What is owned before this write: as the client says when it does, on the main resource; else as live says."""
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


def _apply_over_last_applied(
    live: Obj | None, applied: Obj, managed: Managed, write: Write, manager: str, force: bool
) -> tuple[Obj, Managed]:
    """Apply; for kubectl, conflicts over values that it had applied on the client's side are waived."""
    try:
        return apply(live, applied, managed, write, manager, force)
    except Conflicts as conflicts:
        fields = conflicts.fields
        known = None
        if manager == lastapplied.MANAGER and live is not None:
            known = lastapplied.allowed(live, write.type, write.api_version)
        if known is None:
            raise conflict_error(fields) from None
        rest = {who: difference(mine, known) for who, mine in fields.items()}
        rest = {who: mine for who, mine in rest.items() if mine}
        if rest:
            raise conflict_error(rest) from None
    return apply(live, applied, managed, write, manager, True)


def _check_body(applied: Obj, kind: str, write: Write) -> None:
    given = applied.get("apiVersion"), applied.get("kind")
    if given != (write.api_version, kind):
        raise errors.bad_request(f"invalid object type: {kind_text(*given)}")
    metadata = applied.get("metadata")
    if isinstance(metadata, dict) and metadata.get("managedFields") is not None:
        raise errors.bad_request("metadata.managedFields must be nil")
    wrong = problems(applied, write.type)
    if wrong:
        name = object_text(applied, write.api_version)
        raise errors.plain_500(f"failed to create typed patch object ({name}): {wrong}")
