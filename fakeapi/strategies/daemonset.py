"""DaemonSets. Stands for pkg/registry/apps/daemonset and SetDefaults_DaemonSet.

The template's generation is a field of the internal type only; on the wire it is an annotation that clients cannot set.
"""

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
    label_map,
    label_selector,
    names_and_images,
    selector_column,
)
from fakeapi.strategies.podspec.template import default_template

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
        label_selector(spec.get("selector")),
    ]


PRINTER = Printer(
    columns=(
        NAME,
        Column("Desired", "integer", description="The total number of nodes that should be running the daemon pod (including nodes correctly running the daemon pod)."),
        Column("Current", "integer", description="The number of nodes that are running at least 1 daemon pod and are supposed to run the daemon pod."),
        Column("Ready", "integer", description="numberReady is the number of nodes that should be running the daemon pod and have one or more of the daemon pod running with a Ready Condition."),
        Column("Up-to-date", "integer", description="The total number of nodes that are running updated daemon pod"),
        Column("Available", "integer", description="The number of nodes that should be running the daemon pod and have one or more of the daemon pod running and available (ready for at least spec.minReadySeconds)"),
        Column("Node Selector", description="NodeSelector is a selector which must be true for the pod to fit on a node."),
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
    name=name_is_dns_subdomain,
    generation=True,
    printer=PRINTER,
)
