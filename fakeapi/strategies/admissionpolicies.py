"""What validating and mutating admission policies and their bindings have in common.

Stands for pkg/apis/admissionregistration/validation as far as policies go.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, forbidden, invalid, required
from fakeapi.names import (
    check,
    check_label_selector,
    is_dns1035_label,
    is_dns1123_subdomain,
    is_path_segment,
    name_is_dns_subdomain,
)
from fakeapi.strategies.base import Obj
from fakeapi.strategies.expressions import Scope
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


def _param_kind(at: str, kind: Obj) -> list[FieldError]:
    """validateParamKind."""
    given, name, found = kind.get("apiVersion", ""), kind.get("kind", ""), []
    group, _, version = given.rpartition("/")
    if not given:
        found.append(required(f"{at}.apiVersion"))
    elif given.count("/") > 1:
        found.append(invalid(f"{at}.apiVersion", given, f"unexpected GroupVersion string: {given}"))
    else:
        told = ",".join(is_dns1123_subdomain(group)) if group else ""
        found += [invalid(f"{at}.apiVersion", group, told)] if told else []
        told = ",".join(is_dns1035_label(version)) if version else ""
        found += [invalid(f"{at}.apiVersion", version, told)] if told else []
        found += [] if version else [invalid(f"{at}.apiVersion", given, "version must be specified")]
    if not name:
        found.append(required(f"{at}.kind"))
    elif told := ",".join(is_dns1035_label(name.lower())):
        found.append(invalid(f"{at}.kind", name, f"may have mixed case, but should otherwise match: {told}"))
    return found


def check_common(spec: Obj) -> tuple[list[FieldError], Scope]:
    """Failure policy, parameters, constraints, conditions, variables; and what further expressions may use."""
    found = check_enum("spec.failurePolicy", spec.get("failurePolicy"), FAILURE)
    kind = spec.get("paramKind")
    if kind is not None:
        found += _param_kind("spec.paramKind", kind)
    match = spec.get("matchConstraints")
    if match is None:
        found.append(required("spec.matchConstraints"))
    else:
        found += check_match("spec.matchConstraints", match)
        if not match.get("resourceRules"):
            found.append(required("spec.matchConstraints.resourceRules"))
    found += check_conditions("spec.matchConditions", spec.get("matchConditions") or (), params=kind is not None)
    scope = Scope(kind is not None)
    return found + scope.declare("spec.variables", spec.get("variables") or ()), scope


def _param_ref(at: str, reference: Obj) -> list[FieldError]:
    """validateParamRef."""
    name, selector, found = reference.get("name"), reference.get("selector"), []
    both = "name and selector are mutually exclusive" if name and selector is not None else ""
    if name:
        found += check(f"{at}.name", name, is_path_segment(name))
        found += [forbidden(f"{at}.name", both)] if both else []
    found += check_label_selector(f"{at}.selector", selector)
    found += [forbidden(f"{at}.selector", both)] if both else []
    if not name and selector is None:
        found.append(required(at, "one of name or selector must be specified"))
    action = reference.get("parameterNotFoundAction")
    if not action:
        return [*found, required(f"{at}.parameterNotFoundAction")]
    return found + check_enum(f"{at}.parameterNotFoundAction", action, ("Deny", "Allow"))


def check_common_binding(spec: Obj) -> list[FieldError]:
    """Policy name, parameters, match resources."""
    name = spec.get("policyName", "")
    found = (
        check("spec.policyName", name, name_is_dns_subdomain(name, False)) if name else [required("spec.policyName")]
    )
    reference = spec.get("paramRef")
    if reference is not None:
        found += _param_ref("spec.paramRef", reference)
    if spec.get("matchResources") is not None:
        # Upstream misspells the path.
        found += check_match("spec.matchResouces", spec["matchResources"])
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
