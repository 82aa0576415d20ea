"""ReplicationControllers. Stands for pkg/registry/core/replicationcontroller and SetDefaults_ReplicationController."""

from __future__ import annotations

from typing import Any

from fakeapi.names import name_is_dns_subdomain
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
from fakeapi.strategies.podspec.template import default_template

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


def prepare_create(obj: Obj, ctx: Context) -> None:
    """PrepareForCreate: an empty status."""
    obj["status"] = {"replicas": 0}


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
    prepare_create=prepare_create,
    name=name_is_dns_subdomain,
    generation=True,
    fields={"status.replicas": lambda obj: str((obj.get("status") or {}).get("replicas") or 0)},
    printer=PRINTER,
    delete_returns_object=True,
    default_propagation="Orphan",
)
