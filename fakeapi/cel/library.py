"""What the functions of CEL and of Kubernetes' libraries do: name -> function of its arguments (a call's target first).

Stands for cel-go's standard library and strings extension, and for apiserver's pkg/cel/library: lists, regex, urls,
quantity, ip, cidr, format, semver, sets.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import re2

from fakeapi import gourl, names, quantity
from fakeapi.cel import authz, values
from fakeapi.cel.values import CelError, Duration, Optional, Timestamp, UInt, equal, less, no_overload
from fakeapi.gofmt import go_quote
from fakeapi.patterns import lazy
from fakeapi.schema.formats import FORMATS, is_cidr

_UNITS = {"ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


# -- conversions ---------------------------------------------------------------------------------------------------


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


def _bytes(value: Any) -> bytes:
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


# -- strings -------------------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise no_overload()
    return value


@lru_cache(maxsize=512)
def _pattern(text: str) -> Any:
    try:
        return re2.compile(text)
    except re2.error as error:
        from fakeapi.schema.patterns import problem

        raise CelError(problem(text)) from error


def _size(value: Any) -> int:
    if isinstance(value, (str, bytes, list, dict)):
        return len(value)
    raise no_overload()


def _contains(value: Any, part: Any) -> bool:
    return _text(part) in _text(value)


def _find(value: Any, pattern: Any) -> str:
    found = _pattern(_text(pattern)).search(_text(value))
    return found.group() if found else ""


def _find_all(value: Any, pattern: Any, limit: int = -1) -> list[str]:
    found = [match.group() for match in _pattern(_text(pattern)).finditer(_text(value))]
    return found if limit < 0 else found[:limit]


def _char_at(value: Any, at: int) -> str:
    text = _text(value)
    if not 0 <= at <= len(text):
        raise CelError(f"index out of range: {at}")
    return text[at : at + 1]


def _index_of(value: Any, part: Any, start: int = 0) -> int:
    if isinstance(value, list):
        return next((i for i, item in enumerate(value) if equal(item, part)), -1)
    if start < 0 or (start > len(_text(value)) and part):
        raise CelError(f"index out of range: {start}")
    return _text(value).find(_text(part), start)


def _last_index_of(value: Any, part: Any, start: int | None = None) -> int:
    if isinstance(value, list):
        return next((i for i in range(len(value) - 1, -1, -1) if equal(value[i], part)), -1)
    if start is None:
        return _text(value).rfind(_text(part))
    if not 0 <= start <= len(value):
        raise CelError(f"index out of range: {start}")
    return _text(value).rfind(_text(part), 0, start + len(part))


def _substring(value: Any, start: int, end: int | None = None) -> str:
    text = _text(value)
    if not 0 <= start <= len(text):
        raise CelError(f"index out of range: {start}")
    if end is None:
        return text[start:]
    if not 0 <= end <= len(text):
        raise CelError(f"index out of range: {end}")
    if start > end:
        raise CelError(f"invalid substring range. start: {start}, end: {end}")
    return text[start:end]


def _split(value: Any, separator: str, limit: int = -1) -> list[str]:
    text = _text(value)
    if limit == 0:
        return []
    if separator == "":
        parts = list(text)
        return parts if limit < 0 or len(parts) <= limit else [*parts[: limit - 1], "".join(parts[limit - 1 :])]
    return text.split(separator, limit - 1 if limit > 0 else -1)


def _replace(value: Any, old: str, new: str, limit: int = -1) -> str:
    return _text(value).replace(_text(old), _text(new), limit)


def _join(value: Any, separator: str = "") -> str:
    if not isinstance(value, list):
        raise no_overload()
    return separator.join(_text(item) for item in value)


def _ascii(change: Callable[[str], str]) -> Callable[[Any], str]:
    return lambda value: "".join(change(ch) if ch.isascii() else ch for ch in _text(value))


_VERB = lazy(r"%(?:\.(\d+))?([%sdfebxXo])")


def _format(value: Any, arguments: list[Any]) -> str:
    left = list(arguments)

    def one(match: re.Match[str]) -> str:
        precision, verb = match.groups()
        if verb == "%":
            return "%"
        if not left:
            raise CelError(f"error during formatting: index {len(arguments)} out of range")
        return _formatted(left.pop(0), verb, int(precision) if precision else 6)

    return _VERB.sub(one, _text(value))


def _formatted(value: Any, verb: str, precision: int) -> str:
    if verb == "s":
        return _shown(value)
    if verb in "fe":
        return f"{float(value):.{precision}{verb}}"
    if verb == "d":
        if isinstance(value, float):
            return text_of(value)
        if not values.is_number(value):
            raise CelError(
                "error during formatting: decimal clause can only be used on integers, was given "
                + values.type_name(value)
            )
        return str(int(value))
    if verb in "xX":
        if isinstance(value, (str, bytes)):
            text = (_bytes(value)).hex()
        else:
            text = f"{value:x}"
        return text.upper() if verb == "X" else text
    return f"{int(value):{'b' if verb == 'b' else 'o'}}"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_shown(value[k])}" for k in sorted(value, key=str)) + "}"
    if value is None:
        return "null"
    return text_of(value)


# -- lists ---------------------------------------------------------------------------------------------------------


def _is_sorted(value: list[Any]) -> bool:
    return all(not less(b, a) for a, b in pairwise(value))


def _sum(value: list[Any]) -> Any:
    if not value:
        return 0
    total = value[0]
    for item in value[1:]:
        total = values.add(total, item)
    return total


def _extreme(name: str, better: Callable[[Any, Any], bool]) -> Callable[[list[Any]], Any]:
    def function(value: list[Any]) -> Any:
        if not value:
            raise CelError(f"{name} called on empty list")
        best = value[0]
        for item in value[1:]:
            if better(item, best):
                best = item
        return best

    return function


def _includes(one: list[Any], other: list[Any]) -> bool:
    return all(any(equal(a, b) for a in one) for b in other)


# -- opaque values -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Amount:
    """kubernetes.Quantity."""

    amount: quantity.Quantity
    TYPE = "kubernetes.Quantity"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Amount) and self.amount.nano == other.amount.nano

    def __hash__(self) -> int:
        return hash(self.amount.nano)


def _quantity(text: Any) -> Amount:
    try:
        return Amount(quantity.parse(_text(text)))
    except ValueError as error:
        raise CelError(str(error)) from None


def _nano(value: Any) -> int:
    if isinstance(value, Amount):
        return value.amount.nano
    if isinstance(value, int):
        return value * 10**9
    raise no_overload()


def is_valid(make: Callable[..., Any]) -> Callable[..., bool]:
    """Whether a value can be made of the arguments."""

    def function(*arguments: Any) -> bool:
        try:
            make(*arguments)
        except CelError:
            return False
        return True

    return function


def _as_integer(value: Amount) -> int:
    whole, rest = divmod(value.amount.nano, 10**9)
    if rest or not -(2**63) <= whole < 2**63:
        raise CelError("cannot convert value to integer")
    return whole


def _plus(value: Any, other: Any, sign: int = 1) -> Amount:
    total = _nano(value) + sign * _nano(other)
    return Amount(quantity.Quantity(total, -9, "DecimalSI"))


@dataclass(frozen=True, slots=True)
class URL:
    """kubernetes.URL."""

    scheme: str
    host: str
    path: str
    query: str
    TYPE = "kubernetes.URL"


def _url(text: Any) -> URL:
    wrong = gourl.request_problem(_text(text))
    if wrong:
        raise CelError(f"URL parse error during conversion from string: {wrong}")
    parts = urlsplit(text)
    return URL(parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query)


def _hostname(value: URL) -> str:
    host = value.host
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host


def _port(value: URL) -> str:
    after = value.host.rpartition("]")[2]
    return after.rpartition(":")[2] if ":" in after else ""


@dataclass(frozen=True, slots=True)
class IP:
    """net.IP."""

    address: Any
    TYPE = "net.IP"

    def __str__(self) -> str:
        return str(self.address)


@dataclass(frozen=True, slots=True)
class CIDR:
    """net.CIDR: an address and its network."""

    interface: Any
    TYPE = "net.CIDR"

    def __str__(self) -> str:
        return f"{self.interface.ip}/{self.interface.network.prefixlen}"


def _ip(text: Any) -> IP:
    if isinstance(text, CIDR):
        return IP(text.interface.ip)
    try:
        address = ipaddress.ip_address(_text(text))
    except ValueError:
        raise CelError(
            f"IP Address {go_quote(text)} parse error during conversion from string:"
            f" ParseAddr({go_quote(text)}): unable to parse IP"
        ) from None
    if "%" in text:
        raise CelError(f"IP address {go_quote(text)} with zone value is not allowed")
    if address.version == 6 and address.ipv4_mapped is not None:
        raise CelError(f"IPv4-mapped IPv6 address {go_quote(text)} is not allowed")
    return IP(address)


def _cidr(text: Any) -> CIDR:
    if not is_cidr(_text(text)):
        raise CelError(
            f'network address parse error during conversion from string: netip.ParsePrefix({go_quote(text)}): no "/"'
        )
    return CIDR(ipaddress.ip_interface(text))


def _contains_ip(value: CIDR, other: Any) -> bool:
    address = other.address if isinstance(other, IP) else _ip(other).address
    return address.version == value.interface.version and address in value.interface.network


def _contains_cidr(value: CIDR, other: Any) -> bool:
    network = (other if isinstance(other, CIDR) else _cidr(other)).interface.network
    own = value.interface.network
    return bool(
        network.version == own.version
        and own.network_address <= network.network_address
        and network.prefixlen >= own.prefixlen
    )


def _global(value: IP) -> bool:
    a = value.address
    return not (a.is_unspecified or a.is_loopback or a.is_multicast or a.is_link_local or str(a) == "255.255.255.255")


@dataclass(frozen=True, slots=True)
class Format:
    """kubernetes.NamedFormat."""

    name: str
    TYPE = "kubernetes.NamedFormat"


def _strfmt(name: str, text: str) -> Callable[[str], list[str]]:
    return lambda value: [] if FORMATS[name](value) else [text]


_CHECKS: dict[str, Callable[[str], list[str]]] = {
    "dns1123Label": lambda v: names.name_is_dns_label(v, False),
    "dns1123Subdomain": lambda v: names.name_is_dns_subdomain(v, False),
    "dns1035Label": lambda v: names.name_is_dns1035_label(v, False),
    "dns1123LabelPrefix": lambda v: names.name_is_dns_label(v, True),
    "dns1123SubdomainPrefix": lambda v: names.name_is_dns_subdomain(v, True),
    "dns1035LabelPrefix": lambda v: names.name_is_dns1035_label(v, True),
    "qualifiedName": names.is_qualified_name,
    "labelValue": names.is_label_value,
    "uri": lambda v: [text] if (text := gourl.request_problem(v)) else [],
    "uuid": _strfmt("uuid", "does not match the UUID format"),
    "byte": _strfmt("byte", "invalid base64"),
    "date": _strfmt("date", "invalid date"),
    "datetime": _strfmt("datetime", "invalid datetime"),
}


def _validate(value: Format, text: Any) -> Optional:
    found = _CHECKS[value.name](_text(text))
    return Optional(found, True) if found else Optional()


@dataclass(frozen=True, slots=True)
class Semver:
    """kubernetes.Semver."""

    key: tuple[Any, ...]
    TYPE = "kubernetes.Semver"


_SEMVER = lazy(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)


def _semver(text: Any, normalize: bool = False) -> Semver:
    plain = _text(text)
    if normalize:
        plain = plain.removeprefix("v")
        core, mark, rest = re.match(r"([^-+]*)([-+]?)(.*)", plain, re.DOTALL).groups()  # type: ignore[union-attr]
        numbers = [number.lstrip("0") or "0" for number in core.split(".")]
        plain = ".".join(numbers + ["0"] * (3 - len(numbers))) + mark + rest
    match = _SEMVER.fullmatch(plain)
    if match is None:
        raise CelError(
            "No Major.Minor.Patch elements found"
            if plain.count(".") < 2
            else f"Invalid character(s) found in version {go_quote(plain)}"
        )
    major, minor, patch, pre = match.groups()
    parts = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in pre.split(".")) if pre else ()
    return Semver((int(major), int(minor), int(patch), not pre, parts))


def _order(value: Any) -> Any:
    if isinstance(value, Amount):
        return value.amount.nano
    if isinstance(value, Semver):
        return value.key
    raise no_overload()


def _compare(one: Any, other: Any) -> int:
    first, second = _order(one), _order(other)
    return int(first > second) - int(first < second)


def _value(optional: Optional) -> Any:
    if not optional.present:
        raise CelError("optional.none() dereference")
    return optional.value


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **authz.FUNCTIONS,
    "jsonpatch.escapeKey": lambda v: _text(v).replace("~", "~0").replace("/", "~1"),
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
    "bytes": _bytes,
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
    "startsWith": lambda v, p: _text(v).startswith(_text(p)),
    "endsWith": lambda v, p: _text(v).endswith(_text(p)),
    "contains": _contains,
    "matches": lambda v, p: _pattern(_text(p)).search(_text(v)) is not None,
    "find": _find,
    "findAll": _find_all,
    "charAt": _char_at,
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "substring": _substring,
    "split": _split,
    "replace": _replace,
    "join": _join,
    "trim": lambda v: _text(v).strip(),
    "reverse": lambda v: v[::-1],
    "lowerAscii": _ascii(str.lower),
    "upperAscii": _ascii(str.upper),
    "format": _format,
    "strings.quote": lambda v: go_quote(_text(v)),
    "isSorted": _is_sorted,
    "sum": _sum,
    "min": _extreme("min", less),
    "max": _extreme("max", lambda a, b: less(b, a)),
    "sets.contains": _includes,
    "sets.equivalent": lambda a, b: _includes(a, b) and _includes(b, a),
    "sets.intersects": lambda a, b: any(equal(x, y) for x in a for y in b),
    "optional.of": lambda v: Optional(v, True),
    "optional.none": lambda: Optional(),
    "optional.ofNonZeroValue": lambda v: Optional(v, True) if v else Optional(),
    "hasValue": lambda o: o.present,
    "value": _value,
    "quantity": _quantity,
    "isQuantity": is_valid(_quantity),
    "sign": lambda v: (_nano(v) > 0) - (_nano(v) < 0),
    "isInteger": lambda v: is_valid(_as_integer)(v),
    "asInteger": _as_integer,
    "asApproximateFloat": lambda v: v.amount.nano / 1e9,
    "add": _plus,
    "sub": lambda a, b: _plus(a, b, -1),
    "isGreaterThan": lambda a, b: _compare(a, b) > 0,
    "isLessThan": lambda a, b: _compare(a, b) < 0,
    "compareTo": _compare,
    "url": _url,
    "isURL": is_valid(_url),
    "getScheme": lambda v: v.scheme,
    "getHost": lambda v: v.host,
    "getHostname": _hostname,
    "getPort": _port,
    "getEscapedPath": lambda v: v.path,
    "getQuery": lambda v: parse_qs(v.query, keep_blank_values=True),
    "ip": _ip,
    "isIP": is_valid(_ip),
    "ip.isCanonical": lambda v: str(_ip(v)) == v,
    "family": lambda v: v.address.version,
    "isUnspecified": lambda v: v.address.is_unspecified,
    "isLoopback": lambda v: v.address.is_loopback,
    "isLinkLocalMulticast": lambda v: (
        v.address in ipaddress.ip_network("224.0.0.0/24" if v.address.version == 4 else "ff02::/16")
    ),
    "isLinkLocalUnicast": lambda v: v.address.is_link_local,
    "isGlobalUnicast": _global,
    "cidr": _cidr,
    "isCIDR": is_valid(_cidr),
    "containsIP": _contains_ip,
    "containsCIDR": _contains_cidr,
    "masked": lambda v: CIDR(ipaddress.ip_interface(str(v.interface.network))),
    "prefixLength": lambda v: v.interface.network.prefixlen,
    **{f"format.{name}": (lambda name=name: Format(name)) for name in _CHECKS},
    "format.named": lambda name: Optional(Format(name), True) if name in _CHECKS else Optional(),
    "validate": _validate,
    "semver": _semver,
    "isSemver": is_valid(_semver),
    "major": lambda v: v.key[0],
    "minor": lambda v: v.key[1],
    "patch": lambda v: v.key[2],
    "base64.decode": lambda v: base64.b64decode(v),
    "base64.encode": lambda v: base64.b64encode(v).decode(),
}


def _raise() -> Any:
    raise no_overload()
