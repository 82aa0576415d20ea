"""Pods: what the API server fills in, resets and checks; grace periods; /resize and /ephemeralcontainers.

Stands for pkg/registry/core/pod/strategy.go. Binding and eviction are handlers'; priority and tolerations come from
admission.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fakeapi.errors import FieldError, forbidden
from fakeapi.names import name_is_dns_subdomain
from fakeapi.strategies.base import Context, Strategy, SubStrategy
from fakeapi.strategies.podspec.amounts import qos_class
from fakeapi.strategies.podspec.annotations import (
    APP_ARMOR,
    validate_annotation_updates,
    validate_annotations,
    validate_matching_fields,
)
from fakeapi.strategies.podspec.containers import validate_image_spaces
from fakeapi.strategies.podspec.podlevel import default_pod
from fakeapi.strategies.podspec.printer import PRINTER, TERMINAL
from fakeapi.strategies.podspec.security import visit
from fakeapi.strategies.podspec.spec import validate_spec
from fakeapi.strategies.podspec.status import validate_pod_status
from fakeapi.strategies.podspec.update import validate_ephemeral_update, validate_resize, validate_spec_update
from fakeapi.strategies.podspec.warnings import APP_ARMOR_TEXT, name_warnings, spec_warnings

Obj = dict[str, Any]

_GATED = {
    "type": "PodScheduled",
    "status": "False",
    "lastProbeTime": None,
    "reason": "SchedulingGated",
    "message": "Scheduling is blocked due to non-empty scheduling gates",
}


def prepare_create(pod: Obj, ctx: Context) -> None:
    """PrepareForCreate: a fresh status, and label keys of (anti-)affinity and spreading turned into selectors."""
    spec = pod.get("spec") or {}
    status: Obj = {"phase": "Pending", "qosClass": qos_class(spec)}
    if spec.get("schedulingGates"):
        status["conditions"] = [{**_GATED, "lastTransitionTime": ctx.now}]
    pod["status"] = status
    _sync_app_armor(pod, spec, ctx)
    labels = (pod.get("metadata") or {}).get("labels") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        for term in _terms((spec.get("affinity") or {}).get(kind) or {}):
            _select_keys(term, "matchLabelKeys", "In", labels)
            _select_keys(term, "mismatchLabelKeys", "NotIn", labels)
    for constraint in spec.get("topologySpreadConstraints") or ():
        _select_keys(constraint, "matchLabelKeys", "In", labels)


def _sync_app_armor(pod: Obj, spec: Obj, ctx: Context) -> None:
    """applyAppArmorVersionSkew: the old annotation becomes the field."""
    annotations = _annotations(pod)
    if (spec.get("os") or {}).get("name") == "windows" or not any(key.startswith(APP_ARMOR) for key in annotations):
        return
    own = (spec.get("securityContext") or {}).get("appArmorProfile")
    for container, _ in visit(spec, ""):
        key = APP_ARMOR + (container.get("name") or "")
        context = container.get("securityContext") or {}
        if key not in annotations or context.get("appArmorProfile") is not None:
            continue
        profile = _app_armor_profile(annotations[key])
        if profile and profile != own:
            container["securityContext"] = {**context, "appArmorProfile": profile}
        if profile:
            ctx.warnings.append(f"metadata.annotations[{key}]: {APP_ARMOR_TEXT}")


def _app_armor_profile(annotation: str) -> Obj | None:
    if annotation.startswith("localhost/") and annotation != "localhost/":
        return {"type": "Localhost", "localhostProfile": annotation.removeprefix("localhost/")}
    kind = {"unconfined": "Unconfined", "runtime/default": "RuntimeDefault"}.get(annotation)
    return {"type": kind} if kind else None


def _terms(affinity: Obj) -> list[Obj]:
    preferred = affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
    return [*(term.get("podAffinityTerm") or {} for term in preferred), *required]


def _select_keys(owner: Obj, field: str, operator: str, labels: Obj) -> None:
    keys, selector = owner.get(field), owner.get("labelSelector")
    if not keys or selector is None:
        return
    added = [{"key": key, "operator": operator, "values": [labels[key]]} for key in keys if key in labels]
    if added:
        selector["matchExpressions"] = [*(selector.get("matchExpressions") or ()), *added]


def prepare_status(new: Obj, old: Obj, ctx: Context) -> None:
    """PrepareForUpdate of /status: owner references stay, the QoS class and observed generations are not cleared."""
    metadata, before = new.setdefault("metadata", {}), old.get("metadata") or {}
    metadata.pop("ownerReferences", None)
    if before.get("ownerReferences"):
        metadata["ownerReferences"] = before["ownerReferences"]
    status, was = new.setdefault("status", {}), old.get("status") or {}
    for key in ("qosClass", "observedGeneration"):
        if not status.get(key) and was.get(key):
            status[key] = was[key]
    known: dict[str, list[int]] = {}
    for condition in was.get("conditions") or ():
        known.setdefault(condition.get("type", ""), []).append(condition.get("observedGeneration") or 0)
    for condition in status.get("conditions") or ():
        queue = known.get(condition.get("type", ""))
        generation = queue.pop(0) if queue else 0
        if generation and not condition.get("observedGeneration"):
            condition["observedGeneration"] = generation


def prepare_ephemeral_containers(new: Obj, old: Obj, ctx: Context) -> None:
    """PrepareForUpdate of /ephemeralcontainers: nothing else of spec and status may change."""
    given = (new.get("spec") or {}).get("ephemeralContainers")
    new["spec"] = dict(old.get("spec") or {})
    new["spec"].pop("ephemeralContainers", None)
    if given:
        new["spec"]["ephemeralContainers"] = given
    new["status"] = old.get("status") or {}
    entries = new["metadata"].get("managedFields")
    version = {k: v for k, v in new["metadata"].items() if k == "resourceVersion"}
    new["metadata"] = {**(old.get("metadata") or {}), **version}
    new["metadata"].pop("managedFields", None)
    if entries:
        new["metadata"]["managedFields"] = entries


def prepare_resize(new: Obj, old: Obj, ctx: Context) -> None:
    """PrepareForUpdate of /resize: only resources and resize policies; renamed or reordered containers will fail."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    lists = ("containers", "initContainers")
    if any(len(spec.get(key) or ()) != len(before.get(key) or ()) for key in lists):
        return
    merged = {key: _resized(spec.get(key) or [], before.get(key) or []) for key in lists}
    resources = spec.get("resources")
    kept = {**before, **{key: value for key, value in merged.items() if value}}
    kept.pop("resources", None)
    if resources is not None:
        kept["resources"] = resources
    new["spec"], new["status"] = kept, old.get("status") or {}


