"""EndpointSlice: addresses of one family, ports, hints.

Stands for pkg/registry/discovery/endpointslice and pkg/apis/discovery/validation.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, duplicate, invalid, not_supported, required, too_many
from fakeapi.ips import check_ip_legacy, ip_warnings, is_ipv6, parse_ip
from fakeapi.names import (
    check,
    check_fully_qualified_domain,
    check_labels,
    is_dns1123_label,
    is_dns1123_subdomain,
    is_label_value,
    is_port_number,
    name_is_dns_subdomain,
)
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, first_of, path, table
from fakeapi.strategies.endpoints import PROTOCOLS, check_app_protocol, check_non_special_ip

_TYPES = ("FQDN", "IPv4", "IPv6")
_MAX_ENDPOINTS, _MAX_PORTS, _MAX_ADDRESSES, _MAX_HINTS = 1000, 20000, 100, 8


def _default(obj: Obj) -> None:
    for port in obj.get("ports") or ():
        if port.get("name") is None:
            port["name"] = ""
        if port.get("protocol") is None:
            port["protocol"] = "TCP"


def _prepare_create(obj: Obj, ctx: Context) -> None:
    obj["metadata"]["generation"] = 1


def _prepare_update(new: Obj, old: Obj, ctx: Context) -> None:
    # Labels count as content here (PrepareForUpdate of registry/discovery/endpointslice).
    if (new["metadata"].get("labels") or {}) != (old["metadata"].get("labels") or {}):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def _family(at: str, kind: str, value: str, known: set[str]) -> list[FieldError]:
    if kind == "FQDN":
        return check_fully_qualified_domain(at, value)
    found = check_ip_legacy(at, value, known)
    if found:
        return found + check_non_special_ip(at, value) if value not in known and parse_ip(value) is not None else found
    if is_ipv6(value) != (kind == "IPv6"):
        article = "IPv6" if kind == "IPv6" else "IPv4"
        return [invalid(at, value, f"must be an {article} address")]
    return check_non_special_ip(at, value)


def _endpoint(at: str, kind: str, endpoint: Obj, known: set[str]) -> list[FieldError]:
    found: list[FieldError] = []
    addresses = endpoint.get("addresses") or []
    if not addresses:
        found.append(required(f"{at}.addresses", "must contain at least 1 address"))
    elif len(addresses) > _MAX_ADDRESSES:
        found.append(too_many(f"{at}.addresses", len(addresses), _MAX_ADDRESSES))
    for j, address in enumerate(addresses):
        found += _family(f"{at}.addresses[{j}]", kind, address, known)
    if endpoint.get("nodeName") is not None:
        found += check(f"{at}.nodeName", endpoint["nodeName"], is_dns1123_subdomain(endpoint["nodeName"]))
    topology = endpoint.get("deprecatedTopology") or {}
    if len(topology) > 16:
        found.append(too_many(f"{at}.deprecatedTopology", len(topology), 16))
    found += check_labels(f"{at}.deprecatedTopology", topology)
    if endpoint.get("hostname") is not None:
        found += check(f"{at}.hostname", endpoint["hostname"], is_dns1123_label(endpoint["hostname"]))
    return found + _hints(f"{at}.hints", endpoint.get("hints") or {})


def _hints(at: str, hints: Obj) -> list[FieldError]:
    found: list[FieldError] = []
    for field, rule in (("forZones", is_label_value), ("forNodes", is_dns1123_subdomain)):
        items = hints.get(field) or []
        if len(items) > _MAX_HINTS:
            found.append(too_many(f"{at}.{field}", len(items), _MAX_HINTS))
            continue
        seen = set()
        for i, item in enumerate(items):
            name = item.get("name", "")
            if not name:
                found.append(required(f"{at}.{field}[{i}].name"))
            elif name in seen:
                found.append(duplicate(f"{at}.{field}[{i}].name", name))
            seen.add(name)
            found += check(f"{at}.{field}[{i}].name", name, rule(name)) if name else []
    return found


def _ports(ports: list[Obj]) -> list[FieldError]:
    found: list[FieldError] = []
    if len(ports) > _MAX_PORTS:
        return [too_many("ports", len(ports), _MAX_PORTS)]
    seen = set()
    for i, port in enumerate(ports):
        at, name = f"ports[{i}]", port.get("name") or ""
        if name:
            found += check(f"{at}.name", name, is_dns1123_label(name))
        if name in seen:
            found.append(duplicate(f"{at}.name", name))
        seen.add(name)
        if port.get("port") is not None:
            found += check(f"{at}.port", port["port"], is_port_number(port["port"]))
        protocol = port.get("protocol")
        if protocol is None:
            found.append(required(f"{at}.protocol"))
        elif protocol not in PROTOCOLS:
            found.append(not_supported(f"{at}.protocol", protocol, PROTOCOLS))
        if port.get("appProtocol") is not None:
            found += check_app_protocol(f"{at}.appProtocol", port["appProtocol"])
    return found


def _addresses(obj: Obj) -> set[str]:
    return {a for e in obj.get("endpoints") or () for a in e.get("addresses") or ()}


def _check(obj: Obj, known: set[str]) -> list[FieldError]:
    kind = obj.get("addressType", "")
    if not kind:
        return [required("addressType")]
    if kind not in _TYPES:
        return [not_supported("addressType", kind, _TYPES)]
    endpoints = obj.get("endpoints") or []
    found: list[FieldError] = []
    if len(endpoints) > _MAX_ENDPOINTS:
        found.append(too_many("endpoints", len(endpoints), _MAX_ENDPOINTS))
    else:
        for i, endpoint in enumerate(endpoints):
            found += _endpoint(f"endpoints[{i}]", kind, endpoint, known)
    return found + _ports(obj.get("ports") or [])


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    found = _check(new, _addresses(old))
    if new.get("addressType") != old.get("addressType"):
        found.append(invalid("addressType", new.get("addressType", ""), "field is immutable"))
    return found


def _warnings(new: Obj, old: Obj | None, ctx: Context) -> list[str]:
    kind = new.get("addressType")
    if kind == "FQDN":
        return ["spec.addressType: FQDN endpoints are deprecated"] if old is None else []
    return [
        text
        for i, endpoint in enumerate(new.get("endpoints") or ())
        for j, address in enumerate(endpoint.get("addresses") or ())
        for text in ip_warnings(f"endpoints[{i}].addresses[{j}]", address)
    ]


def _shown_ports(obj: Obj) -> str:
    ports = obj.get("ports") or ()
    if not ports:
        return "<unset>"
    return first_of(("*" if p.get("port") is None else str(p["port"]) for p in ports), 3)


def _shown_addresses(obj: Obj) -> str:
    found = [a for e in obj.get("endpoints") or () for a in e.get("addresses") or ()]
    return first_of(found, 3) if found else "<unset>"


STRATEGY = Strategy(
    default=_default,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate=lambda obj, ctx: _check(obj, set()),
    validate_update=_validate_update,
    warnings=_warnings,
    name=name_is_dns_subdomain,
    printer=table(
        NAME,
        column("AddressType", path("addressType")),
        column("Ports", _shown_ports),
        column("Endpoints", _shown_addresses),
        AGE,
    ),
    generation=True,
)
