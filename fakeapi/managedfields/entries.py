"""metadata.managedFields between its JSON form and the form the manager works with.

Managed maps an Id to an Owner. Stands for apimachinery's managedfields/internal/managedfields.go and capmanagers.go.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from fakeapi.managedfields.fieldset import FieldSet, FieldSetError, in_order, parse, union

Entry = dict[str, Any]

# Above so many Update entries the oldest ones of a version are thrown together.
MAX_UPDATE_MANAGERS = 10
ANCIENT = "ancient-changes"


class Id(NamedTuple):
    """Who owns: api_version is "" for Apply, because appliers keep their fields across versions."""

    manager: str
    operation: str
    api_version: str
    subresource: str


class Owner(NamedTuple):
    """What is owned. time: RFC 3339, "" for none. entry: the JSON this was read from, when nothing has changed
    since."""

    fields: FieldSet
    api_version: str
    applied: bool
    time: str = ""
    entry: Entry | None = None


Managed = dict[Id, Owner]


class ManagedFieldsError(ValueError):
    """managedFields that cannot be read; the text is upstream's."""


def make_id(manager: str, operation: str, api_version: str, subresource: str) -> Id:
    """An Id in normal form."""
    return Id(manager, operation, "" if operation == "Apply" else api_version, subresource)


def id_text(found: Id) -> str:
    """The order in which upstream lists managers in messages: that of the identifier's JSON."""
    fields = dict(zip(("manager", "operation", "apiVersion", "subresource"), found, strict=True))
    return orjson.dumps({k: v for k, v in fields.items() if v}).decode()


def decode(entries: Any) -> Managed:
    """What the entries say. ManagedFieldsError: an entry is wrong."""
    managed: Managed = {}
    for index, entry in enumerate(entries or ()):
        operation = entry.get("operation", "")
        if operation not in ("Apply", "Update"):
            raise ManagedFieldsError("operation must be `Apply` or `Update`")
        api_version = entry.get("apiVersion", "")
        if not api_version:
            raise ManagedFieldsError("apiVersion must not be empty")
        fields_type = entry.get("fieldsType", "")
        if fields_type != "FieldsV1":
            what = f'invalid fieldsType "{fields_type}" in' if fields_type else "missing fieldsType in"
            raise ManagedFieldsError(f"{what} managed fields entry {index}")
        who = make_id(entry.get("manager", ""), operation, api_version, entry.get("subresource", ""))
        managed[who] = Owner(_fields(entry), api_version, operation == "Apply", entry.get("time") or "", entry)
    return managed


def _fields(entry: Entry) -> FieldSet:
    try:
        return parse(entry.get("fieldsV1") or {})
    except FieldSetError as error:
        raise ManagedFieldsError(f"error decoding set: {error}") from None


def trusted(entries: Any) -> Managed:
    """decode() for entries that this server has written: their sets are in normal form already."""
    managed: Managed = {}
    for entry in entries or ():
        operation, version = entry["operation"], entry["apiVersion"]
        who = make_id(entry.get("manager", ""), operation, version, entry.get("subresource", ""))
        managed[who] = Owner(entry.get("fieldsV1") or {}, version, operation == "Apply", entry.get("time") or "", entry)
    return managed


def encode(managed: Managed) -> list[Entry]:
    """The entries in upstream's order; an unchanged one is the very object it was read from."""
    found = [_encode(who, owner) for who, owner in managed.items()]
    found.sort(key=_entry_order)
    return found


def _encode(who: Id, owner: Owner) -> Entry:
    old = owner.entry
    unchanged = old is not None and (old["apiVersion"], old.get("time") or "") == (owner.api_version, owner.time)
    if old is not None and unchanged and old.get("fieldsV1") == owner.fields:
        return old
    entry: Entry = {}
    if who.manager:
        entry["manager"] = who.manager
    entry["operation"] = "Apply" if owner.applied else who.operation
    entry["apiVersion"] = owner.api_version
    if owner.time:
        entry["time"] = owner.time
    entry["fieldsType"] = "FieldsV1"
    entry["fieldsV1"] = in_order(owner.fields)
    if who.subresource:
        entry["subresource"] = who.subresource
    return entry


def _entry_order(entry: Entry) -> tuple[Any, ...]:
    return (
        entry["operation"],
        seconds(entry.get("time")),
        entry.get("manager", ""),
        entry["apiVersion"],
        entry.get("subresource", ""),
    )


@lru_cache(maxsize=256)
def seconds(time: str | None) -> int:
    """A time's whole seconds since the epoch; 0 for none."""
    if not time:
        return 0
    try:
        return int(datetime.fromisoformat(time).replace(tzinfo=None).replace(tzinfo=UTC).timestamp())
    except ValueError:
        return 0


def cap(managed: Managed) -> Managed:
    """At most MAX_UPDATE_MANAGERS Update entries: the oldest of each version are united under ANCIENT."""
    updaters = [who for who, owner in managed.items() if not owner.applied]
    if len(updaters) <= MAX_UPDATE_MANAGERS:
        return managed
    updaters.sort(key=lambda who: (seconds(managed[who].time), id_text(who)))
    out = dict(managed)
    first_of: dict[str, Id] = {}
    left = len(updaters)
    for who in updaters:
        if left <= MAX_UPDATE_MANAGERS:
            break
        owner = managed[who]
        first = first_of.setdefault(owner.api_version, who)
        if first == who:
            continue
        bucket = make_id(ANCIENT, "Update", owner.api_version, "")
        into = out[bucket] if bucket in out else out.pop(first)
        out[bucket] = Owner(union(owner.fields, into.fields), owner.api_version, False, owner.time)
        if who != bucket:
            del out[who]
        left -= 1
    return out
