"""How a value's parts are named and typed: which Type a field or an item has, and by which path element it goes.

Stands for the schema half of structured-merge-diff's typed package (typed/helpers.go) and for how OpenAPI is turned
into its schema: what has no type is a granular map, an atomic list or a scalar, as it comes.
"""

from __future__ import annotations

import functools
from typing import Any

from fakeapi.managedfields.fieldset import key_element, value_element
from fakeapi.schema.types import Type

ANY = Type("any", go="interface {}", preserve_unknown=True)

# Kinds that hold fields: named ones, or any.
MAPPING = frozenset({"object", "map", "any"})


class ItemError(ValueError):
    """A list item that cannot be told from the others."""


def child_type(type: Type, name: str) -> Type | None:
    """The type of a field or of a map's value; None: no such field."""
    if type.kind == "map":
        return type.element or ANY
    if type.kind == "any":
        return ANY
    found = type.fields.get(name)
    if found is None and (type.preserve_unknown or (type.kind == "object" and type.field_source is None)):
        return ANY
    return found


def is_named(type: Type, name: str) -> bool:
    """Whether that is a field of a struct rather than a key of a map."""
    return type.kind == "object" and name in type.fields


def is_granular_map(type: Type) -> bool:
    """Whether the parts of such a mapping are owned one by one."""
    return type.map_type != "atomic"


def is_associative(type: Type) -> bool:
    """Whether the items of such a list are owned one by one."""
    return type.kind == "list" and type.list_type != "atomic"


def element_type(type: Type) -> Type:
    """The type of a list's items."""
    return type.element or ANY


@functools.lru_cache(maxsize=1 << 14, typed=True)
def _key_element(names: tuple[str, ...], *values: Any) -> str:
    """key_element(), remembered: the same few containers, ports and variables come again with every write."""
    return key_element(dict(zip(names, values, strict=True)))


def item_element(type: Type, item: Any) -> str:
    """The path element by which an item of an associative list goes. ItemError: it has none."""
    if type.map_keys:
        if not isinstance(item, dict):
            what = "a null element" if item is None else "non-map elements"
            raise ItemError(f"associative list with keys may not have {what}")
        found = item if not type.defaults else {**type.defaults, **item}
        names = tuple(name for name in type.map_keys if name in found)
        if not names:
            shown = " ".join(f'"{name}"' for name in type.map_keys)
            raise ItemError(
                f"associative list with keys has an element that omits all key fields [{shown}]"
                " (and doesn't have default values for any key fields)"
            )
        try:
            return _key_element(names, *(found[name] for name in names))
        except TypeError:  # a key that is no scalar: nothing to remember it by
            return key_element({name: found[name] for name in names})
    if isinstance(item, dict):
        raise ItemError("associative list without keys has an element that's a map type")
    if isinstance(item, list):
        raise ItemError("not supported: associative list with lists as elements")
    if item is None:
        raise ItemError("associative list without keys has an element that's an explicit null")
    return value_element(item)


_ZERO = {"string": "", "integer": 0, "number": 0, "boolean": False, "quantity": "0", "int-or-string": 0}
_zeros: dict[int, tuple[Type, Any]] = {}


def zero(type: Type) -> Any:
    """What Go's encoding of an empty value of this type holds: structs by value, and fields that are never left out.

    Structs nest, so the result is shared and must not be changed. Custom resources have no such thing: {}."""
    found = _zeros.get(id(type))
    if found is None:
        found = _zeros[id(type)] = (type, _zero(type))
    return found[1]


def _zero(type: Type) -> Any:
    if type.kind != "object":
        return _ZERO.get(type.kind)
    out: dict[str, Any] = {}
    if not type.name:  # a schema's: unstructured data has no zero values
        return out
    for name, field in type.fields.items():
        if field.kind == "object" and not field.pointer:
            out[name] = zero(field)
        elif not field.omitempty:
            out[name] = None if field.pointer else zero(field)
    return out
