"""Conditions of the common type (metav1.Condition), checked where upstream's status strategies do.

Stands for apimachinery's pkg/apis/meta/v1/validation, ValidateConditions.
"""

from __future__ import annotations

from collections.abc import Sequence

from fakeapi.errors import FieldError, duplicate, invalid, not_supported, required, too_long
from fakeapi.names import check, is_qualified_name, regex_error
from fakeapi.patterns import lazy
from fakeapi.strategies.base import Obj

_STATUSES = ("False", "True", "Unknown")
_REASON = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"
_REASON_RE = lazy(_REASON)
_REASON_TEXT = (
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric "
    "characters or '_,:', and must end with an alphanumeric character or '_'"
)
_REASON_EXAMPLES = ("my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB")
_MAX_REASON = 1024
_MAX_MESSAGE = 32 * 1024


def check_conditions(at: str, conditions: Sequence[Obj] | None) -> list[FieldError]:
    """ValidateConditions."""
    found: list[FieldError] = []
    seen: set[str] = set()
    for i, condition in enumerate(conditions or ()):
        kind = condition.get("type") or ""
        found += [duplicate(f"{at}[{i}].type", kind)] if kind in seen else []
        seen.add(kind)
        found += _condition(f"{at}[{i}]", condition)
    return found


def _condition(at: str, condition: Obj) -> list[FieldError]:
    kind, status, reason = (condition.get(f) or "" for f in ("type", "status", "reason"))
    found = check(f"{at}.type", kind, is_qualified_name(kind))
    if status not in _STATUSES:
        found.append(not_supported(f"{at}.status", status, _STATUSES))
    generation = condition.get("observedGeneration") or 0
    if generation < 0:
        found.append(invalid(f"{at}.observedGeneration", generation, "must be greater than or equal to zero"))
    if not condition.get("lastTransitionTime"):
        found.append(required(f"{at}.lastTransitionTime", "must be set"))
    if not reason:
        found.append(required(f"{at}.reason", "must be set"))
    else:
        if not _REASON_RE.fullmatch(reason):
            found.append(invalid(f"{at}.reason", reason, regex_error(_REASON_TEXT, _REASON, *_REASON_EXAMPLES)))
        found += [too_long(f"{at}.reason", _MAX_REASON)] if len(reason) > _MAX_REASON else []
    if len(condition.get("message") or "") > _MAX_MESSAGE:
        found.append(too_long(f"{at}.message", _MAX_MESSAGE))
    return found
