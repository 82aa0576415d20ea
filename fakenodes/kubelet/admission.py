"""Whether a node takes a pod that was bound to it, and why not: reason and message of the Failed status.

Stands for the kubelet's lifecycle/predicate.go (resources, node affinity and selector, host ports, taints NoExecute).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fakenodes.scheduler import resources
from fakenodes.scheduler.matching import untolerated
from fakenodes.scheduler.plugins.node_affinity import compile_affinity
from fakenodes.scheduler.plugins.node_ports import conflicts
from fakenodes.scheduler.snapshot import NodeInfo, PodInfo

Obj = Mapping[str, Any]

# Upstream names reasons by resource: OutOfcpu, OutOfmemory, OutOfpods, OutOfexample.com/gpu.
PORT_CONFLICT = (
    "NodePorts",
    "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
)
AFFINITY = (
    "NodeAffinity",
    "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
)


def refusal(pod: dict[str, Any], node: dict[str, Any], others: Iterable[PodInfo]) -> tuple[str, str] | None:
    """None when the node takes the pod; others: the living pods that it has already."""
    info = NodeInfo(node["metadata"]["name"])
    info.set_node(node)
    for other in others:
        info.add(other)
    mine = PodInfo(pod)
    lacking = _lacking(mine, info)
    if lacking:
        return lacking
    if not compile_affinity(mine).matches(info):
        return AFFINITY
    if conflicts(mine.host_ports, info.ports):
        return PORT_CONFLICT
    if untolerated(info.taints, mine.tolerations, ("NoExecute",)):
        return "TaintToleration", "Predicate TaintToleration failed: node(s) had untolerated taint(s)"
    return None


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
    lacking = _lacking(mine, info)
    return ("Deferred", lacking[1]) if lacking else None


def _lacking(pod: PodInfo, node: NodeInfo) -> tuple[str, str] | None:
    wanted = {resources.PODS: 1, **pod.requests}
    used = {**node.requested, resources.PODS: len(node.pods)}
    for name, amount in wanted.items():
        capacity = node.allocatable.get(name)
        if capacity is None:
            continue  # extended resources that the node does not know are the scheduler's business
        if amount > capacity - used.get(name, 0):
            figures = f"requested: {amount}, used: {used.get(name, 0)}, capacity: {capacity}"
            return f"OutOf{name}", f"Node didn't have enough resource: {name}, {figures}"
    return None
