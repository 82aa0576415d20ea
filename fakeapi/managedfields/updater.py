"""What a write does to the owners of fields: the heart of managedFields.

update() is for writes that are not applies: changed and added fields become the writer's alone. apply() lays a
configuration over the live object: its fields become the applier's too, and other owners of fields that it changes are
conflicts. Stands for structured-merge-diff's merge/update.go with apimachinery's strip-meta and managed-fields-updater
managers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from fakeapi.managedfields.elements import zero
from fakeapi.managedfields.entries import Id, Managed, Owner, make_id
from fakeapi.managedfields.fieldset import (
    FieldSet,
    difference,
    intersection,
    of_names,
    recursive_difference,
    union,
)
from fakeapi.managedfields.prune import Convert, prune
from fakeapi.managedfields.typed import Comparison, compare, field_set, merge
from fakeapi.schema.types import Type

Obj = dict[str, Any]
_Versions = Callable[[str], Comparison | None]

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


class Write(Struct, frozen=True):
    """What is the same all through one write; the fields are manager.on_update's, reset as a set."""

    type: Type
    api_version: str
    subresource: str
    now: str
    reset: FieldSet
    convert: Convert

    def id(self, manager: str, operation: str) -> Id:
        """Who a manager is in this write."""
        return make_id(manager or "unknown", operation, self.api_version, self.subresource)


class Conflicts(Exception):
    """Fields of others that an apply without force would change."""

    def __init__(self, fields: dict[Id, FieldSet]) -> None:
        super().__init__()
        self.fields = fields


def update(live: Obj | None, new: Obj, managed: Managed, write: Write, manager: str) -> Managed:
    """The owners after new took live's place; neither holds managedFields. ItemError: they cannot be compared."""
    before: Obj = live if live is not None else {**zero(write.type), **{k: new[k] for k in _IDENTITY if k in new}}
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


_IDENTITY = ("apiVersion", "kind")


def apply(
    live: Obj | None, applied: Obj, managed: Managed, write: Write, manager: str, force: bool
) -> tuple[Obj, Managed]:
    """The merged object, which shares parts with both, and the owners. Raises Conflicts and ItemError."""
    who = write.id(manager, "Apply")
    last = managed.get(who)
    fields = recursive_difference(field_set(applied, write.type), write.reset)
    mine = Owner(fields, write.api_version, True, last.time if last else "", last.entry if last else None)
    managed = {**managed, who: mine}
    if live is None:
        merged, managed = applied, {}
    else:
        merged = merge(live, applied, write.type)
        if last is not None:
            owned = _by_version(managed)
            merged = prune(merged, write.type, write.api_version, last.fields, last.api_version, owned, write.convert)
        versions = _versions(live, merged, write)
        taken = _taken(managed, versions, who)
        if taken and not force:
            raise Conflicts(taken)
        managed = _let_go(managed, versions, taken, who)
        managed.pop(who, None)
    stripped = difference(fields, _STRIPPED)
    if stripped:
        changed = live is None or live != merged
        managed[who] = mine._replace(fields=stripped, time=write.now if changed else mine.time)
    return merged, managed


def _by_version(managed: Managed) -> dict[str, FieldSet]:
    owned: dict[str, FieldSet] = {}
    for owner in managed.values():
        owned[owner.api_version] = union(owned.get(owner.api_version, {}), owner.fields)
    return owned


def _versions(live: Obj, new: Obj, write: Write) -> _Versions:
    """How new differs from live, in any version, without the fields that this write resets; None: no such version."""

    known: dict[str, Comparison | None] = {}

    def in_version(version: str) -> Comparison | None:
        if version not in known:
            known[version] = compared(version)
        return known[version]

    def compared(version: str) -> Comparison | None:
        if version == write.api_version:
            found = compare(live, new, write.type)
        else:
            before, after = write.convert(live, version), write.convert(new, version)
            if before is None or after is None:
                return None
            found = compare(before[0], after[0], after[1])
        if write.reset:
            sets = (found.removed, found.modified, found.added)
            found = Comparison(*(recursive_difference(fields, write.reset) for fields in sets))
        return found

    return in_version


def _taken(managed: Managed, versions: _Versions, but: Id | None) -> dict[Id, FieldSet]:
    """By owner, what it owns of the fields that were changed or added."""
    found = {}
    for who, owner in managed.items():
        comparison = versions(owner.api_version) if who != but else None
        if comparison is None or not (comparison.modified or comparison.added):
            continue
        fields = intersection(owner.fields, union(comparison.modified, comparison.added))
        if fields:
            found[who] = fields
    return found


def _let_go(managed: Managed, versions: _Versions, taken: dict[Id, FieldSet], but: Id | None) -> Managed:
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
