"""What a node and its pods use, as /stats/summary tells it.

Stands for pkg/kubelet/server/stats. Containers use what their scripts say; the node itself adds a little.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fakeapi.clock import rfc3339
from fakeapi.quantity import parse
from fakenodes.kubelet.podstate import Container
from fakenodes.kubelet.podworker import PodWorker

Obj = dict[str, Any]

IDLE_CPU = 25_000_000  # nanocores
IDLE_MEMORY = 300 << 20


def summary(node: str, workers: Iterable[PodWorker], now: float) -> Obj:
    """A stats Summary of the node and its running containers."""
    pods = [found for worker in workers if (found := _pod(worker, now)) is not None]
    cpu = IDLE_CPU + sum(p["cpu"]["usageNanoCores"] for p in pods)
    memory = IDLE_MEMORY + sum(p["memory"]["workingSetBytes"] for p in pods)
    return {"node": {"nodeName": node, **_figures(cpu, memory, now)}, "pods": pods}


def _pod(worker: PodWorker, now: float) -> Obj | None:
    if worker.obj is None or worker.pod is None:
        return None
    containers = [_container(c, now) for c in worker.pod.containers if c.running]
    cpu = sum(c["cpu"]["usageNanoCores"] for c in containers)
    memory = sum(c["memory"]["workingSetBytes"] for c in containers)
    meta = worker.obj["metadata"]
    ref = {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]}
    started = rfc3339(worker.pod.started_at)
    return {"podRef": ref, "startTime": started, "containers": containers, **_figures(cpu, memory, now)}


def _container(container: Container, now: float) -> Obj:
    cpu, memory = parse(container.script.cpu).nano, parse(container.script.memory).scaled(0)
    return {"name": container.name, "startTime": rfc3339(container.started_at), **_figures(cpu, memory, now)}


def _figures(cpu: int, memory: int, now: float) -> Obj:
    time = rfc3339(now)
    return {
        "cpu": {"time": time, "usageNanoCores": cpu},
        "memory": {"time": time, "usageBytes": memory, "workingSetBytes": memory},
    }
