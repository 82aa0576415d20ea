"""JSONPath as client-go's util/jsonpath reads it: printer columns, selectable fields.

compile(".spec.ports[0].name") gives a Path; Path.find(obj) the values found. Understands fields, quoted fields,
wildcards, indices, slices, unions, recursive descent and comparisons with literals in filters. Leaves out templates
(range, text between braces): a CRD's paths hold one expression.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from fakeapi.patterns import lazy

Step = Callable[[Any], Iterator[Any]]

_FIELD = lazy(r"(?:\\.|[^\s.\[\]()|@,'\"=!<>?*\\]|\*(?=\w))+")
_SLICE = lazy(r"\s*(-?\d*)\s*:\s*(-?\d*)\s*(?::\s*(-?\d*)\s*)?$")
_FILTER = lazy(r"\?\(\s*(.*?)\s*(?:(==|!=|<=|>=|<|>)\s*(.*?)\s*)?\)$", re.DOTALL)


class JSONPathError(ValueError):
    """The text is no JSONPath; str() is client-go's message."""


class Path(Struct, frozen=True):
    """A compiled path."""

    text: str
    steps: tuple[Step, ...]

    def find(self, obj: Any) -> list[Any]:
        """What the path leads to; missing keys lead nowhere. JSONPathError: an index beyond the end."""
        found = [obj]
        for step in self.steps:
            found = [value for item in found for value in step(item)]
        return found


def compile(text: str) -> Path:
    """Read a path such as `.spec.replicas`. JSONPathError."""
    steps: list[Step] = []
    at = 1 if text.startswith(("$", "@")) else 0
    while at < len(text):
        step, at = _next(text, at)
        steps.append(step)
    return Path(text, tuple(steps))


def _next(text: str, at: int) -> tuple[Step, int]:
    if text.startswith("..", at):
        if at + 2 < len(text) and text[at + 2] == "[":
            return _descend, at + 2
        return _descend, at + 1
    if text[at] == "[":
        end = _closing(text, at)
        return _subscript(text[at + 1 : end]), end + 1
    if text[at] == ".":
        at += 1
        if at == len(text):
            return _same, at
        if text[at] == "*":
            return _all, at + 1
        if text[at] == "[":
            return _same, at
    match = _FIELD.match(text, at)
    if match is None:
        raise JSONPathError(f"unrecognized character in action: U+{ord(text[at]):04X} {text[at]!r}")
    return _field(re.sub(r"\\(.)", r"\1", match.group())), match.end()


def _closing(text: str, at: int) -> int:
    """Where the bracket that opens at `at` is closed."""
    depth, quote = 0, ""
    for index in range(at, len(text)):
        ch = text[index]
        if quote:
            quote = "" if ch == quote and text[index - 1] != "\\" else quote
        elif ch in "'\"":
            quote = ch
        elif ch == "[":
            depth += 1
        elif ch == "]":
            depth -= 1
            if not depth:
                return index
    raise JSONPathError("unterminated array")


def _subscript(inner: str) -> Step:
    inner = inner.strip()
    if inner == "*":
        return _all
    if inner.startswith("?"):
        return _filter(inner)
    parts = _split(inner)
    if len(parts) > 1:
        steps = [_subscript(part) for part in parts]
        return lambda value: (found for step in steps for found in step(value))
    if inner[:1] in "'\"" and len(inner) > 1:
        return _field(inner[1:-1].replace("\\" + inner[0], inner[0]))
    if re.fullmatch(r"-?\d+", inner):
        return _index(int(inner))
    match = _SLICE.match(inner)
    if match:
        first, last, step = (int(g) if g else None for g in match.groups())
        return lambda value: iter(value[slice(first, last, step)] if isinstance(value, list) else ())
    if re.fullmatch(r"[\w-]+", inner):
        return _field(inner)
    raise JSONPathError(f"invalid array index {inner}")


def _split(inner: str) -> list[str]:
    parts, quote, current = [], "", ""
    for ch in inner:
        if ch == "," and not quote:
            parts.append(current)
            current = ""
            continue
        if ch in "'\"" and quote in ("", ch):
            quote = "" if quote else ch
        current += ch
    return [*parts, current]


def _field(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _index(number: int) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list):
            if not -len(value) <= number < len(value):
                raise JSONPathError(f"array index out of bounds: index {number}, length {len(value)}")
            yield value[number]

    return step


def _all(value: Any) -> Iterator[Any]:
    yield from value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _same(value: Any) -> Iterator[Any]:
    yield value


def _descend(value: Any) -> Iterator[Any]:
    yield value
    for inner in _all(value):
        yield from _descend(inner)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _filter(inner: str) -> Step:
    match = _FILTER.match(inner)
    if match is None:
        raise JSONPathError("unterminated filter")
    left, operator, right = match.groups()
    of_left = _operand(left)
    of_right = _operand(right) if operator else None

    def step(value: Any) -> Iterator[Any]:
        for item in value if isinstance(value, list) else ():
            one = of_left(item)
            if of_right is None:
                if one:
                    yield item
                continue
            other = of_right(item)
            if one and other and type(one[0]) is type(other[0]) and _COMPARE[operator](one[0], other[0]):
                yield item

    return step


def _operand(text: str) -> Callable[[Any], list[Any]]:
    """One side of a comparison: a path or a literal."""
    if text.startswith(("@", "$")):
        path = compile(text)
        return path.find
    if text[:1] in ("'", '"') and text[:1]:
        literal: Any = text[1:-1]
    elif text in ("true", "false"):
        literal = text == "true"
    else:
        try:
            literal = float(text) if "." in text else int(text)
        except ValueError:
            raise JSONPathError(f"unrecognized identifier {text}") from None
    return lambda _: [literal]
