"""DaemonSets. Stands for pkg/registry/apps/daemonset and SetDefaults_DaemonSet.

The template's generation is a field of the internal type only; on the wire it is an annotation that clients cannot set.
"""

from __future__ import annotations

from typing import Any

from fakeapi.errors import FieldError, invalid, not_supported, required
from fakeapi.names import check_immutable, check_label_selector, check_non_negative, name_is_dns_subdomain
from fakeapi.selectors import format_label_selector
from fakeapi.strategies.base import Column, Context, Printer, Strategy
from fakeapi.strategies.podspec.defaults import fill
from fakeapi.strategies.podspec.printing import (
    AGE,
    CONTAINERS,
    IMAGES,
    NAME,
    age,
    label_map,
    names_and_images,
    selector_column,
)
from fakeapi.strategies.podspec.spec import validate_template
from fakeapi.strategies.podspec.template import default_template
from fakeapi.strategies.podspec.warnings import template_warnings
from fakeapi.strategies.workload import (
    MISMATCH,
    amount,
    check_at_most_all,
    check_collisions,
    check_counts,
    check_int_or_percent,
    go_strategy,
    same_generation,
    selects,
    validate_always,
)

Obj = dict[str, Any]

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
_COUNTS = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")


def default(obj: Obj) -> None:
    """Rolling updates one node at a time, ten revisions; the template's generation is always told."""
    spec = obj.setdefault("spec", {})
    default_template(spec.setdefault("template", {}))
    fill(spec, {"revisionHistoryLimit": 10})
    strategy = spec["updateStrategy"] = spec.get("updateStrategy") or {}
    fill(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = strategy.get("rollingUpdate") or {}
        fill(strategy["rollingUpdate"], {"maxUnavailable": 1, "maxSurge": 0})
    _annotations(obj).setdefault(TEMPLATE_GENERATION, "0")


def _annotations(obj: Obj) -> dict[str, str]:
    metadata = obj.setdefault("metadata", {})
    found: dict[str, str] = metadata.get("annotations") or {}
    metadata["annotations"] = found
    return found


def prepare_create(obj: Obj, ctx: Context) -> None:
    """PrepareForCreate: an empty status, the template's first generation."""
    obj["status"] = dict.fromkeys(_COUNTS, 0)
    _annotations(obj)[TEMPLATE_GENERATION] = "1"


def prepare_update(new: Obj, old: Obj, ctx: Context) -> None:
    """PrepareForUpdate: a changed template is a new template generation."""
    generation = int(_annotations(old).get(TEMPLATE_GENERATION) or 0)
    changed = new["spec"].get("template") != (old.get("spec") or {}).get("template")
    _annotations(new)[TEMPLATE_GENERATION] = str(generation + changed)


def validate(obj: Obj, ctx: Context) -> list[FieldError]:
    """ValidateDaemonSet."""
    spec = obj.get("spec") or {}
    selector, template = spec.get("selector"), spec.get("template") or {}
    errors = check_label_selector("spec.selector", selector)
    labels = (template.get("metadata") or {}).get("labels")
    if selects(selector, labels or {}) is False:
        errors.append(invalid("spec.template.metadata.labels", labels, MISMATCH))
    if selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions"):
        errors.append(invalid("spec.selector", selector, "empty selector is invalid for daemonset"))
    errors += validate_template(template, "spec.template")
    errors += validate_always(template, "spec.template", "DaemonSet")
    errors += check_non_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    errors += _strategy(spec.get("updateStrategy") or {}, "spec.updateStrategy")
    return errors + check_non_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))


def _strategy(strategy: Obj, path: str) -> list[FieldError]:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "OnDelete":
        return []
    if kind != "RollingUpdate":
        return [not_supported(path, go_strategy(strategy), ("RollingUpdate", "OnDelete"))]
    if rolling is None:
        return [required(f"{path}.rollingUpdate")]
    limits = {name: rolling.get(name) for name in ("maxUnavailable", "maxSurge")}
    errors: list[FieldError] = []
    for rule in (check_int_or_percent, check_at_most_all):
        for name, value in limits.items():
            errors += rule(value, f"{path}.rollingUpdate.{name}")
    unavailable, surge = map(amount, limits.values())
    if unavailable and surge:
        text = "may not be set when maxUnavailable is non-zero"
        errors.append(invalid(f"{path}.rollingUpdate.maxSurge", limits["maxSurge"], text))
    elif not unavailable and not surge:
        errors.append(required(f"{path}.rollingUpdate.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    return errors


def validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    """ValidateDaemonSet, and ValidateDaemonSetUpdate, which says it all again: the selector stays."""
    kept = check_immutable("spec.selector", new["spec"].get("selector"), old["spec"].get("selector"))
    return validate(new, ctx) * 2 + kept


_STATUS_COUNTS = (
    *_COUNTS,
    "observedGeneration",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
    "collisionCount",
)


def validate_status(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    """ValidateDaemonSetStatusUpdate."""
    return check_counts(new.get("status") or {}, _STATUS_COUNTS) + check_collisions(new, old)


def warnings(new: Obj, old: Obj | None, ctx: Context) -> list[str]:
    """WarningsOnCreate and WarningsOnUpdate."""
    if same_generation(new, old):
        return []
    return template_warnings(new["spec"].get("template") or {}, "spec.template")


def _cells(obj: Obj, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    pods = (spec.get("template") or {}).get("spec") or {}
    counts = (
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    )
    return [
        obj["metadata"]["name"],
        *(status.get(count) or 0 for count in counts),
        label_map(pods.get("nodeSelector")),
        age(obj, now),
        *names_and_images(pods),
        format_label_selector(spec.get("selector")),
    ]


PRINTER = Printer(
    columns=(
        NAME,
        Column(
            "Desired",
            "integer",
            description=(
                "The total number of nodes that should be running the daemon pod (including nodes "
                "correctly running the daemon pod)."
            ),
        ),
        Column(
            "Current",
            "integer",
            description=(
                "The number of nodes that are running at least 1 daemon pod and are supposed to run the daemon pod."
            ),
        ),
        Column(
            "Ready",
            "integer",
            description=(
                "numberReady is the number of nodes that should be running the daemon pod and have "
                "one or more of the daemon pod running with a Ready Condition."
            ),
        ),
        Column("Up-to-date", "integer", description="The total number of nodes that are running updated daemon pod"),
        Column(
            "Available",
            "integer",
            description=(
                "The number of nodes that should be running the daemon pod and have one or more of "
                "the daemon pod running and available (ready for at least spec.minReadySeconds)"
            ),
        ),
        Column(
            "Node Selector", description=("NodeSelector is a selector which must be true for the pod to fit on a node.")
        ),
        AGE,
        CONTAINERS,
        IMAGES,
        selector_column("A label query over pods that are managed by the daemon set."),
    ),
    cells=_cells,
)

STRATEGY = Strategy(
    default=default,
    prepare_create=prepare_create,
    prepare_update=prepare_update,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    warnings=warnings,
    name=name_is_dns_subdomain,
    generation=True,
    hidden_annotations=(TEMPLATE_GENERATION,),
    printer=PRINTER,
)
