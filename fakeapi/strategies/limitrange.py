"""LimitRange: defaults of container limits, and how minima, maxima and defaults must relate.

Stands for pkg/registry/core/limitrange, SetDefaults_LimitRangeItem and ValidateLimitRange.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fakeapi import quantity
from fakeapi.errors import FieldError, duplicate, forbidden, invalid, required
from fakeapi.names import check, is_qualified_name, name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.limits import check_container_name, check_name, overcommit_allowed

_STANDARD_TYPES = ("Pod", "Container", "PersistentVolumeClaim")
_RULES = ("max", "min", "default", "defaultRequest")


def _default(obj: Obj) -> None:
    for item in (obj.get("spec") or {}).get("limits") or ():
        if item.get("type") != "Container":
            continue
        default = {**(item.get("max") or {}), **(item.get("default") or {})}
        request = {**(item.get("min") or {}), **default, **(item.get("defaultRequest") or {})}
        for field, value in (("default", default), ("defaultRequest", request)):
            if value:
                item[field] = value


def _type(path: str, value: str) -> list[FieldError]:
    found = check(path, value, is_qualified_name(value))
    if not found and "/" not in value and value not in _STANDARD_TYPES:
        found.append(invalid(path, value, "must be a standard limit type or fully qualified"))
    return found


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    found: list[FieldError] = []
    seen: set[str] = set()
    for i, item in enumerate((obj.get("spec") or {}).get("limits") or ()):
        at, kind = f"spec.limits[{i}]", item.get("type", "")
        found += _type(f"{at}.type", kind)
        if kind in seen:
            found.append(duplicate(f"{at}.type", kind))
        seen.add(kind)
        found += _names(at, kind, item)
        amounts = {r: {k: quantity.parse(v).nano for k, v in (item.get(r) or {}).items()} for r in (*_RULES, _RATIO)}
        for name in sorted({k for r in amounts.values() for k in r}):
            found += _relations(at, name, item, {r: v[name] for r, v in amounts.items() if name in v})
    return found


_RATIO = "maxLimitRequestRatio"


def _names(at: str, kind: str, item: Mapping[str, Any]) -> list[FieldError]:
    """Names of resources, and what some types may or must have."""
    rule = check_container_name if kind in ("Pod", "Container") else check_name
    found: list[FieldError] = []
    for field in _RULES[:2]:
        found += [e for k in sorted(item.get(field) or ()) for e in rule(f"{at}.{field}[{k}]", k)]
    for field in _RULES[2:]:
        if kind == "Pod":
            if item.get(field):
                found.append(forbidden(f"{at}.{field}", "may not be specified when `type` is 'Pod'"))
        else:
            found += [e for k in sorted(item.get(field) or ()) for e in rule(f"{at}.{field}[{k}]", k)]
    if kind == "PersistentVolumeClaim" and not any("storage" in (item.get(f) or {}) for f in ("min", "max")):
        text = "either minimum or maximum storage value is required, but neither was provided"
        found.append(required(f"{at}.limits", text))
    return found + [e for k in sorted(item.get(_RATIO) or ()) for e in rule(f"{at}.{_RATIO}[{k}]", k)]


# The first may not be greater than the second: field of the error, whose value it shows, its text.
_ORDER = (
    ("min", "max", "min", "min", "min value {} is greater than max value {}"),
    (
        "min",
        "defaultRequest",
        "defaultRequest",
        "defaultRequest",
        "min value {} is greater than default request value {}",
    ),
    (
        "defaultRequest",
        "max",
        "defaultRequest",
        "defaultRequest",
        "default request value {} is greater than max value {}",
    ),
    (
        "defaultRequest",
        "default",
        "defaultRequest",
        "defaultRequest",
        "default request value {} is greater than default limit value {}",
    ),
    ("min", "default", "default", "min", "min value {} is greater than default value {}"),
    ("default", "max", "default", "max", "default value {} is greater than max value {}"),
)


def _relations(at: str, name: str, item: Mapping[str, Any], has: Mapping[str, Any]) -> list[FieldError]:
    def text(rule: str) -> str:
        return str(item[rule][name])

    found = []
    for low, high, field, shown, message in _ORDER:
        if low in has and high in has and has[low] > has[high]:
            found.append(invalid(f"{at}.{field}[{name}]", text(shown), message.format(text(low), text(high))))
    if _RATIO in has:
        path = f"{at}.{_RATIO}[{name}]"
        if has[_RATIO] < 10**9:
            found.append(invalid(path, text(_RATIO), f"ratio {text(_RATIO)} is less than 1"))
        if "min" in has and "max" in has and has["min"] > 0 and has[_RATIO] / 10**9 > has["max"] / has["min"]:
            limit = has["max"] / has["min"]
            found.append(invalid(path, text(_RATIO), f"ratio {text(_RATIO)} is greater than max/min = {limit:f}"))
    both = "default" in has and "defaultRequest" in has
    if not overcommit_allowed(name) and both and has["default"] != has["defaultRequest"]:
        message = (
            f"default value {text('default')} must equal to defaultRequest value {text('defaultRequest')} in {name}"
        )
        found.append(invalid(f"{at}.defaultRequest[{name}]", text("defaultRequest"), message))
    return found


STRATEGY = Strategy(
    default=_default,
    validate=_validate,
    validate_update=lambda new, old, ctx: _validate(new, ctx),
    name=name_is_dns_subdomain,
    create_on_update=True,
)
