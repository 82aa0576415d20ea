"""Times and base64 as Go reads and writes them, with Go's error texts.

Stands for metav1.Time, metav1.MicroTime (on top of time.Parse with RFC 3339 layouts) and for encoding/base64. All
functions take a text and return its canonical form, or raise ValueError with the message that a client sees.
"""

from __future__ import annotations

import binascii
import calendar
import functools
import re
from datetime import datetime, timedelta

from fakeapi.gofmt import go_quote
from fakeapi.patterns import lazy

_SECONDS = "2006-01-02T15:04:05Z07:00"
_MICROS = "2006-01-02T15:04:05.000000Z07:00"
_ZERO_TIME = "0001-01-01T00:00:00"

# Layout element -> (pattern, name of the range, least, most). A pattern of one digit means Go takes one or two.
_ELEMENTS = {
    "2006": (re.compile(r"\d{4}", re.ASCII), "", 0, 9999),
    "01": (re.compile(r"\d{2}", re.ASCII), "month", 1, 12),
    "02": (re.compile(r"\d{2}", re.ASCII), "", 0, 99),
    "15": (re.compile(r"\d{1,2}", re.ASCII), "hour", 0, 23),
    "04": (re.compile(r"\d{2}", re.ASCII), "minute", 0, 59),
    "05": (re.compile(r"\d{2}", re.ASCII), "second", 0, 59),
}
_PARTS = ("2006", "-", "01", "-", "02", "T", "15", ":", "04", ":", "05")
_FRACTION = lazy(r"[.,]\d+", re.ASCII)
_SIX_DIGITS = lazy(r"[.,]\d{6}", re.ASCII)
_OFFSET = lazy(r"([+-])(\d\d):(\d\d)", re.ASCII)


@functools.lru_cache(maxsize=4096)
def time(text: str) -> str | None:
    """metav1.Time: UTC, whole seconds; None for the zero time, which is written as null."""
    moment, _ = _parse(text, _SECONDS)
    return None if moment == _ZERO_TIME else moment + "Z"


@functools.lru_cache(maxsize=4096)
def micro_time(text: str) -> str | None:
    """metav1.MicroTime: UTC with six digits; None for the zero time."""
    moment, micros = _parse(text, _MICROS)
    return None if moment == _ZERO_TIME and micros == "000000" else f"{moment}.{micros}Z"


def _parse(text: str, layout: str) -> tuple[str, str]:
    """time.Parse: the moment in UTC without a zone, and its microseconds as six digits."""
    numbers, rest = {}, text
    for part in _PARTS:
        if part not in _ELEMENTS:
            rest = _literal(text, layout, rest, part)
            continue
        pattern, name, least, most = _ELEMENTS[part]
        match = pattern.match(rest)
        if match is None:
            raise _unparsed(text, layout, rest, part)
        rest = rest[match.end() :]
        numbers[part] = int(match[0])
        if not least <= numbers[part] <= most:
            raise ValueError(f"parsing time {go_quote(text)}: {name} out of range")
    fraction, rest = _fraction(text, layout, rest)
    offset, rest = _offset(text, layout, rest)
    if rest:
        raise ValueError(f"parsing time {go_quote(text)}: extra text: {go_quote(rest)}")
    year, month, day = numbers["2006"], numbers["01"], numbers["02"]
    if not 1 <= day <= calendar.monthrange(year or 4, month)[1]:
        raise ValueError(f"parsing time {go_quote(text)}: day out of range")
    moment = f"{year:04}-{month:02}-{day:02}T{numbers['15']:02}:{numbers['04']:02}:{numbers['05']:02}"
    if offset and 1 < year < 9999:
        moment = (datetime.fromisoformat(moment) - timedelta(minutes=offset)).isoformat()
    return moment, fraction


def _literal(text: str, layout: str, rest: str, part: str) -> str:
    if not rest.startswith(part):
        raise _unparsed(text, layout, rest, part)
    return rest[len(part) :]


def _fraction(text: str, layout: str, rest: str) -> tuple[str, str]:
    """Fractions may follow the seconds though the layout has none; the micro layout wants six digits."""
    pattern = _SIX_DIGITS if layout == _MICROS else _FRACTION
    match = pattern.match(rest)
    if match is None:
        if layout == _MICROS:
            raise _unparsed(text, layout, rest, ".000000")
        return "000000", rest
    return match[0][1:7].ljust(6, "0"), rest[match.end() :]


def _offset(text: str, layout: str, rest: str) -> tuple[int, str]:
    """Minutes east of UTC."""
    if rest.startswith("Z"):
        return 0, rest[1:]
    match = _OFFSET.match(rest)
    if match is None:
        raise _unparsed(text, layout, rest, "Z07:00")
    hours, minutes = int(match[2]), int(match[3])
    for amount, most, name in ((hours, 24, "hour"), (minutes, 60, "minute")):
        if amount > most:
            raise ValueError(f"parsing time {go_quote(text)}: time zone offset {name} out of range")
    return (hours * 60 + minutes) * (-1 if match[1] == "-" else 1), rest[6:]


def _unparsed(text: str, layout: str, rest: str, element: str) -> ValueError:
    return ValueError(
        f"parsing time {go_quote(text)} as {go_quote(layout)}: cannot parse {go_quote(rest)} as {go_quote(element)}"
    )


def base64(text: str) -> str:
    """Bytes in standard base64: line ends go, stray bits in the last digit are cleared."""
    packed = text.replace("\r", "").replace("\n", "") if "\n" in text or "\r" in text else text
    try:
        raw = binascii.a2b_base64(packed, strict_mode=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"illegal base64 data at input byte {_illegal_byte(text)}") from None
    return binascii.b2a_base64(raw, newline=False).decode()


_DIGITS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


def _illegal_byte(text: str) -> int:
    """Where encoding/base64 stops: it reads quanta of four digits, padding only at the end of the last."""
    data = text.encode().decode("latin-1")
    index, filled, end = 0, 0, len(data)
    while index < end:
        char = data[index]
        index += 1
        if char in "\r\n":
            continue
        if char in _DIGITS:
            filled = (filled + 1) % 4
            continue
        if char != "=" or filled < 2:
            return index - 1
        index = _skip_newlines(data, index)
        if filled == 2:
            if index == end:
                return end
            if data[index] != "=":
                return index - 1
            index = _skip_newlines(data, index + 1)
        return index
    return end - filled


def _skip_newlines(data: str, index: int) -> int:
    while index < len(data) and data[index] in "\r\n":
        index += 1
    return index
