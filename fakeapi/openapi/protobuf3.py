"""OpenAPI v3 documents in protobuf: gnostic's openapi_v3 messages.

As for v2 (protobuf.py), messages are tables: JSON key -> how its field is written. Wherever v3 takes a schema, a
parameter, a body or a response it also takes a reference to one, so each of them is wrapped. Stands for kube-openapi's
handler3 and gnostic's compiler. Leaves out what our documents never hold.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

from fakeapi.protobuf.wire import FIXED64, field, varint

MEDIA_TYPE = "application/com.github.proto-openapi.spec.v3.v1.0+protobuf"

Encode = Callable[[Any], bytes]  # a value -> a message
Write = Callable[[Any], bytes]  # a value -> its whole field, or fields
Message = Mapping[str, Write]


def encode(document: Mapping[str, Any]) -> bytes:
    """A whole document."""
    return _message(_DOCUMENT, document)


def _message(table: Message, value: Mapping[str, Any]) -> bytes:
    """A message from a JSON object; `x-` in the table writes extensions, what else the table lacks is left out."""
    extension, parts = table.get("x-"), []
    for key, inner in value.items():
        write = table.get(key)
        if write is not None:
            parts.append(write(inner))
        elif extension is not None and key.startswith("x-"):
            parts.append(extension((key, inner)))
    return b"".join(parts)


# -- fields ------------------------------------------------------------------------------------------------------------


def _text(number: int) -> Write:
    return lambda value: field(number, value.encode())


def _texts(number: int) -> Write:
    return lambda values: b"".join(field(number, value.encode()) for value in values)


def _flag(number: int) -> Write:
    return lambda value: varint(number << 3) + b"\x01" if value else b""


def _whole(number: int) -> Write:
    return lambda value: varint(number << 3) + varint(value)


def _real(number: int) -> Write:
    return lambda value: varint(number << 3 | FIXED64) + struct.pack("<d", value)


def _one(number: int, encode: Encode) -> Write:
    return lambda value: field(number, encode(value))


def _each(number: int, encode: Encode) -> Write:
    return lambda values: b"".join(field(number, encode(value)) for value in values)


def _pairs(number: int, encode: Encode) -> Encode:
    """A message whose one field holds the names and values of a map."""
    return lambda value: b"".join(
        field(number, field(1, name.encode()) + field(2, encode(inner))) for name, inner in value.items()
    )


def _extensions(number: int) -> Write:
    return lambda pair: field(number, field(1, pair[0].encode()) + field(2, _any(pair[1])))


# -- messages ----------------------------------------------------------------------------------------------------------


def _any(value: Any) -> bytes:
    """gnostic's Any: YAML text, of which JSON is a part."""
    return field(2, json.dumps(value).encode())


def _of(table: Message) -> Encode:
    return lambda value: _message(table, value)


def _or_reference(table: Message) -> Encode:
    """The thing itself in field 1, a reference to one in field 2."""

    def encode(value: Mapping[str, Any]) -> bytes:
        if "$ref" in value:
            return field(2, field(1, value["$ref"].encode()))
        return field(1, _message(table, value))

    return encode


def _schema(value: Mapping[str, Any]) -> bytes:
    return _or_reference(_SCHEMA)(value)


def _additional(value: Any) -> bytes:
    return varint(2 << 3) + bytes([value]) if isinstance(value, bool) else field(1, _schema(value))


def _default(value: Any) -> bytes:
    """A number, a boolean or a text; objects and lists are not told."""
    if isinstance(value, bool):
        return varint(2 << 3) + bytes([value])
    if isinstance(value, int | float):
        return _real(1)(value)
    return field(3, value.encode()) if isinstance(value, str) else b""


_SCHEMA: dict[str, Write] = {
    "nullable": _flag(1),
    "title": _text(9),
    "multipleOf": _real(10),
    "maximum": _real(11),
    "exclusiveMaximum": _flag(12),
    "minimum": _real(13),
    "exclusiveMinimum": _flag(14),
    "maxLength": _whole(15),
    "minLength": _whole(16),
    "pattern": _text(17),
    "maxItems": _whole(18),
    "minItems": _whole(19),
    "uniqueItems": _flag(20),
    "maxProperties": _whole(21),
    "minProperties": _whole(22),
    "required": _texts(23),
    "enum": _each(24, _any),
    "type": _text(25),
    "allOf": _each(26, _schema),
    "oneOf": _each(27, _schema),
    "anyOf": _each(28, _schema),
    "not": _one(29, lambda value: _message(_SCHEMA, value)),
    "items": _one(30, lambda value: field(1, _schema(value))),
    "properties": _one(31, _pairs(1, _schema)),
    "additionalProperties": _one(32, _additional),
    "default": _one(33, _default),
    "description": _text(34),
    "format": _text(35),
    "x-": _extensions(36),
}
_CONTENT = _pairs(1, _of({"schema": _one(1, _schema)}))
_PARAMETER: Message = {
    "name": _text(1),
    "in": _text(2),
    "description": _text(3),
    "required": _flag(4),
    "schema": _one(10, _schema),
}
_BODY: Message = {"description": _text(1), "content": _one(2, _CONTENT), "required": _flag(3)}
_RESPONSE: Message = {"description": _text(1), "content": _one(3, _CONTENT)}
_OPERATION: Message = {
    "tags": _texts(1),
    "description": _text(3),
    "operationId": _text(5),
    "parameters": _each(6, _or_reference(_PARAMETER)),
    "requestBody": _one(7, _or_reference(_BODY)),
    "responses": _one(8, _pairs(2, _or_reference(_RESPONSE))),
    "x-": _extensions(13),
}
_METHODS = {"get": 4, "put": 5, "post": 6, "delete": 7, "options": 8, "head": 9, "patch": 10}
_PATH: Message = {
    **{method: _one(number, _of(_OPERATION)) for method, number in _METHODS.items()},
    "parameters": _each(13, _or_reference(_PARAMETER)),
}
_SECURITY: Message = {"type": _text(1), "description": _text(2), "name": _text(3), "in": _text(4)}
_COMPONENTS: Message = {
    "schemas": _one(1, _pairs(1, _schema)),
    "securitySchemes": _one(7, _pairs(1, _or_reference(_SECURITY))),
}
_DOCUMENT: Message = {
    "openapi": _text(1),
    "info": _one(2, _of({"title": _text(1), "version": _text(6)})),
    "paths": _one(4, _pairs(1, _of(_PATH))),
    "components": _one(5, _of(_COMPONENTS)),
}
