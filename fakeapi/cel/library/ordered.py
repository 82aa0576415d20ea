"""What quantities and versions have in common: an order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fakeapi.cel.library.quantity import Amount
from fakeapi.cel.library.semver import Semver
from fakeapi.cel.values import no_overload


def _order(value: Any) -> Any:
    if isinstance(value, Amount):
        return value.amount.nano
    if isinstance(value, Semver):
        return value.key
    raise no_overload()


def _compare(one: Any, other: Any) -> int:
    first, second = _order(one), _order(other)
    return int(first > second) - int(first < second)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "compareTo": _compare,
    "isGreaterThan": lambda a, b: _compare(a, b) > 0,
    "isLessThan": lambda a, b: _compare(a, b) < 0,
}
