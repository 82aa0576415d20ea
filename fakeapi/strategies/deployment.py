"""Deployments. Stands for pkg/registry/apps/deployment and SetDefaults_Deployment."""

from __future__ import annotations

from typing import Any

from fakeapi.errors import FieldError, forbidden, invalid, not_supported
from fakeapi.names import check_immutable, check_non_negative, name_is_dns_subdomain
from fakeapi.selectors import format_label_selector
from fakeapi.strategies.base import Column, Context, Printer, Strategy
from fakeapi.strategies.podspec.defaults import fill
from fakeapi.strategies.podspec.printing import (
    AGE,
    CONTAINERS,
    IMAGES,
    NAME,
    age,
    names_and_images,
    selector_column,
)
from fakeapi.strategies.podspec.template import default_template
from fakeapi.strategies.workload import (
    amount,
    check_at_most_all,
    check_collisions,
    check_counts,
    check_int_or_percent,
    check_replica_counts,
    go_strategy,
    validate_selected_template,
    validate_selector,
    warnings,
)

Obj = dict[str, Any]


def default(obj: Obj) -> None:
    """One replica, rolling updates by a quarter, ten old ReplicaSets, ten minutes to progress."""
    spec = obj.setdefault("spec", {})
    default_template(spec.setdefault("template", {}))
    fill(spec, {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600})
    strategy = spec["strategy"] = spec.get("strategy") or {}
    fill(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = strategy.get("rollingUpdate") or {}
        fill(strategy["rollingUpdate"], {"maxUnavailable": "25%", "maxSurge": "25%"})


def prepare_create(obj: Obj, ctx: Context) -> None:
    """PrepareForCreate: an empty status."""
    obj["status"] = {}


def prepare_status(new: Obj, old: Obj, ctx: Context) -> None:
    """PrepareForUpdate of /status: labels are the old ones (annotations may change)."""
    labels = (old.get("metadata") or {}).get("labels")
    new["metadata"].pop("labels", None)
    if labels is not None:
        new["metadata"]["labels"] = labels


def prepare_update(new: Obj, old: Obj, ctx: Context) -> None:
    """PrepareForUpdate: changed annotations are a new generation too, for the controller copies them."""
    metadata, before = new["metadata"], old["metadata"]
    if (metadata.get("annotations") or {}) != (before.get("annotations") or {}):
        metadata["generation"] = before.get("generation", 0) + 1


def validate(obj: Obj, ctx: Context) -> list[FieldError]:
    """ValidateDeployment."""
    spec = obj.get("spec") or {}
    errors = check_non_negative("spec.replicas", spec.get("replicas"))
    errors += validate_selector(spec, "spec", "empty selector is invalid for deployment")
    errors += validate_selected_template(spec, "spec", "ReplicaSet", "invalid label selector")
    errors += _strategy(spec.get("strategy") or {}, "spec.strategy")
    for name in ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"):
        errors += check_non_negative(f"spec.{name}", spec.get(name))
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= (spec.get("minReadySeconds") or 0):
        errors.append(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return errors


def _strategy(strategy: Obj, path: str) -> list[FieldError]:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "Recreate":
        text = "may not be specified when strategy `type` is 'Recreate'"
        return [forbidden(f"{path}.rollingUpdate", text)] if rolling is not None else []
    if kind != "RollingUpdate":
        return [not_supported(path, go_strategy(strategy), ("Recreate", "RollingUpdate"))]
    unavailable, surge = ((rolling or {}).get(name) for name in ("maxUnavailable", "maxSurge"))
    where = f"{path}.rollingUpdate.maxUnavailable"
    errors = check_int_or_percent(unavailable, where)
    errors += check_int_or_percent(surge, f"{path}.rollingUpdate.maxSurge")
    if not amount(unavailable) and not amount(surge):
        errors.append(invalid(where, unavailable, "may not be 0 when `maxSurge` is 0"))
    return errors + check_at_most_all(unavailable, where)


def validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    """ValidateDeploymentUpdate: the selector stays."""
    kept = check_immutable("spec.selector", new["spec"].get("selector"), old["spec"].get("selector"))
    return validate(new, ctx) + kept


_COUNTS = (
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
    "terminatingReplicas",
    "collisionCount",
)


def validate_status(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    """ValidateDeploymentStatusUpdate."""
    status = new.get("status") or {}
    errors = check_counts(status, _COUNTS)
    errors += check_replica_counts(status, ("updatedReplicas", "readyReplicas", "availableReplicas"))
    return errors + check_collisions(new, old)


def _cells(obj: Obj, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [
        obj["metadata"]["name"],
        f"{status.get('readyReplicas') or 0}/{spec.get('replicas') or 0}",
        status.get("updatedReplicas") or 0,
        status.get("availableReplicas") or 0,
        age(obj, now),
        *names_and_images((spec.get("template") or {}).get("spec") or {}),
        format_label_selector(spec.get("selector")),
    ]


PRINTER = Printer(
    columns=(
        NAME,
        Column("Ready", description="Number of the pod with ready state"),
        Column(
            "Up-to-date",
            description=(
                "Total number of non-terminated pods targeted by this deployment that have the desired template spec."
            ),
        ),
        Column(
            "Available",
            description=(
                "Total number of available pods (ready for at least minReadySeconds) targeted by this deployment."
            ),
        ),
        AGE,
        CONTAINERS,
        IMAGES,
        selector_column("Label selector for pods."),
    ),
    cells=_cells,
)

STRATEGY = Strategy(
    default=default,
    prepare_create=prepare_create,
    prepare_update=prepare_update,
    prepare_status=prepare_status,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    warnings=warnings,
    name=name_is_dns_subdomain,
    generation=True,
    status_reset=("spec", "metadata.labels"),
    printer=PRINTER,
)
