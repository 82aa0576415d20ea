"""StatefulSets: pods with an ordinal, a name that stays and claims that stay with it.

Stands for kube-controller-manager's pkg/controller/statefulset: statefulplan.py decides, statefulclaims.py knows the
claims, here it is carried out. Leaves out metrics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fakeapi.selectors import LabelSelector, SelectorError, from_label_selector
from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import CLAIMS, CONTROLLER_REVISIONS, PODS, STATEFUL_SETS
from fakenodes.controllers import statefulclaims as claims
from fakenodes.controllers.base import Controller, Watch, Work, service_account
from fakenodes.controllers.claiming import OwnerKind, claim_all, selecting, to_owner
from fakenodes.controllers.history import REVISION_LABEL, revision_of, sync, truncate
from fakenodes.controllers.pods import phase
from fakenodes.controllers.statefulplan import (
    INDEX_LABEL,
    NAME_LABEL,
    Plan,
    names_of,
    ordinal,
    ordinals,
    plan,
    revision_label,
)
from fakenodes.owners import by_controller, controller_reference

OWNER = OwnerKind(STATEFUL_SETS, "apps/v1", "StatefulSet")
# How soon to look again at a claim that has to go before its pod can come.
STALE_SECONDS = 1.0


def selector_of(owner: Obj) -> LabelSelector:
    """The selector; an empty or broken one selects nothing."""
    selector = owner["spec"].get("selector")
    try:
        return from_label_selector(selector) if selector else LabelSelector(never=True)
    except SelectorError:
        return LabelSelector(never=True)


_OMITTED = ("readyReplicas", "currentReplicas", "updatedReplicas")


async def reconcile(work: Work) -> float | None:
    """Claim, keep the history, carry out the plan, write the status even when that went wrong."""
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
    failure: Exception | None = None
    try:
        if not owner["metadata"].get("deletionTimestamp"):
            await _carry_out(work, owner, pods, known, found)
    except (ClientError, OSError) as error:
        failure = error
    wanted = {k: v for k, v in found.status.items() if v or k not in _OMITTED} | {"collisionCount": collisions}
    if status.get("conditions"):
        wanted["conditions"] = status["conditions"]
    if wanted != status:
        await work.update(STATEFUL_SETS, {**owner, "status": wanted}, "status")
    live = {wanted["currentRevision"], name, *(revision_label(p) for p in pods)}
    await truncate(work, owner, list(known.values()), live)
    if failure is not None:
        raise failure
    return found.again


async def _carry_out(work: Work, owner: Obj, pods: Sequence[Obj], known: Mapping[str, Obj], found: Plan) -> None:
    for number, revision in found.create:
        if claims.stale(work, owner, f"{owner['metadata']['name']}-{number}"):
            found.again = min(found.again or STALE_SECONDS, STALE_SECONDS)
            break
        await _create(work, owner, known[revision], number)
    wanted = ordinals(owner)
    for pod in pods:
        if phase(pod) == "Pending" and ordinal(owner, pod) in wanted and not pod["metadata"].get("deletionTimestamp"):
            try:
                await claims.make(work, owner, pod["metadata"]["name"])
            except claims.ClaimError as error:
                raise OSError(str(error)) from None
    for pod in found.rename:
        await _rename(work, owner, pod)
    await claims.retain(work, owner, pods)
    for pod in found.delete:
        await _delete(work, owner, pod)


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


def _tell(work: Work, owner: Obj, verb: str, name: str, error: object = None) -> None:
    text = f"{verb} Pod {name} in StatefulSet {owner['metadata']['name']}"
    if error is None:
        work.event(owner, "Normal", f"Successful{verb}", f"{text} successful")
    else:
        work.event(owner, "Warning", f"Failed{verb}", f"{text} failed error: {error}")


async def _create(work: Work, owner: Obj, revision: Obj, number: int) -> None:
    """The pod of an ordinal, after its claims."""
    template = {k: v for k, v in revision["data"]["spec"]["template"].items() if k != "$patch"}
    pod = pod_for(owner, template, revision["metadata"]["name"], number)
    name = pod["metadata"]["name"]
    try:
        await claims.make(work, owner, name)
        await work.create(PODS, pod)
    except claims.ClaimError as error:
        _tell(work, owner, "Create", name, error)
        raise OSError(str(error)) from None
    except ClientError as error:
        if error.reason != "AlreadyExists":
            _tell(work, owner, "Create", name, error)
        raise
    _tell(work, owner, "Create", name)


async def _rename(work: Work, owner: Obj, pod: Obj) -> None:
    """Give the pod its labels back."""
    labels = {**(pod["metadata"].get("labels") or {}), **names_of(owner, pod)}
    try:
        await work.update(PODS, {**pod, "metadata": {**pod["metadata"], "labels": labels}})
    except ClientError as error:
        _tell(work, owner, "Update", pod["metadata"]["name"], error)
        raise
    _tell(work, owner, "Update", pod["metadata"]["name"])


async def _delete(work: Work, owner: Obj, pod: Obj) -> None:
    try:
        gone = not await work.delete(PODS, pod)
    except ClientError as error:
        _tell(work, owner, "Delete", pod["metadata"]["name"], error)
        raise
    if not gone:
        _tell(work, owner, "Delete", pod["metadata"]["name"])


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
