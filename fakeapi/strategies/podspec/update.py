"""What may change in a Pod, on the main resource and through resize and ephemeralcontainers.

Stands for ValidatePodUpdate, ValidatePodEphemeralContainersUpdate and ValidatePodResize of pkg/apis/core/validation.
"""

from __future__ import annotations

from typing import Any

from fakeapi.errors import FieldError, forbidden, invalid, required
from fakeapi.quantity import parse
from fakeapi.strategies.podspec.amounts import is_sidecar, qos_class
from fakeapi.strategies.podspec.annotations import MIRROR
from fakeapi.strategies.podspec.internal import go_diff, go_pod_spec, to_go
from fakeapi.strategies.podspec.scheduling import REQUIRED, validate_tolerations

Obj = dict[str, Any]
Errors = list[FieldError]

_UPDATABLE = ",".join(
    (
        "`spec.containers[*].image`",
        "`spec.initContainers[*].image`",
        "`spec.activeDeadlineSeconds`",
        "`spec.tolerations` (only additions to existing tolerations)",
        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
    )
)
_MAX_INT32 = 2**31 - 1
_LISTS = ("containers", "initContainers")


def _dense(value: Any) -> Any:
    """Semantic.DeepEqual takes absent and empty lists and maps for the same."""
    if isinstance(value, dict):
        return {k: d for k, v in value.items() if (d := _dense(v)) not in (None, [], "", False, 0) or d == {}}
    if isinstance(value, list):
        return [_dense(item) for item in value]
    return value


def same(one: Any, other: Any) -> bool:
    """Semantic.DeepEqual of two parts of objects."""
    return bool(one == other or _dense(one) == _dense(other))


def validate_spec_update(new: Obj, old: Obj) -> Errors:
    """The part of ValidatePodUpdate after the whole new Pod is validated. new, old: PodSpecs."""
    errors: Errors = []
    for key in _LISTS:
        found, stop = _containers(new.get(key) or [], old.get(key) or [], f"spec.{key}")
        errors += found
        if stop:
            return errors
    found, stop = _deadline(new.get("activeDeadlineSeconds"), old.get("activeDeadlineSeconds"))
    errors += found
    if stop:
        return errors
    errors += _tolerations(new.get("tolerations") or [], old.get("tolerations") or [])
    errors += _gates(new.get("schedulingGates") or [], old.get("schedulingGates") or [])
    if new == old:
        return errors
    munged = _munge(new, old)
    if old.get("schedulingGates"):
        errors += _gated(munged, old)
    if not same(munged, old):
        diff = go_diff(go_pod_spec(old), go_pod_spec(munged))
        errors.append(forbidden("spec", f"pod updates may not change fields other than {_UPDATABLE}\n{diff}"))
    return errors


def _containers(new: list[Obj], old: list[Obj], path: str) -> tuple[Errors, bool]:
    if len(new) != len(old):
        return [forbidden(path, "pod updates may not add or remove containers")], True
    errors: Errors = []
    for index, container in enumerate(new):
        image = container.get("image") or ""
        if not image:
            errors.append(required(f"{path}[{index}].image"))
        if image.strip() != image:
            text = "must not have leading or trailing whitespace"
            errors.append(invalid(f"{path}[{index}].image", image, text))
    return errors, False


def _deadline(new: int | None, old: int | None) -> tuple[Errors, bool]:
    path = "spec.activeDeadlineSeconds"
    if new is None:
        text = "must not update from a positive integer to nil value"
        return ([invalid(path, None, text)] if old is not None else []), False
    if not 0 <= new <= _MAX_INT32:
        return [invalid(path, new, f"must be between 0 and {_MAX_INT32}, inclusive")], True
    if old is not None and old < new:
        return [invalid(path, new, "must be less than or equal to previous value")], True
    return [], False


def _tolerations(new: list[Obj], old: list[Obj]) -> Errors:
    def but_seconds(toleration: Obj) -> Obj:
        return {k: v for k, v in toleration.items() if k != "tolerationSeconds"}

    kept = [but_seconds(t) for t in new]
    if any(but_seconds(t) not in kept for t in old):
        text = "existing toleration can not be modified except its tolerationSeconds"
        return [forbidden("spec.tolerations", text)]
    return validate_tolerations(new, "spec.tolerations")


def _gates(new: list[Obj], old: list[Obj]) -> Errors:
    known = {gate.get("name") for gate in old}
    added = [(i, gate.get("name")) for i, gate in enumerate(new) if gate.get("name") not in known]
    text = "only deletion is allowed, but found new scheduling gate '{}'"
    return [forbidden(f"spec.schedulingGates[{i}].name", text.format(name)) for i, name in added]


def _munge(new: Obj, old: Obj) -> Obj:
    """The new spec with everything that may change put back to the old."""
    munged = dict(new)
    for key in _LISTS:
        if new.get(key):
            pairs = zip(new[key], old.get(key) or [], strict=True)
            munged[key] = [{**container, "image": before.get("image")} for container, before in pairs]
    for key in ("activeDeadlineSeconds", "schedulingGates", "tolerations"):
        _put_back(munged, old, key)
    grace = old.get("terminationGracePeriodSeconds")
    if grace is not None and grace < 0 and munged.get("terminationGracePeriodSeconds") == 1:
        munged["terminationGracePeriodSeconds"] = grace
    return munged


def _put_back(new: Obj, old: Obj, key: str) -> None:
    new.pop(key, None)
    if key in old:
        new[key] = old[key]


