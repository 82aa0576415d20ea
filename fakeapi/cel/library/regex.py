"""Patterns, in RE2's language.

Stands for matches() of cel-go and apiserver's pkg/cel/library/regex.go.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import re2

from fakeapi.cel.library.arguments import need_text
from fakeapi.cel.values import CelError


@lru_cache(maxsize=512)
def _pattern(text: str) -> Any:
    try:
        return re2.compile(text)
    except re2.error as error:
        from fakeapi.schema.patterns import problem

        raise CelError(problem(text)) from error


def _find(value: Any, pattern: Any) -> str:
    found = _pattern(need_text(pattern)).search(need_text(value))
    return found.group() if found else ""


def _find_all(value: Any, pattern: Any, limit: int = -1) -> list[str]:
    found = [match.group() for match in _pattern(need_text(pattern)).finditer(need_text(value))]
    return found if limit < 0 else found[:limit]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "matches": lambda v, p: _pattern(need_text(p)).search(need_text(v)) is not None,
    "find": _find,
    "findAll": _find_all,
}
