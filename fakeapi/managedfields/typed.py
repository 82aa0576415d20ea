"""Comparing, merging and listing the fields of values by their type.

compare() says what was removed, modified and added; field_set() which fields a value names; merge() lays an applied
configuration over the live object. Values are plain JSON; they have been validated (validate.py), so shapes fit types.

Stands for structured-merge-diff's typed.Compare, ToFieldSet and Merge. A `null` counts as present and empty.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from fakeapi.managedfields.elements import (
    MAPPING,
    ItemError,
    child_type,
    element_type,
    is_associative,
    is_granular_map,
    is_named,
    item_element,
)
from fakeapi.managedfields.fieldset import LEAF, SELF, FieldSet, Node
from fakeapi.schema.types import Type

Obj = dict[str, Any]

# What one side does not have at all; null is something else.
ABSENT: Any = object()


class Comparison(Struct):
    """Three sets of fields, disjoint."""

    removed: FieldSet
    modified: FieldSet
    added: FieldSet

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not (self.removed or self.modified or self.added)


_Triple = tuple[Node | None, Node | None, Node | None]
_SAME: _Triple = (None, None, None)


def compare(old: Obj, new: Obj, type: Type) -> Comparison:
    """How new differs from old, both whole objects. ItemError: an associative list's item cannot be told."""
    removed, modified, added = _compare(old, new, type)
    return Comparison(removed or {}, modified or {}, added or {})


def _compare(old: Any, new: Any, type: Type) -> _Triple:
    if old is new:
        return _SAME
    if type.kind in MAPPING and (isinstance(old, dict) or isinstance(new, dict)):
        if not is_granular_map(type) or not (old or new):
            return _leaf(old, new)
        if _is_map(old) and _is_map(new):
            return _compare_maps(old or {}, new or {}, type)
        return _compare_shapes(old, new, type)
    if type.list_type != "atomic" and (isinstance(old, list) or isinstance(new, list)) and (old or new):
        return _compare_lists(old or [], new or [], type)
    return _leaf(old, new)


def _is_map(value: Any) -> bool:
    return value is None or isinstance(value, dict)


def _leaf(old: Any, new: Any) -> _Triple:
    return _SAME if equal(old, new) else (None, LEAF, None)


def _compare_shapes(old: Any, new: Any, type: Type) -> _Triple:
    """A map became a scalar or a list, or the reverse: the map's parts come or go, the field is modified."""
    removed = _parts(old, type) if isinstance(old, dict) else None
    added = _parts(new, type) if isinstance(new, dict) else None
    return removed or None, LEAF, added or None


def _parts(value: Obj, type: Type) -> Node:
    return {k: v for k, v in _present(value, type).items() if k != SELF}


def _compare_maps(old: Obj, new: Obj, type: Type) -> _Triple:
    removed: Node = {}
    modified: Node = {}
    added: Node = {}
    for name, value in new.items():
        before = old.get(name, ABSENT)
        if before is value:
            continue
        below = child_type(type, name)
        if below is None:
            raise ItemError(f".{name}: field not declared in schema")
        key = f"f:{name}"
        if before is ABSENT:
            added[key] = _present(value, below)
            continue
        if before.__class__ is value.__class__ and before == value:
            continue
        gone, changed, come = _compare(before, value, below)
        if gone is not None:
            removed[key] = gone
        if changed is not None:
            modified[key] = changed
        if come is not None:
            added[key] = come
    for name, value in old.items():
        if name not in new:
            below = child_type(type, name)
            if below is None:
                raise ItemError(f".{name}: field not declared in schema")
            removed[f"f:{name}"] = _present(value, below)
    return removed or None, modified or None, added or None


def _compare_lists(old: list[Any], new: list[Any], type: Type) -> _Triple:
    before, after = _grouped(old, type), _grouped(new, type)
    below = element_type(type)
    removed: Node = {}
    modified: Node = {}
    added: Node = {}
    for key in before.keys() | after.keys():
        olds, news = before.get(key, []), after.get(key, [])
        if len(olds) > 1 and len(news) > 1:
            if not equal(olds, news):
                modified[key] = LEAF
        elif len(olds) > 1:
            removed[key] = LEAF
            if news:
                added[key] = _present(news[0], below)
        elif len(news) > 1:
            added[key] = LEAF
            if olds:
                removed[key] = _present(olds[0], below)
        elif not olds:
            added[key] = _present(news[0], below)
        elif not news:
            removed[key] = _present(olds[0], below)
        else:
            for target, node in zip((removed, modified, added), _compare(olds[0], news[0], below), strict=True):
                if node is not None:
                    target[key] = node
    return removed or None, modified or None, added or None


def _grouped(items: list[Any], type: Type) -> dict[str, list[Any]]:
    out: dict[str, list[Any]] = {}
    for item in items:
        out.setdefault(item_element(type, item), []).append(item)
    return out


