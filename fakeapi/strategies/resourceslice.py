"""ResourceSlice: devices that a driver publishes.

Stands for pkg/registry/resource/resourceslice and ValidateResourceSlice*.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from fakeapi import quantity
from fakeapi.errors import FieldError, forbidden, invalid, required, too_long, too_many
from fakeapi.gofmt import go_quote
from fakeapi.names import check, check_immutable, name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table
from fakeapi.strategies.devicerules import (
    Rule,
    bindings,
    check_set,
    check_slice,
    label,
    pool_name,
    qualified_name,
    taint,
)
from fakeapi.strategies.podspec.internal import to_go
from fakeapi.strategies.podspec.scheduling import validate_node_selector
from fakeapi.strategies.podspec.volumes import check_driver

_FLAGS = ("allNodes", "perDeviceNodeSelection")
_PLACES = ("nodeName", "nodeSelector", *_FLAGS)
_ONE = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
_ONE_DEVICE = (
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true "
    "in the ResourceSlice spec"
)
_NO_PLACE = (
    "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the "
    "ResourceSlice spec"
)
_UNSET = "must be either unset or set to true"
_MAX_DEVICES = 128
_MAX_ADVANCED = 64
_MAX_ENTRIES = 32
_MAX_TAINTS = 16
_MAX_SETS = 8
_MAX_CONSUMED = 2
_MAX_COUNTERS = 32
_MAX_VALUE = 64
_VALUES = ("int", "bool", "string", "version")
_NUMBER = r"(0|[1-9]\d*)"
_PART = r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_BUILD = "[0-9a-zA-Z-]+"
_VERSION = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PART}(\.{_PART})*)?(\+{_BUILD}(\.{_BUILD})*)?")


def _pool(pool: Obj) -> list[FieldError]:
    at, count, generation = "spec.pool", pool.get("resourceSliceCount") or 0, pool.get("generation") or 0
    found = pool_name(f"{at}.name", pool.get("name") or "")
    if count <= 0:
        found.append(invalid(f"{at}.resourceSliceCount", count, "must be greater than zero"))
    if generation < 0:
        found.append(invalid(f"{at}.generation", generation, "must be greater than or equal to zero"))
    return found


def _place(at: str, owner: Obj, empty: str, *, one_term: bool) -> tuple[list[FieldError], list[str]]:
    """Where devices are: what is wrong with it, and which of the ways to say it are used."""
    found: list[FieldError] = []
    name, selector = owner.get("nodeName"), owner.get("nodeSelector")
    if name is not None:
        found += (
            check(f"{at}.nodeName", name, name_is_dns_subdomain(name, False))
            if name
            else [invalid(f"{at}.nodeName", name, empty)]
        )
    if selector is not None:
        found += validate_node_selector(selector, f"{at}.nodeSelector")
        terms = selector.get("nodeSelectorTerms") or []
        if one_term and len(terms) != 1:
            shown = [to_go("NodeSelectorTerm", term) for term in terms] or None
            where = f"{at}.nodeSelector.nodeSelectorTerms"
            found.append(invalid(where, shown, "must have exactly one node selector term"))
    flags = _FLAGS if one_term else _FLAGS[:1]
    found += [invalid(f"{at}.{flag}", False, _UNSET) for flag in flags if owner.get(flag) is False]
    used = [p for p in ("nodeName", "nodeSelector", *flags) if owner.get(p) or (p == "nodeSelector" and selector == {})]
    return found, used


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    return _spec(obj.get("spec") or {}, None)


def _spec(spec: Obj, before: Obj | None) -> list[FieldError]:
    found = check_driver("spec.driver", spec.get("driver") or "") + _pool(spec.get("pool") or {})
    if before is not None:
        pools = [(s.get("pool") or {}).get("name") for s in (spec, before)]
        found += check_immutable("spec.pool.name", *pools)
        for field in ("driver", "nodeName"):
            found += check_immutable(f"spec.{field}", spec.get(field), before.get(field))
    wrong, used = _place("spec", spec, "must be either unset or set to a non-empty string", one_term=True)
    found += wrong
    if not used:
        found.append(required("spec", _ONE))
    elif len(used) > 1:
        found.append(invalid("spec", _braced(used), f"{_ONE}, but multiple fields are set"))
    devices, sets = spec.get("devices"), spec.get("sharedCounters")
    if devices is not None and sets is not None:
        found.append(invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed"))
    advanced = any(d.get("taints") or d.get("consumesCounters") for d in devices or ())
    device = _device(spec.get("perDeviceNodeSelection") is True, {d.get("name"): d for d in _devices(before)})
    found += check_set("spec.devices", devices or [], device, _name, _MAX_ADVANCED if advanced else _MAX_DEVICES)
    return found + check_set("spec.sharedCounters", sets or [], _counters("name"), _name, _MAX_SETS)


def _devices(spec: Obj | None) -> list[Obj]:
    return (spec or {}).get("devices") or []


def _name(named: Obj) -> str:
    return named.get("name") or ""


def _braced(used: list[str]) -> str:
    return "{" + ", ".join(f"`{p}`" for p in used) + "}"


def _device(each_says: bool, before: dict[Any, Obj]) -> Rule:
    """validateDevice. each_says: whether it is for each device to say where it is."""

    def rule(at: str, device: Obj) -> list[FieldError]:
        old = before.get(device.get("name"), {})
        attributes, capacity, taints = (device.get(f) or f_zero for f, f_zero in _PARTS)
        found = label(f"{at}.name", _name(device))
        if len(attributes) + len(capacity) > _MAX_ENTRIES:
            text = f"the total number of attributes and capacities must not exceed {_MAX_ENTRIES}"
            found.append(invalid(at, len(attributes) + len(capacity), text))
        for name, attribute in sorted(attributes.items()):
            found += qualified_name(f"{at}.attributes", name) + _attribute(f"{at}.attributes[{name}]", attribute)
        if capacity != (old.get("capacity") or {}):
            shared = device.get("allowMultipleAllocations") is True
            for name, one in sorted(capacity.items()):
                own = f"{at}.capacity[{name}].requestPolicy"
                found += qualified_name(f"{at}.capacity", name) + _policy(own, one, shared=shared)
        if taints != (old.get("taints") or []):
            found += check_slice(f"{at}.taints", taints, taint, _MAX_TAINTS)
        consumed = device.get("consumesCounters") or []
        key = "counterSet"
        found += check_set(f"{at}.{_CONSUMED}", consumed, _counters(key), lambda c: c.get(key) or "", _MAX_CONSUMED)
        return found + _device_place(at, device, each_says=each_says) + bindings(at, device)

    return rule


_PARTS: tuple[tuple[str, Any], ...] = (("attributes", {}), ("capacity", {}), ("taints", []))
_CONSUMED = "consumesCounters"


def _device_place(at: str, device: Obj, *, each_says: bool) -> list[FieldError]:
    if not each_says:
        given = any(device.get(p) is not None for p in ("nodeName", "nodeSelector", "allNodes"))
        return [invalid(at, None, _NO_PLACE)] if given else []
    found, used = _place(at, device, "must not be empty", one_term=False)
    if not used:
        return [*found, required(at, _ONE_DEVICE)]
    return found + ([invalid(at, _braced(used), _ONE_DEVICE)] if len(used) > 1 else [])


def _attribute(at: str, attribute: Obj) -> list[FieldError]:
    """validateDeviceAttribute: one value."""
    found: list[FieldError] = []
    given = [v for v in _VALUES if attribute.get(v) is not None]
    for field in ("string", "version"):
        value = attribute.get(field)
        if field == "version" and value is not None and not _VERSION.fullmatch(value):
            text = "must be a string compatible with semver.org spec 2.0.0"
            found.append(invalid(f"{at}.{field}", value, text))
        if len(value or "") > _MAX_VALUE:
            found.append(too_long(f"{at}.{field}", _MAX_VALUE))
    if len(given) == 1:
        return found
    shown: Any = {f"{v.capitalize()}Value": attribute.get(v) for v in _VALUES} if given else ""
    return [*found, invalid(at, shown, "exactly one value must be specified")]


def _policy(at: str, capacity: Obj, *, shared: bool) -> list[FieldError]:
    """What requests of a capacity may ask for; only of devices that may be allocated several times."""
    policy = capacity.get("requestPolicy")
    if policy is None:
        return []
    if not shared:
        return [forbidden(at, "allowMultipleAllocations must be true")]
    values, ranged, default = policy.get("validValues") or [], policy.get("validRange"), policy.get("default")
    if values and ranged is not None:
        text = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time'
        return [forbidden(at, text)]
    which = "validValues" if values else "validRange"
    if not values and ranged is None:
        return []
    if default is None:
        return [required(f"{at}.default", f"required when {which} is defined")]
    if values:
        return _among(f"{at}.{which}", default, capacity.get("value") or "0", values)
    return _within(f"{at}.{which}", default, capacity.get("value") or "0", ranged)


def _among(at: str, default: str, most: str, values: list[str]) -> list[FieldError]:
    found: list[FieldError] = []
    for i, (one, following) in enumerate(pairwise(values)):
        if quantity.compare(one, following) > 0:
            found.append(invalid(f"{at}[{i + 1}]", following, "values must be sorted in ascending order"))
    text = f"option is larger than capacity value: {most}"

    def rule(own: str, value: str) -> list[FieldError]:
        return [invalid(own, value, text)] if quantity.compare(value, most) > 0 else []

    found += check_set(at, values, rule, lambda value: str(quantity.value(value)), 10)
    if not any(quantity.compare(value, default) == 0 for value in values):
        found.append(invalid(at, default, "default value is not valid according to the requestPolicy"))
    return found


def _within(at: str, default: str, most: str, ranged: Obj) -> list[FieldError]:
    least, highest, step = (ranged.get(f) for f in ("min", "max", "step"))
    if least is None:
        return [required(f"{at}.min", "required when validRange is defined")]
    rules = [
        ("min", least, quantity.compare(least, most) > 0, f"min is larger than capacity value: {most}"),
        ("default", default, quantity.compare(default, least) < 0, f"default is less than min: {least}"),
    ]
    if highest is not None:
        rules += [
            ("max", least, quantity.compare(least, highest) > 0, f"min is larger than max: {highest}"),
            ("max", highest, quantity.compare(highest, most) > 0, f"max is larger than capacity value: {most}"),
            ("default", default, quantity.compare(default, highest) > 0, f"default is more than max: {highest}"),
        ]
    found = [invalid(f"{at}.{field}", value, text) for field, value, broken, text in rules if broken]
    return found + (_steps(f"{at}.step", [default, highest], least, step, most) if step is not None else [])


def _steps(at: str, values: list[str | None], least: str, step: str, most: str) -> list[FieldError]:
    if quantity.compare(step, "0") <= 0:
        return [invalid(at, step, "must be greater than zero")]
    after, found = quantity.add(least, step), []
    if quantity.compare(after, most) > 0:
        found.append(invalid(at, step, f"one step {after} is larger than capacity value: {most}"))
    text = f"value is not a multiple of a given step ({step}) from ({least})"
    for value in values:
        if value is not None and (quantity.value(value) - quantity.value(least)) % quantity.value(step):
            found.append(invalid(at, value, text))
    return found


def _counters(key: str) -> Rule:
    """validateCounterSet and validateDeviceCounterConsumption, whose sets are named by different fields."""

    def rule(at: str, owner: Obj) -> list[FieldError]:
        name, counters = owner.get(key) or "", owner.get("counters") or {}
        found = label(f"{at}.{key}", name) if name else [required(f"{at}.{key}")]
        if not counters:
            return [*found, required(f"{at}.counters")]
        if len(counters) > _MAX_COUNTERS:
            return [*found, too_many(f"{at}.counters", len(counters), _MAX_COUNTERS)]
        return found + [e for counter in sorted(counters) for e in label(f"{at}.counters", counter)]

    return rule


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    return _spec(new.get("spec") or {}, old.get("spec") or {})


def _warnings(new: Obj, old: Obj | None, ctx: Context) -> list[str]:
    driver = (new.get("spec") or {}).get("driver") or ""
    if driver == driver.lower():
        return []
    return [f"spec.driver: driver names should be lowercase; {go_quote(driver)} contains uppercase characters"]


def _node(obj: Obj) -> str:
    return str(path("spec", "nodeName")(obj) or "<unset>")


STRATEGY = Strategy(
    validate=_validate,
    validate_update=_validate_update,
    warnings=_warnings,
    name=name_is_dns_subdomain,
    generation=True,
    fields={"spec.nodeName": path("spec", "nodeName"), "spec.driver": path("spec", "driver")},
    printer=table(
        NAME,
        column("Node", _node),
        column("Driver", path("spec", "driver")),
        column("Pool", path("spec", "pool", "name")),
        AGE,
    ),
    delete_returns_object=True,
)
