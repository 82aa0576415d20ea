"""ValidatingAdmissionPolicy: validations and audit annotations.

Stands for pkg/registry/admissionregistration/validatingadmissionpolicy.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, duplicate, invalid, required
from fakeapi.names import check, is_qualified_name, name_is_dns_subdomain
from fakeapi.strategies.admissionpolicies import check_common, default_policy, param_kind
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, table
from fakeapi.strategies.conditions import check_conditions
from fakeapi.strategies.expressions import Scope
from fakeapi.strategies.volumeattachment import keep_spec_and_metadata
from fakeapi.strategies.webhooks import check_enum

_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized")
_MAX_ANNOTATIONS = 20
_MAX_VALUE = 5 * 1024
_NEITHER = "validations or auditAnnotations must contain at least one item"


def _prepare_create(obj: Obj, ctx: Context) -> None:
    obj["status"] = {}


def _validate_status(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    """validateTypeChecking, but for the syntax of the paths; and the conditions."""
    status = new.get("status") or {}
    found: list[FieldError] = []
    for i, warning in enumerate((status.get("typeChecking") or {}).get("expressionWarnings") or ()):
        at = f"status.typeChecking.expressionWarnings[{i}]"
        found += [] if warning.get("warning") else [required(f"{at}.warning")]
        found += [] if (warning.get("fieldRef") or "").strip() else [required(f"{at}.fieldRef")]
    return found + check_conditions("status.conditions", status.get("conditions"))


def _validation(at: str, validation: Obj, scope: Scope) -> list[FieldError]:
    """validateValidation."""
    text, message, made = (validation.get(f, "") for f in ("expression", "message", "messageExpression"))
    if text.strip():
        found = scope.check(f"{at}.expression", text, "bool")
    else:
        found = [required(f"{at}.expression", "expression is not specified")]
    if made.strip():
        found += scope.check(f"{at}.messageExpression", made, "string", authorizer=False)
    elif made:
        found.append(invalid(f"{at}.messageExpression", made, "must be non-empty if specified"))
    if message and not message.strip():
        found.append(invalid(f"{at}.message", message, "must be non-empty if specified"))
    elif set("\r\n") & set(message.strip()):
        found.append(invalid(f"{at}.message", message, "must not contain line breaks"))
    return found + check_enum(f"{at}.reason", validation.get("reason"), _REASONS)


def _annotation(at: str, annotation: Obj, policy: str, scope: Scope) -> list[FieldError]:
    """validateAuditAnnotation."""
    key, text = f"{policy}/{annotation.get('key', '')}", annotation.get("valueExpression", "")
    found, at = check(f"{at}.key", key, is_qualified_name(key)), f"{at}.valueExpression"
    compiled = text.strip()
    if not compiled:
        return [*found, required(at, "valueExpression is not specified")]
    if len(compiled.encode()) > _MAX_VALUE:
        return [*found, required(at, f"must not exceed {_MAX_VALUE} bytes in length")]
    return found + scope.check(at, text, "string", "null_type", compiled=compiled)


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    spec = obj.get("spec") or {}
    found, scope = check_common(spec)
    validations, annotations = spec.get("validations") or [], spec.get("auditAnnotations") or []
    if not validations and not annotations:
        found += [required("spec.validations", _NEITHER), required("spec.auditAnnotations", _NEITHER)]
    for i, validation in enumerate(validations):
        found += _validation(f"spec.validations[{i}]", validation, scope)
    if len(annotations) > _MAX_ANNOTATIONS:
        text = f"must not have more than {_MAX_ANNOTATIONS} auditAnnotations"
        found.append(invalid("spec.auditAnnotations", annotations, text))
    for i, annotation in enumerate(annotations):
        at, key = f"spec.auditAnnotations[{i}]", annotation.get("key", "")
        found += _annotation(at, annotation, obj["metadata"].get("name", ""), scope)
        found += [duplicate(f"{at}.key", key)] if key in [a.get("key", "") for a in annotations[:i]] else []
    return found


STRATEGY = Strategy(
    bare_finalizers=True,
    default=default_policy,
    prepare_create=_prepare_create,
    prepare_status=keep_spec_and_metadata,
    validate=_validate,
    validate_update=lambda new, old, ctx: _validate(new, ctx),
    validate_status=_validate_status,
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
