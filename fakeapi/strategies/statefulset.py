"""StatefulSets. Stands for pkg/registry/apps/statefulset and SetDefaults_StatefulSet."""

from __future__ import annotations

from typing import Any

from fakeapi.names import name_is_dns_label
from fakeapi.strategies.base import Column, Context, Printer, Strategy
from fakeapi.strategies.podspec.defaults import default_claim_spec, fill
from fakeapi.strategies.podspec.printing import AGE, CONTAINERS, IMAGES, NAME, age, names_and_images
from fakeapi.strategies.podspec.template import default_template

Obj = dict[str, Any]


def default(obj: Obj) -> None:
    """Ordered pods, rolling updates from the last, claims kept, one replica, ten revisions."""
    spec = obj.setdefault("spec", {})
    default_template(spec.setdefault("template", {}))
    for claim in spec.get("volumeClaimTemplates") or ():
        fill(claim, {"apiVersion": "v1", "kind": "PersistentVolumeClaim"})
        default_claim_spec(claim.setdefault("spec", {}))
        claim["status"] = claim.get("status") or {}
        fill(claim["status"], {"phase": "Pending"})
    fill(spec, {"podManagementPolicy": "OrderedReady", "replicas": 1, "revisionHistoryLimit": 10})
    strategy = spec["updateStrategy"] = spec.get("updateStrategy") or {}
    fill(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = strategy.get("rollingUpdate") or {}
        fill(strategy["rollingUpdate"], {"partition": 0})
    policy = spec["persistentVolumeClaimRetentionPolicy"] = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    fill(policy, {"whenDeleted": "Retain", "whenScaled": "Retain"})


def prepare_create(obj: Obj, ctx: Context) -> None:
    """PrepareForCreate: an empty status."""
    obj["status"] = {"replicas": 0, "availableReplicas": 0}


def _cells(obj: Obj, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [
        obj["metadata"]["name"],
        f"{status.get('readyReplicas') or 0}/{spec.get('replicas') or 0}",
        age(obj, now),
        *names_and_images((spec.get("template") or {}).get("spec") or {}),
    ]


PRINTER = Printer(
    columns=(NAME, Column("Ready", description="Number of the pod with ready state"), AGE, CONTAINERS, IMAGES),
    cells=_cells,
)

STRATEGY = Strategy(
    default=default,
    prepare_create=prepare_create,
    name=name_is_dns_label,
    generation=True,
    printer=PRINTER,
)
