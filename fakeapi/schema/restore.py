"""What Go's converter from maps to structs says of a document that does not fit the struct.

Stands for the errors of apimachinery's runtime.FromUnstructured, through which the results of strategic merge patches
and of server-side apply become typed; bodies that are decoded from JSON are decode.py's.
"""

from __future__ import annotations

from typing import Any

from fakeapi.gojson import kind_of
from fakeapi.schema import gotext
from fakeapi.schema.types import Type


def restore_error(value: Any, type: Type) -> str:
    """Why the merged document does not fit the Go type, in the words of runtime.FromUnstructured; "" when it does.

    Upstream puts strategic merges into structs by that converter and not by decoding JSON. What else is wrong with
    types that read themselves (quantities, times, int-or-string), and unknown fields, are left to the decoder."""
    if value is None:
        return ""
    if type.kind in _SELF_READING:
        return _unread(value, type.kind)
    kind = _GO_KINDS.get(value.__class__, "interface")
    if type.kind in ("object", "map"):
        if not isinstance(value, dict):
            return f"cannot restore {'struct from:' if type.kind == 'object' else 'map from'} {kind}"
        fields = type.fields if type.kind == "object" else dict.fromkeys(value, type.element or type)
        return next(filter(None, (restore_error(v, fields[k]) for k, v in value.items() if k in fields)), "")
    if type.kind == "list":
        if not isinstance(value, list):
            return f"cannot restore slice from {kind}"
        return next(filter(None, (restore_error(item, type.element or type) for item in value)), "")
    if value.__class__ in _SCALARS.get(type.kind, ()) or (
        type.kind == "integer" and kind == "float64" and value.is_integer()
    ):
        return ""
    if (kind, type.kind) in _CONVERTIBLE:
        return f"cannot convert {kind} to {type.go or go_kind(type)}"
    return f"unrecognized type: {type.go if type.kind == 'integer' else go_kind(type)}"


# Types that read themselves: what they take of JSON (() for anything), and into which Go type they try to read it.
_SELF_READING: dict[str, tuple[tuple[type, ...], str]] = {
    "any": ((), ""),
    "bytes": ((), ""),
    "quantity": ((), ""),
    "int-or-string": ((str, int), "int32"),
    "time": ((str,), "string"),
    "micro-time": ((str,), "string"),
}
_GO_KINDS = {dict: "map", list: "slice", str: "string", int: "int64", float: "float64", bool: "bool"}
# Go could convert these, so that the converter words their refusal otherwise.
_CONVERTIBLE = frozenset({("int64", "string"), ("float64", "integer")})
_SCALARS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def _unread(value: Any, kind: str) -> str:
    if kind == "bytes":
        return _bytes_error(value)
    fitting, go = _SELF_READING[kind]
    if not fitting or value.__class__ in fitting:
        return ""
    found = f"number {value}" if isinstance(value, float) else kind_of(value)
    return f"json: cannot unmarshal {found} into Go value of type {go}"


def _bytes_error(value: Any) -> str:
    if not isinstance(value, str):
        return "" if isinstance(value, list) else f"cannot restore slice from {_GO_KINDS.get(value.__class__)}"
    try:
        gotext.base64(value)
    except ValueError as error:
        return f"error decoding from json: {error}"
    return ""


def go_kind(type: Type) -> str:
    """reflect.Kind's name of the Go type."""
    return _KINDS.get(type.kind, type.kind)


_KINDS = {"object": "struct", "any": "struct", "list": "slice", "boolean": "bool", "number": "float64"}
