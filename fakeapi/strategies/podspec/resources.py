"""Names and amounts of resources, of containers and of whole pods.

Stands for validateResourceRequirements and the resource name rules of pkg/apis/core/validation and core/helper.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from fakeapi.errors import FieldError, duplicate, forbidden, invalid, not_found, not_supported, required
from fakeapi.names import check, is_dns1123_label, is_qualified_name
from fakeapi.quantity import Quantity, parse
from fakeapi.strategies.podspec.amounts import aggregate, is_huge_page, pod_level
from fakeapi.strategies.podspec.amounts import parse as parse_all

Obj = dict[str, Any]
Errors = list[FieldError]

_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_COUNTED = (
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
)
STANDARD = frozenset(
    (*_COMPUTE, *(f"{side}.{name}" for side in ("requests", "limits") for name in _COMPUTE), *_COUNTED)
) | {"storage", "requests.storage"}
_POD_LEVEL = ("cpu", "hugepages-", "memory")
_NANO = 10**9


def is_standard(name: str) -> bool:
    """IsStandardResourceName."""
    return name in STANDARD or name.startswith(("hugepages-", "requests.hugepages-"))


def is_native(name: str) -> bool:
    """IsNativeResource: without a domain, or in kubernetes.io."""
    return "/" not in name or "kubernetes.io/" in name


def is_extended(name: str) -> bool:
    """IsExtendedResourceName."""
    return not is_native(name) and not name.startswith("requests.") and not is_qualified_name(f"requests.{name}")


def overcommit_allowed(name: str) -> bool:
    """IsOvercommitAllowed: requests may be below limits."""
    return is_native(name) and not is_huge_page(name)


def validate_name(name: str, path: str) -> Errors:
    """validateResourceName."""
    errors = check(path, name, is_qualified_name(name))
    if not errors and "/" not in name and not is_standard(name):
        errors.append(invalid(path, name, "must be a standard resource type or fully qualified"))
    return errors


def validate_container_name(name: str, path: str) -> Errors:
    """validateContainerResourceName."""
    if name in _COMPUTE:
        return []
    errors = validate_name(name, path)
    if "/" not in name:
        if not is_huge_page(name):
            errors.append(invalid(path, name, "must be a standard resource for containers"))
    elif not is_native(name) and not is_extended(name):
        errors.append(invalid(path, name, "doesn't follow extended resource name standard"))
    return errors


def _validate_pod_name(name: str, path: str) -> Errors:
    errors = validate_name(name, path)
    if not errors and not pod_level(name):
        errors.append(not_supported(path, name, _POD_LEVEL))
    return errors


def validate_amount(name: str, text: str, path: str) -> Errors:
    """ValidateResourceQuantityValue: not negative, and whole where things are counted."""
    amount = parse(text)
    errors: Errors = []
    if amount.nano < 0:
        errors.append(invalid(path, text, "must be greater than or equal to 0"))
    if (name in _COUNTED or is_extended(name)) and amount.nano % _NANO:
        errors.append(invalid(path, text, "must be an integer"))
    return errors


def _huge_pages(name: str, text: str, path: str) -> Errors:
    try:
        size = parse(name.removeprefix("hugepages-")).nano
    except ValueError:
        size = 0
    if size > 0 and parse(text).nano % size == 0:
        return []
    return [invalid(path, text, f"{text} is not positive integer multiple of {name}")]


def validate_container_resources(resources: Obj, claims: Iterable[str], path: str) -> Errors:
    """ValidateContainerResourceRequirements; claims are the names of the pod's resource claims."""
    return _requirements(resources, validate_container_name, claims, path)


def _requirements(resources: Obj, check_name: Callable[[str, str], Errors], claims: Iterable[str], path: str) -> Errors:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    errors: Errors = []
    for name in sorted(limits):
        errors += _amount(name, limits[name], check_name, f"{path}.limits[{name}]")
        if is_huge_page(name):
            errors += _huge_pages(name, limits[name], f"{path}.limits[{name}]")
    for name in sorted(requests):
        errors += _amount(name, requests[name], check_name, f"{path}.requests[{name}]")
        errors += _within_limit(name, requests[name], limits.get(name), path)
        if is_huge_page(name):
            errors += _huge_pages(name, requests[name], f"{path}.requests[{name}]")
    names = {*limits, *requests}
    if names and not names & {"cpu", "memory"} and any(map(is_huge_page, names)):
        errors.append(forbidden(path, "HugePages require cpu or memory"))
    if resources.get("claims"):
        errors += _claims(resources["claims"], sorted(claims), f"{path}.claims")
    return errors


def _amount(name: str, text: str, check_name: Callable[[str, str], Errors], path: str) -> Errors:
    return check_name(name, path) + validate_amount(name, text, path)


def _within_limit(name: str, request: str, limit: str | None, path: str) -> Errors:
    if limit is None:
        if overcommit_allowed(name):
            return []
        return [required(f"{path}.limits", "Limit must be set for non overcommitable resources")]
    if request == limit:
        return []
    asked, most = parse(request), parse(limit)
    if asked != most and not overcommit_allowed(name):
        return [invalid(f"{path}.requests", request, f"must be equal to {name} limit of {limit}")]
    if most < asked:
        return [invalid(f"{path}.requests", request, f"must be less than or equal to {name} limit of {limit}")]
    return []


def _claims(claims: list[Obj], known: list[str], path: str) -> Errors:
    errors: Errors = []
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        own, name, request = f"{path}[{index}]", claim.get("name") or "", claim.get("request") or ""
        if not name:
            errors.append(required(own))
            continue
        errors += _repeated_claim(name, request, seen, own)
        if name not in known:
            text = f": {', '.join(known)}" if known else " which is empty"
            missing = not_found(own, name)
            missing.detail = f"must be one of the names in pod.spec.resourceClaims{text}"
            errors.append(missing)
    return errors


def _repeated_claim(name: str, request: str, seen: set[str], path: str) -> Errors:
    if name in seen:
        return [duplicate(path, name)]
    key = f"{name}/{request}" if request else name
    errors = check(f"{path}.request", request, is_dns1123_label(request)) if request else []
    if key in seen or (not request and any(other.startswith(f"{name}/") for other in seen)):
        errors.append(duplicate(path, key))
    seen.add(key)
    return errors


def validate_pod_resources(spec: Obj, claims: Iterable[str], path: str) -> Errors:
    """validatePodResources: the pod's own amounts, and that its containers fit into them."""
    resources = spec["resources"]
    errors: Errors = []
    if resources.get("claims") is not None:
        errors.append(forbidden(f"{path}.claims", "claims cannot be set for Resources at pod-level"))
    errors += _requirements(resources, _validate_pod_name, claims, path)
    own = parse_all(resources.get("requests"))
    for name, total in sorted(aggregate(spec, "requests").items()):
        given = own.get(name, Quantity(0, 0, "DecimalSI"))
        if given < total:
            text = f"must be greater than or equal to aggregate container requests of {total}"
            errors.append(invalid(f"{path}.requests[{name}]", str(given), text))
    limits = parse_all(resources.get("limits"))
    for index, container in enumerate(spec.get("containers") or ()):
        for name, limit in sorted(parse_all((container.get("resources") or {}).get("limits")).items()):
            if name in limits and limits[name] < limit:
                text = f"must be less than or equal to pod limits of {limits[name]}"
                errors.append(invalid(f"{path}.containers[{index}][{name}].limits", str(limit), text))
    return errors
