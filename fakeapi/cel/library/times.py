"""Parts of timestamps and durations.

Stands for the getters of cel-go's common/types/timestamp.go and duration.go.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from fakeapi.cel.library.conversions import EPOCH
from fakeapi.cel.values import CelError, Duration, Timestamp, no_overload
from fakeapi.gofmt import go_quote
from fakeapi.patterns import lazy

_MS, _S, _M, _H = 10**6, 10**9, 60 * 10**9, 3600 * 10**9
_NUMBER = lazy(r"[+-]?[0-9]{1,9}")


def _part(get: Callable[[datetime], int]) -> Callable[..., int]:
    def function(value: Any, zone: str = "UTC") -> int:
        if not isinstance(value, Timestamp) or not isinstance(zone, str):
            raise no_overload()
        moment = EPOCH + timedelta(microseconds=value.ns // 1000)
        try:
            return get(moment + _offset(zone, moment))
        except OverflowError:
            raise CelError("timestamp overflow") from None

    return function


def _offset(zone: str, moment: datetime) -> timedelta:
    """How far a zone, by name or as hours and minutes, is from UTC."""
    hours, colon, minutes = zone.partition(":")
    if colon:
        for text in (hours, minutes):
            if not _NUMBER.fullmatch(text):
                raise CelError(f"strconv.Atoi: parsing {go_quote(text)}: invalid syntax")
        rest = int(minutes)
        return timedelta(minutes=int(hours) * 60 + (-rest if zone.startswith("-") else rest))
    if zone in ("", "UTC"):
        return timedelta()
    from zoneinfo import ZoneInfo

    try:
        return moment.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
    except (KeyError, ValueError, OSError):
        raise CelError(f"unknown time zone {zone}") from None


def _span(unit: int, get: Callable[[datetime], int]) -> Callable[..., int]:
    """A part that durations have too, as all of their whole units."""
    of_moment = _part(get)

    def function(value: Any, *zone: str) -> int:
        if not isinstance(value, Duration) or zone:
            return of_moment(value, *zone)
        whole = abs(value.ns) // unit
        return whole if value.ns >= 0 else -whole

    return function


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "getFullYear": _part(lambda t: t.year),
    "getMonth": _part(lambda t: t.month - 1),
    "getDate": _part(lambda t: t.day),
    "getDayOfMonth": _part(lambda t: t.day - 1),
    "getDayOfWeek": _part(lambda t: t.isoweekday() % 7),
    "getDayOfYear": _part(lambda t: t.timetuple().tm_yday - 1),
    "getHours": _span(_H, lambda t: t.hour),
    "getMinutes": _span(_M, lambda t: t.minute),
    "getSeconds": _span(_S, lambda t: t.second),
    "getMilliseconds": _span(_MS, lambda t: t.microsecond // 1000),
}
