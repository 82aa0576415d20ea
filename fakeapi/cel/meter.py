"""What an expression costs while it runs, and the end of one that costs too much.

Stands for cel-go's interpreter/runtimecost.go and CallCost of apiserver's pkg/cel/library/cost.go: every name, field
and index costs 1, a list or map that is made 10 or 30, a call 1 or what walking its arguments takes; constants and
logic cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fakeapi.cel.library.authorizer import FUNCTIONS as AUTHORIZER
from fakeapi.cel.limits import PER_CALL

NAME, LIST, MAP = 1, 10, 30

Arguments = Sequence[Any]
Price = Callable[[Arguments, Any], int]


class Cancelled(Exception):
    """An expression has cost more than it may. No CelError, since nothing in the expression absorbs it."""

    def __init__(self) -> None:
        super().__init__("operation cancelled: actual cost limit exceeded")


class Meter:
    """Counts one run of one expression."""

    __slots__ = ("limit", "spent")

    def __init__(self, limit: int = PER_CALL) -> None:
        self.limit = limit
        self.spent = 0

    def spend(self, price: int) -> None:
        """Count. Cancelled."""
        self.spent += price
        if self.spent > self.limit:
            raise Cancelled


def size(value: Any) -> int:
    """actualSize: characters, bytes, items or entries; 1 for what has no size."""
    return len(value) if isinstance(value, str | bytes | list | dict) else 1


def _tenth(number: int) -> int:
    return -(-number // 10)


def _pattern(text: int, pattern: int) -> int:
    return _tenth(text + 1) * -(-pattern // 4)


def _traversed(value: Any) -> int:
    """traversalCost: a walk through all of a value."""
    if isinstance(value, str | bytes):
        return len(value) // 10
    if isinstance(value, list):
        return sum(_traversed(item) for item in value)
    if isinstance(value, dict):
        return sum(_traversed(key) + _traversed(item) for key, item in value.items())
    return 1


def _walk(times: int = 1) -> Price:
    return lambda arguments, result: _tenth(size(arguments[0]) * times)


def _compared(arguments: Arguments, result: Any) -> int:
    return _tenth(min(size(arguments[0]), size(arguments[1])))


def _ordered(arguments: Arguments, result: Any) -> int:
    return _compared(arguments, result) if isinstance(arguments[0], str | bytes) else 1


def _added(arguments: Arguments, result: Any) -> int:
    one, other = arguments
    return _tenth(size(one) + size(other)) if isinstance(one, str | bytes) else 1


def _converted(arguments: Arguments, result: Any) -> int:
    """Between texts and bytes; other conversions cost 1."""
    (given,) = arguments
    walked = isinstance(given, str | bytes) and type(given) is not type(result)
    return _tenth(size(given)) if walked else 1


def _contains_ip(arguments: Arguments, result: Any) -> int:
    other = arguments[1]
    # An address has no size of its own.
    return _tenth(2) + (_tenth(size(other)) if isinstance(other, str) else 0)


def _contains_cidr(arguments: Arguments, result: Any) -> int:
    return _contains_ip(arguments, result) + _tenth(1) + 1


_SELECTOR_BASE, _REQUIREMENT = 10, 50


def _selector(arguments: Arguments, result: Any) -> int:
    length = size(arguments[1])
    return _SELECTOR_BASE + _tenth(length) + -(-length // 2) * _REQUIREMENT


def _made(arguments: Arguments, result: Any) -> int:
    """A list that is made, by its length."""
    return _list_call(size(result))


def _list_call(steps: float) -> int:
    return int(steps) + 1 + LIST


def _flattened(arguments: Arguments, result: Any) -> int:
    depth = arguments[1] if len(arguments) > 1 else 1
    return _list_call(size(arguments[0]) * depth)


def _against_itself(arguments: Arguments, result: Any) -> int:
    """Every item of a list compared with every other: of the keys, where there are any."""
    keys = arguments[-1]
    texts = bool(keys) and isinstance(keys[0], str | bytes)
    return _list_call(len(keys) ** 2 * (2.1 if texts else 2))


def _sets(times: int) -> Price:
    return lambda arguments, result: 1 + size(arguments[0]) * size(arguments[1]) * times


# A named format's check is priced as a pattern of 128 characters.
_FORMAT = 128
_WALKS = (
    "url",
    "isURL",
    "lowerAscii",
    "upperAscii",
    "substring",
    "trim",
    "jsonpatch.escapeKey",
    "strings.quote",
    "format",
)
_PARSES = ("cidr", "isIP", "isCIDR", "ip", "quantity", "isQuantity", "semver", "isSemver")

PRICES: dict[str, Price] = {
    **dict.fromkeys(AUTHORIZER, lambda arguments, result: 1),
    "check": lambda arguments, result: 350_000,
    **dict.fromkeys(("fieldSelector", "labelSelector"), _selector),
    **dict.fromkeys(
        ("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), lambda arguments, result: _traversed(arguments[0])
    ),
    **dict.fromkeys((*_WALKS, *_PARSES), _walk()),
    **dict.fromkeys(("replace", "split", "ip.isCanonical"), _walk(2)),
    "join": lambda arguments, result: _tenth(size(result) * 2),
    **dict.fromkeys(
        ("find", "findAll", "matches"), lambda arguments, result: _pattern(size(arguments[0]), size(arguments[1]))
    ),
    "containsIP": _contains_ip,
    "containsCIDR": _contains_cidr,
    "validate": lambda arguments, result: _pattern(size(arguments[1]), _FORMAT),
    **dict.fromkeys(("startsWith", "endsWith"), lambda arguments, result: _tenth(size(arguments[1]))),
    "contains": lambda arguments, result: _tenth(size(arguments[0])) * _tenth(size(arguments[1])),
    **dict.fromkeys(("string", "bytes"), _converted),
    **dict.fromkeys(
        ("@in", "in"), lambda arguments, result: size(arguments[1]) if isinstance(arguments[1], list) else 1
    ),
    **dict.fromkeys(("_==_", "_!=_"), _compared),
    **dict.fromkeys(("_<_", "_<=_", "_>_", "_>=_"), _ordered),
    "_+_": _added,
    **dict.fromkeys(("slice", "lists.range", "reverse"), _made),
    "flatten": _flattened,
    **dict.fromkeys(("sets.contains", "sets.intersects"), _sets(1)),
    "sets.equivalent": _sets(2),
    **dict.fromkeys(("distinct", "sort", "@sortByAssociatedKeys"), _against_itself),
}
