"""Endpoints: addresses and ports of subsets.

Stands for pkg/registry/core/endpoint, ValidateEndpoints* and SetDefaults_Endpoints. The deprecation warning of the
whole resource is the request's, sent on every verb.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, invalid, not_supported, required
from fakeapi.ips import check_ip_legacy, ip_warnings, parse_ip
from fakeapi.names import (
    check,
    is_dns1123_label,
    is_dns1123_subdomain,
    is_port_number,
    is_qualified_name,
    name_is_dns_subdomain,
)
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, table

PROTOCOLS = ("SCTP", "TCP", "UDP")
_LISTS = ("addresses", "notReadyAddresses")


def _default(obj: Obj) -> None:
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            port["protocol"] = port.get("protocol") or "TCP"


def check_non_special_ip(at: str, value: str) -> list[FieldError]:
    """ValidateNonSpecialIP: no unspecified, loopback, link-local or multicast address."""
    ip = parse_ip(value)
    if ip is None:
        return [invalid(at, value, "must be a valid IP address")]
    rules = (
        (ip.is_unspecified, f"may not be unspecified ({value})"),
        (ip.is_loopback, "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        (ip.is_link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        (
            ip.is_multicast and (str(ip).startswith("224.0.0.") or str(ip).startswith("ff02:")),
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
        ),
    )
    return [invalid(at, value, text) for broken, text in rules if broken]


def check_app_protocol(at: str, value: str) -> list[FieldError]:
    """ValidateQualifiedName of appProtocol."""
    return check(at, value, is_qualified_name(value))


def _address(at: str, address: Obj, known: set[str]) -> list[FieldError]:
    ip = address.get("ip", "")
    found = check_ip_legacy(f"{at}.ip", ip, known)
    if address.get("hostname"):
        found += check(f"{at}.hostname", address["hostname"], is_dns1123_label(address["hostname"]))
    if address.get("nodeName") is not None:
        found += check(f"{at}.nodeName", address["nodeName"], is_dns1123_subdomain(address["nodeName"]))
    return found + check_non_special_ip(f"{at}.ip", ip)


def _port(at: str, port: Obj, named: bool) -> list[FieldError]:
    found: list[FieldError] = []
    name, protocol = port.get("name", ""), port.get("protocol", "")
    if named and not name:
        found.append(required(f"{at}.name"))
    elif name:
        found += check(f"{at}.name", name, is_dns1123_label(name))
    found += check(f"{at}.port", port.get("port", 0), is_port_number(port.get("port", 0)))
    if not protocol:
        found.append(required(f"{at}.protocol"))
    elif protocol not in PROTOCOLS:
        found.append(not_supported(f"{at}.protocol", protocol, PROTOCOLS))
    if port.get("appProtocol") is not None:
        found += check_app_protocol(f"{at}.appProtocol", port["appProtocol"])
    return found


def _check(obj: Obj, known: set[str]) -> list[FieldError]:
    found: list[FieldError] = []
    for i, subset in enumerate(obj.get("subsets") or ()):
        at, ports = f"subsets[{i}]", subset.get("ports") or []
        if not any(subset.get(x) for x in _LISTS):
            found.append(required(at, "must specify `addresses` or `notReadyAddresses`"))
        for field in _LISTS:
            for j, address in enumerate(subset.get(field) or ()):
                found += _address(f"{at}.{field}[{j}]", address, known)
        for j, port in enumerate(ports):
            found += _port(f"{at}.ports[{j}]", port, len(ports) > 1)
    return found


def _ips(obj: Obj) -> set[str]:
    return {a.get("ip", "") for s in obj.get("subsets") or () for f in _LISTS for a in s.get(f) or ()}


def _warnings(new: Obj, old: Obj | None, ctx: Context) -> list[str]:
    return [
        text
        for i, subset in enumerate(new.get("subsets") or ())
        for field in _LISTS
        for j, address in enumerate(subset.get(field) or ())
        for text in ip_warnings(f"subsets[{i}].{field}[{j}].ip", address.get("ip", ""))
    ]


def _shown(obj: Obj) -> str:
    shown: list[str] = []
    total = 0
    for subset in obj.get("subsets") or ():
        ports, addresses = subset.get("ports") or (), subset.get("addresses") or ()
        texts = [_join(a["ip"], p.get("port", 0)) for p in ports for a in addresses]
        if not ports:
            texts = [a["ip"] for a in addresses]
        total += len(texts)
        shown += texts
    if not shown:
        return "<none>"
    text = ",".join(shown[:3])
    return f"{text} + {total - 3} more..." if total > 3 else text


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


STRATEGY = Strategy(
    default=_default,
    validate=lambda obj, ctx: _check(obj, set()),
    validate_update=lambda new, old, ctx: _check(new, _ips(old)),
    warnings=_warnings,
    name=name_is_dns_subdomain,
    printer=table(NAME, column("Endpoints", _shown), AGE),
    create_on_update=True,
)
