"""Values that CEL has and JSON has not, and how they compare.

Integers are int, doubles float, strings, lists and maps as JSON has them; the rest are the classes below. Lists of type
set and map compare without regard to order, as Kubernetes' own values do.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class CelError(Exception):
    """An evaluation fails; str() is cel-go's text."""


class UInt(int):
    """An unsigned integer."""


class SetList(list[Any]):
    """A list of type set."""


class MapList(list[Any]):
    """A list of type map; keys names the fields that tell its items."""

    keys: tuple[str, ...] = ()


class Optional(Struct, frozen=True):
    """optional_type: a value or none."""

    value: Any = None
    present: bool = False


class Timestamp(Struct, frozen=True, order=True):
    """Nanoseconds since the epoch."""

    ns: int


class Duration(Struct, frozen=True, order=True):
    """Nanoseconds."""

    ns: int


class TypeOf(Struct, frozen=True):
    """A type as a value."""

    name: str


def no_overload(*_: Any) -> CelError:
    """What cel-go says when a function does not take these values."""
    return CelError("no such overload")


def is_number(value: Any) -> bool:
    """Whether it is an int, uint or double."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def equal(one: Any, other: Any) -> bool:
    """`==`."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return len(one) == len(other) and all(k in other and equal(v, other[k]) for k, v in one.items())
    if isinstance(one, list) and isinstance(other, list):
        if isinstance(one, (SetList, MapList)) or isinstance(other, (SetList, MapList)):
            return len(one) == len(other) and _same_items(one, other)
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, Optional) and isinstance(other, Optional):
        return one.present == other.present and equal(one.value, other.value)
    if is_number(one) and is_number(other):
        return bool(one == other)
    return type(one) is type(other) and bool(one == other)


_HASHED = (str, int, float)


def _same_items(one: list[Any], other: list[Any]) -> bool:
    """Whether every item is in another list of as many; compared one by one only where there is no faster way."""
    keys = getattr(one, "keys", ()) or getattr(other, "keys", ())
    if keys:
        found = {_key(item, keys): item for item in other if isinstance(item, dict)}
        return all(
            isinstance(item, dict) and _key(item, keys) in found and equal(item, found[_key(item, keys)])
            for item in one
        )
    if all(type(item) in _HASHED for item in (*one, *other)):
        return set(one) == set(other)
    return all(any(equal(a, b) for b in other) for a in one)


