"""Whether a node takes a pod that was bound to it, and why not: reason and message of the Failed status.

Stands for the kubelet's lifecycle/predicate.go (operating system, resources, node affinity and selector, host ports,
taints NoExecute) and what is asked before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from fakenodes.kubelet import sysctls
from fakenodes.scheduler import resources
from fakenodes.scheduler.matching import untolerated
from fakenodes.scheduler.plugins.node_affinity import compile_affinity
from fakenodes.scheduler.plugins.node_ports import conflicts
from fakenodes.scheduler.snapshot import NodeInfo, PodInfo

OS_LABEL, OS = "kubernetes.io/os", "linux"


class Refusal(Struct, frozen=True):
    """Why a pod is not taken. resource, lacking: what there is too little of, and how much more is asked for."""

    reason: str
    message: str
    resource: str = ""
    lacking: int = 0


def _predicate(name: str, message: str) -> Refusal:
    return Refusal(name, f"Predicate {name} failed: {message}")


OTHER_LABEL = Refusal(
    "PodOSSelectorNodeLabelDoesNotMatch",
    f"Failed to admit pod as the `{OS_LABEL}` label doesn't match node label",
)
OTHER_OS = Refusal("PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS")
AFFINITY = _predicate("NodeAffinity", "node(s) didn't match Pod's node affinity/selector")
PORT_CONFLICT = _predicate("NodePorts", "node(s) didn't have free ports for the requested pod ports")
TAINTED = _predicate("TaintToleration", "node(s) had untolerated taint(s)")


def refusals(pod: dict[str, Any], node: dict[str, Any], others: Iterable[PodInfo]) -> list[Refusal]:
    """All that speaks against the pod, what is told first; others: the living pods that the node has already."""
    if wrong := sysctls.forbidden(pod):
        return [Refusal(sysctls.REASON, wrong)]
    if (pod["metadata"].get("labels") or {}).get(OS_LABEL, OS) != OS:
        return [OTHER_LABEL]
    if (pod["spec"].get("os") or {}).get("name", OS) != OS:
        return [OTHER_OS]
    info = NodeInfo(node["metadata"]["name"])
    info.set_node(node)
    for other in others:
        info.add(other)
    mine = PodInfo(pod)
    found = list(_lacking(mine, info))
    if not compile_affinity(mine).matches(info):
        found.append(AFFINITY)
    if conflicts(mine.host_ports, info.ports):
        found.append(PORT_CONFLICT)
    if untolerated(info.taints, mine.tolerations, ("NoExecute",)):
        found.append(TAINTED)
    return found


def shortage(pod: dict[str, Any], node: dict[str, Any], others: Iterable[PodInfo]) -> tuple[str, str] | None:
    """Why a pod cannot be resized to what it asks for: Infeasible for good or Deferred for now, and a message."""
    info = NodeInfo(node["metadata"]["name"])
    info.set_node(node)
    mine = PodInfo(pod)
    for name in ("cpu", "memory"):
        wanted, capacity = mine.requests.get(name, 0), info.allocatable.get(name, 0)
        if wanted > capacity:
            text = f"Node didn't have enough capacity: {name}, requested: {wanted}, capacity: {capacity}"
            return "Infeasible", text
    for other in others:
        info.add(other)
    lacking = next(_lacking(mine, info), None)
    return ("Deferred", lacking.message) if lacking else None


def _lacking(pod: PodInfo, node: NodeInfo) -> Iterator[Refusal]:
    """Upstream names reasons by resource: OutOfcpu, OutOfmemory, OutOfpods, OutOfexample.com/gpu."""
    wanted = {resources.PODS: 1, **pod.requests}
    used = {**node.requested, resources.PODS: len(node.pods)}
    for name, amount in wanted.items():
        capacity = node.allocatable.get(name)
        if capacity is None:
            continue  # extended resources that the node does not know are the scheduler's business
        there = capacity - used.get(name, 0)
        if amount > there:
            figures = f"requested: {amount}, used: {used.get(name, 0)}, capacity: {capacity}"
            text = f"Node didn't have enough resource: {name}, {figures}"
            yield Refusal(f"OutOf{name}", text, name, amount - there)
