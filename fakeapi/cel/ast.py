"""A checked expression as cel-expr-python serializes it (cel.expr.CheckedExpr), read into plain nodes.

The library parses and type-checks. Its evaluator is not used: it takes no optionals, timestamps, durations or opaque
values from Python, has no lists that are sets, and words errors in its own way; eval.py walks these nodes instead.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct, field

from fakeapi.cel.values import UInt
from fakeapi.protobuf.wire import read_fields, read_varint


class Node(Struct):
    """One expression. kind: const, ident, select, test, call, list, struct, loop.

    value: of a constant. name: of an identifier, field or function. parts: operands in order (a call's target first);
    entries of a map as key, value, key, value. optional: which parts of a list or map are written with `?`.
    """

    kind: str
    id: int = 0
    name: str = ""
    value: Any = None
    parts: list[Node] = field(default_factory=list)
    member: bool = False
    optional: frozenset[int] = frozenset()
    names: tuple[str, str, str] = ("", "", "")


def read(data: bytes) -> Node:
    """The expression in a serialized CheckedExpr (inside a google.protobuf.Any)."""
    checked = dict(_fields(data))[2]
    return _expr(dict(_fields(checked))[4])


def positions(data: bytes) -> dict[int, int]:
    """Where each expression stands in its text, by id: an offset in characters."""
    checked = dict(_fields(data))[2]
    source = dict(_fields(checked)).get(5, b"")
    entries = (dict(_fields(value)) for number, value in _fields(source) if number == 4)
    return {entry.get(1, 0): entry.get(2, 0) for entry in entries}


def types(data: bytes) -> dict[int, str]:
    """The type of each expression by id, as cel-go prints it: `list(string)`, `timestamp`, `null`."""
    checked = dict(_fields(data))[2]
    entries = (dict(_fields(value)) for number, value in _fields(checked) if number == 3)
    return {entry.get(1, 0): _type(entry.get(2, b"")) for entry in entries}


_PRIMITIVES = ("", "bool", "int", "uint", "double", "string", "bytes")
_WELL_KNOWN = ("", "any", "timestamp", "duration")


def _type(data: bytes) -> str:
    number, value = next(_fields(data), (1, b""))
    if number == 6:
        return f"list({_type(dict(_fields(value)).get(1, b''))})"
    if number == 7:
        pair = dict(_fields(value))
        return f"map({_type(pair.get(2, b''))}, {_type(pair.get(3, b''))})"
    if number == 14:
        name = dict(_fields(value)).get(1, b"").decode()
        inner = [_type(part) for key, part in _fields(value) if key == 2]
        return f"{name}({', '.join(inner)})" if inner else name
    plain = _PLAIN.get(number)
    return plain(value) if plain else "dyn"


_PLAIN: dict[int, Callable[[Any], str]] = {
    2: lambda value: "null",
    3: lambda value: _PRIMITIVES[value],
    4: lambda value: f"wrapper({_PRIMITIVES[value]})",
    5: lambda value: _WELL_KNOWN[value],
    9: lambda value: value.decode(),
    11: lambda value: "type",
}


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    return ((number, value) for number, _, value in read_fields(data))


def _expr(data: bytes) -> Node:
    found = dict(_fields(data))
    number = found.get(2, 0)
    for key, make in _KINDS.items():
        if key in found:
            node = make(found[key])
            node.id = number
            return node
    return Node("const", number)


def _const(data: bytes) -> Node:
    for number, value in _fields(data):
        return Node("const", value=_CONSTANTS[number](value))
    return Node("const")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


_CONSTANTS: dict[int, Any] = {
    1: lambda v: None,
    2: bool,
    3: _signed,
    4: UInt,
    5: lambda v: struct.unpack("<d", v)[0],
    6: lambda v: v.decode(),
    7: bytes,
}


def _ident(data: bytes) -> Node:
    return Node("ident", name=dict(_fields(data))[1].decode().removeprefix("."))


def _select(data: bytes) -> Node:
    found = dict(_fields(data))
    kind = "test" if found.get(3) else "select"
    return Node(kind, name=found[2].decode(), parts=[_expr(found[1])])


def _call(data: bytes) -> Node:
    target, name, parts = None, "", []
    for number, value in _fields(data):
        if number == 1:
            target = _expr(value)
        elif number == 2:
            name = value.decode()
        else:
            parts.append(_expr(value))
    return Node("call", name=name, parts=[target, *parts] if target is not None else parts, member=target is not None)


def _list(data: bytes) -> Node:
    parts, optional = [], set()
    for number, value in _fields(data):
        if number == 1:
            parts.append(_expr(value))
        elif isinstance(value, bytes):
            at = 0
            while at < len(value):
                index, at = read_varint(value, at)
                optional.add(index)
        else:
            optional.add(value)
    return Node("list", parts=parts, optional=frozenset(optional))


def _struct(data: bytes) -> Node:
    parts: list[Node] = []
    optional = set()
    name = ""
    for number, value in _fields(data):
        if number == 1:
            name = value.decode()
            continue
        entry = dict(_fields(value))
        if entry.get(5):
            optional.add(len(parts) // 2)
        key = _expr(entry[3]) if 3 in entry else Node("const", value=entry.get(2, b"").decode())
        parts += [key, _expr(entry[4])]
    return Node("struct", name=name, parts=parts, optional=frozenset(optional))


def _loop(data: bytes) -> Node:
    found = dict(_fields(data))
    names = tuple(found.get(number, b"").decode() for number in (1, 8, 3))
    parts = [_expr(found[number]) for number in (2, 4, 5, 6, 7)]
    return Node("loop", parts=parts, names=(names[0], names[1], names[2]))


_KINDS = {3: _const, 4: _ident, 5: _select, 6: _call, 7: _list, 8: _struct, 9: _loop}
