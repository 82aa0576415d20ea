"""ResourceQuota: names, amounts and scopes.

Stands for pkg/registry/core/resourcequota and ValidateResourceQuota*. Enforcement is admission/'s.
"""

from __future__ import annotations

from typing import Any

from fakeapi.errors import FieldError, invalid, required
from fakeapi.names import IMMUTABLE, name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, table
from fakeapi.strategies.limits import check_quota_name, check_value, is_quota_name

_PODS = frozenset(("pods",))
_COMPUTE = frozenset(f"{p}{r}" for p in ("", "limits.", "requests.") for r in ("cpu", "memory"))
_CLAIMS = frozenset(("persistentvolumeclaims", "requests.storage"))
# scope -> the standard resources that it can be applied to
_SCOPES = {
    "Terminating": _PODS | _COMPUTE,
    "NotTerminating": _PODS | _COMPUTE,
    "BestEffort": _PODS,
    "NotBestEffort": _PODS | _COMPUTE,
    "PriorityClass": _PODS | _COMPUTE,
    "CrossNamespacePodAffinity": _PODS | _COMPUTE,
    "VolumeAttributesClass": _CLAIMS,
}
_PAIRS = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
_ONLY_EXISTS = ("BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity")
_EXIST_TEXT = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)


def _misapplied(scope: str, hard: Obj) -> int:
    fits = _SCOPES.get(scope)
    return sum(1 for k in hard if is_quota_name(k) and k not in fits) if fits is not None else 0


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    spec = obj.get("spec") or {}
    hard = spec.get("hard") or {}
    found: list[FieldError] = []
    for name in sorted(hard):
        at = f"spec.hard[{name}]"
        found += check_quota_name(at, name) + check_value(at, name, hard[name])
    scopes = spec.get("scopes") or []
    for scope in scopes:
        if scope not in _SCOPES:
            found.append(invalid("spec.scopes", scopes, "unsupported scope"))
        found += [invalid("spec.scopes", scopes, "unsupported scope applied to resource")] * _misapplied(scope, hard)
    found += [invalid("spec.scopes", scopes, "conflicting scopes") for p in _PAIRS if p <= set(scopes)]
    if spec.get("scopeSelector") is not None:
        found += _selector(spec["scopeSelector"], hard, scopes)
    return found


def _selector(selector: Obj, hard: Obj, scopes: list[str]) -> list[FieldError]:
    at = "spec.scopeSelector.matchExpressions"
    found: list[FieldError] = []
    terms = selector.get("matchExpressions") or []
    fields = (("ScopeName", "scopeName"), ("Operator", "operator"))
    expressions = [{go: t.get(f) or "" for go, f in fields} | {"Values": t.get("values")} for t in terms]
    shown = {"MatchExpressions": expressions or None}
    for term in terms:
        scope, operator, values = term.get("scopeName", ""), term.get("operator", ""), term.get("values") or []
        if scope not in _SCOPES:
            found.append(invalid(f"{at}.scopeName", scope, "unsupported scope"))
        found += [invalid(at, shown, "unsupported scope applied to resource")] * _misapplied(scope, hard)
        if scope in _ONLY_EXISTS and operator != "Exists":
            found.append(invalid(f"{at}.operator", operator, _EXIST_TEXT))
        if operator in ("In", "NotIn"):
            if not values:
                text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
                found.append(required(f"{at}.values", text))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
                found.append(invalid(f"{at}.values", values, text))
        else:
            found.append(invalid(f"{at}.operator", operator, "not a valid selector operator"))
    used = {t.get("scopeName", "") for t in terms}
    return found + [invalid(at, scopes or None, "conflicting scopes") for p in _PAIRS if p <= used]


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    found = _validate(new, ctx)
    scopes = (new.get("spec") or {}).get("scopes") or []
    if set(scopes) != set((old.get("spec") or {}).get("scopes") or ()):
        found.append(invalid("spec.scopes", scopes or None, IMMUTABLE))
    return found


def _validate_status(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    found: list[FieldError] = []
    for field in ("hard", "used"):
        amounts = (new.get("status") or {}).get(field) or {}
        for name in sorted(amounts):
            at = f"status.{field}[{name}]"
            found += check_quota_name(at, name) + check_value(at, name, amounts[name])
    return found


def _reset_status(obj: Obj, ctx: Context) -> None:
    obj["status"] = {}


def _used(limits: bool) -> Any:
    def cell(obj: Obj) -> str:
        status = obj.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        names = sorted(k for k in hard if k.startswith("limits.") == limits)
        return ", ".join(f"{k}: {used.get(k, '0')}/{hard[k]}" for k in names)

    return cell


STRATEGY = Strategy(
    prepare_create=_reset_status,
    validate=_validate,
    validate_update=_validate_update,
    validate_status=_validate_status,
    name=name_is_dns_subdomain,
    printer=table(NAME, column("Request", _used(False)), column("Limit", _used(True)), AGE),
    delete_returns_object=True,
)
