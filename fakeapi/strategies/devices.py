"""What claims, claim templates and device classes have in common: requests, selectors, configurations.

Stands for pkg/apis/resource/validation and the defaults of pkg/apis/resource/v1. CEL selectors are not compiled.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, invalid, not_supported, required, too_long
from fakeapi.names import check, is_dns1123_subdomain
from fakeapi.strategies.base import Obj
from fakeapi.strategies.devicerules import (
    Rule,
    check_set,
    check_slice,
    fully_qualified_name,
    label,
    raw_object,
    request_names,
    request_reference,
    toleration,
)
from fakeapi.strategies.podspec.volumes import check_driver

_MODES = ("All", "ExactCount")
_MAX_CHOICES = 8
_MAX_EXPRESSION = _MAX_PARAMETERS = 10 * 1024
_ONE_KIND = "exactly one of `exactly` or `firstAvailable` is required"
_ONE_ATTRIBUTE = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
_EXACT = (
    ("DeviceClassName", "deviceClassName", ""),
    ("Selectors", "selectors", None),
    ("AllocationMode", "allocationMode", ""),
    ("Count", "count", 0),
    ("AdminAccess", "adminAccess", None),
    ("Tolerations", "tolerations", None),
    ("Capacity", "capacity", None),
)


def default_spec(spec: Obj) -> None:
    """SetDefaults_ExactDeviceRequest and SetDefaults_DeviceSubRequest."""
    devices = spec.setdefault("devices", {})
    for request in devices.get("requests") or ():
        for one in [request.get("exactly"), *(request.get("firstAvailable") or ())]:
            if one is None:
                continue
            if not one.get("allocationMode"):
                one["allocationMode"] = "ExactCount"
            if one["allocationMode"] == "ExactCount" and not one.get("count"):
                one["count"] = 1
            for tolerated in one.get("tolerations") or ():
                if not tolerated.get("operator"):
                    tolerated["operator"] = "Equal"


def _selector(at: str, selector: Obj) -> list[FieldError]:
    if selector.get("cel") is None:
        return [required(f"{at}.cel")]
    expression = selector["cel"].get("expression") or ""
    if len(expression) > _MAX_EXPRESSION:
        return [too_long(f"{at}.cel.expression", _MAX_EXPRESSION)]
    return [] if expression else [required(f"{at}.cel.expression")]


def check_selectors(at: str, selectors: list[Obj]) -> list[FieldError]:
    """CEL selectors: each has an expression."""
    return check_slice(at, selectors, _selector)


def check_config(at: str, config: Obj) -> list[FieldError]:
    """validateDeviceConfiguration: opaque configurations name a driver and have parameters."""
    opaque = config.get("opaque")
    if opaque is None:
        return [required(f"{at}.opaque")]
    found = check_driver(f"{at}.opaque.driver", opaque.get("driver") or "")
    return found + raw_object(f"{at}.opaque.parameters", opaque.get("parameters"), _MAX_PARAMETERS)


def check_claim_config(known: set[str]) -> Rule:
    """validateDeviceClaimConfiguration: what it is for, and what it says."""

    def rule(at: str, config: Obj) -> list[FieldError]:
        found = check_set(f"{at}.requests", config.get("requests") or [], request_reference(known), str)
        return found + check_config(at, config)

    return rule


def _exact(at: str, request: Obj) -> list[FieldError]:
    name, mode, count = request.get("deviceClassName") or "", request.get("allocationMode"), request.get("count") or 0
    found = [required(f"{at}.deviceClassName")]
    if name:
        found = check(f"{at}.deviceClassName", name, is_dns1123_subdomain(name))
    found += check_selectors(f"{at}.selectors", request.get("selectors") or [])
    if mode not in _MODES:
        found.append(not_supported(f"{at}.allocationMode", mode or "", _MODES))
    elif mode == "All" and count:
        found.append(invalid(f"{at}.count", count, "must not be specified when allocationMode is 'All'"))
    elif mode == "ExactCount" and count <= 0:
        found.append(invalid(f"{at}.count", count, "must be greater than zero"))
    given = enumerate(request.get("tolerations") or ())
    return found + [e for i, t in given for e in toleration(f"{at}.tolerations[{i}]", t)]


def _constraint(known: set[str]) -> Rule:
    def rule(at: str, constraint: Obj) -> list[FieldError]:
        found = check_set(f"{at}.requests", constraint.get("requests") or [], request_reference(known), str)
        for field in ("matchAttribute", "distinctAttribute"):
            if constraint.get(field) is not None:
                return found + fully_qualified_name(f"{at}.{field}", constraint[field])
        return [*found, required(at, _ONE_ATTRIBUTE)]

    return rule


def _choice(at: str, choice: Obj) -> list[FieldError]:
    return label(f"{at}.name", choice.get("name") or "") + _exact(at, choice)


def _request(at: str, request: Obj) -> list[FieldError]:
    found = label(f"{at}.name", request.get("name") or "")
    exact, choices = request.get("exactly"), request.get("firstAvailable") or []
    if exact is None and not choices:
        return [*found, required(at, _ONE_KIND)]
    if exact is not None and choices:
        return [*found, invalid(at, None, f"{_ONE_KIND}, but multiple fields are set")]
    if exact is not None:
        return found + _exact(f"{at}.exactly", exact)
    return found + check_set(f"{at}.firstAvailable", choices, _choice, _name, _MAX_CHOICES)


def _name(named: Obj) -> str:
    return named.get("name") or ""


def check_claim_spec(at: str, spec: Obj) -> list[FieldError]:
    """validateDeviceClaim."""
    devices, own = spec.get("devices") or {}, f"{at}.devices"
    known = request_names(devices)
    found = check_set(f"{own}.requests", devices.get("requests") or [], _request, _name)
    found += check_slice(f"{own}.constraints", devices.get("constraints") or [], _constraint(known))
    return found + check_slice(f"{own}.config", devices.get("config") or [], check_claim_config(known))


def claim_to_go(spec: Obj) -> Obj:
    """A claim's spec as Go's internal struct, for error texts."""
    devices = spec.get("devices") or {}

    def exact(request: Obj | None) -> Obj | None:
        return None if request is None else {go: request.get(f, zero) for go, f, zero in _EXACT}

    def choice(request: Obj) -> Obj:
        found = {"Name": request.get("name", "")}
        return found | {go: request.get(f, zero) for go, f, zero in _EXACT if go != "AdminAccess"}

    def one(request: Obj) -> Obj:
        choices = request.get("firstAvailable")
        return {
            "Name": request.get("name", ""),
            "Exactly": exact(request.get("exactly")),
            "FirstAvailable": [choice(c) for c in choices] if choices else None,
        }

    requests = devices.get("requests")
    return {
        "Devices": {
            "Requests": [one(r) for r in requests] if requests else None,
            "Constraints": devices.get("constraints"),
            "Config": devices.get("config"),
        }
    }
