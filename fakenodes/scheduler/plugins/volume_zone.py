"""VolumeZone: a bound volume that is labelled with a zone or region can be used only there."""

from __future__ import annotations

from fakenodes.scheduler.framework import SKIP, Code, Event, Handle, State, Status
from fakenodes.scheduler.snapshot import NodeInfo, PodInfo

ELSEWHERE = Status(Code.UNRESOLVABLE, ("node(s) had no available volume zone",), "VolumeZone")
TOPOLOGY_LABELS = (
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
)
# Volumes may have labels of before 1.17 still, and nodes only today's.
CURRENT = dict(zip(TOPOLOGY_LABELS[:2], TOPOLOGY_LABELS[2:], strict=True))


class VolumeZone:
    """PreFilter and filter."""

    name = "VolumeZone"
    events = (
        "StorageClass/Add", "Node/Add", "Node/UpdateLabel", "PersistentVolumeClaim/Add", "PersistentVolumeClaim/Update",
        "PersistentVolume/Add", "PersistentVolume/Update",
    )  # fmt: skip

    def __init__(self, handle: Handle) -> None:
        self._listers = handle.listers

    def pre_filter(self, state: State, pod: PodInfo) -> Status | None:
        """Collect (label, zones) of the pod's bound volumes."""
        wanted: list[tuple[str, frozenset[str]]] = []
        for claim_name in pod.claims:
            claim = self._listers["persistentvolumeclaims"].get(f"{pod.namespace}/{claim_name}")
            name = ((claim or {}).get("spec") or {}).get("volumeName")
            volume = self._listers["persistentvolumes"].get(name) if name else None
            labels = (volume["metadata"].get("labels") or {}) if volume else {}
            wanted += [(label, frozenset(labels[label].split("__"))) for label in TOPOLOGY_LABELS if label in labels]
        state[self.name] = wanted
        return None if wanted else SKIP

    def filter(self, state: State, pod: PodInfo, node: NodeInfo) -> Status | None:
        """None when the node has one of the zones, or no zone labels at all."""
        if not any(label in node.labels for label in TOPOLOGY_LABELS):
            return None
        for label, zones in state[self.name]:
            if node.labels.get(label, node.labels.get(CURRENT.get(label, label))) not in zones:
                return ELSEWHERE
        return None

    def hint(self, pod: PodInfo, event: Event) -> bool:
        """Of claims, the pod's own help."""
        return not event.kind.startswith("PersistentVolumeClaim/") or event.new is None or pod.uses(event.new)
