"""VolumeRestrictions: a ReadWriteOncePod claim has one pod, and some disks one node that writes."""

from __future__ import annotations

from collections.abc import Iterator

from fakenodes.scheduler.framework import SKIP, Code, Handle, State, Status
from fakenodes.scheduler.snapshot import NodeInfo, Obj, PodInfo

DISK = Status(Code.UNSCHEDULABLE, ("node(s) had no available disk",), "VolumeRestrictions")
ONE_POD = Status(
    Code.UNSCHEDULABLE,
    ("node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode",),
    "VolumeRestrictions",
)
# In-tree disks: where they are in the volume, what names them, and whether two read-only users may share one.
DISKS = (
    ("gcePersistentDisk", ("pdName",), True),
    ("awsElasticBlockStore", ("volumeID",), False),
    ("iscsi", ("iqn",), True),
    ("rbd", ("pool", "image"), True),
)

Disk = tuple[str, tuple[str | None, ...], bool]  # kind, identity, may be shared


def disks(pod: PodInfo) -> Iterator[Disk]:
    """The pod's restricted disks."""
    for volume in pod.spec.get("volumes") or ():
        for kind, fields, shareable in DISKS:
            source: Obj | None = volume.get(kind)
            if source:
                yield kind, tuple(source.get(f) for f in fields), shareable and bool(source.get("readOnly"))


class VolumeRestrictions:
    """PreFilter and filter."""

    name = "VolumeRestrictions"
    events = ("AssignedPod/Delete", "Node/Add", "PersistentVolumeClaim/Add", "PersistentVolumeClaim/Update")

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    def pre_filter(self, state: State, pod: PodInfo) -> Status | None:
        """Remember the pod's single-pod claims."""
        single = set()
        for claim in pod.claims:
            key = f"{pod.namespace}/{claim}"
            found = self._handle.listers["persistentvolumeclaims"].get(key)
            if found and "ReadWriteOncePod" in (found["spec"].get("accessModes") or ()):
                single.add(claim)
        mine = tuple(disks(pod))
        state[self.name] = (single, mine)
        return None if single or mine else SKIP

    def filter(self, state: State, pod: PodInfo, node: NodeInfo) -> Status | None:
        """None when nobody there uses the same."""
        single, mine = state[self.name]
        for other in node.pods.values():
            if single and other.namespace == pod.namespace and single & set(other.claims):
                return ONE_POD
            if mine and any(a[:2] == b[:2] and not (a[2] and b[2]) for a in mine for b in disks(other)):
                return DISK
        return None
