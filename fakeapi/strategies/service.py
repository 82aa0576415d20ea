"""Service: types and what each may set, ports, cluster IPs and IP families, traffic policies.

Stands for pkg/registry/core/service/strategy.go, ValidateService(Update) and SetDefaults_Service. Taking cluster
IPs and node ports is allocators.py's; the rules of an update are in service_update.py.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from fakeapi.errors import FieldError, duplicate, forbidden, invalid, not_supported, required
from fakeapi.gofmt import GoText, go_value
from fakeapi.ips import check_cidr_legacy, check_ip_legacy, cidr_warnings, ip_warnings, is_ipv6, parse_ip
from fakeapi.names import (
    check,
    check_labels,
    is_dns1123_label,
    is_dns1123_subdomain,
    is_port_name,
    is_port_number,
    is_qualified_name,
    name_is_dns_label,
)
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table
from fakeapi.strategies.endpoints import PROTOCOLS, check_non_special_ip
from fakeapi.strategies.podspec.printing import label_map
from fakeapi.strategies.service_update import check_changes, drop_unneeded, patch_allocated, sync_cluster_ips

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
FAMILIES = ("IPv4", "IPv6")
_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_TRAFFIC = ("Cluster", "Local")
_DISTRIBUTION = ("PreferClose", "PreferSameZone", "PreferSameNode")
_HINTS, _MODE = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"
_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
_EXTERNAL_NAME_TEXT = "may not be set for ExternalName services"
_LB_TEXT = "may only be used when `type` is 'LoadBalancer'"
_MAX_AFFINITY = 86400
_KUBELET_PORT = 10250


def reachable(spec: Obj) -> bool:
    """ExternallyAccessible: traffic can come from outside the cluster."""
    kind = spec.get("type")
    return kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def needs_health_check(spec: Obj) -> bool:
    """NeedsHealthCheck: a load balancer asks each node."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def is_headless(spec: Obj) -> bool:
    """clusterIPs is just None."""
    return list(spec.get("clusterIPs") or ()) == ["None"]


def _default(obj: Obj) -> None:
    spec = obj.get("spec")
    if spec is None:
        spec = obj["spec"] = {}
    spec["sessionAffinity"] = spec.get("sessionAffinity") or "None"
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        config = spec.get("sessionAffinityConfig") or {}
        if (config.get("clientIP") or {}).get("timeoutSeconds") is None:
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": 10800}}
    spec["type"] = spec.get("type") or "ClusterIP"
    for port in spec.get("ports") or ():
        port["protocol"] = port.get("protocol") or "TCP"
        if not port.get("targetPort"):
            port["targetPort"] = port.get("port", 0)
    if reachable(spec) and not spec.get("externalTrafficPolicy"):
        spec["externalTrafficPolicy"] = "Cluster"
    if spec.get("internalTrafficPolicy") is None and spec["type"] in ("NodePort", "LoadBalancer", "ClusterIP"):
        spec["internalTrafficPolicy"] = "Cluster"
    if spec["type"] == "LoadBalancer":
        if spec.get("allocateLoadBalancerNodePorts") is None:
            spec["allocateLoadBalancerNodePorts"] = True
        for ingress in ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ():
            if ingress.get("ip") and ingress.get("ipMode") is None:
                ingress["ipMode"] = "VIP"


def _prepare_create(obj: Obj, ctx: Context) -> None:
    obj["status"] = {"loadBalancer": {}}
    sync_cluster_ips(obj["spec"], None)


def _prepare_update(new: Obj, old: Obj, ctx: Context) -> None:
    new["status"] = old.get("status") or {"loadBalancer": {}}
    spec, before = new["spec"], old["spec"]
    patch_allocated(spec, before)
    sync_cluster_ips(spec, before)
    drop_unneeded(spec, before)
    if spec.get("type") != "LoadBalancer":
        new["status"] = {**new["status"], "loadBalancer": {}}


