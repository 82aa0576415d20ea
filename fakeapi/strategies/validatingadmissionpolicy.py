"""ValidatingAdmissionPolicy: validations and audit annotations.

Stands for pkg/registry/admissionregistration/validatingadmissionpolicy. Whether expressions compile is not looked at.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, required
from fakeapi.names import check, is_qualified_name, name_is_dns_subdomain
from fakeapi.strategies.admissionpolicies import check_common, default_policy, param_kind
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, table
from fakeapi.strategies.volumeattachment import keep_metadata
from fakeapi.strategies.webhooks import check_enum

_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized")
_NEITHER = "validations or auditAnnotations must contain at least one item"


def _prepare_create(obj: Obj, ctx: Context) -> None:
    obj["status"] = {}


def _prepare_status(new: Obj, old: Obj, ctx: Context) -> None:
    new["spec"] = old["spec"]
    keep_metadata(new, old)


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    spec = obj.get("spec") or {}
    found = check_common(spec)
    validations, annotations = spec.get("validations") or [], spec.get("auditAnnotations") or []
    if not validations and not annotations:
        found += [required("spec.validations", _NEITHER), required("spec.auditAnnotations", _NEITHER)]
    for i, validation in enumerate(validations):
        at = f"spec.validations[{i}]"
        if not validation.get("expression", "").strip():
            found.append(required(f"{at}.expression", "expression is not specified"))
        found += check_enum(f"{at}.reason", validation.get("reason"), _REASONS)
    for i, annotation in enumerate(annotations):
        at, key = f"spec.auditAnnotations[{i}]", annotation.get("key", "")
        found += check(f"{at}.key", key, is_qualified_name(f"{obj['metadata'].get('name', '')}/{key}"))
        if not annotation.get("valueExpression", "").strip():
            found.append(required(f"{at}.valueExpression", "valueExpression is not specified"))
    return found


STRATEGY = Strategy(
    bare_finalizers=True,
    default=default_policy,
    prepare_create=_prepare_create,
    prepare_status=_prepare_status,
    validate=_validate,
    validate_update=lambda new, old, ctx: _validate(new, ctx),
    name=name_is_dns_subdomain,
    generation=True,
    unconditional_update=False,
    status_reset=("spec", "metadata"),
    printer=table(
        NAME,
        column("Validations", lambda o: len((o.get("spec") or {}).get("validations") or ()), "integer"),
        column("ParamKind", param_kind),
        AGE,
    ),
)