def _resized(new: list[Obj], old: list[Obj]) -> list[Obj]:
    if [c.get("name") for c in new] != [c.get("name") for c in old]:
        return new
    merged = []
    for container, before in zip(new, old, strict=True):
        kept = {k: v for k, v in before.items() if k not in ("resources", "resizePolicy")}
        kept |= {k: container[k] for k in ("resources", "resizePolicy") if k in container}
        merged.append(kept)
    return merged


def _annotations(pod: Obj) -> Obj:
    found: Obj = (pod.get("metadata") or {}).get("annotations") or {}
    return found


def _validate_whole(pod: Obj) -> list[FieldError]:
    """validatePodMetadataAndSpec, without metadata's own rules."""
    spec = pod.get("spec") or {}
    errors = validate_annotations(_annotations(pod), spec, "metadata.annotations")
    errors += validate_spec(spec, "spec", (pod.get("metadata") or {}).get("name") or "")
    if not spec.get("serviceAccountName"):
        errors += _tokens(spec.get("volumes") or [])
    for key in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(key) or ()):
            errors += validate_image_spaces(container, f"spec.{key}[{index}]")
    return errors


def _tokens(volumes: list[Obj]) -> list[FieldError]:
    """Without a service account there is nothing to make a token of."""
    text = "must not be specified when serviceAccountName is not set"
    return [
        forbidden(f"spec.volumes[{number}].projected.sources[{index}].serviceAccountToken", text)
        for number, volume in enumerate(volumes)
        for index, source in enumerate((volume.get("projected") or {}).get("sources") or ())
        if source.get("serviceAccountToken") is not None
    ]


