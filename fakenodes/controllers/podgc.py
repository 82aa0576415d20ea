"""Pods that nobody will finish are finished and removed.

Stands for kube-controller-manager's pkg/controller/podgc with --terminated-pod-gc-threshold 12500: too many terminated
pods, pods of nodes that are gone (after a quarantine), pods that were deleted before they were scheduled, pods being
deleted on nodes that are out of service.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Struct, field

from fakeapi.clock import rfc3339
from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import NODES, PODS
from fakenodes.controllers.base import Controller, Shared, Watch, Work, service_account
from fakenodes.controllers.nodehealth import ready_status
from fakenodes.controllers.nodelifecycle import by_node
from fakenodes.controllers.pods import is_terminated
from fakenodes.informer import key_of

ROUND = "|round"
ROUND_SECONDS, QUARANTINE_SECONDS = 20.0, 40.0
THRESHOLD = 12_500
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
ENDING, YES = "ending", "yes"
GONE = ("DeletionByPodGC", "PodGC: node no longer exists")


class Plan(Struct):
    """Pods to delete at once, each with the (reason, message) of a DisruptionTarget condition or None; and the names of
    nodes that pods name and nobody knows."""

    delete: list[tuple[Obj, tuple[str, str] | None]] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)


def plan(pods: Sequence[Obj], nodes: dict[str, Obj], gone: set[str]) -> Plan:
    """What is to go. gone: names of nodes that have been missing for the whole quarantine."""
    found = Plan()
    over = [p for p in pods if is_terminated(p)]
    if len(over) > THRESHOLD:
        over.sort(key=lambda p: (not _evicted(p), p["metadata"]["creationTimestamp"], p["metadata"]["name"]))
        found.delete += [(p, None) for p in over[: len(over) - THRESHOLD]]
    for pod in pods:
        name = pod["spec"].get("nodeName", "")
        going = bool(pod["metadata"].get("deletionTimestamp"))
        if name and name not in nodes:
            found.missing.add(name)
            if name in gone:
                found.delete.append((pod, GONE))
        elif not name:
            if going:
                found.delete.append((pod, None))
        elif going and _out(nodes[name]):
            found.delete.append((pod, None))
    return found


def _evicted(pod: Obj) -> bool:
    """Whether a kubelet put the pod out: such go first, controllers have made others in their place."""
    status = pod.get("status") or {}
    return bool(status.get("phase") == "Failed" and status.get("reason") == "Evicted")


def _out(node: Obj) -> bool:
    tainted = any(t["key"] == OUT_OF_SERVICE for t in node["spec"].get("taints") or ())
    return tainted and ready_status(node) != "True"


async def reconcile(work: Work) -> float | None:
    """One round. state: names of missing nodes -> since when."""
    since: dict[str, float] = work.state
    now = work.clock.monotonic()
    nodes = {n["metadata"]["name"]: n for n in work.list(NODES)}
    gone = {name for name, at in since.items() if now - at >= QUARANTINE_SECONDS and await _really_gone(work, name)}
    found = plan(_candidates(work, nodes), nodes, gone)
    for name in [x for x in since if x not in found.missing]:
        del since[name]
    for name in found.missing:
        since.setdefault(name, now)
    for pod, why in found.delete:
        await _delete(work, pod, why)
    return ROUND_SECONDS


def _candidates(work: Work, nodes: Collection[str]) -> list[Obj]:
    """The pods that a plan may be about: not all of them, which would have to be read anew every round."""
    pods = {key_of(pod): pod for pod in work.find(PODS, ENDING, YES)}
    for name in work.shared.watching.values(PODS, "node"):
        if name not in nodes:
            pods.update((key_of(pod), pod) for pod in work.find(PODS, "node", name))
    return list(pods.values())


def _is_ending(pod: Obj) -> tuple[str, ...]:
    return (YES,) if is_terminated(pod) or pod["metadata"].get("deletionTimestamp") else ()


async def _really_gone(work: Work, name: str) -> bool:
    try:
        await work.client.get(NODES, name)
    except ClientError as error:
        return error.code == 404
    return False


async def _delete(work: Work, pod: Obj, why: tuple[str, str] | None) -> None:
    """Force the end: a phase first, as jobs wait for one."""
    status: Obj = {}
    if not is_terminated(pod):
        status["phase"] = "Failed"
        if why is not None:
            found = {
                "type": "DisruptionTarget",
                "status": "True",
                "lastTransitionTime": rfc3339(work.clock.now()),
                "reason": why[0],
                "message": why[1],
            }
            if pod["metadata"].get("generation"):
                found["observedGeneration"] = pod["metadata"]["generation"]
            status["conditions"] = [found]
    try:
        if status:
            body = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": status}
            await work.patch(PODS, pod, body, subresource="status")
        await work.delete(PODS, pod, grace=0)
    except ClientError as error:
        if error.code not in (404, 409):
            raise


async def begin(shared: Shared) -> None:
    """The first round."""
    shared.queue.add(ROUND)


POD_GC = Controller(
    "pod-garbage-collector-controller",
    "podgc",
    service_account("pod-garbage-collector"),
    (Watch(NODES, None), Watch(PODS, None, {"node": by_node, ENDING: _is_ending})),
    reconcile,
    run=begin,
    workers=1,
)
