"""The hollow provisioner: StorageClasses of ours get volumes that are nothing.

Stands for an external provisioner (sig-storage-lib-external-provisioner) beside the cluster: it makes the volume
that a claim waits for, and deletes it once it is released, if its class says so. Claims of classes whose provisioner
is `NAME` are its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import CLAIMS, STORAGE_CLASSES, VOLUMES
from fakenodes.controllers.base import Controller, Watch, Watching, Work, service_account
from fakenodes.controllers.volumes import (
    BIND_COMPLETED,
    PROVISIONED_BY,
    PROVISIONER,
    SELECTED_NODE,
    claim_reference,
    class_of,
    marks_of,
    phase_of,
)
from fakenodes.informer import key_of

NAME = "fakekube.io/hollow"
VOLUME = "volume|"
ROOT = "/var/lib/fakekube/volumes"


def plan(claim: Obj, storage: Obj) -> Obj | None:
    """The volume to make for the claim; None when it is not ours to make (yet)."""
    marks = marks_of(claim)
    if marks.get(PROVISIONER) != NAME or BIND_COMPLETED in marks or claim["spec"].get("volumeName"):
        return None
    node = marks.get(SELECTED_NODE)
    if storage.get("volumeBindingMode") == "WaitForFirstConsumer" and not node:
        return None
    meta, spec = claim["metadata"], claim["spec"]
    name = f"pvc-{meta['uid']}"
    made: Obj = {
        "capacity": {"storage": spec["resources"]["requests"]["storage"]},
        "accessModes": spec.get("accessModes") or [],
        "persistentVolumeReclaimPolicy": storage.get("reclaimPolicy", "Delete"),
        "claimRef": claim_reference(claim),
        "storageClassName": storage["metadata"]["name"],
        "volumeMode": spec.get("volumeMode", "Filesystem"),
        "hostPath": {"path": f"{ROOT}/{name}", "type": "DirectoryOrCreate"},
    }
    if storage.get("mountOptions"):
        made["mountOptions"] = storage["mountOptions"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {PROVISIONED_BY: NAME}},
        "spec": made,
    }


def finished(volume: Obj) -> bool:
    """Whether the volume is ours and to be removed."""
    policy = volume["spec"].get("persistentVolumeReclaimPolicy")
    ours = marks_of(volume).get(PROVISIONED_BY) == NAME
    return ours and policy == "Delete" and phase_of(volume) == "Released"


async def reconcile(work: Work) -> float | None:
    """Make the claim's volume, or remove a released one."""
    if work.key.startswith(VOLUME):
        volume = work.get(VOLUMES, work.key.removeprefix(VOLUME))
        if volume is not None and finished(volume) and not volume["metadata"].get("deletionTimestamp"):
            await work.delete(VOLUMES, volume)
        return None
    claim = work.get(CLAIMS, work.key)
    storage = work.get(STORAGE_CLASSES, class_of(claim)) if claim is not None and class_of(claim) else None
    made = plan(claim, storage) if claim is not None and storage is not None else None
    if claim is None or made is None or work.get(VOLUMES, made["metadata"]["name"]) is not None:
        return None
    work.event(claim, "Normal", "Provisioning", f'External provisioner is provisioning volume for claim "{work.key}"')
    try:
        await work.create(VOLUMES, made)
    except ClientError as error:
        if error.reason != "AlreadyExists":
            work.event(claim, "Warning", "ProvisioningFailed", f"Error creating provisioned PV object: {error}")
            raise
    text = f"Successfully provisioned volume {made['metadata']['name']}"
    work.event(claim, "Normal", "ProvisioningSucceeded", text)
    return None


def _of_volume(_: Watching, __: Obj | None, new: Obj | None) -> Iterable[str]:
    return (f"{VOLUME}{new['metadata']['name']}",) if new is not None and finished(new) else ()


def _of_claim(_: Watching, __: Obj | None, new: Obj | None) -> Iterable[str]:
    return (key_of(new),) if new is not None and marks_of(new).get(PROVISIONER) == NAME else ()


HOLLOW_PROVISIONER = Controller(
    "hollow-provisioner",
    "provisioner",
    service_account("persistent-volume-binder"),
    (Watch(CLAIMS, _of_claim), Watch(VOLUMES, _of_volume), Watch(STORAGE_CLASSES, None)),
    reconcile,
    NAME,
)
