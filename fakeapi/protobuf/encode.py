"""Objects written as protobuf.

Like the generated Marshal methods, this writes fields by number, maps by key, and values that are no pointers even when
they are empty.
"""

from __future__ import annotations

import functools
import struct
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import orjson

from fakeapi.clock import parse_rfc3339
from fakeapi.protobuf.layout import EXTENSIONS, MAGIC, META, layout, message_of, numbers
from fakeapi.protobuf.wire import BYTES, FIXED64, VARINT, field, sized, varint

Obj = dict[str, Any]
Write = Callable[[Any], bytes]


class NotMarshalable(ValueError):
    """The kind has no message."""


def encode(obj: Obj) -> bytes:
    """An object or a list in its envelope. NotMarshalable."""
    # Discovery of the core group says no apiVersion.
    api_version, kind = obj.get("apiVersion", "v1"), obj.get("kind", "")
    number = message_of(api_version, kind)
    if number is not None:
        return envelope(api_version, kind, _message(number, obj))
    element = message_of(api_version, kind.removesuffix("List"))
    if element is None or not isinstance(obj.get("items", ()), list | tuple | None):
        raise NotMarshalable(f"{api_version}, Kind={kind}")
    return encode_list(api_version, kind, obj["metadata"], (_message(element, item) for item in obj["items"] or ()))


def encode_message(api_version: str, kind: str, obj: Obj) -> bytes:
    """An object without its envelope, as lists hold it. NotMarshalable."""
    number = message_of(api_version, kind)
    if number is None:
        raise NotMarshalable(f"{api_version}, Kind={kind}")
    return _message(number, obj)


def encode_list(api_version: str, kind: str, metadata: Obj, items: Iterable[bytes]) -> bytes:
    """A list of messages in its envelope."""
    head = field(1, _message(numbers()[META + "ListMeta"], metadata))
    return envelope(api_version, kind, head + b"".join(field(2, item) for item in items))


def envelope(api_version: str, kind: str, message: bytes) -> bytes:
    """A runtime.Unknown behind the magic bytes."""
    type_meta = field(1, api_version.encode()) + field(2, kind.encode())
    return MAGIC + field(1, type_meta) + field(2, message) + field(3, b"") + field(4, b"")


def frame(kind: str, body: bytes) -> tuple[bytes, ...]:
    """One event of a watch: a WatchEvent behind its length in four bytes. body: an object in its envelope."""
    inner = b"\x0a" + varint(len(body))
    head = field(1, kind.encode()) + b"\x12" + varint(len(inner) + len(body)) + inner
    return struct.pack(">I", len(head) + len(body)) + head, body


def split(chunk: bytes) -> Iterator[bytes]:
    """The events of a piece of a stream, without their lengths."""
    at = 0
    while at < len(chunk):
        (size,) = struct.unpack_from(">I", chunk, at)
        yield chunk[at + 4 : at + 4 + size]
        at += 4 + size


# -- messages ----------------------------------------------------------------------------------------------------------


class _Step(NamedTuple):
    """One field: how its value is written behind the tag; what is written without one, b"" for nothing."""

    label: str
    name: str
    tag: bytes
    write: Write
    absent: bytes


@functools.cache
def _plan(number: int) -> tuple[_Step, ...]:
    """A message's fields in the order in which they are written."""
    steps = []
    for place, found in sorted(layout(number)[1].items()):
        tag = varint(place << 3 | (BYTES if found.label == "m" else _wire(found.type)))
        if found.label == "m":
            steps.append(_Step("m", found.name, tag, _pairs(found.type), b""))
            continue
        absent = tag + _zero(found.type) if found.label == "o" and found.type != "b" else b""
        steps.append(_Step(found.label, found.name, tag, _writer(found.type), absent))
    return tuple(steps)


def _wire(kind: str) -> int:
    return {"n": VARINT, "f": VARINT, "d": FIXED64}.get(kind, BYTES)


def _message(number: int, obj: Any) -> bytes:
    special = _special().get(number)
    if special is not None:
        return special(obj)
    out = []
    for label, name, tag, write, absent in _plan(number):
        if label == "i":
            out.append(tag + write(obj))
            continue
        value = obj.get(name)
        if value is None:
            out.append(absent)
        elif label == "r":
            out += [tag + write(item) for item in value]
        elif label == "m":
            out += [tag + sized(_KEY + sized(key.encode()) + write(value[key])) for key in sorted(value)]
        else:
            out.append(tag + write(value))
    return b"".join(out)


_KEY = b"\x0a"


def _pairs(kind: str) -> Write:
    """The value of a map's entry."""
    write, tag = _writer(kind), varint(2 << 3 | _wire(kind))
    return lambda value: tag + write(value)


def _writer(kind: str) -> Write:
    scalar = _SCALARS.get(kind)
    if scalar is not None:
        return scalar
    number = int(kind)
    return lambda value: sized(_message(number, value))


@functools.cache
def _zero(kind: str) -> bytes:
    if kind in _SCALARS:
        return bytes(8) if kind == "d" else b"\0"
    number = int(kind)
    return sized(_message(number, _ZEROS.get(layout(number)[0], {})))


_SCALARS: dict[str, Write] = {
    "s": lambda value: sized(value.encode()),
    "b": lambda value: sized(b64decode(value)),
    "n": varint,
    "f": lambda value: b"\x01" if value else b"\0",
    "d": lambda value: struct.pack("<d", value),
}


# -- messages whose JSON is no object ----------------------------------------------------------------------------------


def _number(place: int, value: int) -> bytes:
    return varint(place << 3) + varint(value)


def _quantity(value: Any) -> bytes:
    return field(1, str(value).encode())


def _int_or_string(value: Any) -> bytes:
    text = value if isinstance(value, str) else ""
    return (
        _number(1, isinstance(value, str)) + _number(2, 0 if text or value == "" else value) + field(3, text.encode())
    )


def _time(value: Any) -> bytes:
    return _number(1, int(parse_rfc3339(value))) + _number(2, 0) if value else b""


def _micro_time(value: Any) -> bytes:
    if not value:
        return b""
    whole, _, fraction = value.rstrip("Z").partition(".")
    return _number(1, int(parse_rfc3339(whole + "Z"))) + _number(2, int(fraction[:6].ljust(6, "0")) * 1000)


def _json(value: Any) -> bytes:
    return field(1, orjson.dumps(value)) if value is not None else b""


def _items(value: Any) -> bytes:
    return b"".join(field(1, item.encode()) for item in value or ())


def _schema(value: Any) -> bytes:
    return _message(numbers()[EXTENSIONS + "JSONSchemaProps"], value)


def _schema_or_array(value: Any) -> bytes:
    return b"".join(field(2, _schema(v)) for v in value) if isinstance(value, list) else field(1, _schema(value))


def _schema_or_bool(value: Any) -> bytes:
    # A schema allows, too.
    allows = _number(1, value is not False)
    return allows if isinstance(value, bool) else allows + field(2, _schema(value))


def _schema_or_strings(value: Any) -> bytes:
    return b"".join(field(2, v.encode()) for v in value) if isinstance(value, list) else field(1, _schema(value))


_SPECIAL: dict[str, Write] = {
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
# What stands for those that are values and not set.
_ZEROS: dict[str, Any] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "0",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": 0,
    "io.k8s.apimachinery.pkg.runtime.RawExtension": None,
    META + "Time": None,
    META + "MicroTime": None,
}


@functools.cache
def _special() -> dict[int, Write]:
    named = {number: _items for name, number in numbers().items() if name.endswith(".ExtraValue")}
    return named | {numbers()[name]: write for name, write in _SPECIAL.items()}
