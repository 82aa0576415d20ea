"""What a StatefulSet does about its pods: which to make of which revision, which go, and the status. Pure.

Stands for the decisions of kube-controller-manager's pkg/controller/statefulset (stateful_set_control.go): OrderedReady
goes one step at a time, Parallel all at once; rolling updates go from the highest ordinal down to the partition, with
maxUnavailable when it is given (a server of 1.36 drops it unless its feature gate is on).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct, field

from fakenodes.client.base import Obj
from fakenodes.controllers.deployments.sets import scaled
from fakenodes.controllers.history import REVISION_LABEL
from fakenodes.controllers.pods import available_in, is_ready, is_terminated, phase

NAME_LABEL = "statefulset.kubernetes.io/pod-name"
INDEX_LABEL = "apps.kubernetes.io/pod-index"


class Plan(Struct):
    """Ordinals to create a pod for with the revision to take it from, pods whose labels do not name them, pods to
    delete, the status, and when to look again.
    """

    create: list[tuple[int, str]] = field(default_factory=list)
    rename: list[Obj] = field(default_factory=list)
    delete: list[Obj] = field(default_factory=list)
    status: Obj = field(default_factory=dict)
    again: float | None = None


def ordinal(owner: Obj, pod: Obj) -> int:
    """The number at the end of the pod's name; -1 for a name that is none of this set's."""
    found = re.fullmatch(re.escape(owner["metadata"]["name"]) + r"-(0|[1-9][0-9]*)", pod["metadata"]["name"])
    return int(found[1]) if found else -1


def names_of(owner: Obj, pod: Obj) -> Obj:
    """The labels that say which pod of the set it is."""
    return {NAME_LABEL: pod["metadata"]["name"], INDEX_LABEL: str(ordinal(owner, pod))}


def identified(owner: Obj, pod: Obj) -> bool:
    """Whether the pod has them."""
    return names_of(owner, pod).items() <= (pod["metadata"].get("labels") or {}).items()


def start_of(owner: Obj) -> int:
    """spec.ordinals.start."""
    return int((owner["spec"].get("ordinals") or {}).get("start", 0))


def ordinals(owner: Obj) -> range:
    """The ordinals that the set should have."""
    start = start_of(owner)
    return range(start, start + int(owner["spec"].get("replicas", 1)))


def rolling(owner: Obj) -> Obj | None:
    """The rollingUpdate parameters; None for OnDelete."""
    strategy = owner["spec"].get("updateStrategy") or {}
    return (strategy.get("rollingUpdate") or {}) if strategy.get("type", "RollingUpdate") == "RollingUpdate" else None


class _Pods:
    """The set's pods and what they count as."""

    def __init__(self, owner: Obj, pods: Sequence[Obj], now: float) -> None:
        self.seconds = int(owner["spec"].get("minReadySeconds", 0))
        self.now = now
        self.by_ordinal = {n: p for p in pods if (n := ordinal(owner, p)) >= 0}
        self.wanted = ordinals(owner)
        self.condemned = sorted((n for n in self.by_ordinal if n not in self.wanted), reverse=True)

    def healthy(self, pod: Obj | None) -> bool:
        """There, running, ready, available and not on its way out."""
        return (
            pod is not None
            and phase(pod) == "Running"
            and available_in(pod, self.seconds, self.now) == 0.0
            and not pod["metadata"].get("deletionTimestamp")
        )


def plan(owner: Obj, pods: Sequence[Obj], current: str, update: str, now: float) -> Plan:
    """current, update: names of the revisions that the set comes from and goes to."""
    known = _Pods(owner, pods, now)
    found = Plan(status=_counts(owner, known, current, update))
    waits = [w for p in pods if (w := available_in(p, known.seconds, now))]
    found.again = min(waits) if waits else None
    if not owner["metadata"].get("deletionTimestamp"):
        ordered = owner["spec"].get("podManagementPolicy", "OrderedReady") == "OrderedReady"
        if _fill(found, owner, known, current, update, ordered) and _condemn(found, known, ordered):
            _roll(found, owner, known, update, ordered)
    _complete(found, owner)
    return found


def _fill(found: Plan, owner: Obj, known: _Pods, current: str, update: str, ordered: bool) -> bool:
    """Every ordinal has its pod; False while one has to be waited for."""
    for number in known.wanted:
        pod = known.by_ordinal.get(number)
        if pod is None:
            found.create.append((number, _revision_for(owner, number, current, update)))
            if ordered:
                return False
        elif is_terminated(pod):
            if not pod["metadata"].get("deletionTimestamp"):
                found.delete.append(pod)
            if ordered:
                return False
        elif ordered and not known.healthy(pod):
            return False
        elif not identified(owner, pod):
            found.rename.append(pod)
    return True


