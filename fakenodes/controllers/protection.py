"""Claims in use by pods, volumes bound to claims and attributes classes of either wait for their users before they go.

Stands for kube-controller-manager's pvcprotection, pvprotection and vacprotection controllers: they add the finalizer
where it lacks and take it off when the object is being deleted and nobody uses it.
"""

from __future__ import annotations

from collections.abc import Iterable

from fakenodes.client.base import GVR, ClientError, Obj
from fakenodes.client.gvrs import ATTRIBUTES_CLASSES, CLAIMS, PODS, VOLUMES
from fakenodes.controllers.base import Controller, Watch, Watching, Work, service_account
from fakenodes.controllers.pods import is_terminated
from fakenodes.owners import controller_uid

CLAIM_FINALIZER = "kubernetes.io/pvc-protection"
VOLUME_FINALIZER = "kubernetes.io/pv-protection"
CLASS_FINALIZER = "kubernetes.io/vac-protection"


def claims_of(pod: Obj) -> list[str]:
    """The keys of the claims that a pod uses, ephemeral volumes' too."""
    meta = pod["metadata"]
    found = []
    for volume in pod["spec"].get("volumes") or ():
        if "persistentVolumeClaim" in volume:
            found.append(f"{meta['namespace']}/{volume['persistentVolumeClaim']['claimName']}")
        elif "ephemeral" in volume:
            found.append(f"{meta['namespace']}/{meta['name']}-{volume['name']}")
    return found


def uses(pod: Obj, claim: Obj) -> bool:
    """podUsesPVC: whether the claim has to stay for the pod."""
    if not pod["spec"].get("nodeName"):
        return False
    meta = pod["metadata"]
    shut_down = bool(meta.get("deletionTimestamp")) and meta.get("deletionGracePeriodSeconds") == 0
    for volume in pod["spec"].get("volumes") or ():
        if (volume.get("persistentVolumeClaim") or {}).get("claimName") == claim["metadata"]["name"]:
            return True
        own = "ephemeral" in volume and f"{meta['name']}-{volume['name']}" == claim["metadata"]["name"]
        if own and not shut_down and controller_uid(claim) == meta["uid"]:
            return True
    return False


def plan(finalizers: list[str], own: str, going: bool, used: bool) -> list[str]:
    """The finalizers that the object should have."""
    if going:
        return finalizers if used else [x for x in finalizers if x != own]
    return finalizers if own in finalizers else [*finalizers, own]


async def _protect(work: Work, gvr: GVR, obj: Obj, own: str, used: bool) -> None:
    meta = obj["metadata"]
    before = meta.get("finalizers") or []
    after = plan(before, own, bool(meta.get("deletionTimestamp")), used)
    if after == before:
        return
    rest = {k: v for k, v in meta.items() if k != "finalizers"}
    try:
        await work.update(gvr, {**obj, "metadata": {**rest, "finalizers": after} if after else rest})
    except ClientError as error:
        if error.code != 404:
            raise


async def protect_claim(work: Work) -> float | None:
    """A claim is used by pods that are on a node, over or not; its own pod lets an ephemeral volume go sooner."""
    claim = work.get(CLAIMS, work.key)
    if claim is not None:
        used = any(uses(p, claim) for p in work.find(PODS, "claim", work.key))
        await _protect(work, CLAIMS, claim, CLAIM_FINALIZER, used)
    return None


async def protect_volume(work: Work) -> float | None:
    """A volume is used while it is bound."""
    volume = work.get(VOLUMES, work.key)
    if volume is not None:
        await _protect(work, VOLUMES, volume, VOLUME_FINALIZER, (volume.get("status") or {}).get("phase") == "Bound")
    return None


async def protect_class(work: Work) -> float | None:
    """An attributes class is used by claims that have it, had it or are to have it, and by volumes that have it."""
    found = work.get(ATTRIBUTES_CLASSES, work.key)
    if found is not None:
        used = any(work.find(gvr, "attributes", work.key) for gvr in (CLAIMS, VOLUMES))
        await _protect(work, ATTRIBUTES_CLASSES, found, CLASS_FINALIZER, used)
    return None


def classes_of(obj: Obj) -> list[str]:
    """The attributes classes that a claim or a volume names."""
    status = obj.get("status") or {}
    names = (
        obj["spec"].get("volumeAttributesClassName"),
        status.get("currentVolumeAttributesClassName"),
        (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName"),
    )
    return sorted({x for x in names if x})


def _classes(_: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    """Those that are let go of."""
    return set(classes_of(old)) - set(classes_of(new) if new is not None else ()) if old is not None else ()


def _claims_of_pod(_: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    """A pod that is over or gone may let go of its claims."""
    if old is None or not (new is None or is_terminated(new) or new["metadata"].get("deletionTimestamp")):
        return ()
    return claims_of(old)


CLAIM_PROTECTION = Controller(
    "persistentvolumeclaim-protection-controller",
    "pvc-protection",
    service_account("pvc-protection-controller"),
    (Watch(CLAIMS), Watch(PODS, _claims_of_pod, {"claim": claims_of})),
    protect_claim,
    workers=1,
)
VOLUME_PROTECTION = Controller(
    "persistentvolume-protection-controller",
    "pv-protection",
    service_account("pv-protection-controller"),
    (Watch(VOLUMES),),
    protect_volume,
    workers=1,
)
CLASS_PROTECTION = Controller(
    "volumeattributesclass-protection-controller",
    "vac-protection",
    service_account("volumeattributesclass-protection-controller"),
    (
        Watch(ATTRIBUTES_CLASSES),
        Watch(CLAIMS, _classes, {"attributes": classes_of}),
        Watch(VOLUMES, _classes, {"attributes": classes_of}),
    ),
    protect_class,
    workers=1,
)
