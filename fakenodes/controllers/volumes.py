"""Which volume a claim gets, and what both then say. Pure.

Stands for kube-controller-manager's persistentvolume/index.go and pv_controller.go's decisions, and component-helpers'
storage/volume.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from fakeapi import quantity
from fakeapi.selectors import SelectorError, from_label_selector
from fakenodes.client.base import Obj

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
PROVISIONER, OLD_PROVISIONER = (
    "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-provisioner",
)
OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
# All that hostPath's deleter dares to remove.
TEMPORARY = re.compile(r"/tmp/.+")
# Those that the controllers know and that cannot delete.
PLUGINS = frozenset({"nfs", "local", "csi"})
NO_PROVISIONER = "kubernetes.io/no-provisioner"


def marks_of(obj: Obj) -> dict[str, str]:
    """The object's annotations."""
    return obj["metadata"].get("annotations") or {}


def class_of(obj: Obj) -> str:
    """The storage class of a claim or volume; the old annotation goes first."""
    old = marks_of(obj).get(OLD_CLASS)
    return old if old is not None else str(obj["spec"].get("storageClassName") or "")


def phase_of(obj: Obj) -> str:
    """status.phase."""
    return str((obj.get("status") or {}).get("phase", ""))


def reference_of(volume: Obj) -> Obj:
    """The claimRef, {} when there is none."""
    return volume["spec"].get("claimRef") or {}


def is_for(volume: Obj, claim: Obj) -> bool:
    """Whether the volume is (pre-)bound to this claim."""
    reference, meta = reference_of(volume), claim["metadata"]
    if (reference.get("namespace"), reference.get("name")) != (meta["namespace"], meta["name"]):
        return False
    return not reference.get("uid") or bool(reference["uid"] == meta["uid"])


