"""VolumeRestrictions: a ReadWriteOncePod claim has one pod, and some disks one user on a node that writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from fakenodes.scheduler.framework import SKIP, Code, Event, Handle, State, Status
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


class Disk(Struct, frozen=True):
    """A restricted disk: kind and names, whether it may be shared, and Ceph's monitors, one of which is the same."""

    identity: tuple[str | None, ...]
    shared: bool
    monitors: frozenset[str] = frozenset()

    def conflicts(self, other: Disk) -> bool:
        """May not both be used on one node?"""
        if self.identity != other.identity or (self.shared and other.shared):
            return False
        return not self.monitors or bool(self.monitors & other.monitors)


def disks(pod: PodInfo) -> Iterator[Disk]:
    """The pod's restricted disks."""
    for volume in pod.spec.get("volumes") or ():
        for kind, fields, shareable in DISKS:
            source: Obj | None = volume.get(kind)
            if source:
                identity = (kind, *(source.get(f) for f in fields))
                shared = shareable and bool(source.get("readOnly"))
                yield Disk(identity, shared, frozenset(source.get("monitors") or ()))


class Restricted(Struct):
    """The pod's disks and ReadWriteOncePod claims; how often placed pods use one of the claims, wherever they are."""

    disks: tuple[Disk, ...]
    claims: frozenset[str]
    users: int

    def __deepcopy__(self, memo: Any) -> Restricted:
        return Restricted(self.disks, self.claims, self.users)


class VolumeRestrictions:
    """PreFilter and filter."""

    name = "VolumeRestrictions"
    events = ("AssignedPod/Delete", "Node/Add", "PersistentVolumeClaim/Add")

    def __init__(self, handle: Handle) -> None:
        self._snapshot = handle.snapshot
        self._claims = handle.listers["persistentvolumeclaims"]

    def pre_filter(self, state: State, pod: PodInfo) -> Status | None:
        """Count who uses the pod's single-pod claims."""
        mine, single = tuple(disks(pod)), frozenset(self._single(pod))
        if not mine and not single:
            return SKIP
        users = sum(self._snapshot.claim_users.get(f"{pod.namespace}/{name}", 0) for name in single)
        state[self.name] = Restricted(mine, single, users)
        return None

    def _single(self, pod: PodInfo) -> Iterator[str]:
        for name in pod.claims:
            found = self._claims.get(f"{pod.namespace}/{name}")
            if found and "ReadWriteOncePod" in (found["spec"].get("accessModes") or ()):
                yield name

    def add_pod(self, state: State, pod: PodInfo, other: PodInfo, node: NodeInfo) -> None:
        """As if `other` were on the node."""
        self._change(state, pod, other, 1)

    def remove_pod(self, state: State, pod: PodInfo, other: PodInfo, node: NodeInfo) -> None:
        """As if `other` were not on the node."""
        self._change(state, pod, other, -1)

    def _change(self, state: State, pod: PodInfo, other: PodInfo, by: int) -> None:
        found: Restricted | None = state.get(self.name)
        if found is not None and other.namespace == pod.namespace:
            found.users += by * sum(name in found.claims for name in other.claims)

    def filter(self, state: State, pod: PodInfo, node: NodeInfo) -> Status | None:
        """None when nobody uses the claims, and nobody there the disks."""
        found: Restricted = state[self.name]
        if found.disks and any(_clash(found.disks, other) for other in node.pods.values()):
            return DISK
        return ONE_POD if found.users > 0 else None

    def hint(self, pod: PodInfo, event: Event) -> bool:
        """A pod that goes helps if it shared a disk or claim; a claim that comes, if it is the pod's."""
        if event.kind == "AssignedPod/Delete" and event.old is not None:
            other = PodInfo(event.old)
            return other.namespace == pod.namespace and (
                _clash(tuple(disks(pod)), other) or not set(pod.claims).isdisjoint(other.claims)
            )
        return event.new is None or event.kind == "Node/Add" or pod.uses(event.new)


def _clash(mine: Sequence[Disk], other: PodInfo) -> bool:
    return bool(mine) and any(a.conflicts(b) for b in disks(other) for a in mine)
