"""Taking out of an object what nobody applies any more.

remove_items() cuts fields out of a value; prune() decides which: fields that the applying manager named last time,
names no longer, and that no other manager owns. Stands for structured-merge-diff's typed/remove.go and the pruning half
of merge/update.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fakeapi.managedfields.elements import (
    MAPPING,
    ItemError,
    child_type,
    element_type,
    is_associative,
    is_named,
    item_element,
)
from fakeapi.managedfields.fieldset import (
    LEAF,
    SELF,
    FieldSet,
    Node,
    difference,
    intersection,
    is_member,
    union,
)
from fakeapi.managedfields.typed import field_set
from fakeapi.schema.types import Type

Obj = dict[str, Any]
Convert = Callable[[Obj, str], tuple[Obj, Type] | None]


def remove_items(value: Any, items: Node, type: Type) -> Any:
    """The value without these fields; null when nothing is left of it, or when it is owned as a whole."""
    if isinstance(value, dict) and type.kind in MAPPING:
        if type.map_type == "atomic":
            return None
        return _remove_fields(value, items, type) or None
    if isinstance(value, list):
        if not is_associative(type):
            return None
        return _remove_list_items(value, items, type) or None
    return value


def _remove_fields(value: Obj, items: Node, type: Type) -> Obj:
    out = {}
    for name, item in value.items():
        node = items.get(f"f:{name}")
        if node is not None:
            if is_member(node):
                continue
            item = remove_items(item, node, child_type(type, name) or type)
        out[name] = item
    return out


def _remove_list_items(value: list[Any], items: Node, type: Type) -> list[Any]:
    below = element_type(type)
    out = []
    for item in value:
        try:
            node = items.get(item_element(type, item))
        except ItemError:
            node = None
        if node is not None:
            if is_member(node):
                continue
            item = remove_items(item, node, below)
        out.append(item)
    return out


def with_named_fields(items: FieldSet, type: Type) -> FieldSet:
    """The set plus every named field that something below belongs to: structs go with their last field."""
    out: Node = {}
    for key, node in items.items():
        if key == SELF or not node:
            out[key] = node
            continue
        below, named = type, False
        if key.startswith("f:"):
            below = child_type(type, key[2:]) or type
            named = is_named(type, key[2:])
        elif type.kind == "list":
            below = element_type(type)
        inner = with_named_fields(node, below)
        out[key] = {SELF: LEAF, **inner} if named and SELF not in inner else inner
    return out


def prune(
    merged: Obj,
    type: Type,
    api_version: str,
    last: FieldSet,
    last_version: str,
    owned: Mapping[str, FieldSet],
    convert: Convert,
) -> Obj:
    """The merged object without what the manager let go of.

    last, last_version: what it applied before, and in which version. owned: by version, what all managers own now,
    the applying one with its new set. convert(obj, version): see manager.py."""
    if not last or not difference(last, owned.get(last_version, {})):
        # Applied sets hold every list item and map above their leaves, so with all of it owned nothing can go.
        return merged
    converted = convert(merged, last_version)
    if converted is None:
        return merged
    base, base_type = converted
    last = with_named_fields(last, base_type)
    pruned = remove_items(base, last, base_type)
    for version in sorted(owned, key=lambda v: (v != last_version, v)):
        pruned = _add_back_owned(base, pruned, last_version, version, owned[version], convert)
    kept = with_named_fields(field_set(pruned or {}, base_type), base_type)
    all_ = with_named_fields(field_set(base, base_type), base_type)
    result = remove_items(base, intersection(difference(all_, kept), last), base_type)
    back = convert(result or {}, api_version)
    return back[0] if back is not None else merged


def _add_back_owned(base: Obj, pruned: Obj, base_version: str, version: str, owned: FieldSet, convert: Convert) -> Obj:
    whole, cut = convert(base, version), convert(pruned or {}, version)
    if whole is None or cut is None:
        return pruned
    obj, type = whole
    everything = with_named_fields(field_set(obj, type), type)
    kept = union(with_named_fields(field_set(cut[0], type), type), with_named_fields(owned, type))
    result: Obj = remove_items(obj, difference(everything, kept), type) or {}
    back = convert(result, base_version)
    return back[0] if back is not None else pruned
