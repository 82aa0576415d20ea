"""Protobuf bodies of built-in kinds, read into the JSON form that everything else works on.

The `k8s\\0` envelope around a runtime.Unknown, and what the generated Unmarshal methods do.
"""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import orjson

from fakeapi.clock import rfc3339
from fakeapi.protobuf.layout import EXTENSIONS, MAGIC, META, layout, numbers
from fakeapi.protobuf.wire import ProtobufError, read_fields

Obj = dict[str, Any]


def decode(data: bytes, definition_of: Callable[[str, str], str | None]) -> Obj:
    """The object inside the envelope, kind and apiVersion first.

    definition_of(api_version, kind) names the OpenAPI definition. ProtobufError."""
    if not data.startswith(MAGIC):
        prefix = " ".join(str(b) for b in MAGIC)
        raise ProtobufError(f"provided data does not appear to be a protobuf message, expected prefix [{prefix}]")
    envelope = {number: value for number, _, value in read_fields(data[len(MAGIC) :])}
    type_meta = {number: value.decode() for number, _, value in read_fields(envelope.get(1, b""))}
    api_version, kind = type_meta.get(1, ""), type_meta.get(2, "")
    head: Obj = {"kind": kind, "apiVersion": api_version}
    name = definition_of(api_version, kind)
    if name is None or name not in numbers():
        return head
    found: Obj = _message(envelope.get(2, b""), numbers()[name])
    return head | found


def name_of(data: bytes) -> str:
    """The name of the object inside the envelope, whatever its kind: all have their metadata first. ProtobufError."""
    envelope = {key: value for key, _, value in read_fields(data[len(MAGIC) :])}
    message = {key: value for key, _, value in read_fields(envelope.get(2, b""))}
    metadata = {key: value for key, _, value in read_fields(message.get(1, b""))}
    return _text(metadata.get(1, b""))


def _message(data: bytes, number: int) -> Any:
    name, fields = layout(number)
    special = _SPECIAL.get(name) or (_items if name.endswith(".ExtraValue") else None)
    if special is not None:
        return special(read_fields(data))
    out: Obj = {}
    for key, _, raw in read_fields(data):
        field = fields.get(key)
        if field is None:
            continue
        if field.label == "i":
            out.update(_message(raw, int(field.type)))
        elif field.label == "m":
            entry = {k: v for k, _, v in read_fields(raw)}
            out.setdefault(field.name, {})[_text(entry.get(1, b""))] = _value(entry.get(2, b""), field.type)
        elif field.label == "r":
            out.setdefault(field.name, []).append(_value(raw, field.type))
        else:
            out[field.name] = _value(raw, field.type)
    return out


def _value(raw: Any, kind: str) -> Any:
    scalar = _SCALARS.get(kind)
    if scalar is None:
        return _message(raw, int(kind))
    if kind in "sb" and not isinstance(raw, bytes):
        raise ProtobufError("proto: wrong wireType")
    return scalar(raw)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _signed(raw: int | bytes) -> int:
    value = 0 if isinstance(raw, bytes) else raw
    return value - (1 << 64) if value >= 1 << 63 else value


def _double(raw: bytes) -> float:
    number: float = struct.unpack("<d", raw)[0]
    return number


_SCALARS: dict[str, Callable[[Any], Any]] = {
    "s": _text,
    "b": lambda raw: b64encode(raw).decode(),
    "n": _signed,
    "f": bool,
    "d": _double,
}

Fields = list[tuple[int, int, Any]]


def _items(fields: Fields) -> list[str]:
    return [_text(value) for number, _, value in fields if number == 1]


def _time(fields: Fields) -> str | None:
    found = {number: value for number, _, value in fields}
    return rfc3339(_signed(found[1])) if found.get(1) else None


def _micro_time(fields: Fields) -> str | None:
    found = {number: value for number, _, value in fields}
    if not found.get(1):
        return None
    return f"{rfc3339(_signed(found[1]))[:-1]}.{found.get(2, 0) // 1000:06d}Z"


def _int_or_string(fields: Fields) -> int | str:
    found = {number: value for number, _, value in fields}
    return _text(found.get(3, b"")) if found.get(1) == 1 else _signed(found.get(2, 0))


def _quantity(fields: Fields) -> str:
    return next((_text(value) for number, _, value in fields if number == 1), "0")


def _json(fields: Fields) -> Any:
    raw = next((value for number, _, value in fields if number == 1), b"")
    try:
        return orjson.loads(raw) if raw else None
    except orjson.JSONDecodeError as error:
        raise ProtobufError(str(error)) from None


def _schema(raw: bytes) -> Any:
    return _message(raw, numbers()[EXTENSIONS + "JSONSchemaProps"])


def _schema_or_array(fields: Fields) -> Any:
    if several := [_schema(value) for number, _, value in fields if number == 2]:
        return several
    return next((_schema(value) for number, _, value in fields if number == 1), None)


def _schema_or_bool(fields: Fields) -> Any:
    found = {number: value for number, _, value in fields}
    return _schema(found[2]) if 2 in found else bool(found.get(1))


def _schema_or_strings(fields: Fields) -> Any:
    texts = [_text(value) for number, _, value in fields if number == 2]
    return texts or next((_schema(value) for number, _, value in fields if number == 1), None)


_SPECIAL: dict[str, Callable[[Fields], Any]] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": _quantity,
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": _int_or_string,
    "io.k8s.apimachinery.pkg.runtime.RawExtension": _json,
    META + "Time": _time,
    META + "MicroTime": _micro_time,
    META + "FieldsV1": _json,
    META + "Verbs": _items,
    EXTENSIONS + "JSON": _json,
    EXTENSIONS + "JSONSchemaPropsOrArray": _schema_or_array,
    EXTENSIONS + "JSONSchemaPropsOrBool": _schema_or_bool,
    EXTENSIONS + "JSONSchemaPropsOrStringArray": _schema_or_strings,
}
