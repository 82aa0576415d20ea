"""Deployments. Stands for pkg/registry/apps/deployment and SetDefaults_Deployment."""

from __future__ import annotations

from typing import Any

from fakeapi.names import name_is_dns_subdomain
from fakeapi.strategies.base import Column, Context, Printer, Strategy
from fakeapi.strategies.podspec.defaults import fill
from fakeapi.strategies.podspec.printing import (
    AGE,
    CONTAINERS,
    IMAGES,
    NAME,
    age,
    label_selector,
    names_and_images,
    selector_column,
)
from fakeapi.strategies.podspec.template import default_template

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


def _cells(obj: Obj, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [
        obj["metadata"]["name"],
        f"{status.get('readyReplicas') or 0}/{spec.get('replicas') or 0}",
        status.get("updatedReplicas") or 0,
        status.get("availableReplicas") or 0,
        age(obj, now),
        *names_and_images((spec.get("template") or {}).get("spec") or {}),
        label_selector(spec.get("selector")),
    ]


PRINTER = Printer(
    columns=(
        NAME,
        Column("Ready", description="Number of the pod with ready state"),
        Column("Up-to-date", description="Total number of non-terminated pods targeted by this deployment that have the desired template spec."),
        Column("Available", description="Total number of available pods (ready for at least minReadySeconds) targeted by this deployment."),
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
    prepare_status=prepare_status,
    name=name_is_dns_subdomain,
    generation=True,
    printer=PRINTER,
)
