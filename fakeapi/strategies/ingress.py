"""Ingress: rules, paths, backends, TLS.

Stands for pkg/registry/networking/ingress and ValidateIngress* of pkg/apis/networking/validation.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, invalid, not_supported, required
from fakeapi.gofmt import GoText
from fakeapi.ips import parse_ip
from fakeapi.names import (
    check,
    is_dns1123_subdomain,
    is_path_segment,
    is_port_name,
    is_port_number,
    is_wildcard_subdomain,
    name_is_dns_label,
    name_is_dns_subdomain,
)
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, first_of, path, table
from fakeapi.strategies.service import check_ingress_point

_CLASS = "kubernetes.io/ingress.class"
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_BAD_SEQUENCES = ("//", "/./", "/../", "%2f", "%2F")
_BAD_SUFFIXES = ("/..", "/.")


def _prepare_create(obj: Obj, ctx: Context) -> None:
    obj["status"] = {"loadBalancer": {}}


def _prepare_update(new: Obj, old: Obj, ctx: Context) -> None:
    new["status"] = old.get("status") or {"loadBalancer": {}}


def _prepare_status(new: Obj, old: Obj, ctx: Context) -> None:
    new["spec"] = old.get("spec") or {}


def _backend(at: str, backend: Obj) -> list[FieldError]:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        return [invalid(at, "", "cannot set both resource and service backends")]
    if resource is not None:
        return _reference(f"{at}.resource", resource)
    if service is None:
        return [invalid(at, "", "resource or service backend is required")]
    found: list[FieldError] = []
    name = service.get("name", "")
    if not name:
        found.append(required(f"{at}.service.name"))
    else:
        found += check(f"{at}.service.name", name, name_is_dns_label(name, False))
    port = service.get("port") or {}
    number, named = port.get("number", 0), port.get("name", "")
    if named and number:
        found.append(invalid(at, "", "cannot set both port name & port number"))
    elif named:
        found += check(f"{at}.service.port.name", named, is_port_name(named))
    elif number:
        found += check(f"{at}.service.port.number", number, is_port_number(number))
    else:
        found.append(required(at, "port name or number is required"))
    return found


def _reference(at: str, reference: Obj) -> list[FieldError]:
    """ValidateIngressTypedLocalObjectReference."""
    group, kind, name = reference.get("apiGroup"), reference.get("kind", ""), reference.get("name", "")
    found: list[FieldError] = []
    if group is not None:
        found += check(f"{at}.apiGroup", group, is_dns1123_subdomain(group))
    for field, value in (("kind", kind), ("name", name)):
        found += check(f"{at}.{field}", value, is_path_segment(value)) if value else [required(f"{at}.{field}")]
    return found


def _path(at: str, item: Obj) -> list[FieldError]:
    kind, given = item.get("pathType"), item.get("path", "")
    found: list[FieldError] = []
    if kind is None:
        found.append(required(f"{at}.pathType", "pathType must be specified"))
    elif kind in ("Exact", "Prefix"):
        if not given.startswith("/"):
            found.append(invalid(f"{at}.path", given, "must be an absolute path"))
        if given:
            bad = [f"must not contain '{s}'" for s in _BAD_SEQUENCES if s in given]
            bad += [f"cannot end with '{s}'" for s in _BAD_SUFFIXES if given.endswith(s)]
            found += check(f"{at}.path", given, bad)
    elif kind == "ImplementationSpecific":
        if given and not given.startswith("/"):
            found.append(invalid(f"{at}.path", given, "must be an absolute path"))
    else:
        found.append(not_supported(f"{at}.pathType", kind, _PATH_TYPES))
    return found + _backend(f"{at}.backend", item.get("backend") or {})


def _host(at: str, host: str) -> list[FieldError]:
    found: list[FieldError] = []
    if parse_ip(host) is not None:
        found.append(invalid(at, host, "must be a DNS name, not an IP address"))
    rule = is_wildcard_subdomain if "*" in host else is_dns1123_subdomain
    return found + check(at, host, rule(host))


def _spec(spec: Obj) -> list[FieldError]:
    found: list[FieldError] = []
    rules = spec.get("rules") or []
    if not rules and spec.get("defaultBackend") is None:
        text = "either `defaultBackend` or `rules` must be specified"
        found.append(invalid("spec", GoText("null"), text))
    if spec.get("defaultBackend") is not None:
        found += _backend("spec.defaultBackend", spec["defaultBackend"])
    for i, rule in enumerate(rules):
        at, http = f"spec.rules[{i}]", rule.get("http")
        if rule.get("host"):
            found += _host(f"{at}.host", rule["host"])
        if http is None:
            continue
        if not http.get("paths"):
            found.append(required(f"{at}.http.paths"))
        for j, item in enumerate(http.get("paths") or ()):
            found += _path(f"{at}.http.paths[{j}]", item)
    for i, tls in enumerate(spec.get("tls") or ()):
        for j, host in enumerate(tls.get("hosts") or ()):
            rule = is_wildcard_subdomain if "*" in host else is_dns1123_subdomain
            found += check(f"spec.tls[{i}].hosts[{j}]", host, rule(host))
        if tls.get("secretName"):
            at = f"spec.tls[{i}].secretName"
            found += check(at, tls["secretName"], name_is_dns_subdomain(tls["secretName"], False))
    if spec.get("ingressClassName") is not None:
        given = spec["ingressClassName"]
        found += check("spec.ingressClassName", given, name_is_dns_subdomain(given, False))
    return found


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    spec = obj.get("spec") or {}
    found: list[FieldError] = []
    annotation = (obj["metadata"].get("annotations") or {}).get(_CLASS)
    if annotation is not None and spec.get("ingressClassName") is not None and annotation != spec["ingressClassName"]:
        text = "must match `ingressClassName` when both are specified"
        # Upstream's path begins at the annotations.
        found.append(invalid(f"annotations.{_CLASS}", annotation, text))
    return _spec(spec) + found


def _validate_status(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    points = ((new.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    at = "status.loadBalancer.ingress"
    return [e for i, p in enumerate(points) for e in check_ingress_point(f"{at}[{i}]", p)]


def _warnings(new: Obj, old: Obj | None, ctx: Context) -> list[str]:
    if old is None and _CLASS in (new["metadata"].get("annotations") or {}):
        return [f"annotation \"{_CLASS}\" is deprecated, please use 'spec.ingressClassName' instead"]
    return []


def _class(obj: Obj) -> str:
    given = (obj.get("spec") or {}).get("ingressClassName")
    return str((obj["metadata"].get("annotations") or {}).get(_CLASS, "<none>") if given is None else given)


def _hosts(obj: Obj) -> str:
    hosts = [r["host"] for r in (obj.get("spec") or {}).get("rules") or () if r.get("host")]
    return first_of(hosts, 3) or "*"


def _addresses(obj: Obj) -> str:
    points = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return ",".join(sorted({p.get("ip") or p.get("hostname") or "" for p in points} - {""}))


STRATEGY = Strategy(
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_status=_prepare_status,
    validate=_validate,
    validate_update=lambda new, old, ctx: _spec(new.get("spec") or {}),
    validate_status=_validate_status,
    warnings=_warnings,
    name=name_is_dns_subdomain,
    generation=True,
    printer=table(
        NAME,
        column("Class", _class),
        column("Hosts", _hosts),
        column("Address", _addresses),
        column("Ports", lambda o: "80, 443" if path("spec", "tls")(o) else "80"),
        AGE,
    ),
)
