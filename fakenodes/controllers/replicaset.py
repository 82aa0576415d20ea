"""ReplicaSets and ReplicationControllers keep their number of pods.

Stands for kube-controller-manager's replicaset and, with the other descriptor, replication controllers. Adopts and
releases pods, creates in batches of growing size, deletes by rank. Leaves out metrics. Of upstream's client-side limit
of requests (--kube-api-qps and -burst) it keeps what stops a runaway: failed pods are replaced at that rate.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from msgspec import Struct, field

from fakeapi.clock import rfc3339
from fakeapi.selectors import LabelSelector, SelectorError, from_label_selector, from_map
from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import PODS, REPLICA_SETS, REPLICATION_CONTROLLERS
from fakenodes.controllers.base import Controller, Reconcile, Watch, Work, service_account
from fakenodes.controllers.claiming import OwnerKind, claim_all, selecting, to_owner
from fakenodes.controllers.pods import (
    available_in,
    deletion_rank,
    from_template,
    is_active,
    is_available,
    is_ready,
    is_terminated,
    is_terminating,
)
from fakenodes.flowcontrol import TokenBucket
from fakenodes.owners import by_controller, controller_reference, controller_uid

BURST = 500
# kube-controller-manager's --kube-api-qps and --kube-api-burst.
QPS, QPS_BURST = 20.0, 30
NOTHING = LabelSelector(never=True)


class Plan(Struct):
    """How many pods to create, which to delete, and the status apart from a failure of doing so."""

    create: int = 0
    delete: list[Obj] = field(default_factory=list)
    status: Obj = field(default_factory=dict)
    again: float | None = None


class State(Struct):
    """What limits the making of pods that may fail as those before them did."""

    replacements: TokenBucket = field(default_factory=lambda: TokenBucket(QPS, QPS_BURST))


class Flavour(Struct, frozen=True):
    """What differs between the two kinds."""

    owner: OwnerKind
    terminating: bool


def selector_of(owner: Obj) -> LabelSelector:
    """The selector of either kind; a broken or empty one selects nothing."""
    selector = owner["spec"].get("selector")
    try:
        if owner.get("kind") == "ReplicationController":
            return from_map(selector) if selector else NOTHING
        return from_label_selector(selector) if selector else NOTHING
    except SelectorError:
        return NOTHING


def plan(owner: Obj, pods: Sequence[Obj], terminating: int, related: Sequence[Obj], now: float) -> Plan:
    """What the owner's active pods lack or are too many. related: pods of sibling sets, for ranking by crowdedness."""
    spec = owner["spec"]
    wanted = spec.get("replicas", 1)
    found = Plan(status=status_of(owner, pods, terminating, now))
    if not owner["metadata"].get("deletionTimestamp"):
        difference = len(pods) - wanted
        if difference < 0:
            found.create = min(-difference, BURST)
        elif difference > 0:
            found.delete = to_delete(pods, related, min(difference, BURST), now)
    seconds = spec.get("minReadySeconds", 0)
    waits = [x for x in (available_in(p, seconds, now) for p in pods) if x] if seconds else ()
    found.again = min(waits) if waits else None
    return found


def to_delete(pods: Sequence[Obj], related: Sequence[Obj], count: int, now: float) -> list[Obj]:
    """The `count` pods that are missed least."""
    if count >= len(pods):
        return list(pods)
    ranks = Counter(p["spec"].get("nodeName", "") for p in related if is_active(p))
    return sorted(pods, key=lambda p: deletion_rank(p, ranks, now))[:count]


def status_of(owner: Obj, pods: Sequence[Obj], terminating: int, now: float) -> Obj:
    """The counts of the status, zero ones left out but for replicas; conditions as they are."""
    spec = owner["spec"]
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    whole = from_map(labels)
    seconds = spec.get("minReadySeconds", 0)
    counts = {
        "fullyLabeledReplicas": sum(whole.matches(p["metadata"].get("labels") or {}) for p in pods),
        "readyReplicas": len(ready := [p for p in pods if is_ready(p)]),
        "availableReplicas": sum(is_available(p, seconds, now) for p in ready) if seconds else len(ready),
    }
    status: Obj = {"replicas": len(pods), **{k: v for k, v in counts.items() if v}}
    if terminating >= 0:
        status["terminatingReplicas"] = terminating
    status["observedGeneration"] = owner["metadata"].get("generation", 0)
    conditions = (owner.get("status") or {}).get("conditions")
    if conditions:
        status["conditions"] = conditions
    return status


def with_failure(status: Obj, short: bool, error: str, now: float) -> Obj:
    """The status with ReplicaFailure while creating (short) or deleting fails, and without it once that is over."""
    conditions = status.get("conditions") or []
    others = [c for c in conditions if c["type"] != "ReplicaFailure"]
    if error and len(others) == len(conditions):
        reason = "FailedCreate" if short else "FailedDelete"
        others.append(
            {
                "type": "ReplicaFailure",
                "status": "True",
                "lastTransitionTime": rfc3339(now),
                "reason": reason,
                "message": error,
            }
        )
    elif error:
        others = conditions
    result = {k: v for k, v in status.items() if k != "conditions"}
    return {**result, "conditions": others} if others else result


