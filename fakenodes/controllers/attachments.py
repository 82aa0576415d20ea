"""VolumeAttachments: volumes of CSI drivers are attached to the nodes of the pods that use them.

Stands for kube-controller-manager's attach/detach controller with CSI's attacher: objects are made and removed,
drivers make them true. Leaves out in-tree volumes, force detach and node.status.volumesAttached.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import CLAIMS, CSI_DRIVERS, PODS, VOLUME_ATTACHMENTS, VOLUMES
from fakenodes.controllers.base import Controller, Watch, Watching, Work, service_account
from fakenodes.controllers.pods import is_terminated
from fakenodes.controllers.protection import claims_of

CONTROLLER = "attachdetach-controller"


def attachment_name(handle: str, driver: str, node: str) -> str:
    """The name that follows from what is attached where."""
    return f"csi-{hashlib.sha256(f'{handle}{driver}{node}'.encode()).hexdigest()}"


def plan(volume: Obj, nodes: Iterable[str], existing: Iterable[Obj]) -> tuple[list[Obj], list[Obj]]:
    """(attachments to make, to remove) for a CSI volume that is used on these nodes."""
    source = volume["spec"]["csi"]
    wanted = {attachment_name(source["volumeHandle"], source["driver"], node): node for node in nodes}
    have = {a["metadata"]["name"]: a for a in existing}
    made = [
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "VolumeAttachment",
            "metadata": {"name": name},
            "spec": {
                "attacher": source["driver"],
                "nodeName": node,
                "source": {"persistentVolumeName": volume["metadata"]["name"]},
            },
        }
        for name, node in wanted.items()
        if name not in have
    ]
    return made, [a for name, a in have.items() if name not in wanted and not a["metadata"].get("deletionTimestamp")]


async def reconcile(work: Work) -> float | None:
    """One volume's attachments."""
    volume = work.get(VOLUMES, work.key)
    source = ((volume or {}).get("spec") or {}).get("csi")
    existing = list(work.find(VOLUME_ATTACHMENTS, "volume", work.key))
    if volume is None or not source:
        for each in existing:
            await work.delete(VOLUME_ATTACHMENTS, each)
        return None
    driver = work.get(CSI_DRIVERS, source["driver"])
    if driver is not None and driver["spec"].get("attachRequired") is False:
        return None
    reference = volume["spec"].get("claimRef") or {}
    pods = work.find(PODS, "claim", f"{reference.get('namespace')}/{reference.get('name')}")
    nodes = {p["spec"]["nodeName"] for p in pods if p["spec"].get("nodeName") and not is_terminated(p)}
    make, remove = plan(volume, sorted(nodes), existing)
    for each in make:
        try:
            await work.create(VOLUME_ATTACHMENTS, each)
        except ClientError as error:
            if error.reason != "AlreadyExists":
                raise
    for each in remove:
        await work.delete(VOLUME_ATTACHMENTS, each)
    return None


def _of_pod(watching: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    """The volumes of a pod that came to a node, ended or went."""
    if (
        old is not None
        and new is not None
        and (old["spec"].get("nodeName"), is_terminated(old)) == (new["spec"].get("nodeName"), is_terminated(new))
    ):
        return ()
    pod = new or old
    assert pod is not None
    claims = (watching.get(CLAIMS, key) for key in claims_of(pod))
    return [c["spec"]["volumeName"] for c in claims if c is not None and c["spec"].get("volumeName")]


def _by_volume(found: Obj) -> Iterable[str]:
    name = found["spec"]["source"].get("persistentVolumeName")
    return (name,) if name else ()


ATTACH_DETACH = Controller(
    "persistentvolume-attach-detach-controller",
    "attachdetach",
    service_account("attachdetach-controller"),
    (
        Watch(VOLUMES),
        Watch(PODS, _of_pod, {"claim": claims_of}),
        Watch(CLAIMS, None),
        Watch(CSI_DRIVERS, None),
        Watch(VOLUME_ATTACHMENTS, None, {"volume": _by_volume}),
    ),
    reconcile,
    CONTROLLER,
)
