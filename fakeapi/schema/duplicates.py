"""JSON texts whose objects name a field twice, and numbers as they were written: what fast parsing forgets.

Stands for the duplicate detection of sigs.k8s.io/json. Leaves out that Go merges repeated objects: here the last wins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import orjson

from fakeapi.gofmt import go_quote

MOST = 100
_ESCAPES = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.", re.DOTALL
)


class Literal(float):
    """A number that is no integer, with its text."""

    __slots__ = ("text",)

    text: str

    def __new__(cls, text: str) -> Literal:
        number = super().__new__(cls, text)
        number.text = text
        return number


class Pairs(dict[str, Any]):
    """An object with every pair of the text, repeated keys included; as a dict, the last one's value."""

    __slots__ = ("all",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.all = pairs


def readable(data: bytes) -> str:
    """JSON text as Go reads it where orjson reads nothing: invalid UTF-8 and lone surrogates are U+FFFD."""
    text = data.decode("utf-8", "replace")
    return _ESCAPES.sub(lambda found: "\\ufffd" if found[1] else found[0], text)


def parse_slowly(source: bytes, *, keep_duplicates: bool = False) -> Any:
    """Parse JSON with numbers as Literal and, when asked, objects as Pairs."""
    hook = Pairs if keep_duplicates else None
    return json.loads(readable(source), parse_int=_integer, parse_float=Literal, object_pairs_hook=hook)


def _integer(text: str) -> float:
    return int(text) if len(text) < 19 else Literal(text)


def has_duplicates(source: bytes, value: Any) -> bool:
    """Whether an object in the text repeats a key; `value` is the parsed text. Costs one encoding of it.

    A dropped key takes its quotes along, so quotes are counted. Escaped ones count the same on both sides, unless they
    are written as \\u0022.
    """
    if b"\\u0022" in source:
        return bool(duplicate_fields(source))
    return source.count(b'"') != orjson.dumps(value).count(b'"')


def duplicate_fields(source: bytes, value: Any = None) -> list[str]:
    """Texts such as `duplicate field "spec.x"` in document order, each once; [] at little cost when `value` is given.

    Types are not looked at: objects under unknown fields count too. decode.strict_errors tells them as upstream does.
    """
    if value is not None and not has_duplicates(source, value):
        return []
    found: dict[str, None] = {}
    for path in _repeated(parse_slowly(source, keep_duplicates=True), ""):
        found[f"duplicate field {go_quote(path)}"] = None
    return list(found)[:MOST]


def _repeated(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _repeated(item, f"{path}[{index}]")
    elif isinstance(value, Pairs):
        seen = set()
        for key, item in value.all:
            inner = f"{path}.{key}" if path else key
            if key in seen:
                yield inner
            seen.add(key)
            yield from _repeated(item, inner)
