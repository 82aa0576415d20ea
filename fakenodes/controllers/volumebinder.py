"""Claims and volumes find each other; volumes whose claim is gone are released.

Stands for kube-controller-manager's persistentvolume/pv_controller.go. Volumes are made and removed by external
provisioners (provisioner.py is one), whom claims wait for. Leaves out the recycler, and of the plugins in the tree all
but hostPath's deleter. Keys of claims and, with a mark, of volumes.
"""

from __future__ import annotations

from collections.abc import Iterable

from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import CLAIMS, PODS, STORAGE_CLASSES, VOLUMES
from fakenodes.controllers.base import Controller, Watch, Watching, Work, service_account
from fakenodes.controllers.protection import claims_of
from fakenodes.controllers.volumes import (
    BIND_COMPLETED,
    NO_PROVISIONER,
    OLD_PROVISIONER,
    PROVISIONED_BY,
    PROVISIONER,
    SELECTED_NODE,
    best_match,
    bound_claim,
    bound_volume,
    capacity,
    claim_status,
    class_of,
    is_for,
    marks_of,
    mismatch,
    phase_of,
    reference_of,
    requested,
    unbound_volume,
    undeletable,
)
from fakenodes.informer import key_of

VOLUME = "volume|"
RESYNC_SECONDS = 15.0
EXTERNAL = (
    "Waiting for a volume to be created either by the external provisioner '{}' or manually by the system "
    "administrator. If volume creation is delayed, please verify that the provisioner is running and correctly "
    "registered."
)


async def reconcile(work: Work) -> float | None:
    """One claim or one volume."""
    if work.key.startswith(VOLUME):
        volume = work.get(VOLUMES, work.key.removeprefix(VOLUME))
        if volume is not None:
            await _volume(work, volume)
        return None
    claim = work.get(CLAIMS, work.key)
    if claim is None:
        return None
    if BIND_COMPLETED in marks_of(claim):
        await _bound(work, claim)
        return None
    return RESYNC_SECONDS if await _unbound(work, claim) else None


# ---------------------------------------------------------------- claims


async def _unbound(work: Work, claim: Obj) -> bool:
    """Look for a volume; whether the claim still waits."""
    name = claim["spec"].get("volumeName")
    if not name:
        found = best_match(claim, work.list(VOLUMES), _delayed(work, claim))
        if found is not None:
            await _bind(work, claim, found)
            return False
        await _ask_for(work, claim)
        await _status(work, work.get(CLAIMS, work.key) or claim, None, "Pending")
        return True
    volume = work.get(VOLUMES, name)
    if volume is None:
        await _status(work, claim, None, "Pending")
        return True
    if is_for(volume, claim):
        await _bind(work, claim, volume)
        return False
    why = mismatch(volume, claim) if not reference_of(volume) else ""
    if not reference_of(volume) and not why:
        await _bind(work, claim, volume)
        return False
    if why:
        work.event(claim, "Warning", "VolumeMismatch", f'Cannot bind to requested volume "{name}": {why}')
    else:
        work.event(claim, "Warning", "FailedBinding", f'volume "{name}" already bound to a different claim.')
    await _status(work, claim, None, "Pending")
    return True


def _class(work: Work, claim: Obj) -> Obj | None:
    return work.get(STORAGE_CLASSES, class_of(claim)) if class_of(claim) else None


def _delayed(work: Work, claim: Obj) -> bool:
    """Whether the scheduler chooses the volume, or the node that it is made for."""
    found = _class(work, claim)
    return found is not None and found.get("volumeBindingMode") == "WaitForFirstConsumer"


async def _ask_for(work: Work, claim: Obj) -> None:
    """Have a volume made, or say what the claim waits for."""
    if _delayed(work, claim) and SELECTED_NODE not in marks_of(claim):
        users = [p["metadata"]["name"] for p in work.find(PODS, "claim", work.key) if not p["spec"].get("nodeName")]
        if users:
            text = f"waiting for pod {','.join(sorted(users))} to be scheduled"
            work.event(claim, "Normal", "WaitForPodScheduled", text)
        else:
            text = "waiting for first consumer to be created before binding"
            work.event(claim, "Normal", "WaitForFirstConsumer", text)
        return
    if not class_of(claim):
        text = "no persistent volumes available for this claim and no storage class is set"
        work.event(claim, "Normal", "FailedBinding", text)
        return
    found = _class(work, claim)
    if found is None:
        text = f'storageclass.storage.k8s.io "{class_of(claim)}" not found'
        work.event(claim, "Warning", "ProvisioningFailed", text)
        return
    name = found["provisioner"]
    if name == NO_PROVISIONER:
        text = f"no volume plugin matched name: {NO_PROVISIONER}"
        work.event(claim, "Warning", "ProvisioningFailed", text)
        return
    marks = {**marks_of(claim), PROVISIONER: name, OLD_PROVISIONER: name}
    if marks != marks_of(claim):
        claim = await work.update(CLAIMS, {**claim, "metadata": {**claim["metadata"], "annotations": marks}})
    work.event(claim, "Normal", "ExternalProvisioning", EXTERNAL.format(name))


async def _bind(work: Work, claim: Obj, volume: Obj) -> None:
    """Both sides, the volume first: a claim that says it is bound must not lie."""
    changed = bound_volume(volume, claim)
    if changed is not None:
        volume = await work.update(VOLUMES, changed)
    if phase_of(volume) != "Bound":
        volume = await _phase(work, volume, "Bound")
    bound = bound_claim(claim, volume)
    if bound is not None:
        claim = await work.update(CLAIMS, bound)
    await _status(work, claim, volume, "Bound")


