"""Rules that claims, device classes and slices share: sets with a limit, names of attributes, tolerations, bindings.

Stands for the helpers of pkg/apis/resource/validation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from fakeapi.errors import FieldError, duplicate, invalid, not_supported, required, too_long, too_many
from fakeapi.names import (
    check,
    is_c_identifier,
    is_dns1123_label,
    is_dns1123_subdomain,
    is_label_value,
    is_qualified_name,
)
from fakeapi.strategies.base import Obj
from fakeapi.strategies.podspec.volumes import check_driver

MAX_REQUESTS = 32
EFFECTS = ("NoExecute", "NoSchedule", "None")
_OPERATORS = ("Equal", "Exists")
_MAX_ID = 32
_MAX_POOL = 253
_MAX_BINDINGS = 4
_BOTH = "{0} are required to use {1}"

Rule = Callable[[str, Any], list[FieldError]]


def check_slice(at: str, items: Sequence[Any], rule: Rule, maximum: int = MAX_REQUESTS) -> list[FieldError]:
    """validateSlice: of too many items, only their number is told."""
    if len(items) > maximum:
        return [too_many(at, len(items), maximum)]
    return [e for i, item in enumerate(items) for e in rule(f"{at}[{i}]", item)]


def check_set(
    at: str, items: Sequence[Any], rule: Rule, key: Callable[[Any], str], maximum: int = MAX_REQUESTS
) -> list[FieldError]:
    """validateSet: what is wrong with the items comes before what is there twice."""
    found = check_slice(at, items, rule, maximum)
    keys = [key(item) for item in items]
    if len(items) > maximum:
        return found
    return found + [duplicate(f"{at}[{i}]", k) for i, k in enumerate(keys) if k in keys[:i]]


def label(at: str, value: str) -> list[FieldError]:
    """ValidateDNS1123Label."""
    return check(at, value, is_dns1123_label(value))


def qualified_name(at: str, name: str) -> list[FieldError]:
    """validateQualifiedName: of an attribute or a capacity, with or without a domain."""
    parts = name.split("/")
    if len(parts) > 2:
        return [invalid(at, name, "must not contain more than one slash")]
    found: list[FieldError] = []
    if len(parts) == 2:
        found += check_driver(at, parts[0]) if parts[0] else [invalid(at, "", "the domain must not be empty")]
        if not parts[1]:
            return [*found, invalid(at, "", "the name must not be empty")]
    own = parts[-1]
    found += [too_long(at, _MAX_ID)] if len(own) > _MAX_ID else []
    return found + check(at, own, is_c_identifier(own))


def fully_qualified_name(at: str, name: str) -> list[FieldError]:
    """validateFullyQualifiedName: the domain is a must."""
    text = "a fully qualified name must be a domain and a name separated by a slash"
    return qualified_name(at, name) + ([] if "/" in name else [invalid(at, name, text)])


def pool_name(at: str, name: str) -> list[FieldError]:
    """validatePoolName: subdomains with slashes between."""
    if not name:
        return [required(at)]
    found = [too_long(at, _MAX_POOL)] if len(name) > _MAX_POOL else []
    return found + [e for part in name.split("/") for e in check(at, part, is_dns1123_subdomain(part))]


def toleration(at: str, given: Obj) -> list[FieldError]:
    """validateDeviceToleration."""
    key, value, operator, effect = (given.get(f) or "" for f in ("key", "value", "operator", "effect"))
    found = check(f"{at}.key", key, is_qualified_name(key)) if key else []
    if operator == "Exists":
        if value:
            found.append(invalid(f"{at}.value", value, "must be empty for operator `Exists`"))
    elif operator == "Equal":
        found += check(f"{at}.value", value, is_label_value(value))
    else:
        found.append(not_supported(f"{at}.operator", operator, _OPERATORS))
    if effect and effect not in EFFECTS:
        found.append(not_supported(f"{at}.effect", effect, EFFECTS))
    return found


def taint(at: str, given: Obj) -> list[FieldError]:
    """validateDeviceTaint."""
    key, value, effect = (given.get(f) or "" for f in ("key", "value", "effect"))
    found = check(f"{at}.key", key, is_qualified_name(key))
    found += check(f"{at}.value", value, is_label_value(value)) if value else []
    if not effect:
        return [*found, required(f"{at}.effect")]
    return found + ([] if effect in EFFECTS else [not_supported(f"{at}.effect", effect, EFFECTS)])


def bindings(at: str, owner: Obj) -> list[FieldError]:
    """validateDeviceBindingParameters."""
    good, bad = "bindingConditions", "bindingFailureConditions"
    conditions, failures = (owner.get(f) or [] for f in (good, bad))

    def name(path: str, value: str) -> list[FieldError]:
        return check(path, value, is_qualified_name(value))

    found = [e for f in (good, bad) for e in check_slice(f"{at}.{f}", owner.get(f) or [], name, _MAX_BINDINGS)]
    found += [duplicate(f"{at}.{good}[{i}]", c) for i, c in enumerate(conditions) if c in conditions[:i]]
    for i, condition in enumerate(failures):
        found += [duplicate(f"{at}.{bad}[{i}]", condition)] if condition in failures[:i] else []
        if condition in conditions:
            found.append(invalid(f"{at}.{bad}[{i}]", condition, f"{bad} must not overlap with {good}"))
    if failures and not conditions:
        found.append(invalid(f"{at}.{good}", None, _BOTH.format(good, bad)))
    if conditions and not failures:
        found.append(invalid(f"{at}.{bad}", None, _BOTH.format(bad, good)))
    return found


def raw_object(at: str, value: Any, maximum: int) -> list[FieldError]:
    """validateRawExtension: a JSON object, and not too long."""
    if value is None:
        return [required(at)]
    if len(orjson.dumps(value)) > maximum:
        return [too_long(at, maximum)]
    return [] if isinstance(value, dict) else [invalid(at, "<value omitted>", "must be a valid JSON object")]


def request_names(devices: Obj) -> set[str]:
    """What a constraint or a configuration may name: requests, and `request/choice`."""
    names: set[str] = set()
    for request in devices.get("requests") or ():
        own = request.get("name") or ""
        names |= {own, *(f"{own}/{c.get('name') or ''}" for c in request.get("firstAvailable") or ())}
    return names


def request_reference(known: set[str]) -> Rule:
    """validateRequestNameRef."""
    text = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"

    def rule(at: str, name: str) -> list[FieldError]:
        parts = name.split("/")
        if len(parts) > 2:
            return [invalid(at, name, text)]
        found = [e for part in parts for e in label(at, part)]
        return found + ([] if name in known else [invalid(at, name, text)])

    return rule
