"""Conversions between CEL's types.

Stands for ConvertToType of cel-go's common/types, and for the overloads of the conversions in its standard library.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from fakeapi.cel import values
from fakeapi.cel.values import CelError, Duration, Timestamp, UInt, no_overload
from fakeapi.patterns import lazy

_NANOS = {"ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_INT = lazy(r"[+-]?[0-9]+")
_UINT = lazy(r"[0-9]+")
_DOUBLE = lazy(r"(?i)[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf|infinity|nan)")
_DURATION = lazy(r"([+-]?)((?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+|0)")
_PART = lazy(r"([0-9]*)(\.[0-9]*)?(ns|us|µs|μs|ms|s|m|h)")
_TIMESTAMP = lazy(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,]([0-9]+))?(Z|[+-](?:[01][0-9]|2[0-4]):[0-5][0-9])"
)
_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False")
_PLACES = 6  # beyond which %g has an exponent
_LONGEST = 4000  # digits that Python makes a number of
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _failed(to: str) -> CelError:
    return CelError(f"type conversion error from 'string' to '{to}'")


def _int(value: Any) -> int:
    if isinstance(value, str):
        if not _INT.fullmatch(value) or len(value) > _LONGEST or not -(2**63) <= int(value) < 2**63:
            raise _failed("int")
        return int(value)
    if isinstance(value, Timestamp):
        return value.ns // 10**9
    if isinstance(value, Duration):
        return value.ns
    if not values.is_number(value):
        raise no_overload()
    if math.isnan(value) or not -(2**63) <= value < 2**63 or (isinstance(value, float) and value == -(2**63)):
        raise CelError("integer overflow")
    return int(value)


def _uint(value: Any) -> UInt:
    if isinstance(value, str):
        if not _UINT.fullmatch(value) or len(value) > _LONGEST or int(value) >= 2**64:
            raise _failed("uint")
    elif not values.is_number(value):
        raise no_overload()
    elif math.isnan(value) or not 0 <= value < 2**64:
        raise CelError("unsigned integer overflow")
    return UInt(value)


def _double(value: Any) -> float:
    if isinstance(value, str):
        if not _DOUBLE.fullmatch(value):
            raise _failed("double")
        number = float(value)
        if math.isinf(number) and "inf" not in value.lower():
            raise _failed("double")
        return number
    if not values.is_number(value):
        raise no_overload()
    return float(value)


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise no_overload()
    if value not in _TRUE + _FALSE:
        raise _failed("bool")
    return value in _TRUE


def text_of(value: Any) -> str:
    """A value as text, as string() has it; what string() does not take in some form of its own."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _shortest(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise CelError("invalid UTF-8 in bytes, cannot convert to string") from None
    if isinstance(value, Duration):
        return _seconds(value.ns)
    if isinstance(value, Timestamp):
        return _rfc3339(value)
    return str(value)


def _string(value: Any) -> str:
    if value is None or isinstance(value, list | dict | values.TypeOf | values.Optional):
        raise no_overload()
    return text_of(value)


def _shortest(value: float) -> str:
    """`%g`: the fewest digits, with an exponent below 0.0001 and from 10**6 on."""
    if math.isnan(value) or math.isinf(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    sign, digits, power = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(power, int)
    exponent = len(digits) - 1 + power if value else 0
    if -4 <= exponent < _PLACES:
        return f"{value:.{max(-power, 0)}f}"
    first, *rest = map(str, digits)
    mantissa = f"{first}.{''.join(rest)}" if rest else first
    return f"{'-' if sign else ''}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _seconds(ns: int) -> str:
    return f"{Decimal(repr(ns / 10**9)):f}".removesuffix(".0") + "s"


def _rfc3339(value: Timestamp) -> str:
    whole, rest = divmod(value.ns, 10**9)
    moment = (EPOCH + timedelta(seconds=whole)).replace(tzinfo=None)
    return moment.isoformat() + (f".{rest:09d}".rstrip("0") if rest else "") + "Z"


def to_bytes(value: Any) -> bytes:
    """bytes(value)."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise no_overload()
    return value.encode("utf-8", "surrogatepass")


def duration(value: Any) -> Duration:
    """duration("1h30m")."""
    if isinstance(value, Duration):
        return value
    if isinstance(value, int) and not isinstance(value, bool | UInt):
        raise CelError("type conversion error from 'int' to 'google.protobuf.Duration'")
    if not isinstance(value, str):
        raise no_overload()
    match = _DURATION.fullmatch(value) if len(value) <= _LONGEST else None
    if match is None:
        raise _failed("google.protobuf.Duration")
    total = 0
    for whole, fraction, unit in _PART.findall(match[2]):
        digits = fraction[1:]
        total += int(whole or 0) * _NANOS[unit] + int(digits or 0) * _NANOS[unit] // 10 ** len(digits)
    total = -total if match[1] == "-" else total
    if not -(2**63) <= total < 2**63:
        raise _failed("google.protobuf.Duration")
    return Duration(total)


def timestamp(value: Any) -> Timestamp:
    """timestamp("2020-01-01T00:00:00Z"); of an integer, seconds since the epoch."""
    if isinstance(value, Timestamp):
        return value
    if isinstance(value, int) and not isinstance(value, bool | UInt):
        return values.moment(value * 10**9)
    if not isinstance(value, str):
        raise no_overload()
    match = _TIMESTAMP.fullmatch(value)
    if match is None:
        raise _failed("google.protobuf.Timestamp")
    zone = 0
    if match[3] != "Z":
        hours, minutes = match[3][1:].split(":")
        zone = (int(hours) * 60 + int(minutes)) * (-1 if match[3][0] == "-" else 1)
    try:
        local = datetime.fromisoformat(match[1] + "+00:00") if match[1][:4] != "0000" else None
    except ValueError:
        raise _failed("google.protobuf.Timestamp") from None
    if local is None:
        raise CelError("timestamp overflow")
    since = local - EPOCH
    seconds = since.days * 86400 + since.seconds - zone * 60
    return values.moment(seconds * 10**9 + int((match[2] or "0")[:9].ljust(9, "0")))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "int": _int,
    "uint": _uint,
    "double": _double,
    "bool": _bool,
    "string": _string,
    "bytes": to_bytes,
    "dyn": lambda v: v,
    "type": lambda v: values.TypeOf(values.type_name(v)),
    "duration": duration,
    "timestamp": timestamp,
}
