"""Protobuf bodies of built-in kinds, read into the JSON form that everything else works on.

Stands for apimachinery's runtime/serializer/protobuf: the `k8s\\0` envelope around a runtime.Unknown, and the generated
Unmarshal methods. One walk over the wire format, led by the table of message fields in schema/protofields.txt (field
numbers and JSON names; embedded structs are marked i, repeated fields r, maps m). Generated classes for 600 messages
would cost seconds of import; the wire format is forty lines.
Leaves out writing protobuf: clients that would take it also accept JSON. Messages absent from the table (APIService,
which lives in another repository) are not read.
"""

from __future__ import annotations

import functools
import struct
from base64 import b64encode
from collections.abc import Callable
from importlib import resources
from typing import Any, NamedTuple

import orjson

from fakeapi.clock import rfc3339

MAGIC = b"k8s\x00"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

Obj = dict[str, Any]


class ProtobufError(ValueError):
    """The bytes are no such message; the message is for the client."""


class _Field(NamedTuple):
    """label: o(ptional), r(epeated), m(ap), i(nlined). type: a scalar's letter or another message's number."""

    label: str
    name: str
    type: str


def decode(data: bytes, definition_of: Callable[[str, str], str | None]) -> Obj:
    """The object inside the envelope, kind and apiVersion first.

    definition_of(api_version, kind) names the OpenAPI definition. ProtobufError."""
    if not data.startswith(MAGIC):
        prefix = " ".join(str(b) for b in MAGIC)
        raise ProtobufError(f"provided data does not appear to be a protobuf message, expected prefix [{prefix}]")
    envelope = {number: value for number, _, value in _fields(data[len(MAGIC) :])}
    type_meta = {number: value.decode() for number, _, value in _fields(envelope.get(1, b""))}
    api_version, kind = type_meta.get(1, ""), type_meta.get(2, "")
    head: Obj = {"kind": kind, "apiVersion": api_version}
    name = definition_of(api_version, kind)
    if name is None or name not in _numbers():
        return head
    found: Obj = _message(envelope.get(2, b""), _numbers()[name])
    return head | found


@functools.cache
def _lines() -> list[str]:
    return resources.files("fakeapi.schema").joinpath("protofields.txt").read_text().splitlines()


@functools.cache
def _numbers() -> dict[str, int]:
    return {line.split(" ", 1)[0]: number for number, line in enumerate(_lines())}


@functools.cache
def _layout(number: int) -> tuple[str, dict[int, _Field]]:
    """A message's name and its fields by number."""
    name, *parts = _lines()[number].split(" ")
    fields = {}
    for part in filter(None, parts):
        text, kind = part.rsplit(":", 1)
        digits = len(text) - len(text.lstrip("0123456789"))
        fields[int(text[:digits])] = _Field(text[digits], text[digits + 1 :], kind)
    return name, fields


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ProtobufError("unexpected EOF")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _fields(data: bytes) -> list[tuple[int, int, Any]]:
    """(number, wire type, value) of every field; values are ints or bytes."""
    found, at = [], 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        value: Any
        if wire == _VARINT:
            value, at = _varint(data, at)
        elif wire == _BYTES:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
            value, at = data[at : at + size], at + size
        else:
            raise ProtobufError(f"proto: illegal wireType {wire}")
        if at > len(data):
            raise ProtobufError("unexpected EOF")
        found.append((number, wire, value))
    return found


def _message(data: bytes, number: int) -> Any:
    name, layout = _layout(number)
    special = _SPECIAL.get(name) or (_items if name.endswith(".ExtraValue") else None)
    if special is not None:
        return special(_fields(data))
    out: Obj = {}
    for key, _, raw in _fields(data):
        field = layout.get(key)
        if field is None:
            continue
        if field.label == "i":
            out.update(_message(raw, int(field.type)))
        elif field.label == "m":
            entry = {k: v for k, _, v in _fields(raw)}
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


_EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."


def _schema(raw: bytes) -> Any:
    return _message(raw, _numbers()[_EXTENSIONS + "JSONSchemaProps"])


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
    _META + "Time": _time,
    _META + "MicroTime": _micro_time,
    _META + "FieldsV1": _json,
    _EXTENSIONS + "JSON": _json,
    _EXTENSIONS + "JSONSchemaPropsOrArray": _schema_or_array,
    _EXTENSIONS + "JSONSchemaPropsOrBool": _schema_or_bool,
    _EXTENSIONS + "JSONSchemaPropsOrStringArray": _schema_or_strings,
}
