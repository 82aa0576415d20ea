"""String formats of structural schemas: which are known, and what each accepts.

Stands for kube-openapi's validation/strfmt and apiextensions' apiserver/validation/formats.go. Dashes in a format's
name do not count. A format that is not known says nothing about values (and a definition that uses it is warned of).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import cache

import re2

from fakeapi import gourl
from fakeapi.patterns import lazy

Accepts = Callable[[str], bool]

_UUID = r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?%s-?%s-?[0-9a-f]{12}$"
_ANY4, _VARIANT = "[0-9a-f]{4}", "[89ab][0-9a-f]{3}"
_LABEL_CHAR = r"a-zA-Z0-9\p{S}\p{L}"
_HOSTNAME = (
    rf"^([{_LABEL_CHAR}]((-?[{_LABEL_CHAR}]{{0,62}})?)"
    rf"|([{_LABEL_CHAR}](([-{_LABEL_CHAR}]{{0,61}}[{_LABEL_CHAR}])?)(\.)){{1,}}([a-zA-Z\p{{L}}]){{2,63}})$"
)
_CARD = (
    r"^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}"
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$"
)
_BYTE_OF_COLOR = r"\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*"
_BASE64 = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$"
_TIME = lazy(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|[+-][0-9]{2}:[0-9]{2})")
_DATE = lazy(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_GO_NUMBER = r"([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)"
_GO_DURATION = lazy(rf"[+-]?(0|({_GO_NUMBER})+)")
_SCALA_DURATION = lazy(r"[0-9]+\s*([A-Za-zµ]+)")
# Units by their names; the last of each may have an ending.
_UNITS = (
    ("ns", "nano"),
    ("us", "µs", "micro"),
    ("ms", "milli"),
    ("s", "sec"),
    ("m", "min"),
    ("h", "hr", "hour"),
    ("d", "day"),
    ("w", "wk", "week"),
)
_LABEL = lazy(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
_EMAIL = lazy(rf'(?:[^<>@"]*<)?(?:{_ATEXT}(?:\.{_ATEXT})*|"(?:[^"\\]|\\.)*")@(?:{_ATEXT}(?:\.{_ATEXT})*|\[[0-9.]+\])>?')


def _matches(pattern: str) -> Accepts:
    """A pattern in Go's syntax, compiled when it is first needed."""
    compiled = cache(lambda: re2.compile(pattern))
    return lambda text: compiled().search(text) is not None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address without a zone."""
    try:
        return ipaddress.ip_address(text) if "%" not in text else None
    except ValueError:
        return None


def _without_zeros(text: str) -> str:
    """Numbers of an IPv4 address without leading zeros, as parsers before Go 1.17 read it."""
    head, colon, tail = text.rpartition(":")
    return head + colon + re.sub(r"(?<![0-9])0+(?=[0-9])", "", tail) if "." in tail else text


def _ipv4(text: str) -> bool:
    return "." in text and _address(_without_zeros(text)) is not None


def _ipv6(text: str) -> bool:
    return ":" in text and _address(text) is not None


def is_cidr(text: str) -> bool:
    """An address and the length of its prefix."""
    address, slash, bits = text.partition("/")
    found = _address(address)
    return (
        found is not None
        and bool(slash)
        and re.fullmatch("[0-9]+", bits) is not None
        and (int(bits) <= found.max_prefixlen)
    )


def _cidr(text: str) -> bool:
    address, slash, bits = text.partition("/")
    return is_cidr(_without_zeros(address) + slash + bits)


def _mac(text: str) -> bool:
    return any(
        re.fullmatch(pattern, text, re.IGNORECASE)
        for pattern in (
            *(rf"[0-9a-f]{{2}}(?:{sep}[0-9a-f]{{2}}){{{n - 1}}}" for sep in ":-" for n in (6, 8, 20)),
            *(rf"[0-9a-f]{{4}}(?:\.[0-9a-f]{{4}}){{{n - 1}}}" for n in (3, 4, 10)),
        )
    )


def _hostname(text: str) -> bool:
    parts = text.split(".")
    return len(text.encode()) <= 255 and _host_pattern(text) and all(len(part.encode()) <= 63 for part in parts)


_host_pattern, _card_pattern = _matches(_HOSTNAME), _matches(_CARD)


def _card(text: str) -> bool:
    digits = re.sub(r"[^0-9]+", "", text)
    if not _card_pattern(digits):
        return False
    total = 0
    for place, ch in enumerate(reversed(digits)):
        number = int(ch) * (2 if place % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def _isbn10(text: str) -> bool:
    plain = re.sub(r"[\s-]+", "", text)
    if not re.fullmatch(r"(?:[0-9]{9}X|[0-9]{10})", plain):
        return False
    return sum((i + 1) * (10 if ch == "X" else int(ch)) for i, ch in enumerate(plain)) % 11 == 0


def _isbn13(text: str) -> bool:
    plain = re.sub(r"[\s-]+", "", text)
    if not re.fullmatch(r"[0-9]{13}", plain):
        return False
    return sum(int(ch) * (3 if i % 2 else 1) for i, ch in enumerate(plain)) % 10 == 0


def _date(text: str) -> bool:
    match = _DATE.fullmatch(text)
    if match is None:
        return False
    year, month, day = map(int, match.groups())
    february = 29 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 28
    lengths = (31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return 1 <= month <= 12 and 1 <= day <= lengths[month - 1]


def _datetime(text: str) -> bool:
    """IsDateTime, which looks no further than a second "t"."""
    parts = text.lower().split("t")
    if len(parts) < 2 or not _date(parts[0]):
        return False
    match = _TIME.fullmatch(parts[1])
    return match is not None and match[1] <= "23" and match[2] <= "59" and match[3] <= "59"


def is_duration(text: str) -> bool:
    """time.ParseDuration, or Scala's way to write one somewhere in the text."""
    if _GO_DURATION.fullmatch(text):
        return True
    units = (match.lower() for match in _SCALA_DURATION.findall(text))
    return any(unit in names or unit.startswith(names[-1]) for unit in units for names in _UNITS)


