"""Cron schedules as CronJobs take them, with the parser's own words for what it refuses.

Stands for robfig/cron's ParseStandard (five fields, names of months and days, @descriptors) as
pkg/apis/batch/validation uses it. Leaves out when a schedule fires: that is the controller's.
"""

from __future__ import annotations

import re
import zoneinfo

from fakeapi.gofmt import go_quote
from fakeapi.patterns import lazy

_MONTHS = {
    name: i
    for i, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
}
_DAYS = {name: i for i, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
# Lowest, highest, names.
_FIELDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, _MONTHS),
    (0, 6, _DAYS),
)
_DESCRIPTORS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_INT = lazy(r"[+-]?[0-9]+", re.ASCII)
_DURATION = lazy(r"[-+]?(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+", re.ASCII)
_ZONE_PART = lazy(r"[A-Za-z.\-_0-9+]{1,14}", re.ASCII)


class ScheduleError(ValueError):
    """A schedule that cannot be parsed; str() is the parser's text."""


def schedule_error(schedule: str) -> str:
    """What is wrong with a schedule, "" when nothing is."""
    try:
        _parse(schedule)
    except ScheduleError as error:
        return str(error)
    return ""


def _parse(schedule: str) -> None:
    text = schedule
    if text.startswith(("TZ=", "CRON_TZ=")):
        zone, _, rest = text.partition(" ")
        name = zone.partition("=")[2]
        if not known_zone(name):
            raise ScheduleError(f"provided bad location {name}: unknown time zone {name}")
        text = rest.strip()
    if text.startswith("@"):
        _parse_descriptor(text)
        return
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ScheduleError(f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: [{' '.join(fields)}]")
    for field, (low, high, names) in zip(fields, _FIELDS, strict=True):
        for part in field.split(","):
            if part:
                _parse_range(part, low, high, names)


def _parse_descriptor(text: str) -> None:
    if text in _DESCRIPTORS:
        return
    if not text.startswith("@every "):
        raise ScheduleError(f"unrecognized descriptor: {text}")
    duration = text.removeprefix("@every ")
    if not _DURATION.fullmatch(duration):
        raise ScheduleError(f"failed to parse duration {text}: time: invalid duration {go_quote(duration)}")


def _parse_range(text: str, low: int, high: int, names: dict[str, int]) -> None:
    spread, *steps = text.split("/")
    ends = spread.split("-")
    if ends[0] in ("*", "?"):
        start, end = low, high
    else:
        start = end = _number(ends[0], names)
        if len(ends) == 2:
            end = _number(ends[1], names)
        elif len(ends) > 2:
            raise ScheduleError(f"too many hyphens: {text}")
    step = 1
    if len(steps) > 1:
        raise ScheduleError(f"too many slashes: {text}")
    if steps:
        step = _number(steps[0], {})
        end = high if len(ends) == 1 else end
    if start < low:
        raise ScheduleError(f"beginning of range ({start}) below minimum ({low}): {text}")
    if end > high:
        raise ScheduleError(f"end of range ({end}) above maximum ({high}): {text}")
    if start > end:
        raise ScheduleError(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise ScheduleError(f"step of range should be a positive number: {text}")


def _number(text: str, names: dict[str, int]) -> int:
    named = names.get(text.lower())
    if named is not None:
        return named
    if not _INT.fullmatch(text):
        reason = f"strconv.Atoi: parsing {go_quote(text)}: invalid syntax"
        raise ScheduleError(f"failed to parse int from {text}: {reason}")
    if len(text) > 99 or not -(2**63) <= int(text) < 2**63:
        reason = f"strconv.Atoi: parsing {go_quote(text)}: value out of range"
        raise ScheduleError(f"failed to parse int from {text}: {reason}")
    if int(text) < 0:
        raise ScheduleError(f"negative number ({int(text)}) not allowed: {text}")
    return int(text)


def known_zone(name: str) -> bool:
    """Whether the IANA database has it (time.LoadLocation)."""
    if name in ("", "UTC", "Local"):
        return True
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def zone_errors(name: str) -> list[str]:
    """validateTimeZone: an explicit zone of the IANA database."""
    if not name:
        return ["timeZone must be nil or non-empty string"]
    unknown = f"unknown time zone {name}"
    parts = name.split("/")
    if any(part in (".", "..") or part.startswith("-") or not _ZONE_PART.fullmatch(part) for part in parts):
        return [unknown]
    texts = []
    if name.lower() == "local":
        texts.append("timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones")
    return texts if known_zone(name) else [*texts, unknown]
