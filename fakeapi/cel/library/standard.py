"""CEL's own operators, conversions and functions of times, and those of optionals.

Stands for cel-go's standard library and its optional types.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from fakeapi.cel import values
from fakeapi.cel.values import CelError, Duration, Optional, Timestamp, UInt, equal, less, no_overload
from fakeapi.gofmt import go_quote

_UNITS = {"ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def _int(value: Any) -> int:
    if isinstance(value, str):
        if not re.fullmatch(r"[+-]?\d+", value):
            raise CelError(f"strconv.ParseInt: parsing {go_quote(value)}: invalid syntax")
        value = int(value)
    elif isinstance(value, Timestamp):
        value = value.ns // 10**9
    elif not values.is_number(value):
        raise no_overload()
    if not -(2**63) <= value < 2**63:
        raise CelError("integer overflow")
    return int(value)


def _uint(value: Any) -> UInt:
    if isinstance(value, str):
        if not re.fullmatch(r"\d+", value):
            raise CelError(f"strconv.ParseUint: parsing {go_quote(value)}: invalid syntax")
    elif not values.is_number(value):
        raise no_overload()
    number = int(value)
    if not 0 <= number < 2**64:
        raise CelError("unsigned integer overflow")
    return UInt(number)


def _double(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise CelError(f"strconv.ParseFloat: parsing {go_quote(str(value))}: invalid syntax") from None


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if value in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise CelError(f"strconv.ParseBool: parsing {go_quote(str(value))}: invalid syntax")


def text_of(value: Any) -> str:
    """string(value)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Duration):
        return _seconds(value.ns)
    if isinstance(value, Timestamp):
        return _rfc3339(value)
    return str(value)


def _seconds(ns: int) -> str:
    whole, rest = divmod(abs(ns), 10**9)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{'-' if ns < 0 else ''}{whole}{fraction}s"


def _rfc3339(value: Timestamp) -> str:
    whole, rest = divmod(value.ns, 10**9)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=whole)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{rest:09d}".rstrip("0") if rest else "") + "Z"


def to_bytes(value: Any) -> bytes:
    """bytes(value)."""
    return value if isinstance(value, bytes) else str(value).encode()


def duration(value: Any) -> Duration:
    """duration("1h30m")."""
    if isinstance(value, Duration):
        return value
    text = str(value)
    match = re.fullmatch(r"([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+|0)", text)
    if match is None:
        raise CelError(f"time: invalid duration {go_quote(text)}")
    total = sum(
        round(float(number) * _UNITS[unit])
        for number, unit in re.findall(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", match[2])
    )
    return Duration(-total if match[1] == "-" else total)


def timestamp(value: Any) -> Timestamp:
    """timestamp("2020-01-01T00:00:00Z")."""
    if isinstance(value, Timestamp):
        return value
    if isinstance(value, int):
        return Timestamp(value * 10**9)
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", str(value))
    if match is None:
        raise CelError(f'parsing time {go_quote(str(value))} as "2006-01-02T15:04:05Z07:00": cannot parse')
    zone = "+00:00" if match[3] in "Zz" else match[3]
    moment = datetime.fromisoformat(match[1] + zone)
    return Timestamp(int(moment.timestamp()) * 10**9 + int((match[2] or "0").ljust(9, "0")))


def _part(get: Callable[[datetime], int]) -> Callable[..., int]:
    def function(value: Any, zone: str = "UTC") -> int:
        if not isinstance(value, Timestamp):
            raise no_overload()
        return get(
            (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value.ns // 1000)).astimezone(_zone(zone))
        )

    return function


def _zone(name: str) -> Any:
    match = re.fullmatch(r"([+-]?)(\d\d):(\d\d)", name)
    if match:
        offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return timezone(-offset if match[1] == "-" else offset)
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise CelError(f"unknown time zone {name}") from None


def _hours(value: Any, zone: str = "UTC") -> int:
    if isinstance(value, Duration):
        return int(value.ns / _UNITS["h"])
    return _part(lambda t: t.hour)(value, zone)


def _minutes(value: Any, zone: str = "UTC") -> int:
    if isinstance(value, Duration):
        return int(value.ns / _UNITS["m"])
    return _part(lambda t: t.minute)(value, zone)


def _whole_seconds(value: Any, zone: str = "UTC") -> int:
    if isinstance(value, Duration):
        return int(value.ns / _UNITS["s"])
    return _part(lambda t: t.second)(value, zone)


def _millis(value: Any, zone: str = "UTC") -> int:
    if isinstance(value, Duration):
        return int(value.ns / _UNITS["ms"]) % 1000
    return _part(lambda t: t.microsecond // 1000)(value, zone)


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
    "int": _int,
    "uint": _uint,
    "double": _double,
    "bool": _bool,
    "string": text_of,
    "bytes": to_bytes,
    "dyn": lambda v: v,
    "type": lambda v: values.TypeOf(values.type_name(v)),
    "duration": duration,
    "timestamp": timestamp,
    "getFullYear": _part(lambda t: t.year),
    "getMonth": _part(lambda t: t.month - 1),
    "getDate": _part(lambda t: t.day),
    "getDayOfMonth": _part(lambda t: t.day - 1),
    "getDayOfWeek": _part(lambda t: t.isoweekday() % 7),
    "getDayOfYear": _part(lambda t: t.timetuple().tm_yday - 1),
    "getHours": _hours,
    "getMinutes": _minutes,
    "getSeconds": _whole_seconds,
    "getMilliseconds": _millis,
    "cel.@mapInsert": _insert,
    "optional.of": lambda v: Optional(v, True),
    "optional.none": lambda: Optional(),
    "optional.ofNonZeroValue": lambda v: Optional(v, True) if v else Optional(),
    "hasValue": lambda o: o.present,
    "value": _value,
    "base64.decode": lambda v: base64.b64decode(v),
    "base64.encode": lambda v: base64.b64encode(v).decode(),
}
