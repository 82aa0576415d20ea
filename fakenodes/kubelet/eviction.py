"""Eviction under pressure: which pod goes first, and what it and its node are told.

Stands for pkg/kubelet/eviction (helpers.go's ranking, eviction_manager.go). Pressure is a fault that somebody sets, not
a measurement, so the figures in the messages are those of the scripts.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterable, Iterator
from typing import Any

from msgspec import Struct

from fakeapi.quantity import Quantity, parse
from fakenodes.kubelet.critical import is_critical
from fakenodes.kubelet.podworker import PodWorker
from fakenodes.scheduler.matching import tolerates
from fakenodes.scheduler.snapshot import PodInfo

Obj = dict[str, Any]

EVERY_SECONDS = 10.0  # one pod a look, as upstream's manager
GRACE_SECONDS = 1.0  # upstream's immediateEvictionGracePeriodSeconds
PROCESSES = "32768"  # that a node can have


class Pressure(Struct, frozen=True):
    """What a condition is about. least: a quantity, or a share of the node's, below which there is too little; begun,
    over: reasons of the node's events when it comes and goes."""

    resource: str
    least: str
    begun: str
    over: str


# Condition to what it is about; what is reclaimed first goes first.
PRESSURES = {
    "MemoryPressure": Pressure("memory", "100Mi", "NodeHasInsufficientMemory", "NodeHasSufficientMemory"),
    "DiskPressure": Pressure("ephemeral-storage", "10%", "NodeHasDiskPressure", "NodeHasNoDiskPressure"),
    "PIDPressure": Pressure("pids", "10%", "NodeHasInsufficientPID", "NodeHasSufficientPID"),
}
PRESSURE_TAINT = {"key": "node.kubernetes.io/memory-pressure", "effect": "NoSchedule"}


def _usage(worker: PodWorker) -> int:
    containers = worker.pod.containers if worker.pod is not None else ()
    return sum(parse(c.script.memory).scaled(0) for c in containers if c.running)


def rank(workers: Iterable[PodWorker], resource: str) -> list[PodWorker]:
    """Pods that may be evicted, the first to go first: those above their request, then by priority, then by excess."""

    def order(worker: PodWorker) -> tuple[bool, int, int]:
        assert worker.obj is not None
        pod = PodInfo(worker.obj)
        excess = _usage(worker) - pod.requests.get(resource, 0)
        return excess <= 0, pod.priority, -excess

    return sorted((w for w in workers if _may_go(w)), key=order)


def _may_go(worker: PodWorker) -> bool:
    if worker.obj is None or worker.pod is None or worker.pod.ending or worker.pod.finished:
        return False
    return not is_critical(worker.obj)


def _threshold(worker: PodWorker, pressure: Pressure) -> str:
    share = pressure.least.removesuffix("%")
    if share == pressure.least:
        return share
    capacity = parse(worker.kubelet.node.capacity.get(pressure.resource, PROCESSES)).scaled(0)
    return _bytes(int(capacity * _single(int(share) / 100)))


def _single(number: float) -> float:
    """Upstream keeps shares in single precision, and it shows."""
    return float(struct.unpack("f", struct.pack("f", number))[0])


def _bytes(amount: int) -> str:
    """As resource.NewQuantity(amount, BinarySI) is printed."""
    return str(Quantity(amount, 0, "BinarySI"))


def message(worker: PodWorker, condition: str) -> str:
    """Why the pod was evicted."""
    pressure = PRESSURES[condition]
    figures = f"Threshold quantity: {_threshold(worker, pressure)}, available: 0. "
    text = f"The node was low on resource: {pressure.resource}. {figures}"
    for name, used, asked in _offenders(worker, pressure):
        text += f"Container {name} was using {used}, request is {asked}, "
        text += f"has larger consumption of {pressure.resource}. "
    return text


def notes(worker: PodWorker, condition: str) -> dict[str, str]:
    """The annotations of the event that tells of it."""
    pressure = PRESSURES[condition]
    found = list(_offenders(worker, pressure))
    return {
        "offending_containers": ",".join(name for name, _, _ in found),
        "offending_containers_usage": ",".join(used for _, used, _ in found),
        "starved_resource": pressure.resource,
    }


def _offenders(worker: PodWorker, pressure: Pressure) -> Iterator[tuple[str, str, str]]:
    """Name, usage and request of the containers that use more than they have asked for."""
    if pressure.resource != "memory" or worker.pod is None:
        return
    for container in worker.pod.containers:
        wanted = str(((container.spec.get("resources") or {}).get("requests") or {}).get(pressure.resource, "0"))
        used = parse(container.script.memory).scaled(0)
        if container.running and used > parse(wanted).scaled(0):
            yield container.name, _bytes(used), wanted


def refusal(pod: Obj, pressures: Container[str]) -> tuple[str, str] | None:
    """Why a node under pressure does not take a pod (eviction_manager.go's Admit)."""
    found = [condition for condition in PRESSURES if condition in pressures]
    if not found or is_critical(pod):
        return None
    if found == ["MemoryPressure"]:
        modest = (pod.get("status") or {}).get("qosClass", "BestEffort") != "BestEffort"
        if modest or any(tolerates(t, PRESSURE_TAINT) for t in pod["spec"].get("tolerations") or ()):
            return None
    return "Evicted", f"The node had condition: [{' '.join(found)}]. "
