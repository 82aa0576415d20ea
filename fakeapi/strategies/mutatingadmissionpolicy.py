"""MutatingAdmissionPolicy: mutations.

Stands for pkg/registry/admissionregistration/mutatingadmissionpolicy. Whether expressions compile is not looked at.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, not_supported, required
from fakeapi.names import name_is_dns_subdomain
from fakeapi.strategies.admissionpolicies import check_common, default_policy, param_kind
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, table
from fakeapi.strategies.webhooks import REINVOCATION, check_enum

_PATCHES = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    spec = obj.get("spec") or {}
    found = check_common(spec)
    mutations = spec.get("mutations") or []
    if not mutations:
        found.append(required("spec.mutations", "mutations must contain at least one item"))
    for i, mutation in enumerate(mutations):
        at, kind = f"spec.mutations[{i}]", mutation.get("patchType", "")
        if not kind:
            found.append(required(f"{at}.patchType"))
        elif kind not in _PATCHES:
            found.append(not_supported(f"{at}.patchType", kind, tuple(_PATCHES)))
        elif mutation.get(_PATCHES[kind]) is None:
            found.append(required(f"{at}.{_PATCHES[kind]}", f"must be specified when patchType is {kind}"))
        elif not mutation[_PATCHES[kind]].get("expression", "").strip():
            found.append(required(f"{at}.{_PATCHES[kind]}.expression", "expression is not specified"))
    policy = spec.get("reinvocationPolicy")
    if not policy:
        found.append(required("spec.reinvocationPolicy"))
    else:
        found += check_enum("spec.reinvocationPolicy", policy, REINVOCATION)
    return found


STRATEGY = Strategy(
    bare_finalizers=True,
    default=default_policy,
    validate=_validate,
    validate_update=lambda new, old, ctx: _validate(new, ctx),
    name=name_is_dns_subdomain,
    generation=True,
    unconditional_update=False,
    printer=table(
        NAME,
        column("Mutations", lambda o: len((o.get("spec") or {}).get("mutations") or ()), "integer"),
        column("ParamKind", param_kind),
        AGE,
    ),
)