def _revision_for(owner: Obj, number: int, current: str, update: str) -> str:
    """newVersionedStatefulSetPod: below the partition, or without one among those that an unfinished rolling update
    has not reached, pods stay at the old revision."""
    strategy = owner["spec"].get("updateStrategy") or {}
    kept = 0
    if strategy.get("rollingUpdate") is not None:
        kept = strategy["rollingUpdate"].get("partition", 0)
    elif strategy.get("type", "RollingUpdate") == "RollingUpdate":
        kept = (owner.get("status") or {}).get("currentReplicas", 0)
    return current if number < start_of(owner) + kept else update


def _condemn(found: Plan, known: _Pods, ordered: bool) -> bool:
    """Ordinals beyond the size go, the highest first; False while one has to be waited for."""
    unhealthy = [known.by_ordinal[n] for n in known.condemned if not known.healthy(known.by_ordinal[n])]
    for number in known.condemned:
        pod = known.by_ordinal[number]
        if pod["metadata"].get("deletionTimestamp"):
            if ordered:
                return False
            continue
        if ordered and not known.healthy(pod) and unhealthy and pod is not unhealthy[-1]:
            return False
        found.delete.append(pod)
        if ordered:
            return False
    return True


def _roll(found: Plan, owner: Obj, known: _Pods, update: str, ordered: bool) -> None:
    """Replace pods of another revision from the highest ordinal down to the partition."""
    parameters = rolling(owner)
    if parameters is None:
        return
    lowest = start_of(owner) + parameters.get("partition", 0)
    targets = [n for n in reversed(known.wanted) if n >= lowest]
    if "maxUnavailable" in parameters:
        chosen = _several(
            known, targets, update, _unavailable(parameters["maxUnavailable"], len(known.wanted)), ordered
        )
    else:
        chosen = _next(known, targets, update)
    found.delete += [p for p in chosen if p not in found.delete]
    found.status["currentReplicas"] = max(found.status["currentReplicas"] - len(chosen), 0)


def _outdated(pod: Obj | None, update: str) -> bool:
    return pod is not None and revision_label(pod) != update and not pod["metadata"].get("deletionTimestamp")


def _next(known: _Pods, targets: Sequence[int], update: str) -> list[Obj]:
    """The highest that is of another revision, once all above it are well."""
    for number in targets:
        pod = known.by_ordinal.get(number)
        if pod is not None and _outdated(pod, update):
            return [pod]
        if not known.healthy(pod):
            break
    return []


def _several(known: _Pods, targets: Sequence[int], update: str, allowed: int, ordered: bool) -> list[Obj]:
    """As many as may be unavailable. In parallel, old pods that are not well do not have to be missed twice."""
    free = allowed - sum(not known.healthy(known.by_ordinal.get(n)) for n in known.wanted)
    chosen: list[Obj] = []
    for number in targets:
        pod = known.by_ordinal.get(number)
        if pod is None or not _outdated(pod, update):
            continue
        if not ordered and not known.healthy(pod):
            chosen.append(pod)
        elif free > 0:
            chosen.append(pod)
            free -= 1
    return chosen


def _unavailable(value: Any, size: int) -> int:
    return 1 if value is None else max(scaled(value, size, False), 1)


def revision_label(pod: Obj) -> str:
    """The revision that a pod was made from."""
    return str((pod["metadata"].get("labels") or {}).get(REVISION_LABEL, ""))


def _counts(owner: Obj, known: _Pods, current: str, update: str) -> Obj:
    status: Obj = {
        "observedGeneration": owner["metadata"].get("generation", 0),
        "replicas": 0,
        "readyReplicas": 0,
        "currentReplicas": 0,
        "updatedReplicas": 0,
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": 0,
        "availableReplicas": 0,
    }
    for pod in known.by_ordinal.values():
        status["replicas"] += 1
        if phase(pod) == "Running" and is_ready(pod):
            status["readyReplicas"] += 1
            if available_in(pod, known.seconds, known.now) == 0.0:
                status["availableReplicas"] += 1
        if not pod["metadata"].get("deletionTimestamp"):
            status["currentReplicas"] += revision_label(pod) == current
            status["updatedReplicas"] += revision_label(pod) == update
    return status


def _complete(found: Plan, owner: Obj) -> None:
    """When every pod is there, of the new revision and ready, that is the current one."""
    status, size = found.status, owner["spec"].get("replicas", 1)
    done = status["updatedReplicas"] == status["replicas"] == status["readyReplicas"] == size
    if rolling(owner) is not None and done:
        status["currentRevision"], status["currentReplicas"] = status["updateRevision"], status["updatedReplicas"]
