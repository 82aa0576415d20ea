"""IP addresses and networks.

Stands for apiserver's pkg/cel/library/ip.go and cidr.go, which cannot do without each other.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from fakeapi.cel.library.arguments import is_valid, need_text
from fakeapi.cel.values import CelError
from fakeapi.gofmt import go_quote
from fakeapi.schema.formats import is_cidr


class IP(Struct, frozen=True):
    """net.IP."""

    address: Any
    TYPE = "net.IP"

    def __str__(self) -> str:
        return str(self.address)


class CIDR(Struct, frozen=True):
    """net.CIDR: an address and its network."""

    interface: Any
    TYPE = "net.CIDR"

    def __str__(self) -> str:
        return f"{self.interface.ip}/{self.interface.network.prefixlen}"


def _ip(text: Any) -> IP:
    if isinstance(text, CIDR):
        return IP(text.interface.ip)
    try:
        address = ipaddress.ip_address(need_text(text))
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
    if not is_cidr(need_text(text)):
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


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "ip": _ip,
    "isIP": is_valid(_ip),
    "ip.isCanonical": lambda v: str(_ip(v)) == v,
    "family": lambda v: v.address.version,
    "isUnspecified": lambda v: v.address.is_unspecified,
    "isLoopback": lambda v: v.address.is_loopback,
    "isLinkLocalMulticast": (
        lambda v: v.address in ipaddress.ip_network("224.0.0.0/24" if v.address.version == 4 else "ff02::/16")
    ),
    "isLinkLocalUnicast": lambda v: v.address.is_link_local,
    "isGlobalUnicast": _global,
    "cidr": _cidr,
    "isCIDR": is_valid(_cidr),
    "containsIP": _contains_ip,
    "containsCIDR": _contains_cidr,
    "masked": lambda v: CIDR(ipaddress.ip_interface(str(v.interface.network))),
    "prefixLength": lambda v: v.interface.network.prefixlen,
}
