"""In-place resize: what a pod is given when its spec asks for other resources than it has, and what is said of it.

Stands for pkg/kubelet/allocation (allocation_manager.go), its events and kuberuntime's doPodResizeAction. Every pod is
looked at for itself: those that wait for room have no order among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from fakenodes.kubelet.podstate import INIT, RESIZE, SIDECAR, Container, Happened, Pod

Obj = Mapping[str, Any]
Shortage = tuple[str, str]  # Infeasible or Deferred, and a message


def resized(pod: Pod) -> list[Container]:
    """The containers whose spec asks for other resources than the node has set aside for them."""
    return [c for c in pod.containers if (c.spec.get("resources") or {}) != c.allocated]


def allocate(pod: Pod, shortage: Shortage | None) -> list[Happened]:
    """Set aside what the spec asks for, or let it wait because of a shortage; the events to tell."""
    if shortage is not None:
        if shortage == pod.pending:
            return []
        pod.pending = shortage
        reason, message = shortage
        return [Happened("Warning", f"Resize{reason}", _message(pod, f"Pod resize {reason}", message))]
    pod.pending = None
    for container in resized(pod):
        container.allocated = container.spec.get("resources") or {}
    pod.resizing = True
    return [Happened("Normal", "ResizeStarted", _message(pod, "Pod resize started"))]


def actuate(pod: Pod) -> None:
    """Give containers what is set aside for them, with a restart where their policy wants one."""
    for container in pod.containers:
        if container.resources != container.allocated:
            _give(container)


def _give(container: Container) -> None:
    old, new = container.resources, container.allocated
    container.resources = new
    policies = {p["resourceName"]: p["restartPolicy"] for p in container.spec.get("resizePolicy") or ()}
    changed = {
        name
        for kind in ("requests", "limits")
        for name in policies
        if (old.get(kind) or {}).get(name) != (new.get(kind) or {}).get(name)
    }
    if container.state == "running":
        restart = any(policies[name] == "RestartContainer" for name in changed)
        container.due = 0.0  # it is looked at again: less memory may be too little
        container.restart_for = RESIZE if restart else container.restart_for


def complete(pod: Pod) -> list[Happened]:
    """Whether every container has what it was given, told once."""
    if not pod.resizing or any(c.restart_for == RESIZE or c.state in ("pre stop", "stopping") for c in pod.containers):
        return []
    pod.resizing = False
    return [Happened("Normal", "ResizeCompleted", _message(pod, "Pod resize completed"))]


def _message(pod: Pod, text: str, error: str = "") -> str:
    inits, mains = pod.of(INIT, SIDECAR), [c for c in pod.containers if c.path.startswith("spec.containers")]
    found: dict[str, Any] = {
        name: [{"name": c.name, "resources": _ordered(c.spec.get("resources") or {})} for c in containers]
        for name, containers in (("initContainers", inits), ("containers", mains))
        if containers
    }
    found["generation"] = pod.obj["metadata"].get("generation", 0)
    if error:
        found["error"] = error
    return f"{text}: {orjson.dumps(found).decode()}"


def _ordered(resources: Obj) -> dict[str, Any]:
    """As Go prints it: limits first, names in order."""
    return {k: dict(sorted(resources[k].items())) for k in ("limits", "requests") if resources.get(k)}
