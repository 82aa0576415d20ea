"""IngressClass: controller and parameters.

Stands for pkg/registry/networking/ingressclass and ValidateIngressClass*.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, forbidden, not_supported, required, too_long
from fakeapi.names import (
    check,
    check_domain_prefixed_path,
    check_immutable,
    is_dns1123_subdomain,
    is_path_segment,
    name_is_dns_label,
    name_is_dns_subdomain,
)
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table


def _default(obj: Obj) -> None:
    parameters = (obj.get("spec") or {}).get("parameters")
    if parameters is not None and parameters.get("scope") is None:
        parameters["scope"] = "Cluster"


def _parameters(at: str, parameters: Obj) -> list[FieldError]:
    group, kind, name = parameters.get("apiGroup"), parameters.get("kind", ""), parameters.get("name", "")
    found: list[FieldError] = []
    if group is not None:
        found += check(f"{at}.apiGroup", group, is_dns1123_subdomain(group))
    for field, value in (("kind", kind), ("name", name)):
        found += check(f"{at}.{field}", value, is_path_segment(value)) if value else [required(f"{at}.{field}")]
    scope, namespace = parameters.get("scope"), parameters.get("namespace")
    if scope is None:
        found.append(required(f"{at}.scope"))
    elif scope not in ("Cluster", "Namespace"):
        found.append(not_supported(f"{at}.scope", scope, ("Cluster", "Namespace")))
    elif scope == "Namespace":
        if namespace is None:
            found.append(required(f"{at}.namespace", "`parameters.scope` is set to 'Namespace'"))
        else:
            found += check(f"{at}.namespace", namespace, name_is_dns_label(namespace, False))
    elif namespace is not None:
        found.append(forbidden(f"{at}.namespace", "`parameters.scope` is set to 'Cluster'"))
    return found


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    spec = obj.get("spec") or {}
    controller = spec.get("controller", "")
    found = [too_long("spec.controller", 250)] if len(controller) > 250 else []
    found += check_domain_prefixed_path("spec.controller", controller)
    if spec.get("parameters") is not None:
        found += _parameters("spec.parameters", spec["parameters"])
    return found


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    controller = (new.get("spec") or {}).get("controller", "")
    return [
        *check_immutable("spec.controller", controller, (old.get("spec") or {}).get("controller", "")),
        *_validate(new, ctx),
    ]


def _shown(obj: Obj) -> str:
    parameters = (obj.get("spec") or {}).get("parameters")
    if parameters is None:
        return "<none>"
    group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") else ""
    return f"{parameters.get('kind', '')}{group}/{parameters.get('name', '')}"


STRATEGY = Strategy(
    default=_default,
    validate=_validate,
    validate_update=_validate_update,
    name=name_is_dns_subdomain,
    generation=True,
    printer=table(NAME, column("Controller", path("spec", "controller")), column("Parameters", _shown), AGE),
)