async def _bound(work: Work, claim: Obj) -> None:
    """A claim that was bound once either still is, or is lost."""
    name = claim["spec"].get("volumeName")
    volume = work.get(VOLUMES, name) if name else None
    if not name:
        text = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
        await _lose(work, claim, "ClaimLost", text)
    elif volume is None:
        await _lose(work, claim, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!")
    elif not reference_of(volume) or reference_of(volume).get("uid") in (claim["metadata"]["uid"], "", None):
        await _bind(work, claim, volume)
    else:
        text = "Two claims are bound to the same volume, this one is bound incorrectly"
        await _lose(work, claim, "ClaimMisbound", text)


async def _lose(work: Work, claim: Obj, reason: str, message: str) -> None:
    if phase_of(claim) != "Lost":
        work.event(claim, "Warning", reason, message)
    await _status(work, claim, None, "Lost")


async def _status(work: Work, claim: Obj, volume: Obj | None, phase: str) -> None:
    status = claim_status(claim, volume, phase)
    if status != (claim.get("status") or {}):
        await work.update(CLAIMS, {**claim, "status": status}, "status")


# ---------------------------------------------------------------- volumes


async def _phase(work: Work, volume: Obj, phase: str) -> Obj:
    status = {k: v for k, v in (volume.get("status") or {}).items() if k not in ("message", "reason")}
    if status.get("phase") == phase:
        return volume
    return await work.update(VOLUMES, {**volume, "status": {**status, "phase": phase}}, "status")


async def _volume(work: Work, volume: Obj) -> None:
    """The phase by what has become of the claim."""
    reference = reference_of(volume)
    if not reference or not reference.get("uid"):
        await _phase(work, volume, "Available")
        return
    claim = await _claim_of(work, reference)
    if claim is None:
        if phase_of(volume) not in ("Released", "Failed"):
            volume = await _phase(work, volume, "Released")
        await _reclaim(work, volume)
        return
    name = claim["spec"].get("volumeName")
    if not name:
        work.add_after(key_of(claim), 0.0)
    elif name == volume["metadata"]["name"]:
        await _phase(work, volume, "Bound")
    elif PROVISIONED_BY in marks_of(volume) and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
        if phase_of(volume) not in ("Released", "Failed"):
            await _phase(work, volume, "Released")
    else:
        await _phase(work, await work.update(VOLUMES, unbound_volume(volume)), "Available")


async def _reclaim(work: Work, volume: Obj) -> None:
    """Delete a released volume whose policy says so, as the plugins in the tree do: others have their own deleters."""
    why = undeletable(volume)
    if why is None or volume["metadata"].get("deletionTimestamp"):
        return
    if not why:
        await work.delete(VOLUMES, volume)
    elif phase_of(volume) != "Failed":
        failed = {**(volume.get("status") or {}), "phase": "Failed", "message": why}
        await work.update(VOLUMES, {**volume, "status": failed}, "status")
        work.event(volume, "Warning", "VolumeFailedDelete", why)


async def _claim_of(work: Work, reference: Obj) -> Obj | None:
    """The very claim that the reference means; before it is called gone the server is asked."""
    found = work.get(CLAIMS, f"{reference['namespace']}/{reference['name']}")
    if found is None:
        try:
            found = await work.client.get(CLAIMS, reference["name"], reference["namespace"])
        except ClientError as error:
            if error.code != 404:
                raise
    return found if found is not None and found["metadata"]["uid"] == reference["uid"] else None


# ---------------------------------------------------------------- what concerns whom


def _of_volume(watching: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    """The volume, the claim that it refers to, and when it is or becomes free the claims that it might do for."""
    found = new or old
    assert found is not None
    keys = [f"{VOLUME}{found['metadata']['name']}"]
    for each in (old, new):
        reference = reference_of(each) if each is not None else {}
        if reference.get("name"):
            keys.append(f"{reference.get('namespace', '')}/{reference['name']}")
    if (
        new is not None
        and phase_of(new) == "Available"
        and (old is None or old["spec"] != new["spec"] or phase_of(old) != "Available")
    ):
        keys += [
            key_of(c)
            for c in watching.find(CLAIMS, "class", class_of(new))
            if BIND_COMPLETED not in marks_of(c) and requested(c) <= capacity(new)
        ]
    keys += watching.informer(CLAIMS).store.index_keys("volume", found["metadata"]["name"])
    return dict.fromkeys(keys)


def _of_claim(_: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    """The claim, and the volume that it has or had."""
    found = new or old
    assert found is not None
    names = {c["spec"].get("volumeName") for c in (old, new) if c is not None} - {None, ""}
    return [key_of(found), *(f"{VOLUME}{name}" for name in sorted(names))]


def _by_volume(claim: Obj) -> Iterable[str]:
    name = claim["spec"].get("volumeName")
    return (name,) if name else ()


def _by_class(claim: Obj) -> Iterable[str]:
    return (class_of(claim),)


def _of_class(watching: Watching, _: Obj | None, new: Obj | None) -> Iterable[str]:
    """Claims that have waited for their class."""
    if new is None:
        return ()
    claims = watching.find(CLAIMS, "class", new["metadata"]["name"])
    return [key_of(c) for c in claims if BIND_COMPLETED not in marks_of(c)]


BINDER = Controller(
    "persistentvolume-binder-controller",
    "persistentvolume-binder",
    service_account("persistent-volume-binder"),
    (
        Watch(CLAIMS, _of_claim, {"volume": _by_volume, "class": _by_class}),
        Watch(VOLUMES, _of_volume),
        Watch(STORAGE_CLASSES, _of_class),
        Watch(PODS, None, {"claim": claims_of}),
    ),
    reconcile,
    "persistentvolume-controller",
)