def validate(pod: Obj, ctx: Context) -> list[FieldError]:
    """ValidatePodCreate."""
    spec = pod.get("spec") or {}
    errors = _validate_whole(pod)
    if spec.get("ephemeralContainers"):
        errors.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        errors.append(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
    return errors + validate_matching_fields(_annotations(pod), spec, "spec")


def validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    """ValidatePodUpdate."""
    errors = _validate_whole(new)
    errors += _annotation_updates(new, old)
    return errors + validate_spec_update(new.get("spec") or {}, old.get("spec") or {})


def _annotation_updates(new: Obj, old: Obj) -> list[FieldError]:
    return validate_annotation_updates(
        _annotations(new), _annotations(old), new.get("spec") or {}, "metadata.annotations"
    )


def validate_status(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    """ValidatePodStatusUpdate."""
    return _annotation_updates(new, old) + validate_pod_status(new, old)


def validate_ephemeral_containers(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    """ValidatePodEphemeralContainersUpdate, without metadata's rules."""
    errors = _validate_whole(new) + _annotation_updates(new, old)
    found = validate_ephemeral_update(new.get("spec") or {}, old.get("spec") or {}, _annotations(old))
    return [forbidden("", "static pods do not support ephemeral containers")] if found is None else errors + found


def validate_resources(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    """ValidatePodResize, without metadata's rules."""
    return _validate_whole(new) + validate_resize(new, old)


def warnings(new: Obj, old: Obj | None, ctx: Context) -> list[str]:
    """WarningsOnCreate; updates, which people hardly make by hand, are not looked at."""
    if old is not None:
        return []
    metadata = new.get("metadata") or {}
    found = name_warnings(metadata.get("name") or "", "the Pod's hostname")
    return found + spec_warnings(new.get("spec") or {}, metadata, "", is_pod=True)


def graceful(pod: Obj, seconds: int | None) -> int | None:
    """CheckGracefulDelete: 0 for unscheduled and finished pods, else the period; a negative one is 1."""
    spec = pod.get("spec") or {}
    period = spec.get("terminationGracePeriodSeconds") or 0 if seconds is None else seconds
    if not spec.get("nodeName") or (pod.get("status") or {}).get("phase") in TERMINAL:
        period = 0
    return 1 if period < 0 else period


def _spec(name: str) -> Callable[[Obj], str]:
    return lambda pod: str((pod.get("spec") or {}).get(name) or "")


def _status(name: str) -> Callable[[Obj], str]:
    return lambda pod: str((pod.get("status") or {}).get(name) or "")


def _host_network(pod: Obj) -> str:
    return "true" if (pod.get("spec") or {}).get("hostNetwork") else "false"


STRATEGY = Strategy(
    default=default_pod,
    prepare_create=prepare_create,
    prepare_status=prepare_status,
    warnings=warnings,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    name=name_is_dns_subdomain,
    generation=True,
    status_reset=("spec", "metadata.deletionTimestamp", "metadata.ownerReferences"),
    fields={
        "spec.nodeName": _spec("nodeName"),
        "spec.restartPolicy": _spec("restartPolicy"),
        "spec.schedulerName": _spec("schedulerName"),
        "spec.serviceAccountName": _spec("serviceAccountName"),
        "spec.hostNetwork": _host_network,
        "status.phase": _status("phase"),
        "status.podIP": _status("podIP"),
        "status.nominatedNodeName": _status("nominatedNodeName"),
        # The old name of spec.nodeName is still converted (AddFieldLabelConversionsForPod).
        "spec.host": _spec("nodeName"),
    },
    printer=PRINTER,
    delete_returns_object=True,
    graceful=graceful,
    subresources={
        "ephemeralcontainers": SubStrategy(prepare_ephemeral_containers, validate_ephemeral_containers),
        "resize": SubStrategy(prepare_resize, validate_resources),
    },
)
