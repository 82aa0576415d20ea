"""CEL's own operators, and the functions of optionals.

Stands for cel-go's standard library and its optional types.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fakeapi.cel import values
from fakeapi.cel.values import CelError, Optional, equal, less, no_overload


def _size(value: Any) -> int:
    if isinstance(value, (str, bytes, list, dict)):
        return len(value)
    raise no_overload()


def _value(optional: Optional) -> Any:
    if not optional.present:
        raise CelError("optional.none() dereference")
    return optional.value


def _raise() -> Any:
    raise no_overload()


def _insert(into: dict[Any, Any], *entry: Any) -> dict[Any, Any]:
    """A map with one more entry, given as key and value or as a map of its own."""
    added = entry[0] if len(entry) == 1 else {entry[0]: entry[1]}
    for key in added:
        if key in into:
            raise CelError(f"insert failed: key {key} already exists")
    return {**into, **added}


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "_==_": equal,
    "_!=_": lambda a, b: not equal(a, b),
    "_<_": less,
    "_<=_": lambda a, b: not less(b, a),
    "_>_": lambda a, b: less(b, a),
    "_>=_": lambda a, b: not less(a, b),
    "_+_": values.add,
    "_-_": values.subtract,
    "_*_": values.multiply,
    "_/_": values.divide,
    "_%_": values.remainder,
    "-_": values.negate,
    "!_": lambda v: not v if isinstance(v, bool) else _raise(),
    "_[_]": values.index,
    "_[?_]": values.optional_index,
    "_?._": values.optional_index,
    "@in": values.contains,
    "in": values.contains,
    "size": _size,
    "cel.@mapInsert": _insert,
    "optional.of": lambda v: Optional(v, True),
    "optional.none": lambda: Optional(),
    "optional.ofNonZeroValue": lambda v: Optional(v, True) if v else Optional(),
    "hasValue": lambda o: o.present,
    "value": _value,
}
