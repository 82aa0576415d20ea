"""Functions of lists; indexOf and lastIndexOf are also those of texts.

Stands for apiserver's pkg/cel/library/lists.go and cel-go's extensions lists (version 3) and sets.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from fakeapi.cel import values
from fakeapi.cel.library.arguments import need_list, need_text
from fakeapi.cel.limits import PER_CALL
from fakeapi.cel.values import CelError, Duration, Optional, Timestamp, equal, less, no_overload


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
    return all(not less(b, a) for a, b in pairwise(need_list(value)))


def _sum(value: list[Any]) -> Any:
    if not need_list(value):
        return 0
    total = value[0]
    for item in value[1:]:
        total = values.add(total, item)
    return total


def _extreme(name: str, better: Callable[[Any, Any], bool]) -> Callable[[list[Any]], Any]:
    def function(value: list[Any]) -> Any:
        if not need_list(value):
            raise CelError(f"{name} called on empty list")
        best = value[0]
        for item in value[1:]:
            if better(item, best):
                best = item
        return best

    return function


def _includes(one: list[Any], other: list[Any]) -> bool:
    return _too_many(one, other) or all(any(equal(a, b) for a in one) for b in other)


def _intersects(one: list[Any], other: list[Any]) -> bool:
    return _too_many(one, other) or any(equal(a, b) for a in one for b in other)


def _too_many(one: list[Any], other: list[Any]) -> bool:
    """Whether comparing all items costs more than any expression may: the result is nobody's, since paying ends it."""
    return len(need_list(one)) * len(need_list(other)) > PER_CALL


def _slice(value: Any, start: int, end: int) -> list[Any]:
    asked = f"cannot slice({start}, {end}),"
    if start < 0 or end < 0:
        raise CelError(f"{asked} negative indexes not supported")
    if start > end:
        raise CelError(f"{asked} start index must be less than or equal to end index")
    items = need_list(value)
    if len(items) < end:
        raise CelError(f"{asked} list is length {len(items)}")
    return items[start:end]


def _flatten(value: Any, depth: int = 1) -> list[Any]:
    if depth < 0:
        raise CelError("level must be non-negative")
    made: list[Any] = []
    for item in need_list(value):
        made += _flatten(item, depth - 1) if isinstance(item, list) and depth else [item]
    return made


def _sort(value: Any, by: Any = None) -> list[Any]:
    """In the order of the values, or of another list of as many."""
    keys = need_list(value if by is None else by)
    if keys and not (values.is_number(keys[0]) or isinstance(keys[0], str | bytes | bool | Timestamp | Duration)):
        raise CelError("list elements must be comparable")
    if len({values.type_name(key) for key in keys}) > 1:
        raise CelError("list elements must have the same type")
    items = need_list(value)
    if len(items) != len(keys):
        raise no_overload()
    return [items[index] for index in sorted(range(len(keys)), key=keys.__getitem__)]


def _distinct(value: Any) -> list[Any]:
    if _too_many(value, value):
        return need_list(value)
    made: list[Any] = []
    for item in value:
        if not any(equal(item, other) for other in made):
            made.append(item)
    return made


def _range(end: Any) -> list[int]:
    if not isinstance(end, int):
        raise no_overload()
    return list(range(min(end, PER_CALL + 1)))  # no expression can pay for more


def _unwrap(value: Any) -> list[Any]:
    items = need_list(value)
    for item in items:
        if not isinstance(item, Optional):
            raise CelError("value is not optional")
    return [item.value for item in items if item.present]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "isSorted": _is_sorted,
    "sum": _sum,
    "min": _extreme("min", less),
    "max": _extreme("max", lambda a, b: less(b, a)),
    "sets.contains": _includes,
    "sets.equivalent": lambda a, b: _includes(a, b) and _includes(b, a),
    "sets.intersects": _intersects,
    "slice": _slice,
    "flatten": _flatten,
    "sort": _sort,
    "@sortByAssociatedKeys": _sort,
    "distinct": _distinct,
    "reverse": lambda v: need_list(v)[::-1],
    "lists.range": _range,
    "first": lambda v: Optional(v[0], True) if need_list(v) else Optional(),
    "last": lambda v: Optional(v[-1], True) if need_list(v) else Optional(),
    "optional.unwrap": _unwrap,
    "unwrapOpt": _unwrap,
}
