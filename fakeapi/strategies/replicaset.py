"""ReplicaSets. Stands for pkg/registry/apps/replicaset and SetDefaults_ReplicaSet."""

from __future__ import annotations

from typing import Any

from fakeapi.errors import FieldError
from fakeapi.names import check_immutable, check_non_negative, name_is_dns_subdomain
from fakeapi.selectors import format_label_selector
from fakeapi.strategies.base import Column, Context, Printer, Strategy
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
    empty_replica_status,
    validate_replica_status,
    validate_selected_template,
    validate_selector,
    warnings,
)

Obj = dict[str, Any]


def default(obj: Obj) -> None:
    """One replica."""
    spec = obj.setdefault("spec", {})
    default_template(spec.setdefault("template", {}))
    if spec.get("replicas") is None:
        spec["replicas"] = 1


def validate(obj: Obj, ctx: Context) -> list[FieldError]:
    """ValidateReplicaSet."""
    spec = obj.get("spec") or {}
    errors = check_non_negative("spec.replicas", spec.get("replicas"))
    errors += check_non_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    # Upstream says "deployment" here too.
    errors += validate_selector(spec, "spec", "empty selector is invalid for deployment")
    return errors + validate_selected_template(spec, "spec", "ReplicaSet", "invalid label selector")


def validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    """ValidateReplicaSet, and ValidateReplicaSetUpdate, which says it all again: the selector stays."""
    kept = check_immutable("spec.selector", new["spec"].get("selector"), old["spec"].get("selector"))
    return validate(new, ctx) * 2 + kept


def _cells(obj: Obj, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [
        obj["metadata"]["name"],
        spec.get("replicas") or 0,
        status.get("replicas") or 0,
        status.get("readyReplicas") or 0,
        age(obj, now),
        *names_and_images((spec.get("template") or {}).get("spec") or {}),
        format_label_selector(spec.get("selector")),
    ]


PRINTER = Printer(
    columns=(
        NAME,
        Column("Desired", "integer", description="Replicas is the number of desired pods."),
        Column(
            "Current", "integer", description=("Replicas is the most recently observed number of non-terminating pods.")
        ),
        Column(
            "Ready",
            "integer",
            description=("The number of non-terminating pods targeted by this ReplicaSet with a Ready Condition."),
        ),
        AGE,
        CONTAINERS,
        IMAGES,
        selector_column("Selector is a label query over pods that should match the replica count."),
    ),
    cells=_cells,
)

STRATEGY = Strategy(
    default=default,
    prepare_create=empty_replica_status,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_replica_status,
    warnings=warnings,
    name=name_is_dns_subdomain,
    generation=True,
    printer=PRINTER,
)
