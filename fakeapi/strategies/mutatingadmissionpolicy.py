"""MutatingAdmissionPolicy: mutations.

Stands for pkg/registry/admissionregistration/mutatingadmissionpolicy.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, invalid, not_supported, required
from fakeapi.names import name_is_dns_subdomain
from fakeapi.strategies.admissionpolicies import check_common, default_policy, param_kind
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, table
from fakeapi.strategies.expressions import Scope
from fakeapi.strategies.webhooks import REINVOCATION, check_enum

_PATCHES = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}
_TYPES = {"ApplyConfiguration": "Object", "JSONPatch": "list(JSONPatch)"}


def _mutation(at: str, mutation: Obj, scope: Scope) -> list[FieldError]:
    """A patch of the type that is named, and no other."""
    kind = mutation.get("patchType", "")
    if not kind:
        return [required(f"{at}.patchType")]
    if kind not in _PATCHES:
        return [not_supported(f"{at}.patchType", kind, tuple(_PATCHES))]
    own, found = _PATCHES[kind], []
    if mutation.get(own) is None:
        found.append(required(f"{at}.{own}", f"must be specified when patchType is {kind}"))
    else:
        where, text = f"{at}.{own}.expression", mutation[own].get("expression", "")
        if text.strip():
            found += scope.check(where, text, _TYPES[kind], patching=True)
        else:
            found.append(required(where, "expression is not specified"))
    others = (f for f in _PATCHES.values() if f != own and mutation.get(f) is not None)
    return found + [invalid(f"{at}.{f}", f"{{{f}}}", f"must not be specified when patchType is {kind}") for f in others]


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    spec = obj.get("spec") or {}
    found, scope = check_common(spec)
    mutations = spec.get("mutations") or []
    if not mutations:
        found.append(required("spec.mutations", "mutations must contain at least one item"))
    for i, mutation in enumerate(mutations):
        found += _mutation(f"spec.mutations[{i}]", mutation, scope)
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
