"""The wire format of protocol buffers: varints and fields."""

from __future__ import annotations

from typing import Any

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class ProtobufError(ValueError):
    """The bytes are no such message; the message is for the client."""


def varint(number: int) -> bytes:
    """A whole number of 64 bits; negative ones in two's complement."""
    if 0 <= number < 0x80:
        return number.to_bytes(1)
    number &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def sized(payload: bytes) -> bytes:
    """Bytes behind their length."""
    return varint(len(payload)) + payload


def field(number: int, payload: bytes) -> bytes:
    """A length-delimited field: text, bytes or message."""
    return varint(number << 3 | BYTES) + varint(len(payload)) + payload


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at that place, and the place behind it. ProtobufError."""
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


def read_fields(data: bytes) -> list[tuple[int, int, Any]]:
    """(number, wire type, value) of every field; values are ints or bytes. ProtobufError."""
    found, at = [], 0
    while at < len(data):
        key, at = read_varint(data, at)
        number, wire = key >> 3, key & 7
        value: Any
        if wire == VARINT:
            value, at = read_varint(data, at)
        elif wire == BYTES:
            size, at = read_varint(data, at)
            value, at = data[at : at + size], at + size
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
            value, at = data[at : at + size], at + size
        else:
            raise ProtobufError(f"proto: illegal wireType {wire}")
        if at > len(data):
            raise ProtobufError("unexpected EOF")
        found.append((number, wire, value))
    return found
