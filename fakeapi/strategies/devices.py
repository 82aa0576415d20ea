"""What claims, claim templates and device classes have in common: requests, selectors, configurations.

Stands for pkg/apis/resource/validation and the defaults of pkg/apis/resource/v1. CEL selectors are not compiled.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, duplicate, invalid, not_supported, required, too_many
from fakeapi.names import check, is_dns1123_label, is_dns1123_subdomain
from fakeapi.strategies.base import Obj
from fakeapi.strategies.podspec.volumes import check_driver

_MODES = ("All", "ExactCount")
_MAX_REQUESTS = 32
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
            for toleration in one.get("tolerations") or ():
                if not toleration.get("operator"):
                    toleration["operator"] = "Equal"


def check_selectors(at: str, selectors: list[Obj]) -> list[FieldError]:
    """CEL selectors: each has an expression."""
    found = [too_many(at, len(selectors), _MAX_REQUESTS)] if len(selectors) > _MAX_REQUESTS else []
    for i, selector in enumerate(selectors):
        if selector.get("cel") is None:
            found.append(required(f"{at}[{i}].cel"))
        elif not selector["cel"].get("expression"):
            found.append(required(f"{at}[{i}].cel.expression"))
    return found


def check_configs(at: str, configs: list[Obj]) -> list[FieldError]:
    """Opaque configurations name a driver and have parameters."""
    found: list[FieldError] = []
    for i, config in enumerate(configs):
        opaque = config.get("opaque")
        if opaque is None:
            found.append(required(f"{at}[{i}].opaque"))
            continue
        found += check_driver(f"{at}[{i}].opaque.driver", opaque.get("driver", ""))
        if opaque.get("parameters") is None:
            found.append(required(f"{at}[{i}].opaque.parameters"))
        elif not isinstance(opaque["parameters"], dict):
            found.append(invalid(f"{at}[{i}].opaque.parameters", "<value omitted>", "must be a valid JSON object"))
    return found


def _exact(at: str, request: Obj) -> list[FieldError]:
    name, mode, count = request.get("deviceClassName", ""), request.get("allocationMode", ""), request.get("count", 0)
    found = (
        check(f"{at}.deviceClassName", name, is_dns1123_subdomain(name))
        if name
        else [required(f"{at}.deviceClassName")]
    )
    found += check_selectors(f"{at}.selectors", request.get("selectors") or [])
    if mode == "ExactCount":
        if count <= 0:
            found.append(invalid(f"{at}.count", count, "must be greater than zero"))
    elif mode == "All":
        if count:
            found.append(invalid(f"{at}.count", count, "must not be specified when allocationMode is 'All'"))
    else:
        found.append(not_supported(f"{at}.allocationMode", mode, _MODES))
    return found


def check_claim_spec(at: str, spec: Obj) -> list[FieldError]:
    """validateDeviceClaim."""
    devices = spec.get("devices") or {}
    own = f"{at}.devices"
    requests = devices.get("requests") or []
    found = [too_many(f"{own}.requests", len(requests), _MAX_REQUESTS)] if len(requests) > _MAX_REQUESTS else []
    seen: set[str] = set()
    for i, request in enumerate(requests):
        path, name = f"{own}.requests[{i}]", request.get("name", "")
        found += check(f"{path}.name", name, is_dns1123_label(name)) if name else [required(f"{path}.name")]
        if name in seen:
            found.append(duplicate(f"{path}.name", name))
        seen.add(name)
        exact, choices = request.get("exactly"), request.get("firstAvailable") or []
        if exact is not None and choices:
            text = "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set"
            found.append(invalid(path, None, text))
        elif exact is None and not choices:
            found.append(required(path, "exactly one of `exactly` or `firstAvailable` is required"))
        if exact is not None:
            found += _exact(f"{path}.exactly", exact)
        for j, choice in enumerate(choices):
            sub = f"{path}.firstAvailable[{j}]"
            given = choice.get("name", "")
            found += check(f"{sub}.name", given, is_dns1123_label(given)) if given else [required(f"{sub}.name")]
            found += _exact(sub, choice)
    return found + check_configs(f"{own}.config", devices.get("config") or [])


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
