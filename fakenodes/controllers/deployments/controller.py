"""Deployments: carries out rollout.plan and writes the status.

Stands for kube-controller-manager's deployment_controller.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fakeapi.selectors import LabelSelector, SelectorError, from_label_selector
from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import DEPLOYMENTS, PODS, REPLICA_SETS
from fakenodes.controllers.base import Controller, Watch, Watching, Work, service_account
from fakenodes.controllers.claiming import OwnerKind, claim_all, owner_key, selecting, to_owner
from fakenodes.controllers.deployments.rollback import plan_rollback
from fakenodes.controllers.deployments.rollout import Plan, plan
from fakenodes.controllers.deployments.sets import REVISION, annotations_of, find_new, rolling, same_template
from fakenodes.controllers.deployments.status import deadline_in, has_deadline, set_condition, status_of
from fakenodes.controllers.pods import is_terminated
from fakenodes.owners import by_controller, controller_uid

OWNER = OwnerKind(DEPLOYMENTS, "apps/v1", "Deployment")
_SET = OwnerKind(REPLICA_SETS, "apps/v1", "ReplicaSet")


def selector_of(deployment: Obj) -> LabelSelector:
    """The Deployment's selector; an empty or broken one selects nothing."""
    selector = deployment["spec"].get("selector")
    try:
        return from_label_selector(selector) if selector else LabelSelector(never=True)
    except SelectorError:
        return LabelSelector(never=True)


async def reconcile(work: Work) -> float | None:
    """One step of the rollout, then the status."""
    deployment = work.get(DEPLOYMENTS, work.key)
    if deployment is None:
        return None
    sets = await claim_all(work, deployment, OWNER, selector_of(deployment), REPLICA_SETS)
    if await _rolled_back(work, deployment, sets):
        return None
    found = plan(deployment, sets, not rolling(deployment) and _old_pods_running(work, deployment, sets))
    for name, changed in found.update.items():
        await work.update(REPLICA_SETS, changed)
        if name in found.resized:
            _tell(work, deployment, name, *found.resized[name])
    if found.create is not None and not await _create(work, deployment, found):
        return None
    for old in found.delete:
        await work.delete(REPLICA_SETS, old)
    return await _write(work, deployment, found)


async def _rolled_back(work: Work, deployment: Obj, sets: Sequence[Obj]) -> bool:
    """Put an older template back if that is asked for; the rollout follows from the change."""
    if deployment["metadata"].get("deletionTimestamp") or deployment["spec"].get("paused"):
        return False
    rollback = plan_rollback(deployment, sets)
    if rollback is None:
        return False
    await work.update(DEPLOYMENTS, rollback.deployment)
    work.event(deployment, *rollback.event)
    return True


async def _write(work: Work, deployment: Obj, found: Plan) -> float | None:
    """The revision annotation and the conditions of this step, and the status as the sets now say it."""
    now = work.clock.now()
    current = deployment.get("status") or {}
    noted = deployment
    if found.progress is not None:
        conditions = set_condition(current.get("conditions") or [], "Progressing", *found.progress, now)
        noted = {**noted, "status": {**current, "conditions": conditions}}
    if found.revision and annotations_of(deployment).get(REVISION) != found.revision:
        meta = {**noted["metadata"], "annotations": {**annotations_of(deployment), REVISION: found.revision}}
        noted = {**noted, "metadata": meta}
    status = status_of(noted, found.all, found.new, found.rollout, now)
    if status != current or noted["metadata"] is not deployment["metadata"]:
        await work.update(DEPLOYMENTS, {**noted, "status": status}, "status")
    return deadline_in(deployment, status, now) if found.rollout else None


def _tell(work: Work, deployment: Obj, name: str, before: int, after: int) -> None:
    way = "up" if after > before else "down"
    work.event(deployment, "Normal", "ScalingReplicaSet", f"Scaled {way} replica set {name} from {before} to {after}")


async def _create(work: Work, deployment: Obj, found: Plan) -> bool:
    """Create the new set; False when the key will be looked at again for another reason."""
    new = found.create
    assert new is not None
    name = new["metadata"]["name"]
    try:
        found.new = await work.create(REPLICA_SETS, new)
    except ClientError as error:
        if error.reason == "AlreadyExists":
            return await _collided(work, deployment, new)
        causes = (error.status.get("details") or {}).get("causes") or ()
        if any(c.get("reason") == "NamespaceTerminating" for c in causes):
            return False
        text = f'Failed to create new replica set "{name}": {error}'
        work.event(deployment, "Warning", "ReplicaSetCreateError", text)
        if has_deadline(deployment):
            await _note_failure(work, deployment, text)
        raise
    if new["spec"]["replicas"]:
        _tell(work, deployment, name, 0, new["spec"]["replicas"])
    return True


async def _note_failure(work: Work, deployment: Obj, text: str) -> None:
    current, now = deployment.get("status") or {}, work.clock.now()
    before = current.get("conditions") or []
    conditions = set_condition(before, "Progressing", "False", "ReplicaSetCreateError", text, now)
    if conditions != before:
        await work.update(DEPLOYMENTS, {**deployment, "status": {**current, "conditions": conditions}}, "status")


async def _collided(work: Work, deployment: Obj, new: Obj) -> bool:
    """The name is taken: by our own set that the cache does not know yet, or by another's, which counts a collision."""
    meta = new["metadata"]
    there = await work.client.get(REPLICA_SETS, meta["name"], meta["namespace"])
    own = controller_uid(there) == deployment["metadata"]["uid"]
    if own and same_template(there["spec"]["template"], deployment["spec"]["template"]):
        work.add_after(work.key, 0.05)
        return False
    current = deployment.get("status") or {}
    status = {**current, "collisionCount": current.get("collisionCount", 0) + 1}
    await work.update(DEPLOYMENTS, {**deployment, "status": status}, "status")
    return False


def _old_pods_running(work: Work, deployment: Obj, sets: Sequence[Obj]) -> bool:
    """Recreate waits for pods of any but the new set, terminating ones too, until they are over."""
    new = find_new(deployment, sets)
    for each in sets:
        if new is not None and each["metadata"]["uid"] == new["metadata"]["uid"]:
            continue
        if any(not is_terminated(p) for p in work.find(PODS, "controller", each["metadata"]["uid"])):
            return True
    return False


def _pod_gone(watching: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    """A Recreate Deployment goes on when a pod of its is gone."""
    if old is None or (new is not None and not is_terminated(new)):
        return ()
    key = owner_key(watching, old, _SET)
    found = watching.get(REPLICA_SETS, key) if key else None
    above = owner_key(watching, found, OWNER)
    deployment = watching.get(DEPLOYMENTS, above) if above else None
    return (above,) if deployment is not None and not rolling(deployment) else ()


DEPLOYMENT = Controller(
    "deployment-controller",
    "deployment",
    service_account("deployment-controller"),
    (
        Watch(DEPLOYMENTS),
        Watch(REPLICA_SETS, to_owner(OWNER, selecting(DEPLOYMENTS, selector_of)), {"controller": by_controller}),
        Watch(PODS, _pod_gone, {"controller": by_controller}),
    ),
    reconcile,
)
