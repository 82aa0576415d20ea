"""OpenAPI v2 documents in protobuf: gnostic's openapi_v2 messages, which kubectl before 1.27 asks for.

The package protobuf would bring a runtime of megabytes and generated code of gnostic's schema (which no package on PyPI
ships) for one encode-only document. So messages are tables: JSON key -> (field number, encoder). Stands for gnostic's
compiler and kube-openapi's handler. Leaves out what our documents never hold.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fakeapi.protobuf.wire import field, varint

MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

Encoder = Callable[[Any], bytes]
Message = Mapping[str, tuple[int, Encoder]]


def encode_head(document: Mapping[str, Any]) -> bytes:
    """The fields of a Document before paths and definitions."""
    return _message(_DOCUMENT, document)


def encode_paths(paths: Iterable[tuple[str, Mapping[str, Any]]]) -> bytes:
    """Field `paths` of a Document."""
    return field(8, b"".join(field(2, _named(name, _path_item(item))) for name, item in paths))


def encode_definitions(schemas: Iterable[tuple[str, Mapping[str, Any]]]) -> bytes:
    """Field `definitions` of a Document."""
    return field(9, b"".join(field(1, _named(name, _schema(schema))) for name, schema in schemas))


def _named(name: str, value: bytes) -> bytes:
    return field(1, name.encode()) + field(2, value)


def _text(value: str) -> bytes:
    return value.encode()


def _any(value: Any) -> bytes:
    """gnostic's Any: YAML text, of which JSON is a part."""
    return field(2, json.dumps(value).encode())


def _message(table: Message, value: Mapping[str, Any]) -> bytes:
    """A message from a JSON object: known keys by the table, x-* as vendor extensions, the rest is left out."""
    out = bytearray()
    for key, inner in value.items():
        found = table.get(key)
        if found is None:
            if key.startswith("x-"):
                out += field(table[_EXTENSION][0], _named(key, _any(inner)))
        elif key == "default":
            out += field(found[0], _any(inner))
        elif isinstance(inner, bool):
            if inner:
                out += varint(found[0] << 3) + b"\x01"
        elif isinstance(inner, int):
            out += varint(found[0] << 3) + varint(inner)
        elif isinstance(inner, list):
            out += b"".join(field(found[0], found[1](entry)) for entry in inner)
        else:
            out += field(found[0], found[1](inner))
    return bytes(out)


_EXTENSION = "x-"


def _schema(value: Mapping[str, Any]) -> bytes:
    return _message(_SCHEMA, value)


def _properties(value: Mapping[str, Any]) -> bytes:
    return b"".join(field(1, _named(name, _schema(inner))) for name, inner in value.items())


def _additional(value: Any) -> bytes:
    return b"\x10\x01" if value is True else b"\x10\x00" if value is False else field(1, _schema(value))


def _wrapped(value: Any) -> bytes:
    """A message with one field 1: TypeItem, ItemsItem, SchemaItem."""
    return field(1, value.encode() if isinstance(value, str) else _schema(value))


def _path_item(value: Mapping[str, Any]) -> bytes:
    return _message(_PATH_ITEM, value)


def _operation(value: Mapping[str, Any]) -> bytes:
    return _message(_OPERATION, value)


def _responses(value: Mapping[str, Any]) -> bytes:
    return b"".join(field(1, _named(code, field(1, _message(_RESPONSE, inner)))) for code, inner in value.items())


def _parameter(value: Mapping[str, Any]) -> bytes:
    """ParametersItem > Parameter > body, or NonBodyParameter > one of its places."""
    if value["in"] == "body":
        return field(1, field(1, _message(_BODY, value)))
    number, table = (3, _QUERY) if value["in"] == "query" else (4, _PLACEHOLDER)
    return field(1, field(2, field(number, _message(table, value))))


_SCHEMA: Message = {
    "$ref": (1, _text),
    "format": (2, _text),
    "description": (4, _text),
    "default": (5, _any),
    "maxLength": (11, _text),
    "minLength": (12, _text),
    "pattern": (13, _text),
    "maxItems": (14, _text),
    "minItems": (15, _text),
    "required": (19, _text),
    "enum": (20, _any),
    "additionalProperties": (21, _additional),
    "type": (22, _wrapped),
    "items": (23, _wrapped),
    "allOf": (24, _schema),
    "properties": (25, _properties),
    _EXTENSION: (31, _any),
}
_BODY: Message = {
    "description": (1, _text),
    "name": (2, _text),
    "in": (3, _text),
    "required": (4, _text),
    "schema": (5, _schema),
}
_QUERY: Message = {
    "required": (1, _text),
    "in": (2, _text),
    "description": (3, _text),
    "name": (4, _text),
    "type": (6, _text),
    "uniqueItems": (20, _text),
}
_PLACEHOLDER: Message = {
    "required": (1, _text),
    "in": (2, _text),
    "description": (3, _text),
    "name": (4, _text),
    "type": (5, _text),
    "uniqueItems": (19, _text),
}
_RESPONSE: Message = {"description": (1, _text), "schema": (2, _wrapped)}
_OPERATION: Message = {
    "tags": (1, _text),
    "description": (3, _text),
    "operationId": (5, _text),
    "produces": (6, _text),
    "consumes": (7, _text),
    "parameters": (8, _parameter),
    "responses": (9, _responses),
    "schemes": (10, _text),
    _EXTENSION: (13, _any),
}
_PATH_ITEM: Message = {
    "get": (2, _operation),
    "put": (3, _operation),
    "post": (4, _operation),
    "delete": (5, _operation),
    "options": (6, _operation),
    "head": (7, _operation),
    "patch": (8, _operation),
    "parameters": (9, _parameter),
}
_INFO: Message = {"title": (1, _text), "version": (2, _text)}
_DOCUMENT: Message = {"swagger": (1, _text), "info": (2, lambda value: _message(_INFO, value))}
