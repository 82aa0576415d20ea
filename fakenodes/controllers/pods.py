"""What controllers ask of pods: ready, available, active, and which of several to delete first.

Stands for kube-controller-manager's controller_utils and api/v1/pod. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fakeapi.clock import parse_rfc3339
from fakenodes.client.base import Obj

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


def condition(obj: Obj, type: str) -> Obj | None:
    """A condition of status.conditions by its type."""
    for found in (obj.get("status") or {}).get("conditions") or ():
        if found.get("type") == type:
            result: Obj = found
            return result
    return None


def phase(pod: Obj) -> str:
    """The pod's phase, "" before it has one."""
    return str((pod.get("status") or {}).get("phase", ""))


def is_terminated(pod: Obj) -> bool:
    """Succeeded or Failed."""
    return phase(pod) in ("Succeeded", "Failed")


def is_active(pod: Obj) -> bool:
    """Neither over nor on its way out."""
    return not is_terminated(pod) and not pod["metadata"].get("deletionTimestamp")


def is_terminating(pod: Obj) -> bool:
    """Being deleted and not over yet."""
    return not is_terminated(pod) and bool(pod["metadata"].get("deletionTimestamp"))


def is_ready(pod: Obj) -> bool:
    """Whether the Ready condition is True."""
    found = condition(pod, "Ready")
    return found is not None and found.get("status") == "True"


def ready_since(pod: Obj) -> float:
    """When Ready became what it is; 0.0 when unknown."""
    found = condition(pod, "Ready")
    stamp = found.get("lastTransitionTime") if found else None
    return parse_rfc3339(stamp) if stamp else 0.0


def available_in(pod: Obj, min_ready_seconds: int, now: float) -> float | None:
    """Seconds until the pod counts as available (0.0: it does); None while it is not ready."""
    if not is_ready(pod):
        return None
    if not min_ready_seconds:
        return 0.0
    since = ready_since(pod)
    return max(since + min_ready_seconds - now, 0.0) if since else None


def is_available(pod: Obj, min_ready_seconds: int, now: float) -> bool:
    """Ready for at least so many seconds."""
    return available_in(pod, min_ready_seconds, now) == 0.0


def from_template(template: Obj, name: str, reference: Obj) -> Obj:
    """A pod of the template, named `<name>-<generated>` and controlled by the reference's object."""
    meta = template.get("metadata") or {}
    found: Obj = {k: dict(meta[k]) for k in ("labels", "annotations") if meta.get(k)}
    if meta.get("finalizers"):
        found["finalizers"] = list(meta["finalizers"])
    found["generateName"] = f"{name}-"
    found["ownerReferences"] = [reference]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": found, "spec": dict(template.get("spec") or {})}


def deletion_cost(pod: Obj) -> int:
    """The pod-deletion-cost annotation as a 32-bit number; 0 when there is none or it is none."""
    text = (pod["metadata"].get("annotations") or {}).get(DELETION_COST, "0")
    try:
        cost = int(text)
    except ValueError:
        return 0
    return cost if -(2**31) <= cost < 2**31 and text not in ("",) and not text.startswith("+") else 0


def restarts(pod: Obj) -> int:
    """The highest restart count of a container."""
    status = pod.get("status") or {}
    return max((c.get("restartCount", 0) for c in status.get("containerStatuses") or ()), default=0)


_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def _bucket(since: float, now: float) -> int:
    """Logarithmic buckets of age: pods of about one age are told apart by uid, so that none is always the victim."""
    return int(math.log2(max(now - since, 1.0))) if since else -1


def deletion_rank(pod: Obj, ranks: Mapping[str, int], now: float) -> tuple[Any, ...]:
    """Sort key: the pods to delete first come first. ranks: related pods by node name, crowded nodes go first."""
    node = pod["spec"].get("nodeName", "")
    created = parse_rfc3339(pod["metadata"]["creationTimestamp"])
    ready = is_ready(pod)
    return (
        bool(node),
        _PHASES.get(phase(pod), 1),
        ready,
        deletion_cost(pod),
        -ranks.get(node, 0),
        _bucket(ready_since(pod), now) if ready else 0,
        -restarts(pod),
        _bucket(created, now),
        pod["metadata"]["uid"],
    )
