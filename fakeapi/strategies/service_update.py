"""What an update of a Service keeps, wipes and refuses to change.

Stands for patchAllocatedValues, normalizeClusterIPs and dropTypeDependentFields of pkg/registry/core/service, and
for the update half of ValidateServiceUpdate. All functions work on specs.
"""

from __future__ import annotations

from typing import Any

from fakeapi.errors import FieldError, forbidden, invalid
from fakeapi.names import IMMUTABLE
from fakeapi.strategies.base import Obj

_WITH_NODE_PORTS = ("NodePort", "LoadBalancer")
_CHANGED = "may not change once set"


def needs_cluster_ip(spec: Obj) -> bool:
    """needsClusterIP."""
    return spec.get("type") != "ExternalName"


def needs_node_ports(spec: Obj) -> bool:
    """needsNodePort."""
    return spec.get("type") in _WITH_NODE_PORTS


def _needs_health_port(spec: Obj) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _node_ports(spec: Obj) -> list[int]:
    return [p.get("nodePort", 0) for p in spec.get("ports") or ()]


def patch_allocated(spec: Obj, before: Obj) -> None:
    """A client that leaves out what the server had allocated gets it back."""
    if needs_cluster_ip(before) and needs_cluster_ip(spec):
        if not spec.get("clusterIP") and before.get("clusterIP"):
            spec["clusterIP"] = before["clusterIP"]
        if not spec.get("clusterIPs") and spec.get("clusterIP") == before.get("clusterIP") and before.get("clusterIPs"):
            spec["clusterIPs"] = list(before["clusterIPs"])
    if needs_node_ports(before) and needs_node_ports(spec):
        used = set(_node_ports(before)) & set(_node_ports(spec)) - {0}
        by_name = {p.get("name", ""): p.get("nodePort", 0) for p in before.get("ports") or ()}
        for port in spec.get("ports") or ():
            known = by_name.get(port.get("name", ""), 0)
            if not port.get("nodePort") and known and known not in used:
                port["nodePort"] = known
                used.add(known)
    if _needs_health_port(before) and _needs_health_port(spec) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = before.get("healthCheckNodePort", 0)


def sync_cluster_ips(spec: Obj, before: Obj | None) -> None:
    """clusterIP and clusterIPs are kept alike for clients that know only the first."""
    ip, ips = spec.get("clusterIP", ""), spec.get("clusterIPs") or []
    if before is None:
        if ip and not ips:
            spec["clusterIPs"] = [ip]
        return
    old_ip, old_ips = before.get("clusterIP", ""), before.get("clusterIPs") or []
    if old_ips and not ips:
        spec["clusterIPs"] = ips = list(old_ips)
    if ip == old_ip:
        return
    if ips != old_ips:
        return
    if old_ip and not ip:
        spec.pop("clusterIPs", None)
    else:
        spec["clusterIPs"] = [ip]


def drop_unneeded(spec: Obj, before: Obj) -> None:
    """A change of type wipes what the new type has no use for, unless the client changed it too."""

    def same(*fields: str) -> bool:
        return all((spec.get(f) or None) == (before.get(f) or None) for f in fields)

    if needs_cluster_ip(before) and not needs_cluster_ip(spec):
        if same("clusterIP", "clusterIPs"):
            for field in ("clusterIP", "clusterIPs"):
                spec.pop(field, None)
        for field in ("ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
            if same(field):
                spec.pop(field, None)
    if needs_node_ports(before) and not needs_node_ports(spec) and _node_ports(spec) == _node_ports(before):
        for port in spec.get("ports") or ():
            port.pop("nodePort", None)
    if _needs_health_port(before) and not _needs_health_port(spec) and same("healthCheckNodePort"):
        spec.pop("healthCheckNodePort", None)
    if before.get("type") == "LoadBalancer" and spec.get("type") != "LoadBalancer":
        for field in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if same(field):
                spec.pop(field, None)
    if _externally(before) and not _externally(spec) and same("externalTrafficPolicy"):
        spec.pop("externalTrafficPolicy", None)


def _externally(spec: Obj) -> bool:
    return spec.get("type") in _WITH_NODE_PORTS or (spec.get("type") == "ClusterIP" and bool(spec.get("externalIPs")))


def check_changes(new: Obj, old: Obj) -> list[FieldError]:
    """What may not change: primary IPs and families, the load balancer's class, the health check's port."""
    spec, before = new["spec"], old["spec"]
    found = _sequence(spec, before, "clusterIPs", "clusterIP") + _sequence(spec, before, "ipFamilies", "ipFamily")
    if spec.get("type") == before.get("type") == "LoadBalancer":
        given = spec.get("loadBalancerClass")
        if given != before.get("loadBalancerClass"):
            found.append(invalid("spec.loadBalancerClass", given, _CHANGED))
    both = _needs_health_port(spec) and _needs_health_port(before)
    if both and spec.get("healthCheckNodePort", 0) != before.get("healthCheckNodePort", 0):
        found.append(forbidden("spec.healthCheckNodePort", IMMUTABLE))
    return found


def _sequence(spec: Obj, before: Obj, field: str, word: str) -> list[FieldError]:
    """Primary and secondary values may be added and released, never exchanged."""
    if "ExternalName" in (spec.get("type"), before.get("type")):
        return []
    headless = [list(s.get("clusterIPs") or ()) == ["None"] for s in (spec, before)]
    if all(headless):
        return []
    now: list[Any] = spec.get(field) or []
    then: list[Any] = before.get(field) or []
    at = f"spec.{field}"
    if len(now) == len(then):
        return [invalid(f"{at}[{i}]", now, _CHANGED) for i, (a, b) in enumerate(zip(now, then, strict=True)) if a != b]
    found: list[FieldError] = []
    if len(then) > len(now) and not now:
        found.append(invalid(f"{at}[0]", now, f"primary {word} can not be unset"))
    if now and then and now[0] != then[0]:
        found.append(invalid(f"{at}[0]", now, _CHANGED))
    if len(then) > len(now) == 1 and spec.get("ipFamilyPolicy") != "SingleStack":
        text = f"must be set to 'SingleStack' when releasing the secondary {word}"
        found.append(invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), text))
    return found
