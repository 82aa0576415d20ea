"""StatefulSets: pods with an ordinal, a name that stays and claims that stay with it.

Stands for kube-controller-manager's pkg/controller/statefulset. plan() decides what to do about the pods; OrderedReady
goes one step at a time, Parallel all at once; rolling updates go from the highest ordinal down to the partition, with
maxUnavailable when it is given. Leaves out adoption of claims that belong to others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fakeapi.selectors import LabelSelector, SelectorError, from_label_selector
from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import CLAIMS, CONTROLLER_REVISIONS, PODS, STATEFUL_SETS
from fakenodes.controllers.base import Controller, Watch, Work, service_account
from fakenodes.controllers.claiming import OwnerKind, claim_all, selecting, to_owner
from fakenodes.controllers.deployments.sets import scaled
from fakenodes.controllers.history import REVISION_LABEL, revision_of, sync, truncate
from fakenodes.controllers.pods import available_in, is_ready, phase
from fakenodes.owners import by_controller, controller_reference

OWNER = OwnerKind(STATEFUL_SETS, "apps/v1", "StatefulSet")
NAME_LABEL = "statefulset.kubernetes.io/pod-name"
INDEX_LABEL = "apps.kubernetes.io/pod-index"


@dataclass(slots=True)
class Plan:
    """Ordinals to create a pod for with the revision to take it from, pods whose labels do not name them, pods to
    delete (with the event's reason, "" for the usual one), the status, and when to look again.
    """

    create: list[tuple[int, str]] = field(default_factory=list)
    rename: list[Obj] = field(default_factory=list)
    delete: list[tuple[Obj, str]] = field(default_factory=list)
    status: Obj = field(default_factory=dict)
    again: float | None = None


def selector_of(owner: Obj) -> LabelSelector:
    """The selector; an empty or broken one selects nothing."""
    selector = owner["spec"].get("selector")
    try:
        return from_label_selector(selector) if selector else LabelSelector(never=True)
    except SelectorError:
        return LabelSelector(never=True)


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
        start, size = start_of(owner), int(owner["spec"].get("replicas", 1))
        self.wanted = range(start, start + size)
        self.condemned = sorted((n for n in self.by_ordinal if n not in self.wanted), reverse=True)

    def healthy(self, pod: Obj) -> bool:
        """Running, ready, available and not on its way out."""
        return (
            phase(pod) == "Running"
            and available_in(pod, self.seconds, self.now) == 0.0
            and not pod["metadata"].get("deletionTimestamp")
        )


def plan(owner: Obj, pods: Sequence[Obj], current: str, update: str, now: float) -> Plan:
    """current, update: names of the revisions that the set comes from and goes to."""
    known = _Pods(owner, pods, now)
    found = Plan(status=_counts(owner, known, current, update))
    waits = [w for p in pods if (w := available_in(p, known.seconds, now))]
    found.again = min(waits) if waits else None
    if owner["metadata"].get("deletionTimestamp"):
        return found
    ordered = owner["spec"].get("podManagementPolicy", "OrderedReady") == "OrderedReady"
    if _fill(found, owner, known, current, update, ordered) and _condemn(found, known, ordered):
        _roll(found, owner, known, update)
    _complete(found, owner)
    return found


def _fill(found: Plan, owner: Obj, known: _Pods, current: str, update: str, ordered: bool) -> bool:
    """Every ordinal has its pod; False while one has to be waited for."""
    for number in known.wanted:
        pod = known.by_ordinal.get(number)
        if pod is None:
            found.create.append((number, _revision_for(found, owner, number, current, update)))
            found.status["replicas"] += 1
            name = "currentReplicas" if found.create[-1][1] == current else "updatedReplicas"
            found.status[name] += 1
            if name == "currentReplicas" and current == update:
                found.status["updatedReplicas"] += 1
            if ordered:
                return False
        elif phase(pod) in ("Failed", "Succeeded"):
            if not pod["metadata"].get("deletionTimestamp"):
                failed = phase(pod) == "Failed"
                found.delete.append((pod, "RecreatingFailedPod" if failed else "RecreatingTerminatedPod"))
            if ordered:
                return False
        elif ordered and not known.healthy(pod):
            return False
        elif not identified(owner, pod):
            found.rename.append(pod)
    return True


def _revision_for(found: Plan, owner: Obj, number: int, current: str, update: str) -> str:
    """Below the partition, or among those that an unfinished update has not reached, pods stay at the old revision."""
    parameters = rolling(owner)
    start = start_of(owner)
    if parameters is None:
        return current if number < start + (owner.get("status") or {}).get("currentReplicas", 0) else update
    return current if number < start + parameters.get("partition", 0) else update


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
        found.delete.append((pod, ""))
        if ordered:
            return False
    return True


def _roll(found: Plan, owner: Obj, known: _Pods, update: str) -> None:
    """Replace pods of another revision from the highest ordinal down, so many at a time."""
    parameters = rolling(owner)
    if parameters is None or found.create:
        return
    allowed = _unavailable(parameters.get("maxUnavailable"), len(known.wanted))
    # Without maxUnavailable only the pods above the next one to replace are waited for.
    down = sum(not known.healthy(p) for p in known.by_ordinal.values()) if "maxUnavailable" in parameters else 0
    for number in reversed(known.wanted):
        if number < start_of(owner) + parameters.get("partition", 0):
            return
        pod = known.by_ordinal[number]
        going = pod["metadata"].get("deletionTimestamp")
        if revision_label(pod) != update and not going and (down < allowed or not known.healthy(pod)):
            found.delete.append((pod, ""))
            down += known.healthy(pod) or "maxUnavailable" not in parameters
        if not known.healthy(pod) and "maxUnavailable" not in parameters:
            return
        if down >= allowed:
            return


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
    """When every pod is of the new revision and ready, it is the current one."""
    status = found.status
    done = status["updatedReplicas"] == status["replicas"] == status["readyReplicas"]
    if rolling(owner) is not None and done and not found.create:
        status["currentRevision"], status["currentReplicas"] = status["updateRevision"], status["updatedReplicas"]


_OMITTED = ("readyReplicas", "currentReplicas", "updatedReplicas")


async def reconcile(work: Work) -> float | None:
    """Claim, keep the history, carry out the plan, write the status."""
    owner = work.get(STATEFUL_SETS, work.key)
    if owner is None:
        return None
    selector = selector_of(owner)
    pods = [p for p in await claim_all(work, owner, OWNER, selector, PODS) if ordinal(owner, p) >= 0]
    revisions = await claim_all(work, owner, OWNER, selector, CONTROLLER_REVISIONS)
    update, collisions = await sync(
        work, owner, revisions, lambda count: revision_of(owner, "apps/v1", "StatefulSet", 1, count)
    )
    known = {r["metadata"]["name"]: r for r in (*revisions, update)}
    name = update["metadata"]["name"]
    status = owner.get("status") or {}
    current = status["currentRevision"] if status.get("currentRevision") in known else name
    found = plan(owner, pods, current, name, work.clock.now())
    for number, revision in found.create:
        await _create(work, owner, known[revision], number)
    for pod in pods:
        if phase(pod) == "Pending" and not pod["metadata"].get("deletionTimestamp"):
            await _claims(work, owner, pod["metadata"]["name"])
    for pod in found.rename:
        await _rename(work, owner, pod)
    for pod, reason in found.delete:
        await _delete(work, owner, pod, reason)
    await _retain(work, owner, pods, found)
    wanted = {k: v for k, v in found.status.items() if v or k not in _OMITTED} | {"collisionCount": collisions}
    if status.get("conditions"):
        wanted["conditions"] = status["conditions"]
    if wanted != status:
        await work.update(STATEFUL_SETS, {**owner, "status": wanted}, "status")
    live = {wanted["currentRevision"], name, *(revision_label(p) for p in pods)}
    await truncate(work, owner, list(known.values()), live)
    return found.again


def pod_for(owner: Obj, template: Obj, revision: str, number: int) -> Obj:
    """The pod of an ordinal: its name, hostname, labels and claims as volumes."""
    meta, name = template.get("metadata") or {}, f"{owner['metadata']['name']}-{number}"
    labels = {**(meta.get("labels") or {}), REVISION_LABEL: revision, NAME_LABEL: name, INDEX_LABEL: str(number)}
    spec = {**template["spec"], "hostname": name}
    if owner["spec"].get("serviceName"):
        spec["subdomain"] = owner["spec"]["serviceName"]
    claims = {
        t["metadata"]["name"]: f"{t['metadata']['name']}-{name}"
        for t in owner["spec"].get("volumeClaimTemplates") or ()
    }
    if claims:
        volumes = [{"name": k, "persistentVolumeClaim": {"claimName": v}} for k, v in claims.items()]
        spec["volumes"] = volumes + [v for v in spec.get("volumes") or () if v["name"] not in claims]
    found: Obj = {
        "name": name,
        "namespace": owner["metadata"]["namespace"],
        "generateName": f"{owner['metadata']['name']}-",
        "labels": labels,
        "ownerReferences": [controller_reference(owner, "apps/v1", "StatefulSet")],
    }
    if meta.get("annotations"):
        found["annotations"] = dict(meta["annotations"])
    if meta.get("finalizers"):
        found["finalizers"] = list(meta["finalizers"])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": found, "spec": spec}


async def _create(work: Work, owner: Obj, revision: Obj, number: int) -> None:
    meta = owner["metadata"]
    template = {k: v for k, v in revision["data"]["spec"]["template"].items() if k != "$patch"}
    pod = pod_for(owner, template, revision["metadata"]["name"], number)
    name = pod["metadata"]["name"]
    await _claims(work, owner, name)
    try:
        await work.create(PODS, pod)
    except ClientError as error:
        if error.reason == "AlreadyExists":
            raise
        work.event(
            owner, "Warning", "FailedCreate", f"Create Pod {name} in StatefulSet {meta['name']} failed error: {error}"
        )
        raise
    work.event(owner, "Normal", "SuccessfulCreate", f"Create Pod {name} in StatefulSet {meta['name']} successful")


async def _claims(work: Work, owner: Obj, pod_name: str) -> None:
    """Create the claims of an ordinal that are not there; claims of before are taken again."""
    meta = owner["metadata"]
    for template in owner["spec"].get("volumeClaimTemplates") or ():
        name = f"{template['metadata']['name']}-{pod_name}"
        if work.get(CLAIMS, f"{meta['namespace']}/{name}") is not None:
            continue
        own = (template["metadata"].get("labels") or {}), (owner["spec"]["selector"].get("matchLabels") or {})
        found: Obj = {"name": name, "namespace": meta["namespace"], "labels": {**own[0], **own[1]}}
        if template["metadata"].get("annotations"):
            found["annotations"] = template["metadata"]["annotations"]
        try:
            await work.create(
                CLAIMS,
                {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": found, "spec": template["spec"]},
            )
        except ClientError as error:
            if error.reason != "AlreadyExists":
                work.event(
                    owner,
                    "Warning",
                    "FailedCreate",
                    f"Create Claim {name} for Pod {pod_name} in StatefulSet {meta['name']} failed error: {error}",
                )
                raise
            continue
        work.event(
            owner,
            "Normal",
            "SuccessfulCreate",
            f"Create Claim {name} Pod {pod_name} in StatefulSet {meta['name']} success",
        )


async def _rename(work: Work, owner: Obj, pod: Obj) -> None:
    """Give the pod its labels back."""
    name, own = pod["metadata"]["name"], owner["metadata"]["name"]
    labels = {**(pod["metadata"].get("labels") or {}), **names_of(owner, pod)}
    try:
        await work.update(PODS, {**pod, "metadata": {**pod["metadata"], "labels": labels}})
    except ClientError as error:
        work.event(owner, "Warning", "FailedUpdate", f"update Pod {name} in StatefulSet {own} failed error: {error}")
        raise
    work.event(owner, "Normal", "SuccessfulUpdate", f"update Pod {name} in StatefulSet {own} successful")


async def _delete(work: Work, owner: Obj, pod: Obj, reason: str) -> None:
    meta, name = owner["metadata"], pod["metadata"]["name"]
    if reason:
        kind = "failed" if reason == "RecreatingFailedPod" else "terminated"
        work.event(
            owner, "Warning", reason, f"StatefulSet {meta['namespace']}/{meta['name']} is recreating {kind} Pod {name}"
        )
    if await work.delete(PODS, pod):
        work.event(owner, "Normal", "SuccessfulDelete", f"Delete Pod {name} in StatefulSet {meta['name']} successful")


async def _retain(work: Work, owner: Obj, pods: Iterable[Obj], found: Plan) -> None:
    """Claims are owned by the set when they are to go with it, and by a condemned pod when they are to go with that."""
    policy = owner["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    if not owner["spec"].get("volumeClaimTemplates"):
        return
    numbers = {ordinal(owner, p): p for p in pods} | {n: None for n, _ in found.create}
    wanted = _Pods(owner, (), 0.0).wanted
    for number, pod in numbers.items():
        references = []
        if number not in wanted and policy.get("whenScaled") == "Delete":
            if pod is None:
                continue
            references = [controller_reference(pod, "v1", "Pod")]
        elif policy.get("whenDeleted") == "Delete":
            references = [controller_reference(owner, "apps/v1", "StatefulSet")]
        await _own_claims(work, owner, number, references)


async def _own_claims(work: Work, owner: Obj, number: int, references: list[Obj]) -> None:
    meta = owner["metadata"]
    for template in owner["spec"]["volumeClaimTemplates"]:
        claim = work.get(CLAIMS, f"{meta['namespace']}/{template['metadata']['name']}-{meta['name']}-{number}")
        if claim is None:
            continue
        present = claim["metadata"].get("ownerReferences") or []
        ours = [
            r
            for r in present
            if r["uid"] == meta["uid"] or (r["kind"] == "Pod" and r["name"] == f"{meta['name']}-{number}")
        ]
        if [r["uid"] for r in ours] != [r["uid"] for r in references]:
            left = [r for r in present if r not in ours] + references
            rest = {k: v for k, v in claim["metadata"].items() if k != "ownerReferences"}
            await work.update(CLAIMS, {**claim, "metadata": {**rest, "ownerReferences": left} if left else rest})


_TO_OWNER = to_owner(OWNER, selecting(STATEFUL_SETS, selector_of))
STATEFULSET = Controller(
    "statefulset-controller",
    "statefulset",
    service_account("statefulset-controller"),
    (
        Watch(STATEFUL_SETS),
        Watch(PODS, _TO_OWNER, {"controller": by_controller}),
        Watch(CLAIMS, None),
        Watch(CONTROLLER_REVISIONS, None, {"controller": by_controller}),
    ),
    reconcile,
)