def is_short_name(text: str) -> bool:
    """A label without upper case: at most 63 characters."""
    return len(text) <= 63 and _LABEL.fullmatch(text) is not None


def is_long_name(text: str) -> bool:
    """Dot-separated labels: at most 253 characters."""
    return len(text) <= 253 and all(_LABEL.fullmatch(part) for part in text.split("."))


FORMATS: dict[str, Accepts] = {
    "bsonobjectid": _matches(r"^[0-9a-fA-F]{24}$"),
    "uri": lambda text: not gourl.request_problem(text),
    "email": lambda text: _EMAIL.fullmatch(text) is not None,
    "hostname": _hostname,
    "ipv4": _ipv4,
    "ipv6": _ipv6,
    "cidr": _cidr,
    "mac": _mac,
    "uuid": _matches(_UUID % (_ANY4, _ANY4)),
    "uuid3": _matches(_UUID % ("3[0-9a-f]{3}", _ANY4)),
    "uuid4": _matches(_UUID % ("4[0-9a-f]{3}", _VARIANT)),
    "uuid5": _matches(_UUID % ("5[0-9a-f]{3}", _VARIANT)),
    "isbn": lambda text: _isbn10(text) or _isbn13(text),
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "creditcard": _card,
    "ssn": _matches(r"^\d{3}[- ]\d{2}[- ]\d{4}$"),
    "hexcolor": _matches(r"^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"),
    "rgbcolor": _matches(rf"^rgb\({_BYTE_OF_COLOR},{_BYTE_OF_COLOR},{_BYTE_OF_COLOR}\)$"),
    "byte": _matches(_BASE64),
    "password": lambda text: True,
    "date": _date,
    "duration": is_duration,
    "datetime": _datetime,
    "k8sshortname": is_short_name,
    "k8slongname": is_long_name,
}
_NUMBERS = {"integer": ("int32", "int64"), "number": ("float", "double")}


def recognized(format_: str, type_: str) -> bool:
    """Whether the format means something for values of that type ("" is like string)."""
    if type_ in ("", "string"):
        return format_.replace("-", "") in FORMATS
    return format_ in _NUMBERS.get(type_, ())
