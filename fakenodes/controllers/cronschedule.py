"""When a cron schedule fires. Pure.

Stands for robfig/cron's SpecSchedule.Next as CronJobs use it: five fields or a descriptor, in a time zone; of clocks
put forward the missing hour is skipped, put back the hour comes twice. What the API server has refused does not come
here.
"""

from __future__ import annotations

import re
import zoneinfo
from datetime import UTC, datetime, timedelta, tzinfo

from msgspec import Struct

_MONTHS = {
    name: i
    for i, name in enumerate(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1)
}
_DAYS = {name: i for i, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
_FIELDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, _MONTHS),
    (0, 6, _DAYS),
)
_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"([0-9.]+)(ns|us|µs|μs|ms|s|m|h)")
YEARS = 5


class ScheduleError(ValueError):
    """A schedule or a time zone that is none."""


class Schedule(Struct, frozen=True):
    """Numbers that match, by field; or `every`, a period in seconds."""

    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    any_day: bool = True  # of month or of week: one of the two fields is a star
    zone: tzinfo = UTC
    every: float = 0.0

    def next(self, after: float) -> float | None:
        """The first time after `after` (seconds since the epoch); None when there is none within five years."""
        if self.every:
            return float(int(after)) + self.every
        at = float(int(after)) + 1.0
        last = self._local(at).year + YEARS
        while True:
            local = self._local(at)
            if local.year > last:
                return None
            if local.month not in self.months:
                first = local.replace(day=1, hour=0, minute=0, second=0) + timedelta(days=32)
                at = self._midnight(first.replace(day=1))
            elif not self._day(local):
                at = self._midnight(local.replace(hour=0, minute=0, second=0) + timedelta(days=1))
            elif local.hour not in self.hours:
                at += 3600 - local.minute * 60 - local.second
            elif local.minute not in self.minutes or local.second:
                at += 60 - local.second
            else:
                return at

    def _local(self, at: float) -> datetime:
        return datetime.fromtimestamp(at, self.zone)

    def _midnight(self, local: datetime) -> float:
        """Where midnight does not exist, the time that clocks are put forward to."""
        return local.replace(tzinfo=self.zone, fold=0).timestamp()

    def _day(self, local: datetime) -> bool:
        day, weekday = local.day in self.days, local.isoweekday() % 7 in self.weekdays
        return day and weekday if self.any_day else day or weekday


def parse(text: str, zone: str = "") -> Schedule:
    """The schedule; zone is an IANA name, "" for UTC. ScheduleError."""
    if text.startswith(("TZ=", "CRON_TZ=")):
        name, _, text = text.partition(" ")
        zone = zone or name.partition("=")[2]
        text = text.strip()
    if text.startswith("@every "):
        parts = _DURATION.findall(text.removeprefix("@every "))
        return Schedule(every=max(float(int(sum(float(n) * _UNITS[unit] for n, unit in parts))), 1.0))
    fields = _DESCRIPTORS.get(text, text).split()
    if len(fields) != len(_FIELDS):
        raise ScheduleError(f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: [{' '.join(fields)}]")
    sets = [_field(f, *rule) for f, rule in zip(fields, _FIELDS, strict=True)]
    (minutes, _), (hours, _), (days, star), (months, _), (weekdays, other) = sets
    return Schedule(minutes, hours, days, months, weekdays, star or other, zone_of(zone))


def zone_of(name: str) -> tzinfo:
    """A time zone by its IANA name. ScheduleError."""
    if name in ("", "UTC", "Local"):
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ScheduleError(f"unknown time zone {name}") from None


def _field(text: str, low: int, high: int, names: dict[str, int]) -> tuple[frozenset[int], bool]:
    """The numbers of a field, and whether it is a star."""
    found: set[int] = set()
    star = False
    for part in filter(None, text.split(",")):
        spread, _, step = part.partition("/")
        first, dash, last = spread.partition("-")
        try:
            every = int(step or 1)
            whole = first in ("*", "?")
            start = low if whole else names[first.lower()] if first.lower() in names else int(first)
            end = names[last.lower()] if last.lower() in names else int(last) if dash else start
        except ValueError:
            raise ScheduleError(f"failed to parse {part}") from None
        if whole or (step and not dash):
            end = high
        if not (low <= start <= end <= high and every > 0):
            raise ScheduleError(f"out of range: {part}")
        star = star or (whole and every == 1)
        found.update(range(start, end + 1, every))
    return frozenset(found), star