def requested(claim: Obj) -> int:
    """Bytes that the claim asks for."""
    wanted = ((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage")
    return quantity.value(wanted) if wanted else 0


def capacity(volume: Obj) -> int:
    """Bytes that the volume has."""
    size = (volume["spec"].get("capacity") or {}).get("storage")
    return quantity.value(size) if size else 0


def mismatch(volume: Obj, claim: Obj) -> str:
    """Why a volume that a claim names cannot be its own, "" when it can."""
    if capacity(volume) < requested(claim):
        return "requested PV is too small"
    if class_of(claim) != class_of(volume):
        return "storageClassName does not match"
    if _mode(claim) != _mode(volume):
        return "incompatible volumeMode"
    if not _modes(claim) <= _modes(volume):
        return "incompatible accessMode"
    return ""


def _mode(obj: Obj) -> str:
    return str(obj["spec"].get("volumeMode") or "Filesystem")


def _modes(obj: Obj) -> set[str]:
    return set(obj["spec"].get("accessModes") or ())


def best_match(claim: Obj, volumes: Iterable[Obj], delayed: bool) -> Obj | None:
    """The volume bound to the claim beforehand, else the smallest free one that will do; delayed: only the former."""
    found = [
        v
        for v in volumes
        if _modes(claim) <= _modes(v)
        and _mode(v) == _mode(claim)
        and capacity(v) >= requested(claim)
        and not v["metadata"].get("deletionTimestamp")
    ]
    found.sort(key=lambda v: (capacity(v), str(v["metadata"]["name"])))
    bound = next((v for v in found if is_for(v, claim)), None)
    if bound is not None or delayed:
        return bound
    selector = claim["spec"].get("selector")
    try:
        chosen = from_label_selector(selector) if selector else None
    except SelectorError:
        return None
    for volume in found:
        free = phase_of(volume) == "Available" and not reference_of(volume)
        same = class_of(volume) == class_of(claim) and (volume["spec"].get("volumeAttributesClassName") or None) == (
            claim["spec"].get("volumeAttributesClassName") or None
        )
        if free and same and (chosen is None or chosen.matches(volume["metadata"].get("labels") or {})):
            return volume
    return None


def undeletable(volume: Obj) -> str | None:
    """Why a released volume that is to be deleted cannot be, "" when it can; None when it is not ours to delete."""
    spec = volume["spec"]
    if spec.get("persistentVolumeReclaimPolicy") != "Delete" or PROVISIONED_BY in marks_of(volume):
        return None
    if "hostPath" not in spec:
        name = volume["metadata"]["name"]
        kind = "deletable volume" if PLUGINS & spec.keys() else "volume"
        return f'error getting deleter volume plugin for volume "{name}": no {kind} plugin matched'
    path = spec["hostPath"]["path"]
    return "" if TEMPORARY.search(path) else f"host_path deleter only supports /tmp/.+ but received provided {path}"


def claim_reference(claim: Obj) -> Obj:
    """What a volume's claimRef says of the claim that has it."""
    meta = claim["metadata"]
    return {
        "kind": "PersistentVolumeClaim",
        "namespace": meta["namespace"],
        "name": meta["name"],
        "uid": meta["uid"],
        "apiVersion": "v1",
        "resourceVersion": meta["resourceVersion"],
    }


def bound_volume(volume: Obj, claim: Obj) -> Obj | None:
    """The volume with its reference to the claim; None when it has it."""
    meta = claim["metadata"]
    old = reference_of(volume)
    if (old.get("uid"), old.get("name"), old.get("namespace")) == (meta["uid"], meta["name"], meta["namespace"]):
        return None
    marks = marks_of(volume) if old else {**marks_of(volume), BOUND_BY_CONTROLLER: "yes"}
    return {
        **volume,
        "metadata": {**volume["metadata"], **({"annotations": marks} if marks else {})},
        "spec": {**volume["spec"], "claimRef": claim_reference(claim)},
    }


def bound_claim(claim: Obj, volume: Obj) -> Obj | None:
    """The claim with its volume's name; None when it has it and the mark of a finished binding."""
    marks = dict(marks_of(claim))
    if claim["spec"].get("volumeName") != volume["metadata"]["name"]:
        marks[BOUND_BY_CONTROLLER] = "yes"
    marks[BIND_COMPLETED] = "yes"
    if marks == marks_of(claim) and claim["spec"].get("volumeName") == volume["metadata"]["name"]:
        return None
    return {
        **claim,
        "metadata": {**claim["metadata"], "annotations": marks},
        "spec": {**claim["spec"], "volumeName": volume["metadata"]["name"]},
    }


def claim_status(claim: Obj, volume: Obj | None, phase: str) -> Obj:
    """The claim's status in a phase; a bound one has the volume's modes and, the first time, its size."""
    status = {k: v for k, v in (claim.get("status") or {}).items() if k not in ("phase", "accessModes")}
    status["phase"] = phase
    if volume is None:
        status.pop("capacity", None)
        return status
    status["accessModes"] = volume["spec"].get("accessModes") or []
    size = (volume["spec"].get("capacity") or {}).get("storage")
    if phase_of(claim) != "Bound" or not (status.get("capacity") or {}).get("storage"):
        status["capacity"] = {**(status.get("capacity") or {}), "storage": size}
    elif requested(claim) <= capacity(volume) and quantity.value(status["capacity"]["storage"]) > capacity(volume):
        status["capacity"] = {**status["capacity"], "storage": size}
    name = volume["spec"].get("volumeAttributesClassName")
    if name and phase_of(claim) != "Bound":
        status["currentVolumeAttributesClassName"] = name
    return status


def unbound_volume(volume: Obj) -> Obj:
    """The volume free again: one that was bound beforehand keeps whom it is for."""
    if BOUND_BY_CONTROLLER not in marks_of(volume):
        reference = {k: v for k, v in reference_of(volume).items() if k not in ("uid", "resourceVersion")}
        return {**volume, "spec": {**volume["spec"], "claimRef": reference}}
    marks = {k: v for k, v in marks_of(volume).items() if k != BOUND_BY_CONTROLLER}
    meta = {k: v for k, v in volume["metadata"].items() if k != "annotations"}
    return {
        **volume,
        "metadata": {**meta, **({"annotations": marks} if marks else {})},
        "spec": {k: v for k, v in volume["spec"].items() if k != "claimRef"},
    }
