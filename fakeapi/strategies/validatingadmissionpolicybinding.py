"""ValidatingAdmissionPolicyBinding: which policy, with what parameters, and what a failed validation does.

Stands for pkg/registry/admissionregistration/validatingadmissionpolicybinding.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, duplicate, invalid, not_supported, required
from fakeapi.names import name_is_dns_subdomain
from fakeapi.strategies.admissionpolicies import check_common_binding, default_binding, param_ref
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table

_ACTIONS = ("Audit", "Deny", "Warn")
_BOTH = (
    "must not contain both Deny and Warn (repeating the same validation failure information in the API response and "
    "headers serves no purpose)"
)


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    spec = obj.get("spec") or {}
    found = check_common_binding(spec)
    actions = spec.get("validationActions") or []
    if not actions:
        found.append(required("spec.validationActions", "at least one validation action is required"))
    for i, action in enumerate(actions):
        if action not in _ACTIONS:
            found.append(not_supported(f"spec.validationActions[{i}]", action, _ACTIONS))
        if action in actions[:i]:
            found.append(duplicate(f"spec.validationActions[{i}]", action))
    if "Deny" in actions and "Warn" in actions:
        found.append(invalid("spec.validationActions", actions, _BOTH))
    return found


STRATEGY = Strategy(
    bare_finalizers=True,
    default=default_binding,
    validate=_validate,
    validate_update=lambda new, old, ctx: _validate(new, ctx),
    name=name_is_dns_subdomain,
    generation=True,
    unconditional_update=False,
    printer=table(NAME, column("PolicyName", path("spec", "policyName")), column("ParamRef", param_ref), AGE),
)
