"""Claims that ask for more than they have get it, when the hollow provisioner made their volume.

Stands for kube-controller-manager's pkg/controller/volume/expand and, for our own volumes, the external resizer that it
hands over to; other drivers' claims get upstream's event and wait.
"""

from __future__ import annotations

from collections.abc import Iterable

from fakenodes.client.base import Obj
from fakenodes.client.gvrs import CLAIMS, VOLUMES
from fakenodes.controllers.base import Controller, Watch, Watching, Work, service_account
from fakenodes.controllers.provisioner import NAME
from fakenodes.controllers.volumes import PROVISIONED_BY, capacity, marks_of, phase_of, requested
from fakenodes.informer import key_of

WAITING = "waiting for an external controller to expand this PVC"


def needs(claim: Obj, volume: Obj) -> bool:
    """Whether the bound claim asks for more than its volume or its own status says."""
    if phase_of(claim) != "Bound":
        return False
    has = ((claim.get("status") or {}).get("capacity") or {}).get("storage")
    wants = ((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage")
    return requested(claim) > capacity(volume) or (has != wants and requested(claim) == capacity(volume))


async def reconcile(work: Work) -> float | None:
    """The volume first, then what the claim says it has."""
    claim = work.get(CLAIMS, work.key)
    volume = work.get(VOLUMES, claim["spec"]["volumeName"]) if claim and claim["spec"].get("volumeName") else None
    if claim is None or volume is None or not needs(claim, volume):
        return None
    if marks_of(volume).get(PROVISIONED_BY) != NAME:
        if requested(claim) > capacity(volume):
            work.event(claim, "Normal", "ExternalExpanding", WAITING)
        return None
    size = claim["spec"]["resources"]["requests"]["storage"]
    if requested(claim) > capacity(volume):
        sizes = {**(volume["spec"].get("capacity") or {}), "storage": size}
        await work.update(VOLUMES, {**volume, "spec": {**volume["spec"], "capacity": sizes}})
    status = {k: v for k, v in claim["status"].items() if k not in ("conditions", "allocatedResourceStatuses")}
    status["capacity"] = {**(status.get("capacity") or {}), "storage": size}
    await work.update(CLAIMS, {**claim, "status": status}, "status")
    work.event(claim, "Normal", "VolumeResizeSuccessful", "Resize volume succeeded")
    return None


def _of_claim(_: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    return (key_of(new),) if new is not None and (old is None or old["spec"] != new["spec"]) else ()


EXPAND = Controller(
    "persistentvolume-expander-controller",
    "persistentvolume-expander",
    service_account("expand-controller"),
    (Watch(CLAIMS, _of_claim), Watch(VOLUMES, None)),
    reconcile,
    "volume_expand",
)
