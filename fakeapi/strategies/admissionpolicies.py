"""What validating and mutating admission policies and their bindings have in common.

Stands for pkg/apis/admissionregistration/validation as far as policies go. Expressions are not compiled here.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, duplicate, invalid, required
from fakeapi.names import check, is_c_identifier, is_path_segment
from fakeapi.strategies.base import Obj
from fakeapi.strategies.webhooks import (
    FAILURE,
    MATCH,
    check_conditions,
    check_enum,
    check_rules,
    check_selectors,
    default_match,
)


def default_policy(obj: Obj) -> None:
    """Failure policy and match constraints."""
    spec = obj["spec"] = obj.get("spec") or {}
    if spec.get("failurePolicy") is None:
        spec["failurePolicy"] = "Fail"
    if spec.get("matchConstraints") is not None:
        default_match(spec["matchConstraints"])


def default_binding(obj: Obj) -> None:
    """Match resources of a binding."""
    spec = obj["spec"] = obj.get("spec") or {}
    if spec.get("matchResources") is not None:
        default_match(spec["matchResources"])


def check_match(at: str, match: Obj) -> list[FieldError]:
    """validateMatchResources."""
    found = check_enum(f"{at}.matchPolicy", match.get("matchPolicy"), MATCH) + check_selectors(at, match)
    for field in ("resourceRules", "excludeResourceRules"):
        found += check_rules(f"{at}.{field}", match.get(field) or ())
    return found


def check_common(spec: Obj) -> list[FieldError]:
    """Failure policy, parameters, constraints, conditions, variables."""
    found = check_enum("spec.failurePolicy", spec.get("failurePolicy"), FAILURE)
    kind = spec.get("paramKind")
    if kind is not None:
        found += [required(f"spec.paramKind.{f}") for f in ("apiVersion", "kind") if not kind.get(f)]
    match = spec.get("matchConstraints")
    if match is None:
        found.append(required("spec.matchConstraints"))
    else:
        found += check_match("spec.matchConstraints", match)
        if not match.get("resourceRules"):
            found.append(required("spec.matchConstraints.resourceRules"))
    found += check_conditions("spec.matchConditions", spec.get("matchConditions") or ())
    seen: set[str] = set()
    for i, variable in enumerate(spec.get("variables") or ()):
        at, name = f"spec.variables[{i}]", variable.get("name", "")
        if not name:
            found.append(required(f"{at}.name", "name is not specified"))
        else:
            messages = is_c_identifier(name)
            found += [invalid(f"{at}.name", name, "name is not a valid CEL identifier")] if messages else []
            found += [duplicate(f"{at}.name", name)] if name in seen else []
        seen.add(name)
        if not variable.get("expression", "").strip():
            found.append(required(f"{at}.expression", "expression is not specified"))
    return found


def check_common_binding(spec: Obj) -> list[FieldError]:
    """Policy name, parameters, match resources."""
    name = spec.get("policyName", "")
    found = check("spec.policyName", name, is_path_segment(name)) if name else [required("spec.policyName")]
    reference = spec.get("paramRef")
    if reference is not None:
        given, selector = reference.get("name"), reference.get("selector")
        if not given and selector is None:
            found.append(required("spec.paramRef", "one of name or selector must be specified"))
        elif given and selector is not None:
            found.append(invalid("spec.paramRef.name", given, "name and selector are mutually exclusive"))
        action = reference.get("parameterNotFoundAction")
        if action is None:
            found.append(required("spec.paramRef.parameterNotFoundAction"))
        else:
            found += check_enum("spec.paramRef.parameterNotFoundAction", action, ("Allow", "Deny"))
    if spec.get("matchResources") is not None:
        found += check_match("spec.matchResources", spec["matchResources"])
    return found


def param_kind(obj: Obj) -> str:
    """The ParamKind column."""
    kind = (obj.get("spec") or {}).get("paramKind")
    return f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}" if kind else "<unset>"


def param_ref(obj: Obj) -> str:
    """The ParamRef column."""
    reference = (obj.get("spec") or {}).get("paramRef")
    if reference is None:
        return "<unset>"
    name = str(reference.get("name") or "*")
    return f"{reference['namespace']}/{name}" if reference.get("namespace") else name
