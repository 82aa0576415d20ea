"""Functions of lists; indexOf and lastIndexOf are also those of texts.

Stands for apiserver's pkg/cel/library/lists.go and cel-go's sets extension.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from fakeapi.cel import values
from fakeapi.cel.library.arguments import need_text
from fakeapi.cel.values import CelError, equal, less


def _index_of(value: Any, part: Any, start: int = 0) -> int:
    if isinstance(value, list):
        return next((i for i, item in enumerate(value) if equal(item, part)), -1)
    if start < 0 or (start > len(need_text(value)) and part):
        raise CelError(f"index out of range: {start}")
    return need_text(value).find(need_text(part), start)


def _last_index_of(value: Any, part: Any, start: int | None = None) -> int:
    if isinstance(value, list):
        return next((i for i in range(len(value) - 1, -1, -1) if equal(value[i], part)), -1)
    if start is None:
        return need_text(value).rfind(need_text(part))
    if not 0 <= start <= len(value):
        raise CelError(f"index out of range: {start}")
    return need_text(value).rfind(need_text(part), 0, start + len(part))


def _is_sorted(value: list[Any]) -> bool:
    return all(not less(b, a) for a, b in pairwise(value))


def _sum(value: list[Any]) -> Any:
    if not value:
        return 0
    total = value[0]
    for item in value[1:]:
        total = values.add(total, item)
    return total


def _extreme(name: str, better: Callable[[Any, Any], bool]) -> Callable[[list[Any]], Any]:
    def function(value: list[Any]) -> Any:
        if not value:
            raise CelError(f"{name} called on empty list")
        best = value[0]
        for item in value[1:]:
            if better(item, best):
                best = item
        return best

    return function


def _includes(one: list[Any], other: list[Any]) -> bool:
    return all(any(equal(a, b) for a in one) for b in other)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "isSorted": _is_sorted,
    "sum": _sum,
    "min": _extreme("min", less),
    "max": _extreme("max", lambda a, b: less(b, a)),
    "sets.contains": _includes,
    "sets.equivalent": lambda a, b: _includes(a, b) and _includes(b, a),
    "sets.intersects": lambda a, b: any(equal(x, y) for x in a for y in b),
}