def _prepare_status(new: Obj, old: Obj, ctx: Context) -> None:
    new["spec"] = old["spec"]


def _port(at: str, port: Obj, named: bool, names: set[str]) -> list[FieldError]:
    found: list[FieldError] = []
    name, number, protocol = port.get("name", ""), port.get("port", 0), port.get("protocol", "")
    if named and not name:
        found.append(required(f"{at}.name"))
    elif name:
        found += check(f"{at}.name", name, is_dns1123_label(name))
        if name in names:
            found.append(duplicate(f"{at}.name", name))
        names.add(name)
    found += check(f"{at}.port", number, is_port_number(number))
    if not protocol:
        found.append(required(f"{at}.protocol"))
    elif protocol not in PROTOCOLS:
        found.append(not_supported(f"{at}.protocol", protocol, PROTOCOLS))
    target = port.get("targetPort", 0)
    rule = is_port_name(target) if isinstance(target, str) else is_port_number(target)
    found += check(f"{at}.targetPort", target, rule)
    if port.get("appProtocol") is not None:
        found += check(f"{at}.appProtocol", port["appProtocol"], is_qualified_name(port["appProtocol"]))
    return found


def _of_type(spec: Obj) -> list[FieldError]:
    """What the type demands."""
    kind, ports = spec.get("type"), spec.get("ports") or []
    found: list[FieldError] = []
    if not ports and not is_headless(spec) and kind != "ExternalName":
        found.append(required("spec.ports"))
    if kind == "LoadBalancer":
        text = f"may not expose port {_KUBELET_PORT} externally since it is used by kubelet"
        found += [
            invalid(f"spec.ports[{i}]", p["port"], text) for i, p in enumerate(ports) if p.get("port") == _KUBELET_PORT
        ]
    if kind in ("LoadBalancer", "NodePort") and is_headless(spec):
        found.append(invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services"))
    if kind == "ExternalName":
        found += [forbidden(f"spec.{f}", _EXTERNAL_NAME_TEXT) for f in ("clusterIPs", "ipFamilies") if spec.get(f)]
        if spec.get("ipFamilyPolicy") is not None:
            found.append(forbidden("spec.ipFamilyPolicy", _EXTERNAL_NAME_TEXT))
        target = (spec.get("externalName") or "").removesuffix(".")
        if target:
            found += check("spec.externalName", target, is_dns1123_subdomain(target))
        else:
            found.append(required("spec.externalName"))
    return found


def _affinity(spec: Obj) -> list[FieldError]:
    affinity, config = spec.get("sessionAffinity", ""), spec.get("sessionAffinityConfig")
    at = "spec.sessionAffinityConfig"
    if not affinity:
        return [required("spec.sessionAffinity")]
    if affinity not in ("ClientIP", "None"):
        return [not_supported("spec.sessionAffinity", affinity, ("ClientIP", "None"))]
    if affinity == "None":
        return [forbidden(at, "must not be set when session affinity is None")] if config is not None else []
    text = "when session affinity type is ClientIP"
    if config is None:
        return [required(at, text)]
    if config.get("clientIP") is None:
        return [required(f"{at}.clientIP", text)]
    seconds = config["clientIP"].get("timeoutSeconds")
    if seconds is None:
        return [required(f"{at}.clientIP.timeoutSeconds", text)]
    if not 0 < seconds <= _MAX_AFFINITY:
        limit = f"must be greater than 0 and less than {_MAX_AFFINITY}"
        return [invalid(f"{at}.clientIP.timeoutSeconds", seconds, limit)]
    return []


def check_cluster_ips(spec: Obj, known: Collection[str] = ()) -> list[FieldError]:
    """ValidateServiceClusterIPsRelatedFields: clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy agree."""
    if spec.get("type") == "ExternalName":
        return []
    ip, ips = spec.get("clusterIP", ""), spec.get("clusterIPs") or []
    families, policy = spec.get("ipFamilies") or [], spec.get("ipFamilyPolicy")
    at = "spec.clusterIPs"
    found: list[FieldError] = []
    if ip:
        if not ips:
            found.append(required(at))
        elif ip != ips[0]:
            found.append(invalid(at, ips, "first value must match `clusterIP`"))
    elif ips:
        found.append(invalid(at, ips, "must be empty when `clusterIP` is not specified"))
    for i, family in enumerate(families):
        if family not in FAMILIES:
            found.append(not_supported(f"spec.ipFamilies[{i}]", family, FAMILIES))
        if family in families[:i]:
            found.append(duplicate(f"spec.ipFamilies[{i}]", family))
    if policy is not None and policy not in _POLICIES:
        found.append(not_supported("spec.ipFamilyPolicy", policy, _POLICIES))
    broken: list[FieldError] = []
    for i, value in enumerate(ips):
        if i == 0 and value == "None":
            if len(ips) > 1:
                broken.append(invalid(at, ips, "'None' must be the first and only value"))
            continue
        broken += check_ip_legacy(f"{at}[{i}]", value, known)
    found += broken
    if len(ips) > 2:
        found.append(invalid(at, ips, "may only hold up to 2 values"))
    if broken:
        return found
    if len(ips) > 1 and len({is_ipv6(x) for x in ips}) < 2:
        found.append(invalid(at, ips, "may specify no more than one IP for each IP family"))
    if is_headless(spec) or found:
        return found
    for i, (value, family) in enumerate(zip(ips, families, strict=False)):
        if is_ipv6(value) != (family == "IPv6"):
            text = f"expected an {family} value as indicated by `ipFamilies[{i}]`"
            found.append(invalid(f"{at}[{i}]", value, text))
    return found


def _port_clashes(spec: Obj) -> list[FieldError]:
    ports = spec.get("ports") or []
    found: list[FieldError] = []
    if spec.get("type") == "ClusterIP":
        text = "may not be used when `type` is 'ClusterIP'"
        found += [forbidden(f"spec.ports[{i}].nodePort", text) for i, p in enumerate(ports) if p.get("nodePort")]
    seen: set[Any] = set()
    for i, port in enumerate(ports):
        key = (port.get("protocol", ""), port.get("nodePort", 0))
        if key[1] and key in seen:
            found.append(duplicate(f"spec.ports[{i}].nodePort", key[1]))
        seen.add(key)
    seen = set()
    for i, port in enumerate(ports):
        key = (port.get("protocol", ""), port.get("port", 0))
        if key in seen:
            shown = {
                "Name": "",
                "Protocol": key[0],
                "AppProtocol": None,
                "Port": key[1],
                "TargetPort": 0,
                "NodePort": 0,
            }
            found.append(duplicate(f"spec.ports[{i}]", GoText(go_value(shown))))
        seen.add(key)
    return found


def _load_balancer(obj: Obj, known: Collection[str]) -> list[FieldError]:
    spec, annotations = obj["spec"], obj["metadata"].get("annotations") or {}
    balanced = spec.get("type") == "LoadBalancer"
    found: list[FieldError] = []
    ranges = spec.get("loadBalancerSourceRanges") or []
    if ranges or _RANGES in annotations:
        # The capital L is upstream's.
        at = "spec.LoadBalancerSourceRanges" if ranges else f"metadata.annotations[{_RANGES}]"
        given = ranges or [r for r in annotations[_RANGES].strip().split(",") if r]
        for i, value in enumerate(given):
            found += check_cidr_legacy(f"{at}[{i}]" if ranges else at, value.strip(), known)
        if not balanced:
            found.append(forbidden(at, _LB_TEXT))
    allocate = spec.get("allocateLoadBalancerNodePorts")
    if balanced and allocate is None:
        found.append(required("spec.allocateLoadBalancerNodePorts"))
    if not balanced and allocate is not None:
        found.append(forbidden("spec.allocateLoadBalancerNodePorts", _LB_TEXT))
    return found + check_class(spec)


def check_class(spec: Obj) -> list[FieldError]:
    """validateLoadBalancerClassField without the old object."""
    given = spec.get("loadBalancerClass")
    if given is None:
        return []
    if spec.get("type") != "LoadBalancer":
        return [forbidden("spec.loadBalancerClass", _LB_TEXT)]
    return check("spec.loadBalancerClass", given, is_qualified_name(given))


def _traffic(spec: Obj) -> list[FieldError]:
    found: list[FieldError] = []
    external, port = spec.get("externalTrafficPolicy", ""), spec.get("healthCheckNodePort", 0)
    if not reachable(spec):
        if external:
            text = "may only be set for externally-accessible services"
            found.append(invalid("spec.externalTrafficPolicy", external, text))
    elif not external:
        found.append(required("spec.externalTrafficPolicy"))
    elif external not in _TRAFFIC:
        found.append(not_supported("spec.externalTrafficPolicy", external, _TRAFFIC))
    if not needs_health_check(spec):
        if port:
            text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
            found.append(invalid("spec.healthCheckNodePort", port, text))
    elif not port:
        found.append(required("spec.healthCheckNodePort"))
    else:
        found += check("spec.healthCheckNodePort", port, is_port_number(port))
    internal = spec.get("internalTrafficPolicy")
    if internal is None:
        if spec.get("type") in ("NodePort", "LoadBalancer", "ClusterIP"):
            found.append(required("spec.internalTrafficPolicy"))
    elif internal not in _TRAFFIC:
        found.append(not_supported("spec.internalTrafficPolicy", internal, _TRAFFIC))
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in _DISTRIBUTION:
        found.append(not_supported("spec.trafficDistribution", distribution, _DISTRIBUTION))
    return found


def _check(obj: Obj, old: Obj | None) -> list[FieldError]:
    spec, annotations = obj["spec"], obj["metadata"].get("annotations") or {}
    before = old["spec"] if old else {}
    found: list[FieldError] = []
    if _MODE in annotations and _HINTS in annotations and annotations[_MODE] != annotations[_HINTS]:
        text = f"must match annotations[{_HINTS}] when both are specified"
        found.append(invalid(f"metadata.annotations[{_MODE}]", annotations[_MODE], text))
    found += _of_type(spec)
    names: set[str] = set()
    ports = spec.get("ports") or []
    for i, port in enumerate(ports):
        found += _port(f"spec.ports[{i}]", port, len(ports) > 1, names)
    found += check_labels("spec.selector", spec.get("selector"))
    found += _affinity(spec)
    found += check_cluster_ips(spec, before.get("clusterIPs") or ())
    for i, ip in enumerate(spec.get("externalIPs") or ()):
        at = f"spec.externalIPs[{i}]"
        found += check_ip_legacy(at, ip, before.get("externalIPs") or ()) or check_non_special_ip(at, ip)
    kind = spec.get("type", "")
    if not kind:
        found.append(required("spec.type"))
    elif kind not in TYPES:
        found.append(not_supported("spec.type", kind, TYPES))
    found += _port_clashes(spec)
    found += _load_balancer(obj, before.get("loadBalancerSourceRanges") or ())
    return found + _traffic(spec)


def _validate_status(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    at = "status.loadBalancer.ingress"
    ingresses = ((new.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    if ingresses and new["spec"].get("type") != "LoadBalancer":
        return [forbidden(at, "may only be used when `spec.type` is 'LoadBalancer'")]
    found: list[FieldError] = []
    for i, ingress in enumerate(ingresses):
        found += check_ingress_point(f"{at}[{i}]", ingress)
        mode, ip = ingress.get("ipMode"), ingress.get("ip")
        if mode is None:
            if ip:
                found.append(required(f"{at}[{i}].ipMode", "must be specified when `ip` is set"))
        elif not ip:
            found.append(forbidden(f"{at}[{i}].ipMode", "may not be specified when `ip` is not set"))
        elif mode not in ("Proxy", "VIP"):
            found.append(not_supported(f"{at}[{i}].ipMode", mode, ("Proxy", "VIP")))
    return found


def check_ingress_point(at: str, ingress: Obj) -> list[FieldError]:
    """The ip and hostname of a load balancer's ingress point, in Services and Ingresses."""
    found: list[FieldError] = []
    if ingress.get("ip"):
        found += check_ip_legacy(f"{at}.ip", ingress["ip"])
    host = ingress.get("hostname")
    if host:
        found += check(f"{at}.hostname", host, is_dns1123_subdomain(host))
        if parse_ip(host) is not None:
            found.append(invalid(f"{at}.hostname", host, "must be a DNS name, not an IP address"))
    return found


def _warnings(new: Obj, old: Obj | None, ctx: Context) -> list[str]:
    if ctx.subresource:
        return []
    spec = new["spec"]
    found: list[str] = []
    if _HINTS in (new["metadata"].get("annotations") or {}):
        found.append(f"annotation {_HINTS} is deprecated, please use {_MODE} instead")
    headless, external = is_headless(spec) and spec.get("type") == "ClusterIP", spec.get("externalIPs") or ()
    if not is_headless(spec):
        for i, ip in enumerate(spec.get("clusterIPs") or ()):
            found += ip_warnings(f"spec.clusterIPs[{i}]", ip)
    if headless:
        ignored = (
            ("loadBalancerIP", spec.get("loadBalancerIP")),
            ("externalIPs", external),
            ("SessionAffinity", spec.get("sessionAffinity") != "None"),
        )
        found += [f"spec.{field} is ignored for headless services" for field, given in ignored if given]
    for i, ip in enumerate(external):
        found += ip_warnings(f"spec.externalIPs[{i}]", ip)
    if external and not headless and spec.get("type") != "ExternalName":
        found.append("spec.externalIPs is deprecated and may no longer be implemented in some clusters")
    if spec.get("loadBalancerIP"):
        found += ip_warnings("spec.loadBalancerIP", spec["loadBalancerIP"])
    for i, cidr in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        found += cidr_warnings(f"spec.loadBalancerSourceRanges[{i}]", cidr)
    if spec.get("type") == "ExternalName" and spec.get("externalIPs"):
        found.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if spec.get("type") != "ExternalName" and spec.get("externalName"):
        found.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.get("trafficDistribution") == "PreferClose":
        found.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return found


def _external(obj: Obj) -> str:
    spec = obj["spec"]
    kind, ips = spec.get("type"), spec.get("externalIPs") or []
    if kind == "ExternalName":
        return str(spec.get("externalName") or "")
    if kind == "LoadBalancer":
        points = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
        given = sorted({p.get("ip") or p.get("hostname") for p in points} - {None, ""})
        return ",".join([*given, *ips]) or "<pending>"
    return ",".join(ips) or "<none>" if kind in TYPES else "<unknown>"


def _ports(obj: Obj) -> str:
    found = []
    for port in obj["spec"].get("ports") or ():
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        found.append(f"{port.get('port', 0)}{node}/{port.get('protocol', '')}")
    return ",".join(found) or "<none>"


STRATEGY = Strategy(
    default=_default,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_status=_prepare_status,
    validate=lambda obj, ctx: _check(obj, None),
    validate_update=lambda new, old, ctx: check_changes(new, old) + _check(new, old),
    validate_status=_validate_status,
    warnings=_warnings,
    name=name_is_dns_label,
    fields={"spec.clusterIP": path("spec", "clusterIP"), "spec.type": path("spec", "type")},
    printer=table(
        NAME,
        column("Type", path("spec", "type")),
        column("Cluster-IP", lambda o: (o["spec"].get("clusterIPs") or ["<none>"])[0]),
        column("External-IP", _external),
        column("Port(s)", _ports),
        AGE,
        column("Selector", lambda o: label_map(o["spec"].get("selector")), wide=True),
    ),
    create_on_update=True,
    delete_returns_object=True,
)
