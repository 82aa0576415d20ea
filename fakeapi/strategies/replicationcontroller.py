"""ReplicationControllers. Stands for pkg/registry/core/replicationcontroller and SetDefaults_ReplicationController."""

from __future__ import annotations

from typing import Any

from fakeapi.errors import FieldError, invalid, required
from fakeapi.names import check_non_negative, name_is_dns_subdomain
from fakeapi.strategies.base import Column, Context, Printer, Strategy
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
from fakeapi.strategies.workload import (
    MISMATCH,
    empty_replica_status,
    validate_always,
    validate_replica_status,
    warnings,
)

Obj = dict[str, Any]


def default(obj: Obj) -> None:
    """Selector and labels come from the template's labels; one replica."""
    spec = obj.setdefault("spec", {})
    template = spec.get("template")
    if template is not None:
        default_template(template)
        labels = template["metadata"].get("labels")
        if labels and not spec.get("selector"):
            spec["selector"] = dict(labels)
        metadata = obj.setdefault("metadata", {})
        if labels and not metadata.get("labels"):
            metadata["labels"] = dict(labels)
    if spec.get("replicas") is None:
        spec["replicas"] = 1


def validate(obj: Obj, ctx: Context) -> list[FieldError]:
    """ValidateReplicationController."""
    spec = obj.get("spec") or {}
    selector, template = spec.get("selector") or {}, spec.get("template")
    errors = check_non_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    if not selector:
        errors.append(required("spec.selector"))
    errors += check_non_negative("spec.replicas", spec.get("replicas"))
    if template is None:
        return [*errors, required("spec.template")]
    labels = (template.get("metadata") or {}).get("labels")
    if any((labels or {}).get(key) != value for key, value in selector.items()):
        errors.append(invalid("spec.template.metadata.labels", labels, MISMATCH))
    errors += validate_template(template, "spec.template")
    return errors + validate_always(template, "spec.template", "ReplicationController")


def validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    """ValidateReplicationController, and ValidateReplicationControllerUpdate, which says it all again."""
    return validate(new, ctx) * 2


def _cells(obj: Obj, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    pods = (spec.get("template") or {}).get("spec") or {}
    return [
        obj["metadata"]["name"],
        spec.get("replicas") or 0,
        status.get("replicas") or 0,
        status.get("readyReplicas") or 0,
        age(obj, now),
        *names_and_images(pods),
        label_map(spec.get("selector")),
    ]


PRINTER = Printer(
    columns=(
        NAME,
        Column("Desired", "integer", description="Replicas is the number of desired replicas."),
        Column("Current", "integer", description="Replicas is the most recently observed number of replicas."),
        Column("Ready", "integer", description="The number of ready replicas for this replication controller."),
        AGE,
        CONTAINERS,
        IMAGES,
        selector_column("Selector is a label query over pods that should match the Replicas count."),
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
    fields={"status.replicas": lambda obj: str((obj.get("status") or {}).get("replicas") or 0)},
    printer=PRINTER,
    delete_returns_object=True,
    default_propagation="Orphan",
)
