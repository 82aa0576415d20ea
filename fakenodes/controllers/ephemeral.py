"""Pods' generic ephemeral volumes get their claims.

Stands for kube-controller-manager's pkg/controller/volume/ephemeral.
"""

from __future__ import annotations

from collections.abc import Iterable

from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import CLAIMS, PODS
from fakenodes.controllers.base import Controller, Watch, Watching, Work, service_account
from fakenodes.informer import key_of
from fakenodes.owners import controller_reference, owned_by


def plan(pod: Obj, volume: Obj) -> Obj:
    """The claim for one ephemeral volume."""
    template = volume["ephemeral"]["volumeClaimTemplate"]
    meta = template.get("metadata") or {}
    kept = {k: dict(meta[k]) for k in ("annotations", "labels") if meta.get(k)}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": f"{pod['metadata']['name']}-{volume['name']}",
            **kept,
            "ownerReferences": [controller_reference(pod, "v1", "Pod")],
        },
        "spec": template["spec"],
    }


async def reconcile(work: Work) -> float | None:
    """Create what is missing; a claim of that name that is not the pod's is an error that comes again."""
    pod = work.get(PODS, work.key)
    if pod is None or pod["metadata"].get("deletionTimestamp"):
        return None
    for volume in pod["spec"].get("volumes") or ():
        if "ephemeral" in volume:
            await _ensure(work, pod, plan(pod, volume))
    return None


async def _ensure(work: Work, pod: Obj, wanted: Obj) -> None:
    space, name = pod["metadata"]["namespace"], wanted["metadata"]["name"]
    found = work.get(CLAIMS, f"{space}/{name}")
    if found is not None:
        if not owned_by(found, pod):
            raise OSError(f'PVC "{space}/{name}" was not created for pod "{work.key}" (pod is not owner)')
        return
    try:
        await work.create(CLAIMS, wanted, space)
    except ClientError as error:
        work.event(pod, "Warning", "FailedBinding", f"ephemeral volume: create PVC {name}: {error}")
        raise


def _of_pod(_: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    if old is not None or new is None or not any("ephemeral" in v for v in new["spec"].get("volumes") or ()):
        return ()
    return (key_of(new),)


def _of_claim(_: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    """A claim that is gone may have to be made again."""
    if new is not None or old is None:
        return ()
    owners = old["metadata"].get("ownerReferences") or ()
    return [f"{old['metadata']['namespace']}/{o['name']}" for o in owners if o["kind"] == "Pod" and o.get("controller")]


EPHEMERAL = Controller(
    "ephemeral-volume-controller",
    "ephemeral-volume",
    service_account("ephemeral-volume-controller"),
    (Watch(PODS, _of_pod), Watch(CLAIMS, _of_claim)),
    reconcile,
    "ephemeral_volume",
)