def _reconciler(flavour: Flavour) -> Reconcile:

    async def reconcile(work: Work) -> float | None:
        owner = work.get(flavour.owner.gvr, work.key)
        if owner is None:
            return None
        mine = await claim_all(work, owner, flavour.owner, selector_of(owner), PODS)
        pods = [p for p in mine if is_active(p)]
        terminating = sum(map(is_terminating, mine)) if flavour.terminating else -1
        found = plan(owner, pods, terminating, _related(work, owner, pods), work.clock.now())
        if found.create and any(map(is_terminated, mine)):
            _slow_down(work, found)
        error = await _manage(work, owner, flavour, found)
        status = with_failure(found.status, len(pods) < owner["spec"].get("replicas", 1), error, work.clock.now())
        if status != owner.get("status"):
            await _write_status(work, owner, flavour, status)
        if error:
            raise OSError(error)
        return found.again

    return reconcile


def _slow_down(work: Work, found: Plan) -> None:
    """A kubelet that refuses every pod at once must not be sent hundreds a second."""
    bucket: TokenBucket = work.state.replacements
    given = bucket.take(found.create, work.clock.monotonic())
    if given < found.create:
        found.create = given
        found.again = min(found.again or bucket.wait, bucket.wait)


async def _write_status(work: Work, owner: Obj, flavour: Flavour, status: Obj) -> None:
    try:
        await work.update(flavour.owner.gvr, {**owner, "status": status}, "status")
    except ClientError as error:
        if error.code != 404:
            raise


def _related(work: Work, owner: Obj, pods: Sequence[Obj]) -> Sequence[Obj]:
    """The pods of all sets that share the owner's own controller (a Deployment's old and new ones)."""
    if len(pods) <= owner["spec"].get("replicas", 1):
        return ()
    above = controller_uid(owner)
    if not above:
        return pods
    found: list[Obj] = []
    for sibling in work.list(REPLICA_SETS, owner["metadata"]["namespace"]):
        if controller_uid(sibling) == above:
            found.extend(work.find(PODS, "controller", sibling["metadata"]["uid"]))
    return found


async def _manage(work: Work, owner: Obj, flavour: Flavour, found: Plan) -> str:
    """Create or delete; the first error's text, "" when all went well."""
    if found.create:
        return await _create(work, owner, flavour, found.create)
    results = await asyncio.gather(*(_delete(work, owner, p) for p in found.delete))
    return next((x for x in results if x), "")


async def _create(work: Work, owner: Obj, flavour: Flavour, count: int) -> str:
    """In batches of 1, 2, 4, ... so that a quota is run into once and not `count` times."""
    reference = controller_reference(owner, flavour.owner.api_version, flavour.owner.kind)
    batch, left = 1, count
    while left > 0:
        size = min(batch, left)
        results = await asyncio.gather(*(_create_one(work, owner, reference) for _ in range(size)))
        errors = [x for x in results if x is not None]
        if errors:
            return "" if all(_terminating(x) for x in errors) else str(errors[0])
        left -= size
        batch *= 2
    return ""


async def _create_one(work: Work, owner: Obj, reference: Obj) -> ClientError | None:
    meta = owner["metadata"]
    pod = from_template(owner["spec"]["template"], meta["name"], reference)
    try:
        made = await work.create(PODS, pod, meta["namespace"])
    except ClientError as error:
        if not _terminating(error):
            work.event(owner, "Warning", "FailedCreate", f"Error creating: {error}")
        return error
    work.event(owner, "Normal", "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
    return None


def _terminating(error: ClientError) -> bool:
    causes = (error.status.get("details") or {}).get("causes") or ()
    return any(c.get("reason") == "NamespaceTerminating" for c in causes)


async def _delete(work: Work, owner: Obj, pod: Obj) -> str:
    name = pod["metadata"]["name"]
    try:
        if await work.delete(PODS, pod):
            work.event(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {name}")
    except ClientError as error:
        work.event(owner, "Warning", "FailedDelete", f"Error deleting: {error}")
        return str(error)
    return ""


def _descriptor(name: str, alias: str, user: str, component: str, flavour: Flavour) -> Controller:
    pods = Watch(
        PODS, to_owner(flavour.owner, selecting(flavour.owner.gvr, selector_of)), {"controller": by_controller}
    )
    return Controller(
        name, alias, service_account(user), (Watch(flavour.owner.gvr), pods), _reconciler(flavour), component, State
    )


REPLICASET = _descriptor(
    "replicaset-controller",
    "replicaset",
    "replicaset-controller",
    "replicaset-controller",
    Flavour(OwnerKind(REPLICA_SETS, "apps/v1", "ReplicaSet"), True),
)
REPLICATION = _descriptor(
    "replicationcontroller-controller",
    "replicationcontroller",
    "replication-controller",
    "replication-controller",
    Flavour(OwnerKind(REPLICATION_CONTROLLERS, "v1", "ReplicationController"), False),
)
