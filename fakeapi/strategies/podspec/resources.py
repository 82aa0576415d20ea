"""What containers and whole pods ask for: requests, limits and claims.

Stands for validateResourceRequirements of pkg/apis/core/validation; names and amounts are limits.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from fakeapi.errors import FieldError, duplicate, forbidden, invalid, not_found, not_supported, required
from fakeapi.names import check, is_dns1123_label
from fakeapi.quantity import Quantity, parse
from fakeapi.strategies.limits import check_container_name, check_name, check_value, overcommit_allowed
from fakeapi.strategies.podspec.amounts import aggregate, is_huge_page, pod_level
from fakeapi.strategies.podspec.amounts import parse as parse_all

Obj = dict[str, Any]
Errors = list[FieldError]

_POD_LEVEL = ("cpu", "hugepages-", "memory")


def _check_pod_name(path: str, name: str) -> Errors:
    errors = check_name(path, name)
    if not errors and not pod_level(name):
        errors.append(not_supported(path, name, _POD_LEVEL))
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
    return _requirements(resources, check_container_name, claims, path)


def _requirements(resources: Obj, named: Callable[[str, str], Errors], claims: Iterable[str], path: str) -> Errors:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    errors: Errors = []
    for side, amounts in (("limits", limits), ("requests", requests)):
        for name in sorted(amounts):
            own, text = f"{path}.{side}[{name}]", amounts[name]
            errors += named(own, name) + check_value(own, name, text)
            if side == "requests":
                errors += _within_limit(name, text, limits.get(name), path)
            if is_huge_page(name):
                errors += _huge_pages(name, text, own)
    names = {*limits, *requests}
    if names and not names & {"cpu", "memory"} and any(map(is_huge_page, names)):
        errors.append(forbidden(path, "HugePages require cpu or memory"))
    if resources.get("claims"):
        errors += _claims(resources["claims"], sorted(claims), f"{path}.claims")
    return errors


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
    errors += _requirements(resources, _check_pod_name, claims, path)
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
