"""Quantities.

Stands for apiserver's pkg/cel/library/quantity.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from fakeapi import quantity
from fakeapi.cel.library.arguments import is_valid, need_text
from fakeapi.cel.values import CelError, no_overload


class Amount(Struct, frozen=True, eq=False):
    """kubernetes.Quantity."""

    amount: quantity.Quantity
    TYPE = "kubernetes.Quantity"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Amount) and self.amount.nano == other.amount.nano

    def __hash__(self) -> int:
        return hash(self.amount.nano)


def _quantity(text: Any) -> Amount:
    try:
        return Amount(quantity.parse(need_text(text)))
    except ValueError as error:
        raise CelError(str(error)) from None


def _nano(value: Any) -> int:
    if isinstance(value, Amount):
        return value.amount.nano
    if isinstance(value, int):
        return value * 10**9
    raise no_overload()


def _as_integer(value: Amount) -> int:
    whole, rest = divmod(value.amount.nano, 10**9)
    if rest or not -(2**63) <= whole < 2**63:
        raise CelError("cannot convert value to integer")
    return whole


def _plus(value: Any, other: Any, sign: int = 1) -> Amount:
    total = _nano(value) + sign * _nano(other)
    return Amount(quantity.Quantity(total, -9, "DecimalSI"))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "quantity": _quantity,
    "isQuantity": is_valid(_quantity),
    "sign": lambda v: (_nano(v) > 0) - (_nano(v) < 0),
    "isInteger": lambda v: is_valid(_as_integer)(v),
    "asInteger": _as_integer,
    "asApproximateFloat": lambda v: v.amount.nano / 1e9,
    "add": _plus,
    "sub": lambda a, b: _plus(a, b, -1),
}
