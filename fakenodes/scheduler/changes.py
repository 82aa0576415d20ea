"""Which cluster events a change of a Node or Pod amounts to: scheduler eventhandlers.go and framework/events.go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fakenodes.scheduler.resources import infeasible, pod_requests
from fakenodes.scheduler.snapshot import Obj

Read = Callable[[Obj], Any]


def _conditions(node: Obj) -> dict[str, str]:
    return {c["type"]: c["status"] for c in (node.get("status") or {}).get("conditions") or ()}


NODE_CHANGES: tuple[tuple[str, Read], ...] = (
    ("Node/UpdateAllocatable", lambda node: (node.get("status") or {}).get("allocatable")),
    ("Node/UpdateLabel", lambda node: node["metadata"].get("labels")),
    (
        "Node/UpdateTaint",
        lambda node: ((node.get("spec") or {}).get("taints"), (node.get("spec") or {}).get("unschedulable")),
    ),
    ("Node/UpdateCondition", _conditions),
    ("Node/UpdateAnnotation", lambda node: node["metadata"].get("annotations")),
)


def node_events(old: Obj, new: Obj) -> list[str]:
    """The kinds of events; none for a heartbeat."""
    return [kind for kind, read in NODE_CHANGES if read(old) != read(new)]


def _scaled(old: Obj, new: Obj) -> str:
    """ScaleDown when any request is smaller, else ScaleUp; "" when they are as they were."""
    if _resizable(old) == _resizable(new):
        return ""
    before, after = pod_requests(old), pod_requests(new)
    if before == after:
        return ""
    return "ScaleDown" if any(after.get(name, 0) < value for name, value in before.items()) else "ScaleUp"


def pod_events(old: Obj, new: Obj, who: str) -> list[str]:
    """The kinds of events, prefixed with who: "Pod" for one that waits, "AssignedPod" for one on a node."""
    found = []
    before, after = old["spec"], new["spec"]
    if old["metadata"].get("labels") != new["metadata"].get("labels"):
        found.append(f"{who}/UpdateLabel")
    if len(before.get("tolerations") or ()) != len(after.get("tolerations") or ()):
        found.append(f"{who}/UpdateToleration")
    if before.get("schedulingGates") and not after.get("schedulingGates"):
        found.append(f"{who}/UpdateGates")
    if before.get("nodeSelector") != after.get("nodeSelector") or before.get("affinity") != after.get("affinity"):
        found.append(f"{who}/UpdateAffinity")
    scaled = _scaled(old, new)
    if scaled:
        found.append(f"{who}/{scaled}")
    if (
        new["metadata"].get("deletionTimestamp")
        and not old["metadata"].get("deletionTimestamp")
        and who == "AssignedPod"
    ):
        found.append(f"{who}/UpdateDeletion")
    return found


def _resizable(pod: Obj) -> list[Any]:
    spec, status = pod["spec"], pod.get("status") or {}
    wanted = [c.get("resources") for c in spec.get("containers") or ()]
    in_use = [(s.get("allocatedResources"), s.get("resources")) for s in status.get("containerStatuses") or ()]
    return [*wanted, *in_use, infeasible(pod), spec.get("initContainers"), spec.get("resources")]


def spec_changed(old: Obj, new: Obj) -> bool:
    """Has anything changed but the status and the server's bookkeeping? The scheduler's own patches do not count."""
    if old["spec"] != new["spec"]:
        return True
    kept = ("labels", "annotations", "deletionTimestamp", "ownerReferences")
    return any(old["metadata"].get(key) != new["metadata"].get(key) for key in kept)
