"""The table of Pods: the Status column's many words, readiness, restarts.

Stands for printPod of pkg/printers/internalversion.
"""

from __future__ import annotations

from typing import Any

from fakeapi.strategies.base import Column, Printer
from fakeapi.strategies.podspec.amounts import is_sidecar
from fakeapi.strategies.podspec.printing import AGE, NAME, age, since

Obj = dict[str, Any]

TERMINAL = ("Succeeded", "Failed")
_COMPLETED = {
    "Succeeded": "The pod has completed successfully.",
    "Failed": "The pod failed.",
}


def _state(status: Obj, name: str, field: str = "state") -> Obj | None:
    found: Obj | None = (status.get(field) or {}).get(name)
    return found


def _ended(terminated: Obj) -> str:
    """Why a container ended, when it gives no reason a signal or an exit code."""
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode') or 0}"


class _Restarts:
    """Restarts counted so far, and the end of the latest run."""

    def __init__(self) -> None:
        self.count = 0
        self.last = ""

    def add(self, status: Obj) -> None:
        self.count += status.get("restartCount") or 0
        ended = _state(status, "terminated", "lastState") or {}
        self.last = max(self.last, ended.get("finishedAt") or "")

    def text(self, now: float) -> str:
        if self.count and self.last:
            return f"{self.count} ({since(self.last, now)} ago)"
        return str(self.count)


def _init_reason(index: int, status: Obj, total: int) -> str:
    terminated, waiting = _state(status, "terminated"), _state(status, "waiting")
    if terminated is not None:
        return "Init:" + _ended(terminated)
    reason = (waiting or {}).get("reason")
    if reason and reason != "PodInitializing":
        return f"Init:{reason}"
    return f"Init:{index}/{total}"


def _has(status: Obj, condition: str) -> bool:
    conditions = status.get("conditions") or ()
    return any(c.get("type") == condition and c.get("status") == "True" for c in conditions)


def _first_reason(status: Obj) -> str:
    reason: str = status.get("reason") or status.get("phase") or ""
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            reason = "SchedulingGated"
    return reason


def _init_containers(pod: Obj, reason: str) -> tuple[str, bool, int, _Restarts, _Restarts]:
    """Reason, whether init containers are still at work, ready sidecars, restarts of all and of sidecars."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    declared = spec.get("initContainers") or ()
    sidecars = {c.get("name") for c in declared if is_sidecar(c)}
    every, only_sidecars, ready = _Restarts(), _Restarts(), 0
    for index, container in enumerate(status.get("initContainerStatuses") or ()):
        every.add(container)
        if container.get("name") in sidecars:
            only_sidecars.add(container)
        terminated = _state(container, "terminated")
        if terminated is not None and not terminated.get("exitCode"):
            continue
        if container.get("name") in sidecars and container.get("started"):
            ready += bool(container.get("ready"))
            continue
        return _init_reason(index, container, len(declared)), True, ready, every, only_sidecars
    return reason, False, ready, every, only_sidecars


def _containers(status: Obj, reason: str, restarts: _Restarts) -> tuple[str, int]:
    """The first container with something to say wins; `Completed` beside a running one is Running or NotReady."""
    ready = 0
    for container in reversed(status.get("containerStatuses") or ()):
        restarts.add(container)
        terminated = _state(container, "terminated")
        waiting = (_state(container, "waiting") or {}).get("reason")
        if waiting:
            reason = waiting
        elif terminated is not None:
            reason = _ended(terminated)
        elif container.get("ready") and _state(container, "running") is not None:
            ready += 1
    if reason == "Completed" and ready:
        reason = "Running" if _has(status, "Ready") else "NotReady"
    return reason, ready


def _summary(pod: Obj) -> tuple[str, int, _Restarts]:
    status = pod.get("status") or {}
    reason, initializing, ready, every, sidecars = _init_containers(pod, _first_reason(status))
    restarts = every
    if not initializing or _has(status, "Initialized"):
        restarts = sidecars
        reason, running = _containers(status, reason, restarts)
        ready += running
    if (pod.get("metadata") or {}).get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            reason = "Unknown"
        elif status.get("phase") not in TERMINAL:
            reason = "Terminating"
    return reason, ready, restarts


def _gates(spec: Obj, status: Obj) -> str:
    gates = spec.get("readinessGates") or ()
    if not gates:
        return "<none>"
    first: dict[Any, Any] = {}
    for condition in status.get("conditions") or ():
        first.setdefault(condition.get("type"), condition.get("status"))
    return f"{sum(first.get(gate.get('conditionType')) == 'True' for gate in gates)}/{len(gates)}"


def _cells(pod: Obj, now: float) -> list[Any]:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    reason, ready, restarts = _summary(pod)
    total = len(spec.get("containers") or ()) + sum(map(is_sidecar, spec.get("initContainers") or ()))
    addresses = status.get("podIPs") or [{"ip": status.get("podIP")}]
    return [
        (pod.get("metadata") or {}).get("name") or "",
        f"{ready}/{total}",
        reason,
        restarts.text(now),
        age(pod, now),
        addresses[0].get("ip") or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        _gates(spec, status),
    ]


def _conditions(pod: Obj) -> list[dict[str, str]]:
    phase = (pod.get("status") or {}).get("phase") or ""
    if phase not in _COMPLETED:
        return []
    return [{"type": "Completed", "status": "True", "reason": phase, "message": _COMPLETED[phase]}]


PRINTER = Printer(
    columns=(
        NAME,
        Column("Ready", description="The aggregate readiness state of this pod for accepting traffic."),
        Column("Status", description="The aggregate status of the containers in this pod."),
        Column(
            "Restarts",
            description=(
                "The number of times the containers in this pod have been restarted and when the last"
                " container in this pod has restarted."
            ),
        ),
        AGE,
        Column(
            "IP", priority=1, description=("podIP address allocated to the pod. Routable at least within the cluster.")
        ),
        Column("Node", priority=1, description="NodeName indicates in which node this pod is scheduled."),
        Column(
            "Nominated Node",
            priority=1,
            description=("nominatedNodeName is set only when this pod preempts other pods on the node."),
        ),
        Column(
            "Readiness Gates",
            priority=1,
            description=("If specified, all readiness gates will be evaluated for pod readiness."),
        ),
    ),
    cells=_cells,
    conditions=_conditions,
)
