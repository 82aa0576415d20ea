"""What kinds that run copies of a pod template validate alike: selector and template, rolling updates, status counts.

Stands for the shared parts of pkg/apis/apps/validation and of ReplicationController in pkg/apis/core/validation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fakeapi.errors import FieldError, forbidden, invalid, not_supported, required
from fakeapi.gofmt import GoText
from fakeapi.names import check, check_label_selector, check_non_negative, is_percent
from fakeapi.patterns import lazy
from fakeapi.selectors import SelectorError, from_label_selector
from fakeapi.strategies.base import Context
from fakeapi.strategies.podspec.spec import validate_template
from fakeapi.strategies.podspec.warnings import name_warnings, template_warnings

Obj = dict[str, Any]
Errors = list[FieldError]

MISMATCH = "`selector` does not match template `labels`"
_PERCENT = lazy("[0-9]+%")


def selects(selector: Obj | None, labels: dict[str, str]) -> bool | None:
    """LabelSelectorAsSelector and Matches: none selects nothing, an empty one everything; None for a malformed one."""
    try:
        return from_label_selector(selector).matches(labels)
    except SelectorError:
        return None


def validate_selector(spec: Obj, path: str, empty: str) -> Errors:
    """Required, well-formed and not empty; `empty` is what is said then."""
    selector = spec.get("selector")
    if selector is None:
        return [required(f"{path}.selector")]
    errors = check_label_selector(f"{path}.selector", selector)
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        errors.append(invalid(f"{path}.selector", selector, empty))
    return errors


def validate_selected_template(spec: Obj, path: str, kind: str, bad_selector: str | None) -> Errors:
    """The template's labels match, it is valid, its pods restart always. bad_selector: said of a broken one."""
    selector, template = spec.get("selector"), spec.get("template") or {}
    matches = selects(selector, ((template.get("metadata") or {}).get("labels")) or {})
    if matches is None:
        return [] if bad_selector is None else [invalid(f"{path}.selector", selector, bad_selector)]
    labels = (template.get("metadata") or {}).get("labels")
    errors: Errors = []
    if not matches:
        errors.append(invalid(f"{path}.template.metadata.labels", labels, MISMATCH))
    errors += validate_template(template, f"{path}.template")
    return errors + validate_always(template, f"{path}.template", kind)


def validate_always(template: Obj, path: str, kind: str) -> Errors:
    """Pods of controllers that keep them running restart always and have no deadline."""
    spec = template.get("spec") or {}
    errors: Errors = []
    if spec.get("restartPolicy") != "Always":
        errors.append(not_supported(f"{path}.spec.restartPolicy", spec.get("restartPolicy") or "", ("Always",)))
    if spec.get("activeDeadlineSeconds") is not None:
        text = f"activeDeadlineSeconds in {kind} is not Supported"
        errors.append(forbidden(f"{path}.spec.activeDeadlineSeconds", text))
    return errors


def check_int_or_percent(value: Any, path: str) -> Errors:
    """ValidatePositiveIntOrPercent."""
    if isinstance(value, str):
        return check(path, value, is_percent(value))
    return check_non_negative(path, value)


def check_at_most_all(value: Any, path: str) -> Errors:
    """IsNotMoreThan100Percent."""
    if isinstance(value, str) and _PERCENT.fullmatch(value) and int(value[:-1]) > 100:
        return [invalid(path, value, "must not be greater than 100%")]
    return []


def amount(value: Any) -> int:
    """getIntOrPercentValue: the number, be it a percentage or not."""
    if isinstance(value, str):
        return int(value[:-1]) if _PERCENT.fullmatch(value) else int(value) if value.isdigit() else 0
    return value or 0


def go_strategy(strategy: Obj) -> GoText:
    """An update strategy as Go prints the internal struct; only ever shown without its rolling update."""
    return GoText(f'{{"Type":"{strategy.get("type") or ""}","RollingUpdate":null}}')


def check_counts(status: Obj, names: Iterable[str]) -> Errors:
    """Fields of a status that are never negative."""
    errors: Errors = []
    for name in names:
        errors += check_non_negative(f"status.{name}", status.get(name))
    return errors


def check_replica_counts(status: Obj, names: Iterable[str], ready: str = "readyReplicas") -> Errors:
    """No count is above replicas, none more available than ready; ready is how the message names those."""
    total = status.get("replicas") or 0
    errors: Errors = []
    for name in names:
        value = status.get(name) or 0
        if value > total:
            errors.append(invalid(f"status.{name}", value, "cannot be greater than status.replicas"))
    available = status.get("availableReplicas") or 0
    if available > (status.get("readyReplicas") or 0):
        errors.append(invalid("status.availableReplicas", available, f"cannot be greater than {ready}"))
    return errors


def check_collisions(new: Obj, old: Obj) -> Errors:
    """IsDecremented of status.collisionCount."""
    value, before = ((x.get("status") or {}).get("collisionCount") for x in (new, old))
    if before is not None and (value is None or value < before):
        return [invalid("status.collisionCount", value or 0, "cannot be decremented")]
    return []


def empty_replica_status(obj: Obj, ctx: Context) -> None:
    """PrepareForCreate of what is all replicas: an empty status."""
    obj["status"] = {"replicas": 0}


_REPLICA_COUNTS = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")


def validate_replica_status(new: Obj, old: Obj, ctx: Context) -> Errors:
    """ValidateReplicaSetStatusUpdate and ValidateReplicationControllerStatusUpdate."""
    status = new.get("status") or {}
    errors = check_counts(status, ("replicas", *_REPLICA_COUNTS, "terminatingReplicas", "observedGeneration"))
    return errors + check_replica_counts(status, _REPLICA_COUNTS)


def same_generation(new: Obj, old: Obj | None) -> bool:
    """An update that leaves the generation alone, of which nobody is warned."""
    return old is not None and new["metadata"].get("generation") == old["metadata"].get("generation")


def warnings(new: Obj, old: Obj | None, ctx: Context) -> list[str]:
    """WarningsOnCreate and WarningsOnUpdate of kinds whose name becomes a prefix of their pods' names."""
    if same_generation(new, old):
        return []
    found = name_warnings(new["metadata"].get("name") or "") if old is None else []
    return found + template_warnings(new["spec"].get("template") or {}, "spec.template")
