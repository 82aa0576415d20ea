"""Custom resources' schemas: compiled into the Type tree, and what decoding does to an object under such a schema.

Decides which fields of a custom resource stay, what becomes of nulls, which defaults come in, and that metadata (the
root's and embedded resources') is read as ObjectMeta. Stands for apiextensions-apiserver's structural schemas: pruning,
objectmeta and defaulting, put together as the unstructuredSchemaCoercer does. Types are not checked here: that is
validation's work, and answered 422. The deprecated spec.preserveUnknownFields is left out, v1 does not allow it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from fakeapi.errors import invalid
from fakeapi.schema.decode import DecodeError, decode
from fakeapi.schema.scalars import plain_number
from fakeapi.schema.types import Type

_META_FIELDS = ("apiVersion", "kind", "metadata")
_STRING = Type("string", go="string")
_SCALARS = frozenset({"string", "integer", "number", "boolean"})


def compile(schema: Mapping[str, Any], meta: Type | None = None) -> Type:
    """The Type tree of an openAPIV3Schema. With `meta` (ObjectMeta's Type) the root is a resource's.

    Resources, the root and embedded ones, have fields apiVersion, kind and metadata whatever their schema says; their
    Type is marked `embedded`. Objects without properties have no fields, any value without a type is of kind `any`.
    """
    return _compile(schema, meta, embedded=meta is not None)


def _compile(schema: Mapping[str, Any], meta: Type | None, *, embedded: bool = False, required: bool = False) -> Type:
    embedded = embedded or bool(schema.get("x-kubernetes-embedded-resource"))
    kind, element = _shape(schema, meta)
    fields = {name: (inner, name in schema.get("required", ())) for name, inner in schema.get("properties", {}).items()}
    return Type(
        kind,
        element=element,
        field_source=lambda: _compile_fields(fields, meta, embedded),
        required=tuple(schema.get("required", ())),
        list_type=schema.get("x-kubernetes-list-type", "atomic"),
        map_keys=tuple(schema.get("x-kubernetes-list-map-keys", ())),
        map_type=schema.get("x-kubernetes-map-type", "granular"),
        pointer=True,
        omitempty=not required,
        preserve_unknown=bool(schema.get("x-kubernetes-preserve-unknown-fields")),
        embedded=embedded,
        nullable=bool(schema.get("nullable")),
        defaults=_key_defaults(schema),
        schema=schema,
    )


def _compile_fields(
    fields: Mapping[str, tuple[Mapping[str, Any], bool]], meta: Type | None, embedded: bool
) -> dict[str, Type]:
    found = {name: _compile(schema, meta, required=required) for name, (schema, required) in fields.items()}
    if embedded:
        found |= {"apiVersion": _STRING, "kind": _STRING}
        if meta is not None:
            found["metadata"] = replace(meta, pointer=False, omitempty=False)
    return found


def _shape(schema: Mapping[str, Any], meta: Type | None) -> tuple[str, Type | None]:
    """kind and element."""
    if schema.get("x-kubernetes-int-or-string"):
        return "int-or-string", None
    kind = schema.get("type", "")
    if kind == "array":
        return "list", _compile(schema.get("items") or {}, meta)
    additional = schema.get("additionalProperties")
    if kind == "object" and additional and not schema.get("properties"):
        return "map", _compile(additional if isinstance(additional, dict) else {}, meta)
    return (kind if kind in _SCALARS or kind == "object" else "any"), None


def _key_defaults(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = (schema.get("items") or {}).get("properties", {})
    keys = schema.get("x-kubernetes-list-map-keys", ())
    return {key: properties[key]["default"] for key in keys if "default" in properties.get(key, {})}


def coerce(obj: dict[str, Any], t: Type, meta: Type) -> list[str]:
    """Prune and normalise a custom resource in place; the texts of its unknown fields, in upstream's order.

    t: compile(schema, meta); meta: ObjectMeta's Type. DecodeError: metadata of a wrong type. Defaults come after this.
    """
    _plain_numbers(obj)
    paths: list[str] = []
    metadata = _object_meta(obj, meta, "metadata", paths) if "metadata" in obj else None
    pruned: list[str] = []
    _prune(obj, t, "", pruned)
    paths += sorted(pruned)
    _prune_nulls(obj, t)
    embedded: list[str] = []
    _coerce_embedded(obj, t, meta, "", embedded, root=True)
    paths += sorted(embedded)
    if metadata is not None:
        obj["metadata"] = metadata
    return [f'unknown field "{path}"' for path in paths]


def apply_defaults(value: Any, t: Type | None) -> None:
    """Fill in the schema's defaults, in place, also for nulls where null is not allowed."""
    if t is None:
        return
    if isinstance(value, dict):
        for name, f in _own_fields(t).items():
            if f.schema.get("default") is not None and (name not in value or _unwanted_null(value[name], f)):
                value[name] = copy.deepcopy(f.schema["default"])
        for name in value:
            inner = _child(t, name)
            if _unwanted_null(value[name], inner) and t.kind == "map":
                value[name] = _default(inner)
            apply_defaults(value[name], inner)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if _unwanted_null(item, t.element):
                value[index] = _default(t.element)
            apply_defaults(value[index], t.element)


def _default(t: Type | None) -> Any:
    return copy.deepcopy(t.schema.get("default")) if t else None


def _own_fields(t: Type) -> Mapping[str, Type]:
    """The fields that the schema itself names: not what being a resource adds."""
    return {k: f for k, f in t.fields.items() if k not in _META_FIELDS} if t.embedded else t.fields


def _child(t: Type | None, name: str) -> Type | None:
    """The Type under a key; None where the schema is silent, and for a resource's own metadata."""
    if t is None or (t.embedded and name in _META_FIELDS):
        return None
    return t.fields.get(name) or (t.element if t.kind == "map" else None)


def _unwanted_null(value: Any, t: Type | None) -> bool:
    return value is None and t is not None and not t.nullable


def _items(t: Type | None) -> Type | None:
    return t.element if t is not None and t.kind == "list" else None


def _prune(value: Any, t: Type | None, path: str, found: list[str], *, kept: bool = False) -> None:
    """Drop what the schema does not name; where unknown fields are preserved only what it describes is looked into.

    kept: a list around this item preserves, and so the item does, without its schema saying so.
    """
    keep = t is not None and (kept or t.preserve_unknown)
    if isinstance(value, dict):
        for name in list(value):
            if t is not None and t.embedded and name in _META_FIELDS:
                continue
            inner = _child(t, name)
            below = f"{path}.{name}" if path else name
            if inner is not None:
                _prune(value[name], inner, below, found)
            elif not keep:
                if path or name not in _META_FIELDS:
                    found.append(below)
                del value[name]
    elif isinstance(value, list):
        element = _items(t)
        if keep and element is None:
            return
        for index, item in enumerate(value):
            _prune(item, element, f"{path}[{index}]", found, kept=keep)


def _prune_nulls(value: Any, t: Type | None) -> None:
    """Nulls that are neither allowed nor about to be defaulted go; in lists they stay."""
    if isinstance(value, dict):
        for name in list(value):
            inner = _child(t, name)
            if inner is not None and _unwanted_null(value[name], inner) and inner.schema.get("default") is None:
                del value[name]
            else:
                _prune_nulls(value[name], inner)
    elif isinstance(value, list):
        for item in value:
            _prune_nulls(item, _items(t))


def _coerce_embedded(value: Any, t: Type | None, meta: Type, path: str, found: list[str], *, root: bool) -> None:
    """Embedded resources' type and metadata; the root's own are done by then."""
    if t is None:
        return
    if isinstance(value, dict):
        for name in list(value):
            below = f"{path}.{name}" if path else name
            if t.embedded and not root and name in _META_FIELDS:
                _coerce_meta_field(value, name, meta, below, found)
            inner = _child(t, name)
            key = f"{path}[{name}]" if t.kind == "map" else below
            _coerce_embedded(value[name], inner, meta, key, found, root=False)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _coerce_embedded(item, _items(t), meta, f"{path}[{index}]", found, root=False)


def _coerce_meta_field(value: dict[str, Any], name: str, meta: Type, path: str, found: list[str]) -> None:
    if name != "metadata":
        if not isinstance(value[name], str):
            raise DecodeError(str(invalid(path, value[name], "must be a string")))
        return
    try:
        value[name] = _object_meta(value, meta, path, found)
    except DecodeError as error:
        raise DecodeError(str(invalid(path, value[name], str(error)))) from None


def _object_meta(obj: Mapping[str, Any], meta: Type, path: str, found: list[str]) -> dict[str, Any]:
    """metadata as ObjectMeta; unknown fields are found in the order of keys, since Go writes the map out first."""
    metadata = obj["metadata"]
    if metadata is None:
        return {}
    decoded = decode(dict(sorted(metadata.items())) if isinstance(metadata, dict) else metadata, meta)
    found += [f"{path}.{text.partition(chr(34))[2][:-1]}" for text in decoded.unknown]
    result: dict[str, Any] = decoded.value
    return result


def _plain_numbers(value: Any) -> None:
    """1.0 is 1 once Go has decoded and encoded it."""
    if isinstance(value, dict):
        for name, item in value.items():
            if isinstance(item, float):
                value[name] = plain_number(item)
            else:
                _plain_numbers(item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, float):
                value[index] = plain_number(item)
            else:
                _plain_numbers(item)
