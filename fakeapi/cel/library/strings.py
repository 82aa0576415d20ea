"""Functions of texts.

Stands for cel-go's strings extension and apiserver's pkg/cel/library/jsonpatch.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fakeapi.cel.library.arguments import need_text
from fakeapi.cel.values import CelError, no_overload
from fakeapi.gofmt import go_quote


def _contains(value: Any, part: Any) -> bool:
    return need_text(part) in need_text(value)


def _char_at(value: Any, at: int) -> str:
    text = need_text(value)
    if not 0 <= at <= len(text):
        raise CelError(f"index out of range: {at}")
    return text[at : at + 1]


def _substring(value: Any, start: int, end: int | None = None) -> str:
    text = need_text(value)
    if not 0 <= start <= len(text):
        raise CelError(f"index out of range: {start}")
    if end is None:
        return text[start:]
    if not 0 <= end <= len(text):
        raise CelError(f"index out of range: {end}")
    if start > end:
        raise CelError(f"invalid substring range. start: {start}, end: {end}")
    return text[start:end]


def _split(value: Any, separator: str, limit: int = -1) -> list[str]:
    text = need_text(value)
    if limit == 0:
        return []
    if separator == "":
        parts = list(text)
        return parts if limit < 0 or len(parts) <= limit else [*parts[: limit - 1], "".join(parts[limit - 1 :])]
    return text.split(separator, limit - 1 if limit > 0 else -1)


def _replace(value: Any, old: str, new: str, limit: int = -1) -> str:
    return need_text(value).replace(need_text(old), need_text(new), limit)


def _join(value: Any, separator: str = "") -> str:
    if not isinstance(value, list):
        raise no_overload()
    return separator.join(need_text(item) for item in value)


def _ascii(change: Callable[[str], str]) -> Callable[[Any], str]:
    return lambda value: "".join(change(ch) if ch.isascii() else ch for ch in need_text(value))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "startsWith": lambda v, p: need_text(v).startswith(need_text(p)),
    "endsWith": lambda v, p: need_text(v).endswith(need_text(p)),
    "contains": _contains,
    "charAt": _char_at,
    "substring": _substring,
    "split": _split,
    "replace": _replace,
    "join": _join,
    "trim": lambda v: need_text(v).strip(),
    "lowerAscii": _ascii(str.lower),
    "upperAscii": _ascii(str.upper),
    "strings.quote": lambda v: go_quote(need_text(v)),
    "jsonpatch.escapeKey": lambda v: need_text(v).replace("~", "~0").replace("/", "~1"),
}
