"""Eviction under pressure: which pod goes first, and what it and its node are told.

Stands for pkg/kubelet/eviction (helpers.go's ranking, eviction_manager.go). Pressure is a fault that somebody sets, not
a measurement, so the figures in the messages are those of the scripts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fakeapi.quantity import parse
from fakenodes.kubelet.podworker import PodWorker

Obj = dict[str, Any]

EVERY_SECONDS = 10.0  # one pod a look, as upstream's manager
CRITICAL = 2_000_000_000
# condition -> (signal's resource, threshold, reasons of the node's events when it comes and goes)
PRESSURES = {
    "MemoryPressure": ("memory", "100Mi", "NodeHasInsufficientMemory", "NodeHasSufficientMemory"),
    "DiskPressure": ("ephemeral-storage", "10%", "NodeHasDiskPressure", "NodeHasNoDiskPressure"),
    "PIDPressure": ("pids", "10%", "NodeHasInsufficientPID", "NodeHasSufficientPID"),
}


def _usage(worker: PodWorker) -> int:
    containers = worker.pod.containers if worker.pod is not None else ()
    return sum(parse(c.script.memory).scaled(0) for c in containers if c.running)


def _request(spec: Obj, resource: str) -> int:
    text = ((spec.get("resources") or {}).get("requests") or {}).get(resource)
    return parse(str(text)).scaled(0) if text is not None else 0


def rank(workers: Iterable[PodWorker], resource: str) -> list[PodWorker]:
    """Pods that may be evicted, the first to go first: those above their request, then by priority, then by excess."""

    def order(worker: PodWorker) -> tuple[bool, int, int]:
        assert worker.obj is not None
        spec = worker.obj["spec"]
        excess = _usage(worker) - sum(_request(c, resource) for c in spec.get("containers") or ())
        return excess <= 0, spec.get("priority") or 0, -excess

    return sorted((w for w in workers if _may_go(w)), key=order)


def _may_go(worker: PodWorker) -> bool:
    if worker.obj is None or worker.pod is None or worker.pod.ending or worker.pod.finished:
        return False
    return (worker.obj["spec"].get("priority") or 0) < CRITICAL


def message(worker: PodWorker, condition: str) -> str:
    """Why the pod was evicted."""
    resource, threshold, *_ = PRESSURES[condition]
    text = f"The node was low on resource: {resource}. Threshold quantity: {threshold}, available: 0. "
    if resource != "memory" or worker.pod is None:
        return text
    for container in worker.pod.containers:
        used, asked = parse(container.script.memory).scaled(0), _request(dict(container.spec), resource)
        if container.running and used > asked:
            wanted = ((container.spec.get("resources") or {}).get("requests") or {}).get(resource, "0")
            text += f"Container {container.name} was using {used // 1024}Ki, request is {wanted}, "
            text += f"has larger consumption of {resource}. "
    return text


def refusal(pod: Obj, pressures: Iterable[str]) -> tuple[str, str] | None:
    """Why a node under pressure does not take a pod (CriticalPodAdmission and eviction's Admit)."""
    found = sorted(pressures)
    if not found or (pod["spec"].get("priority") or 0) >= CRITICAL:
        return None
    if found == ["MemoryPressure"] and (pod.get("status") or {}).get("qosClass", "BestEffort") != "BestEffort":
        return None
    return "Evicted", f"The node had condition: [{' '.join(found)}]. "
