"""String formats of structural schemas: which are known, and what each accepts.

Stands for kube-openapi's validation/strfmt and apiextensions' apiserver/validation/formats.go. Dashes in a format's
name do not count. A format that is not known says nothing about values (and a definition that uses it is warned of).
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from fakeapi.patterns import lazy

_UUID = r"^[0-9a-f]{8}-?[0-9a-f]{4}-?%s-?%s-?[0-9a-f]{12}$"
_ANY4, _VARIANT = "[0-9a-f]{4}", "[89ab][0-9a-f]{3}"
_HOSTNAME = lazy(
    r"^[a-zA-Z0-9\u00a1-\uffff]([-a-zA-Z0-9\u00a1-\uffff]*[a-zA-Z0-9\u00a1-\uffff])?"
    r"(\.[a-zA-Z0-9\u00a1-\uffff]([-a-zA-Z0-9\u00a1-\uffff]*[a-zA-Z0-9\u00a1-\uffff])?)*\Z"
)
_CARD = lazy(
    r"^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}"
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$"
)
_RGB = lazy(
    r"^rgb\(\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,"
    r"\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*\)$"
)
_DATETIME = lazy(r"^\d{4}-\d\d-\d\d[tT ]?([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?([zZ]|[+-]\d\d:?\d\d)?$")
_DATE = lazy(r"^(\d{4})-(\d\d)-(\d\d)$")
_GO_DURATION = lazy(r"^[+-]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))*$")
_SCALA_DURATION = lazy(
    r"^((\d+)\s*(ns|nano|nanosecond|us|µs|micro|microsecond|ms|milli|millisecond|s|sec|second|m|min|minute|h|hr|hour|d|day|w|wk|week)s?\s*)+$"
)
_LABEL = lazy(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
_EMAIL = lazy(
    rf'^(?:[^<>@"]*<)?(?:{_ATEXT}(?:\.{_ATEXT})*|"(?:[^"\\]|\\.)*")@(?:{_ATEXT}(?:\.{_ATEXT})*|\[[0-9.]+\])>?$'
)


def _matches(pattern: str, flags: int = 0) -> Callable[[str], bool]:
    compiled = re.compile(pattern, flags)
    return lambda text: compiled.match(text) is not None


def _ip(version: int) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            return ipaddress.ip_address(text).version == version and "%" not in text
        except ValueError:
            return False

    return check


def _cidr(text: str) -> bool:
    address, slash, bits = text.partition("/")
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return bool(slash) and bits.isascii() and bits.isdigit() and int(bits) <= found.max_prefixlen


def _mac(text: str) -> bool:
    return any(
        re.fullmatch(pattern, text, re.IGNORECASE)
        for pattern in (
            *(rf"[0-9a-f]{{2}}(?:{sep}[0-9a-f]{{2}}){{{n - 1}}}" for sep in ":-" for n in (6, 8, 20)),
            *(rf"[0-9a-f]{{4}}(?:\.[0-9a-f]{{4}}){{{n - 1}}}" for n in (3, 4, 10)),
        )
    )


def _uri(text: str) -> bool:
    """url.ParseRequestURI: an absolute URI or an absolute path."""
    if not text or any(ord(ch) < 0x20 or ord(ch) == 0x7F for ch in text):
        return False
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        return False
    if text.startswith("/"):
        return True
    scheme, colon, rest = text.partition(":")
    if not colon or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme) or not rest:
        return False
    try:
        port = urlsplit(text).port
    except ValueError:
        return False
    host = rest[2:].partition("/")[0] if rest.startswith("//") else ""
    return (port is None or port >= 0) and " " not in host


def _byte(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _card(text: str) -> bool:
    digits = re.sub(r"[^0-9]+", "", text)
    if not _CARD.match(digits):
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
    match = _DATE.match(text)
    if match is None:
        return False
    year, month, day = map(int, match.groups())
    lengths = (
        31,
        29 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 28,
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    )
    return 1 <= month <= 12 and 1 <= day <= lengths[month - 1]


def _datetime(text: str) -> bool:
    return len(text) >= 4 and _DATETIME.match(text) is not None and _date(text[:10])


def is_duration(text: str) -> bool:
    """time.ParseDuration, or Scala's way to write one."""
    return text == "0" or bool(_GO_DURATION.match(text) or _SCALA_DURATION.match(text.lower()))


def is_short_name(text: str) -> bool:
    """A label without upper case: at most 63 characters."""
    return len(text) <= 63 and _LABEL.fullmatch(text) is not None


def is_long_name(text: str) -> bool:
    """Dot-separated labels: at most 253 characters."""
    return len(text) <= 253 and all(_LABEL.fullmatch(part) for part in text.split("."))


FORMATS: dict[str, Callable[[str], bool]] = {
    "bsonobjectid": _matches(r"^[0-9a-fA-F]{24}$"),
    "uri": _uri,
    "email": lambda text: _EMAIL.match(text) is not None,
    "hostname": lambda text: (
        len(text) <= 255 and _HOSTNAME.match(text) is not None and all(len(p) <= 63 for p in text.split("."))
    ),
    "ipv4": _ip(4),
    "ipv6": _ip(6),
    "cidr": _cidr,
    "mac": _mac,
    "uuid": _matches(_UUID % (_ANY4, _ANY4), re.IGNORECASE),
    "uuid3": _matches(_UUID % ("3[0-9a-f]{3}", _ANY4), re.IGNORECASE),
    "uuid4": _matches(_UUID % ("4[0-9a-f]{3}", _VARIANT), re.IGNORECASE),
    "uuid5": _matches(_UUID % ("5[0-9a-f]{3}", _VARIANT), re.IGNORECASE),
    "isbn": lambda text: _isbn10(text) or _isbn13(text),
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "creditcard": _card,
    "ssn": _matches(r"^\d{3}[- ]?\d{2}[- ]?\d{4}$"),
    "hexcolor": _matches(r"^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"),
    "rgbcolor": lambda text: _RGB.match(text) is not None,
    "byte": _byte,
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