def _key(item: dict[Any, Any], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(repr(item.get(name)) for name in names)


def less(one: Any, other: Any) -> bool:
    """`<`."""
    if is_number(one) and is_number(other):
        return bool(one < other)
    if type(one) is type(other) and isinstance(one, (str, bytes, bool, Timestamp, Duration)):
        return bool(one < other)
    raise no_overload()


def _are_numbers(one: Any, other: Any) -> bool:
    """Whether they are numbers of one type, as arithmetic asks."""
    return is_number(one) and is_number(other) and type_name(one) == type_name(other)


def duration(ns: int) -> Duration:
    """A duration that fits. CelError."""
    if not -(2**63) <= ns < 2**63:
        raise CelError("duration overflow")
    return Duration(ns)


_FIRST, _LAST = -62135596800 * 10**9, 253402300800 * 10**9 - 1


def moment(ns: int) -> Timestamp:
    """A time in the years 1 to 9999. CelError."""
    if not _FIRST <= ns <= _LAST:
        raise CelError("timestamp overflow")
    return Timestamp(ns)


def add(one: Any, other: Any) -> Any:
    """`+`; sets and maps merge."""
    if _are_numbers(one, other):
        return _fit(one + other, one)
    if isinstance(one, SetList) and isinstance(other, list):
        known = {a for a in one if type(a) in _HASHED}
        return SetList([*one, *(b for b in other if not _among(b, one, known))])
    if isinstance(one, MapList) and isinstance(other, list):
        return _merge(one, other)
    if isinstance(one, list) and isinstance(other, list):
        return [*one, *other]
    if type(one) is type(other) and isinstance(one, (str, bytes)):
        return one + other
    if isinstance(one, Duration) and isinstance(other, Duration):
        return duration(one.ns + other.ns)
    if {type(one), type(other)} == {Timestamp, Duration}:
        return moment(one.ns + other.ns)
    raise no_overload()


def _among(item: Any, items: list[Any], scalars: set[Any]) -> bool:
    """Whether an item is in a list, whose strings and numbers are known."""
    return item in scalars if type(item) in _HASHED else any(equal(item, other) for other in items)


def _merge(one: MapList, other: list[Any]) -> MapList:
    def key(item: Any) -> tuple[Any, ...]:
        return tuple(item.get(name) for name in one.keys)

    fresh = {key(item): item for item in other}
    made = MapList([fresh.pop(key(item), item) for item in one])
    made += fresh.values()
    made.keys = one.keys
    return made


def subtract(one: Any, other: Any) -> Any:
    """`-`."""
    if _are_numbers(one, other):
        return _fit(one - other, one)
    if type(one) is type(other) and isinstance(one, (Timestamp, Duration)):
        return duration(one.ns - other.ns)
    if isinstance(one, Timestamp) and isinstance(other, Duration):
        return moment(one.ns - other.ns)
    raise no_overload()


def multiply(one: Any, other: Any) -> Any:
    """`*`."""
    if not _are_numbers(one, other):
        raise no_overload()
    return _fit(one * other, one)


def divide(one: Any, other: Any) -> Any:
    """`/`, towards zero for integers."""
    if not _are_numbers(one, other):
        raise no_overload()
    if isinstance(one, float):
        return one / other if other else float("nan") if not one else float("inf") * (1 if one > 0 else -1)
    if other == 0:
        raise CelError("division by zero")
    return _fit(abs(one) // abs(other) * (1 if (one < 0) == (other < 0) else -1), one)


def remainder(one: Any, other: Any) -> Any:
    """`%`, with the sign of the dividend."""
    if isinstance(one, float) or not _are_numbers(one, other):
        raise no_overload()
    if other == 0:
        raise CelError("modulus by zero")
    return _fit(abs(one) % abs(other) * (1 if one >= 0 else -1), one)


def negate(value: Any) -> Any:
    """Unary `-`."""
    if isinstance(value, Duration):
        return duration(-value.ns)
    if not is_number(value) or isinstance(value, UInt):
        raise no_overload()
    return _fit(-value, value)


def _fit(value: Any, like: Any) -> Any:
    if isinstance(value, float):
        return value
    if isinstance(like, UInt):
        if not 0 <= value < 2**64:
            raise CelError("unsigned integer overflow")
        return UInt(value)
    if not -(2**63) <= value < 2**63:
        raise CelError("integer overflow")
    return value


def index(holder: Any, key: Any) -> Any:
    """`holder[key]`."""
    if isinstance(holder, Optional):
        return optional_index(holder, key)
    if isinstance(holder, list):
        if isinstance(key, float) and key.is_integer():
            key = int(key)
        if isinstance(key, bool) or not isinstance(key, int):
            raise no_overload()
        if not 0 <= key < len(holder):
            raise CelError(f"index out of bounds: {key}")
        return holder[key]
    if isinstance(holder, dict):
        if isinstance(key, list | dict):
            raise no_overload()
        if key not in holder:
            raise CelError(f"no such key: {key}")
        return holder[key]
    raise no_overload()


def select(holder: Any, field: str) -> Any:
    """`holder.field`."""
    if isinstance(holder, Optional):
        return optional_index(holder, field)
    if not isinstance(holder, dict):
        raise no_overload()
    if field not in holder:
        raise CelError(f"no such key: {field}")
    return holder[field]


def optional_index(holder: Any, key: Any) -> Optional:
    """`holder[?key]`, `holder.?key`."""
    if isinstance(holder, Optional):
        if not holder.present:
            return holder
        holder = holder.value
    try:
        return Optional(index(holder, key), True)
    except CelError:
        return Optional()


def contains(item: Any, holder: Any) -> bool:
    """`item in holder`."""
    if isinstance(holder, list):
        return any(equal(item, x) for x in holder)
    if isinstance(holder, dict):
        return any(equal(item, k) for k in holder)
    raise no_overload()


def type_name(value: Any) -> str:
    """The name of a value's type."""
    for kind, name in _TYPES:
        if isinstance(value, kind):
            return name
    return getattr(value, "TYPE", "dyn")


_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (UInt, "uint"),
    (int, "int"),
    (float, "double"),
    (str, "string"),
    (bytes, "bytes"),
    (list, "list"),
    (dict, "map"),
    (type(None), "null_type"),
    (Timestamp, "google.protobuf.Timestamp"),
    (Duration, "google.protobuf.Duration"),
    (TypeOf, "type"),
    (Optional, "optional_type"),
)