def _present(value: Any, type: Type) -> Node:
    """The node of a value that one side has and the other has not: itself and everything below it."""
    if not value:
        return LEAF
    if isinstance(value, dict) and type.kind in MAPPING:
        if type.map_type == "atomic":
            return LEAF
        out: Node = {SELF: LEAF}
        for name, item in value.items():
            below = child_type(type, name)
            if below is None:
                raise ItemError(f".{name}: field not declared in schema")
            out[f"f:{name}"] = _present(item, below) if item.__class__ in _NESTED else LEAF
        return out
    if isinstance(value, list) and is_associative(type):
        below = element_type(type)
        groups = _grouped(value, type)
        return {SELF: LEAF, **{k: _present(v[0], below) if len(v) == 1 else LEAF for k, v in groups.items()}}
    return LEAF


_NESTED = frozenset({dict, list})


def equal(a: Any, b: Any) -> bool:
    """JSON equality: 1 equals 1.0 and True does not equal 1."""
    if a.__class__ is not b.__class__:
        return not isinstance(a, bool) and not isinstance(b, bool) and bool(a == b)
    if a != b:
        return False
    if isinstance(a, dict):
        return all(equal(v, b[k]) for k, v in a.items())
    if isinstance(a, list):
        return all(map(equal, a, b))
    return True


def field_set(value: Obj, type: Type) -> FieldSet:
    """The fields a configuration names: leaves, list items and keys of maps. ItemError: an item cannot be told."""
    return _map_fields(value, type)


def _map_fields(value: Obj, type: Type) -> Node:
    out: Node = {}
    for name, item in value.items():
        below = child_type(type, name)
        if below is None:
            raise ItemError(f".{name}: field not declared in schema")
        if item.__class__ not in _NESTED:
            out[f"f:{name}"] = LEAF
            continue
        node = _fields(item, below)
        member = node is LEAF or not is_named(type, name)
        if node:
            out[f"f:{name}"] = {SELF: LEAF, **node} if member and SELF not in node else node
        elif member:
            out[f"f:{name}"] = LEAF
    return out


def _fields(value: Any, type: Type) -> Node:
    """LEAF itself (by identity) says: the value is one field as a whole."""
    if isinstance(value, dict) and type.kind in MAPPING:
        return LEAF if type.map_type == "atomic" else _map_fields(value, type) if value else LEAF
    if isinstance(value, list) and is_associative(type):
        return _list_fields(value, type)
    return LEAF


def _list_fields(items: list[Any], type: Type) -> Node:
    below = element_type(type)
    out: Node = {}
    for key, group in _grouped(items, type).items():
        node = LEAF if len(group) > 1 else _fields(group[0], below)
        out[key] = {SELF: LEAF, **node} if node else LEAF
    return out


def merge(live: Any, applied: Any, type: Type) -> Any:
    """The live value with the applied one laid over it; either may be ABSENT. The result shares parts with both."""
    if live is ABSENT or applied is ABSENT:
        return applied if live is ABSENT else live
    if type.kind in MAPPING and (isinstance(live, dict) or isinstance(applied, dict)):
        if is_granular_map(type) and (live or applied) and _is_map(applied):
            return _merge_maps(live if isinstance(live, dict) else {}, applied or {}, type)
        return applied
    if is_associative(type) and (live or applied):
        return _merge_lists(live or [], applied or [], type)
    return applied


def _merge_maps(live: Obj, applied: Obj, type: Type) -> Any:
    out = {}
    for name, value in live.items():
        theirs = applied.get(name, ABSENT)
        if theirs is not ABSENT and (theirs.__class__ is not value.__class__ or theirs != value):
            value = merge(value, theirs, child_type(type, name) or type)
        if value is not ABSENT:
            out[name] = value
    for name, value in applied.items():
        if name not in live:
            value = merge(ABSENT, value, child_type(type, name) or type)
            if value is not ABSENT:
                out[name] = value
    return out or ABSENT


def _merge_lists(live: list[Any], applied: list[Any], type: Type) -> Any:
    """Upstream's order: applied items in the applied order, live ones where they were, as far as both can be had."""
    below = element_type(type)
    lefts = [item_element(type, item) for item in live]
    rights = [item_element(type, item) for item in applied]
    # Of duplicates in the live object the merged item starts from nothing (upstream: a null).
    mine: dict[str, Any] = {}
    for key, item in zip(lefts, live, strict=True):
        mine[key] = ABSENT if key in mine else item
    theirs = dict(zip(rights, applied, strict=True))
    shared = [key for key in rights if key in mine]
    out: list[Any] = []
    done: set[str] = set()
    left = right = 0
    while left < len(lefts) or right < len(rights):
        if left < len(lefts) and right < len(rights):
            key = lefts[left]
            if key == rights[right]:
                done.add(key)
                out.append(merge(mine[key], theirs[key], below))
                left, right, shared = left + 1, right + 1, shared[1:]
                continue
            if key in theirs and shared and shared[0] != key:
                left += 1
                continue
        if left < len(lefts):
            key = lefts[left]
            if key not in theirs:
                out.append(live[left])
                left += 1
                continue
            if key in done:
                left += 1
        if right < len(rights):
            key = rights[right]
            done.add(key)
            out.append(merge(mine.get(key, ABSENT), theirs[key], below))
            right += 1
            if shared and shared[0] == key:
                shared = shared[1:]
    return [item for item in out if item is not ABSENT] or ABSENT
