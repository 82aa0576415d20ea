"""StatefulSets. Stands for pkg/registry/apps/statefulset and SetDefaults_StatefulSet."""

from __future__ import annotations

from typing import Any

from fakeapi.errors import FieldError, forbidden, invalid, not_supported, required
from fakeapi.names import check, check_non_negative, is_dns1123_label, name_is_dns_label
from fakeapi.strategies.base import Column, Context, Printer, Strategy
from fakeapi.strategies.podspec.defaults import default_claim_spec, fill
from fakeapi.strategies.podspec.printing import AGE, CONTAINERS, IMAGES, NAME, age, names_and_images
from fakeapi.strategies.podspec.template import default_template
from fakeapi.strategies.podspec.update import same
from fakeapi.strategies.podspec.warnings import template_warnings
from fakeapi.strategies.workload import (
    amount,
    check_at_most_all,
    check_collisions,
    check_counts,
    check_int_or_percent,
    check_replica_counts,
    go_strategy,
    same_generation,
    validate_selected_template,
    validate_selector,
)

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
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
        strategy["rollingUpdate"] = strategy.get("rollingUpdate") or {}
    if strategy["type"] == "RollingUpdate" and strategy.get("rollingUpdate") is not None:
        fill(strategy["rollingUpdate"], {"partition": 0})
    policy = spec["persistentVolumeClaimRetentionPolicy"] = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    fill(policy, {"whenDeleted": "Retain", "whenScaled": "Retain"})


def prepare_create(obj: Obj, ctx: Context) -> None:
    """PrepareForCreate: an empty status, no maxUnavailable."""
    obj["status"] = {"replicas": 0, "availableReplicas": 0}
    _parameters(obj).pop("maxUnavailable", None)


def prepare_update(new: Obj, old: Obj, ctx: Context) -> None:
    """PrepareForUpdate: a maxUnavailable that is there stays, a new one does not come: its feature gate,
    MaxUnavailableStatefulSet, is off in 1.36."""
    if _parameters(old).get("maxUnavailable") is not None:
        return
    dropped = _parameters(new).pop("maxUnavailable", None)
    if dropped is not None and new.get("spec") == old.get("spec"):
        new["metadata"]["generation"] = old["metadata"].get("generation")


def _parameters(obj: Obj) -> Obj:
    found: Obj = ((obj.get("spec") or {}).get("updateStrategy") or {}).get("rollingUpdate") or {}
    return found


_MUTABLE = (
    "replicas",
    "template",
    "updateStrategy",
    "minReadySeconds",
    "ordinals",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
)
_IMMUTABLE = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
_MANAGEMENT = ("OrderedReady", "Parallel")
_RETENTION = ("Retain", "Delete")


def validate(obj: Obj, ctx: Context) -> list[FieldError]:
    """ValidateStatefulSet."""
    errors = _validate_spec(obj.get("spec") or {})
    service = (obj.get("spec") or {}).get("serviceName")
    return errors + (check("spec.serviceName", service, is_dns1123_label(service)) if service else [])


def _validate_spec(spec: Obj) -> list[FieldError]:
    management = spec.get("podManagementPolicy") or ""
    errors: list[FieldError] = []
    if management not in _MANAGEMENT:
        errors.append(invalid("spec.podManagementPolicy", management, "must be 'OrderedReady' or 'Parallel'"))
    errors += _strategy(spec.get("updateStrategy") or {}, "spec.updateStrategy")
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    for name in ("whenDeleted", "whenScaled"):
        policy = retention.get(name)
        if policy is not None and policy not in _RETENTION:
            where = f"spec.persistentVolumeClaimRetentionPolicy.{name}"
            errors.append(not_supported(where, policy, _RETENTION))
    errors += check_non_negative("spec.replicas", spec.get("replicas"))
    errors += check_non_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    errors += check_non_negative("spec.ordinals.start", (spec.get("ordinals") or {}).get("start"))
    errors += validate_selector(spec, "spec", "empty selector is invalid for statefulset")
    return errors + validate_selected_template(spec, "spec", "StatefulSet", "")


def _strategy(strategy: Obj, path: str) -> list[FieldError]:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    where = f"{path}.rollingUpdate"
    if not kind:
        return [required(path)]
    if kind == "OnDelete":
        text = "only allowed for updateStrategy 'RollingUpdate'"
        shown = {
            "Partition": (rolling or {}).get("partition") or 0,
            "MaxUnavailable": (rolling or {}).get("maxUnavailable"),
        }
        return [invalid(where, shown, text)] if rolling is not None else []
    if kind != "RollingUpdate":
        return [invalid(path, go_strategy(strategy), "must be 'RollingUpdate' or 'OnDelete'")]
    errors = check_non_negative(f"{where}.partition", (rolling or {}).get("partition"))
    limit = (rolling or {}).get("maxUnavailable")
    if limit is not None:
        errors += check_int_or_percent(limit, f"{where}.maxUnavailable")
        if not amount(limit):
            errors.append(invalid(f"{where}.maxUnavailable", limit, "cannot be 0"))
        errors += check_at_most_all(limit, f"{where}.maxUnavailable")
    return errors


def validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    """ValidateStatefulSetUpdate."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    errors = _validate_spec(spec)
    kept, was = ({k: v for k, v in x.items() if k not in _MUTABLE} for x in (spec, before))
    return errors if same(kept, was) else [*errors, forbidden("spec", _IMMUTABLE)]


_COUNTS = (
    "replicas",
    "readyReplicas",
    "currentReplicas",
    "updatedReplicas",
    "availableReplicas",
    "observedGeneration",
    "collisionCount",
)


def validate_status(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    """ValidateStatefulSetStatusUpdate."""
    status = new.get("status") or {}
    errors = check_counts(status, _COUNTS)
    names = ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
    return errors + check_replica_counts(status, names, "status.readyReplicas") + check_collisions(new, old)


def warnings(new: Obj, old: Obj | None, ctx: Context) -> list[str]:
    """WarningsOnCreate and WarningsOnUpdate."""
    if same_generation(new, old):
        return []
    spec = new.get("spec") or {}
    found = template_warnings(spec.get("template") or {}, "spec.template")
    if (spec.get("revisionHistoryLimit") or 0) < 0:
        text = "a negative value retains all historical revisions; a value >= 0 is recommended"
        found.append(f"spec.revisionHistoryLimit: {text}")
    return found


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
    prepare_update=prepare_update,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    warnings=warnings,
    name=name_is_dns_label,
    generation=True,
    printer=PRINTER,
)
