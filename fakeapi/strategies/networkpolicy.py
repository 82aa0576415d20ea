"""NetworkPolicy: selectors, peers, ports, policy types.

Stands for pkg/registry/networking/networkpolicy, ValidateNetworkPolicy* and SetDefaults_NetworkPolicy.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, forbidden, invalid, not_supported, required
from fakeapi.ips import check_cidr_legacy, cidr_warnings, parse_cidr
from fakeapi.names import check, check_label_selector, is_port_name, is_port_number, name_is_dns_subdomain
from fakeapi.selectors import format_label_selector
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, table

_PROTOCOLS = ("TCP", "UDP", "SCTP")
_SIDES = (("ingress", "from"), ("egress", "to"))


def _default(obj: Obj) -> None:
    spec = obj["spec"] = obj.get("spec") or {}
    for side, _ in _SIDES:
        for rule in spec.get(side) or ():
            for port in rule.get("ports") or ():
                if port.get("protocol") is None:
                    port["protocol"] = "TCP"
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def _port(at: str, port: Obj) -> list[FieldError]:
    found: list[FieldError] = []
    protocol, number, end = port.get("protocol"), port.get("port"), port.get("endPort")
    if protocol is not None and protocol not in _PROTOCOLS:
        found.append(not_supported(f"{at}.protocol", protocol, _PROTOCOLS))
    if number is None:
        if end is not None:
            found.append(invalid(f"{at}.endPort", end, "may not be specified when `port` is not specified"))
    elif isinstance(number, str):
        if end is not None:
            found.append(invalid(f"{at}.endPort", end, "may not be specified when `port` is non-numeric"))
        found += check(f"{at}.port", number, is_port_name(number))
    else:
        found += check(f"{at}.port", number, is_port_number(number))
        if end is not None:
            if end < number:
                # Upstream shows the port here, not the endPort.
                found.append(invalid(f"{at}.endPort", number, "must be greater than or equal to `port`"))
            found += check(f"{at}.endPort", end, is_port_number(end))
    return found


def _block(at: str, block: Obj, known: set[str]) -> list[FieldError]:
    cidr = block.get("cidr", "")
    if not cidr:
        return [required(f"{at}.cidr")]
    found = check_cidr_legacy(f"{at}.cidr", cidr, known)
    outer = parse_cidr(cidr)
    for i, excluded in enumerate(block.get("except") or ()):
        path = f"{at}.except[{i}]"
        found += check_cidr_legacy(path, excluded, known)
        inner = parse_cidr(excluded)
        if outer is None or inner is None:
            continue
        if inner[0] not in outer[1] or inner[1].prefixlen <= outer[1].prefixlen:
            found.append(invalid(path, excluded, "must be a strict subset of `cidr`"))
    return found


def _peer(at: str, peer: Obj, known: set[str]) -> list[FieldError]:
    found: list[FieldError] = []
    given = [f for f in ("podSelector", "namespaceSelector", "ipBlock") if peer.get(f) is not None]
    for field in ("podSelector", "namespaceSelector"):
        if field in given:
            found += check_label_selector(f"{at}.{field}", peer[field])
    if "ipBlock" in given:
        found += _block(f"{at}.ipBlock", peer["ipBlock"], known)
    if not given:
        found.append(required(at, "must specify a peer"))
    elif "ipBlock" in given and len(given) > 1:
        found.append(forbidden(at, "may not specify both ipBlock and another peer"))
    return found


def _cidrs(obj: Obj | None) -> list[tuple[str, str]]:
    """Every CIDR with its path."""
    found = []
    for side, peers in _SIDES:
        for i, rule in enumerate(((obj or {}).get("spec") or {}).get(side) or ()):
            for j, peer in enumerate(rule.get(peers) or ()):
                block, at = peer.get("ipBlock") or {}, f"spec.{side}[{i}].{peers}[{j}].ipBlock"
                found += [(f"{at}.cidr", block["cidr"])] if block.get("cidr") else []
                found += [(f"{at}.except[{k}]", c) for k, c in enumerate(block.get("except") or ())]
    return found


def _check(obj: Obj, old: Obj | None) -> list[FieldError]:
    spec = obj["spec"]
    known = {c for _, c in _cidrs(old)}
    found = check_label_selector("spec.podSelector", spec.get("podSelector") or {})
    for side, peers in _SIDES:
        for i, rule in enumerate(spec.get(side) or ()):
            for j, port in enumerate(rule.get("ports") or ()):
                found += _port(f"spec.{side}[{i}].ports[{j}]", port)
            for j, peer in enumerate(rule.get(peers) or ()):
                found += _peer(f"spec.{side}[{i}].{peers}[{j}]", peer, known)
    types = spec.get("policyTypes") or []
    if len(types) > 2:
        return [*found, invalid("spec.policyTypes", types, "may not specify more than two policyTypes")]
    allowed = ("Ingress", "Egress")
    return found + [
        not_supported(f"spec.policyTypes[{i}]", t, allowed) for i, t in enumerate(types) if t not in allowed
    ]


def _warnings(new: Obj, old: Obj | None, ctx: Context) -> list[str]:
    return [text for at, cidr in _cidrs(new) for text in cidr_warnings(at, cidr)]


STRATEGY = Strategy(
    default=_default,
    validate=lambda obj, ctx: _check(obj, None),
    validate_update=lambda new, old, ctx: _check(new, old),
    warnings=_warnings,
    name=name_is_dns_subdomain,
    generation=True,
    printer=table(
        NAME, column("Pod-Selector", lambda o: format_label_selector(o["spec"].get("podSelector") or {})), AGE
    ),
)
