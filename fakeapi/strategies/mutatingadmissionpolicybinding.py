"""MutatingAdmissionPolicyBinding: which policy, with what parameters.

Stands for pkg/registry/admissionregistration/mutatingadmissionpolicybinding.
"""

from __future__ import annotations

from fakeapi.names import name_is_dns_subdomain
from fakeapi.strategies.admissionpolicies import check_common_binding, default_binding, param_ref
from fakeapi.strategies.base import Strategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table

STRATEGY = Strategy(
    bare_finalizers=True,
    default=default_binding,
    validate=lambda obj, ctx: check_common_binding(obj.get("spec") or {}),
    validate_update=lambda new, old, ctx: check_common_binding(new.get("spec") or {}),
    name=name_is_dns_subdomain,
    generation=True,
    unconditional_update=False,
    printer=table(NAME, column("PolicyName", path("spec", "policyName")), column("ParamRef", param_ref), AGE),
)
