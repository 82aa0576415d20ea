"""IP addresses and CIDRs: how upstream reads them, what it refuses and what it warns of.

Stands for apimachinery's util/validation/ip.go and k8s.io/utils/net's sloppy parsers. Functions named check_* take the
path of the field and return FieldErrors. Pure.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache

from fakeapi.errors import FieldError, invalid
from fakeapi.gofmt import go_quote

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _without_zeros(value: str) -> str:
    """Leading zeros of IPv4 octets dropped, as netutils.ParseIPSloppy reads them."""
    head, colon, tail = value.rpartition(":")
    octets = tail.split(".")
    if len(octets) != 4 or not all(re.fullmatch("[0-9]+", o) for o in octets):
        return value
    return head + colon + ".".join(o.lstrip("0") or "0" for o in octets)


@lru_cache(maxsize=4096)
def parse_ip(value: str) -> Address | None:
    """ParseIPSloppy: None when it is no address; IPv4-mapped IPv6 addresses come out as IPv4, as in Go."""
    if "%" in value:
        return None
    try:
        found = ipaddress.ip_address(_without_zeros(value))
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        return found.ipv4_mapped
    return found


def is_ipv6(value: str) -> bool:
    """Whether the text is an IPv6 address that is not an IPv4 one in disguise."""
    return isinstance(parse_ip(value), ipaddress.IPv6Address)


def _mapped(value: str) -> bool:
    return ":" in value and isinstance(parse_ip(value), ipaddress.IPv4Address)


def check_ip_legacy(path: str, value: str, old: Iterable[str] = (), strict: bool = True) -> list[FieldError]:
    """IsValidIPForLegacyField: sloppy unless strict; values in `old` pass."""
    if value in old:
        return []
    if parse_ip(value) is None:
        return [invalid(path, value, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")]
    if not strict:
        return []
    if _without_zeros(value) != value:
        return [invalid(path, value, "must not have leading 0s")]
    if _mapped(value):
        return [invalid(path, value, "must not be an IPv4-mapped IPv6 address")]
    return []


def check_ip(path: str, value: str) -> list[FieldError]:
    """IsValidIP: strict and canonical."""
    found = check_ip_legacy(path, value, strict=True)
    canonical = str(parse_ip(value))
    if not found and value != canonical:
        found.append(invalid(path, value, f"must be in canonical form ({go_quote(canonical)})"))
    return found


def ip_warnings(path: str, value: str) -> list[str]:
    """GetWarningsForIP: forms that are accepted but will not be for ever."""
    found = parse_ip(value)
    if found is None:
        return []
    if _without_zeros(value) != value or _mapped(value):
        return [f"{path}: non-standard IP address {go_quote(value)} is invalid: use {go_quote(str(found))}"]
    if found.version == 6 and str(found) != value:
        canonical = go_quote(str(found))
        return [f"{path}: IPv6 address {go_quote(value)} should be in RFC 5952 canonical format ({canonical})"]
    return []


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_cidr(value: str) -> tuple[Address, Network] | None:
    """ParseCIDRSloppy: the address as written and the network it lies in; None when it is no CIDR."""
    text, slash, bits = value.partition("/")
    if not slash or not re.fullmatch("[0-9]+", bits) or "%" in text:
        return None
    try:
        address = ipaddress.ip_address(_without_zeros(text))
        return address, ipaddress.ip_network((address, int(bits)), strict=False)
    except ValueError:
        return None


def _cidr_zeros(value: str) -> bool:
    text, _, bits = value.partition("/")
    return _without_zeros(text) != text or (len(bits) > 1 and bits.startswith("0"))


def check_cidr_legacy(path: str, value: str, old: Iterable[str] = (), strict: bool = True) -> list[FieldError]:
    """IsValidCIDRForLegacyField."""
    if value in old:
        return []
    found = parse_cidr(value)
    if found is None:
        return [invalid(path, value, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")]
    if not strict:
        return []
    if _cidr_zeros(value):
        return [invalid(path, value, "must not have leading 0s in IP or prefix length")]
    if isinstance(found[0], ipaddress.IPv6Address) and found[0].ipv4_mapped:
        return [invalid(path, value, "must not have an IPv4-mapped IPv6 address")]
    if found[0] != found[1].network_address:
        return [invalid(path, value, "must not have bits set beyond the prefix length")]
    return []


def check_cidr(path: str, value: str) -> list[FieldError]:
    """IsValidCIDR: strict and canonical."""
    found = check_cidr_legacy(path, value, strict=True)
    if not found:
        canonical = str(parse_cidr(value)[1])  # type: ignore[index]  # no error means that it parses
        if value != canonical:
            found.append(invalid(path, value, f"must be in canonical form ({go_quote(canonical)})"))
    return found


def cidr_warnings(path: str, value: str) -> list[str]:
    """GetWarningsForCIDR."""
    parsed = parse_cidr(value)
    if parsed is None:
        return []
    address, network = parsed
    found = []
    if address != network.network_address:
        single = f"{address}/{address.max_prefixlen}"
        found.append(
            f"{path}: CIDR value {go_quote(value)} is ambiguous in this context "
            f"(should be {go_quote(str(network))} or {go_quote(single)}?)"
        )
    if _cidr_zeros(value) or (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped):
        found.append(f"{path}: non-standard CIDR value {go_quote(value)} is invalid: use {go_quote(str(network))}")
    elif not found and address.version == 6 and str(network) != value:
        found.append(
            f"{path}: IPv6 CIDR value {go_quote(value)} should be in RFC 5952 canonical format "
            f"({go_quote(str(network))})"
        )
    return found