def _gated(munged: Obj, old: Obj) -> Errors:
    """A gated Pod's node selector and node affinity may get narrower."""
    errors: Errors = []
    selector, before = munged.get("nodeSelector") or {}, old.get("nodeSelector") or {}
    if any(selector.get(key) != value for key, value in before.items()):
        text = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        errors.append(invalid("spec.nodeSelector", selector, text))
    _put_back(munged, old, "nodeSelector")
    affinity, was = dict(munged.get("affinity") or {}), old.get("affinity") or {}
    if affinity.get("nodeAffinity") != was.get("nodeAffinity"):
        errors += _narrower(affinity.get("nodeAffinity") or {}, was.get("nodeAffinity") or {})
        _put_back(affinity, was, "nodeAffinity")
        munged["affinity"] = affinity
        if not affinity and not was:
            _put_back(munged, old, "affinity")
    return errors


def _narrower(new: Obj, old: Obj) -> Errors:
    path = f"spec.affinity.nodeAffinity.{REQUIRED}"
    terms, before = ((x.get(REQUIRED) or {}).get("nodeSelectorTerms") or [] for x in (new, old))
    if not before:
        return []
    if len(terms) != len(before):
        shown = [to_go("NodeSelectorTerm", term) for term in terms] or None
        text = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        return [invalid(f"{path}.nodeSelectorTerms", shown, text)]
    text = "only additions are allowed (no mutations or deletions)"
    return [
        invalid(f"{path}.nodeSelectorTerms[{index}]", to_go("NodeSelectorTerm", term), text)
        for index, (term, was) in enumerate(zip(terms, before, strict=True))
        if not _only_added(term, was)
    ]


def _only_added(term: Obj, was: Obj) -> bool:
    """validateNodeSelectorTermHasOnlyAdditions: a term that selected nothing may not begin to select."""
    fields = ("matchExpressions", "matchFields")
    kept = {field: was.get(field) or [] for field in fields}
    if not any(kept.values()):
        return not any(term.get(field) for field in fields)
    return all((term.get(field) or [])[: len(kept[field])] == kept[field] for field in fields)


def validate_ephemeral_update(new: Obj, old: Obj, annotations: Obj) -> Errors | None:
    """What may change through /ephemeralcontainers. annotations: the old Pod's. None: only static pods are told."""
    path = "spec.ephemeralContainers"
    if MIRROR in annotations:
        return None
    named = {c.get("name"): c for c in new.get("ephemeralContainers") or ()}
    errors: Errors = []
    for before in old.get("ephemeralContainers") or ():
        name = before.get("name")
        if name not in named:
            errors.append(forbidden(path, f'existing ephemeral containers "{name}" may not be removed\n'))
        elif not same(before, named[name]):
            diff = go_diff(to_go("EphemeralContainer", before), to_go("EphemeralContainer", named[name]))
            errors.append(forbidden(path, f'existing ephemeral containers "{name}" may not be changed\n{diff}'))
    return errors


def validate_resize(new: Obj, old: Obj) -> Errors:
    """ValidatePodResize after the whole new Pod is validated. new, old: Pods."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if MIRROR in ((old.get("metadata") or {}).get("annotations") or {}):
        return [forbidden("", "static pods cannot be resized")]
    if (before.get("os") or {}).get("name") == "windows":
        return [forbidden("", "windows pods cannot be resized")]
    errors: Errors = []
    quality = (old.get("status") or {}).get("qosClass") or qos_class(before)
    if quality != qos_class(spec):
        text = "Pod QOS Class may not change as a result of resizing"
        errors.append(invalid("spec", (new.get("status") or {}).get("qosClass") or "", text))
    for key in ("initContainers", "containers"):
        for index, (was, now) in enumerate(zip(before.get(key) or (), spec.get(key) or (), strict=False)):
            if key == "containers" or is_sidecar(was):
                errors += _container_resize(now, was, f"spec.{key}[{index}].resources")
    errors += _only_cpu_and_memory(spec, before)
    return errors


def _container_resize(new: Obj, old: Obj, path: str) -> Errors:
    """Nothing that was asked for may be dropped."""
    resources, before = new.get("resources") or {}, old.get("resources") or {}
    errors: Errors = []
    for kind in ("requests", "limits"):
        if not (resources.get(kind) or {}).keys() >= (before.get(kind) or {}).keys():
            errors.append(forbidden(f"{path}.{kind}", f"resource {kind} cannot be removed"))
    return errors


def _without_compute(container: Obj) -> Obj:
    resources = container.get("resources") or {}
    kept = {
        kind: {name: parse(v) for name, v in (resources.get(kind) or {}).items() if name not in ("cpu", "memory")}
        for kind in ("limits", "requests")
    }
    others = {k: v for k, v in container.items() if k not in ("resources", "resizePolicy")}
    return {**others, "resources": {k: v for k, v in kept.items() if v}}


def _only_cpu_and_memory(new: Obj, old: Obj) -> Errors:
    errors: Errors = []
    if any(len(new.get(key) or ()) != len(old.get(key) or ()) for key in _LISTS):
        return [forbidden("spec", "only cpu and memory resources are mutable")]
    for was, container in zip(old.get("containers") or (), new.get("containers") or (), strict=True):
        if not same(_without_compute(container), _without_compute(was)):
            errors.append(forbidden("spec", "only cpu and memory resources are mutable"))
    for was, container in zip(old.get("initContainers") or (), new.get("initContainers") or (), strict=True):
        if is_sidecar(was):
            if not same(_without_compute(container), _without_compute(was)):
                text = "only cpu and memory resources for sidecar containers are mutable"
                errors.append(forbidden("spec", text))
        elif not same(container, was):
            errors.append(forbidden("spec", "resources for non-sidecar init containers are immutable"))
    return errors
