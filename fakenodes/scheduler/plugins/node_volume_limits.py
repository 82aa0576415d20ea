"""NodeVolumeLimits: a CSI driver attaches only so many volumes to a node (CSINode's allocatable.count)."""

from __future__ import annotations

from fakenodes.scheduler.framework import SKIP, Code, Event, Handle, State, Status
from fakenodes.scheduler.snapshot import NodeInfo, Obj, PodInfo

FULL = Status(Code.UNSCHEDULABLE, ("node(s) exceed max volume count",), "NodeVolumeLimits")


def _limits(csi_node: Obj | None) -> dict[str, int]:
    """How many volumes the node takes, by driver; drivers without a limit are left out."""
    return {
        driver["name"]: driver["allocatable"]["count"]
        for driver in ((csi_node or {}).get("spec") or {}).get("drivers") or ()
        if (driver.get("allocatable") or {}).get("count") is not None
    }


class NodeVolumeLimits:
    """PreFilter and filter."""

    name = "NodeVolumeLimits"
    events = (
        "CSINode/Add",
        "CSINode/Update",
        "AssignedPod/Delete",
        "PersistentVolumeClaim/Add",
    )

    def __init__(self, handle: Handle) -> None:
        self._listers = handle.listers

    def pre_filter(self, state: State, pod: PodInfo) -> Status | None:
        """Only volumes of CSI drivers are counted."""
        return None if self._volumes(pod) else SKIP

    def filter(self, state: State, pod: PodInfo, node: NodeInfo) -> Status | None:
        """None while every driver's limit holds."""
        limits = _limits(self._listers["csinodes"].get(node.name))
        if not limits:
            return None
        used: set[tuple[str, str]] = set()
        for other in node.pods.values():
            used |= self._volumes(other)
        new = self._volumes(pod) - used
        for driver, limit in limits.items():
            wanted = sum(1 for name, _ in new if name == driver)
            if wanted and wanted + sum(1 for name, _ in used if name == driver) > limit:
                return FULL
        return None

    def hint(self, pod: PodInfo, event: Event) -> bool:
        """More room on a node helps, a pod that goes and had volumes, and the pod's own claims."""
        if event.kind.startswith("CSINode/"):
            before = _limits(event.old)
            return any(limit > before.get(driver, 0) for driver, limit in _limits(event.new).items())
        if event.kind == "AssignedPod/Delete" and event.old is not None:
            return bool(PodInfo(event.old).claims)
        return event.new is None or pod.uses(event.new)

    def _volumes(self, pod: PodInfo) -> set[tuple[str, str]]:
        """(driver, volume handle) of the pod's attached CSI volumes; unbound claims count under their own name."""
        found = set()
        for claim_name in pod.claims:
            key = f"{pod.namespace}/{claim_name}"
            claim = self._listers["persistentvolumeclaims"].get(key)
            if claim is None:
                continue
            volume = self._listers["persistentvolumes"].get(claim["spec"].get("volumeName") or "")
            if volume is not None:
                csi: Obj = volume["spec"].get("csi") or {}
                if csi:
                    found.add((csi["driver"], csi["volumeHandle"]))
                continue
            storage_class = self._listers["storageclasses"].get(claim["spec"].get("storageClassName") or "")
            if storage_class is not None:
                found.add((storage_class["provisioner"], key))
        return found
