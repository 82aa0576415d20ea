"""PodDisruptionBudget: how many pods must stay, or may go.

Stands for pkg/registry/policy/poddisruptionbudget and ValidatePodDisruptionBudget*.
"""

from __future__ import annotations

from typing import Any

from fakeapi.errors import FieldError, invalid, not_supported
from fakeapi.gofmt import GoText, go_value
from fakeapi.names import NEGATIVE, check, check_label_selector, check_non_negative, is_percent, name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table
from fakeapi.strategies.conditions import check_conditions

_POLICIES = ("AlwaysAllow", "IfHealthyBudget")
_COUNTS = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")


def _prepare_create(obj: Obj, ctx: Context) -> None:
    obj["spec"] = obj.get("spec") or {}
    obj["status"] = dict.fromkeys(_COUNTS, 0)


def _prepare_update(new: Obj, old: Obj, ctx: Context) -> None:
    new["status"] = old.get("status") or {}


def _prepare_status(new: Obj, old: Obj, ctx: Context) -> None:
    new["spec"] = old.get("spec") or {}


def check_amount(at: str, value: Any) -> list[FieldError]:
    """A whole number or a percentage up to 100%."""
    if isinstance(value, int):
        return [invalid(at, value, NEGATIVE)] if value < 0 else []
    found = check(at, value, is_percent(value))
    if not found and int(value[:-1]) > 100:
        found.append(invalid(at, value, "must not be greater than 100%"))
    return found


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    spec = obj.get("spec") or {}
    least, most, policy = (spec.get(f) for f in ("minAvailable", "maxUnavailable", "unhealthyPodEvictionPolicy"))
    found: list[FieldError] = []
    if least is not None and most is not None:
        shown = {
            "MinAvailable": least,
            "Selector": spec.get("selector"),
            "MaxUnavailable": most,
            "UnhealthyPodEvictionPolicy": policy,
        }
        text = "minAvailable and maxUnavailable cannot be both set"
        found.append(invalid("spec", GoText(go_value(shown)), text))
    if least is not None:
        found += check_amount("spec.minAvailable", least)
    if most is not None:
        found += check_amount("spec.maxUnavailable", most)
    found += check_label_selector("spec.selector", spec.get("selector"))
    if policy is not None and policy not in _POLICIES:
        found.append(not_supported("spec.unhealthyPodEvictionPolicy", policy, _POLICIES))
    return found


def _validate_status(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    status = new.get("status") or {}
    found = check_conditions("status.conditions", status.get("conditions"))
    return found + [e for f in _COUNTS for e in check_non_negative(f"status.{f}", status.get(f))]


def _amount(field: str) -> Any:
    return lambda obj: str(path("spec", field, default="N/A")(obj))


STRATEGY = Strategy(
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_status=_prepare_status,
    validate=_validate,
    validate_update=lambda new, old, ctx: _validate(new, ctx),
    validate_status=_validate_status,
    name=name_is_dns_subdomain,
    generation=True,
    unconditional_update=False,
    printer=table(
        NAME,
        column("Min Available", _amount("minAvailable")),
        column("Max Unavailable", _amount("maxUnavailable")),
        column("Allowed Disruptions", path("status", "disruptionsAllowed", default=0), "integer"),
        AGE,
    ),
)
