"""What to do about a Deployment now: a pure plan of creations, sizes, deletions and annotations.

Stands for kube-controller-manager's deployment sync.go, rolling.go, recreate.go. A plan goes one step:
the new set grows, or else old ones shrink, and the next look comes with the events of that.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, field

from fakenodes.client.base import Obj
from fakenodes.controllers.deployments.sets import (
    HASH,
    REVISION,
    active,
    annotations_of,
    bounds,
    counted,
    created,
    desired,
    find_new,
    new_annotations,
    new_size,
    proportion,
    replicas,
    revision,
    rolling,
    saturated,
    size_annotations,
    template_hash,
    total,
)
from fakenodes.controllers.deployments.status import complete, has_deadline
from fakenodes.controllers.pods import condition
from fakenodes.owners import controller_reference

UNLIMITED = 2**31 - 1


class Plan(Struct):
    """`create` is made first; `update` are sets as they should be written, `resized` says from which size (by name).

    `progress` is a Progressing condition (status, reason, message) to note before the status is worked out, `revision`
    the annotation that the Deployment should carry. `rollout` says whether progress is judged (not while paused or
    merely resized).
    """

    new: Obj | None
    old: list[Obj]
    create: Obj | None = None
    update: dict[str, Obj] = field(default_factory=dict)
    resized: dict[str, tuple[int, int]] = field(default_factory=dict)
    delete: list[Obj] = field(default_factory=list)
    revision: str = ""
    progress: tuple[str, str, str] | None = None
    rollout: bool = True

    @property
    def all(self) -> list[Obj]:
        """Old sets and the new one, as they will be."""
        return [*self.old, *([self.new] if self.new else [])]


def plan(deployment: Obj, sets: Sequence[Obj], old_pods_running: bool) -> Plan:
    """sets: the ReplicaSets that the Deployment controls. old_pods_running: pods of old sets are not over yet."""
    new = find_new(deployment, sets)
    new_uid = new["metadata"]["uid"] if new else ""
    found = Plan(new, [x for x in sets if x["metadata"]["uid"] != new_uid])
    if deployment["metadata"].get("deletionTimestamp"):
        found.rollout = False
        return found
    _pause(found, deployment)
    if new is not None:
        _sync_revision(found, deployment)
    if deployment["spec"].get("paused") or _resized(deployment, sets):
        found.rollout = False
        _scale(found, deployment)
        if deployment["spec"].get("paused"):
            _clean_up(found, deployment)
    elif rolling(deployment):
        _roll(found, deployment)
    else:
        _recreate(found, deployment, old_pods_running)
    return found


def _pause(found: Plan, deployment: Obj) -> None:
    """Note that the Deployment was paused or resumed, so that the deadline does not run meanwhile."""
    progressing = condition(deployment, "Progressing") or {}
    if not has_deadline(deployment) or progressing.get("reason") == "ProgressDeadlineExceeded":
        return
    paused, noted = bool(deployment["spec"].get("paused")), progressing.get("reason") == "DeploymentPaused"
    if paused and not noted:
        found.progress = ("Unknown", "DeploymentPaused", "Deployment is paused")
    elif noted and not paused:
        found.progress = ("Unknown", "DeploymentResumed", "Deployment is resumed")


def _resized(deployment: Obj, sets: Sequence[Obj]) -> bool:
    wanted = replicas(deployment)
    return any(desired(x) not in (None, wanted) for x in active(sets))


def _next_revision(found: Plan) -> int:
    return max((revision(x) for x in found.old), default=0) + 1


def _sync_revision(found: Plan, deployment: Obj) -> None:
    """Bring the new set's annotations and minReadySeconds up to date, and the Deployment's revision with it."""
    new = found.new
    assert new is not None
    wanted = new_annotations(deployment, annotations_of(new), _next_revision(found))
    seconds = deployment["spec"].get("minReadySeconds", 0)
    if wanted != annotations_of(new) or new["spec"].get("minReadySeconds", 0) != seconds:
        spec = {k: v for k, v in new["spec"].items() if k != "minReadySeconds"}
        if seconds:
            spec["minReadySeconds"] = seconds
        _write(found, {**new, "metadata": {**new["metadata"], "annotations": wanted}, "spec": spec})
    found.revision = wanted[REVISION]
    if has_deadline(deployment) and condition(deployment, "Progressing") is None and found.progress is None:
        found.progress = ("True", "FoundNewReplicaSet", f'Found new replica set "{new["metadata"]["name"]}"')


def _write(found: Plan, changed: Obj) -> None:
    uid = changed["metadata"]["uid"]
    found.update[changed["metadata"]["name"]] = changed
    found.old = [changed if x["metadata"]["uid"] == uid else x for x in found.old]
    if found.new is not None and found.new["metadata"].get("uid") == uid:
        found.new = changed


def _resize(found: Plan, deployment: Obj, target: Obj, size: int) -> None:
    """Write the size and what it was decided upon; nothing when both are so already."""
    marks = size_annotations(deployment)
    before = replicas(target)
    if before == size and marks.items() <= annotations_of(target).items():
        return
    meta = {**target["metadata"], "annotations": {**annotations_of(target), **marks}}
    _write(found, {**target, "metadata": meta, "spec": {**target["spec"], "replicas": size}})
    if before != size:
        found.resized[target["metadata"]["name"]] = (before, size)


def _move(found: Plan, deployment: Obj, target: Obj, size: int) -> bool:
    """Resize unless it has the size; whether it had another."""
    if replicas(target) == size:
        return False
    _resize(found, deployment, target, size)
    return True


def _make_new(found: Plan, deployment: Obj) -> None:
    """The set for a template that none has yet, as large as may be at once."""
    template, digest = deployment["spec"]["template"], template_hash(deployment)
    labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH: digest}
    selector = deployment["spec"]["selector"]
    meta = deployment["metadata"]
    number = _next_revision(found)
    spec: Obj = {
        "replicas": 0,
        "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH: digest}},
        "template": {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}},
    }
    if deployment["spec"].get("minReadySeconds"):
        spec["minReadySeconds"] = deployment["spec"]["minReadySeconds"]
    marks = {**new_annotations(deployment, {}, number), **size_annotations(deployment)}
    new: Obj = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{meta['name']}-{digest}",
            "namespace": meta["namespace"],
            "labels": labels,
            "annotations": marks,
            "ownerReferences": [controller_reference(deployment, "apps/v1", "Deployment")],
        },
        "spec": spec,
    }
    spec["replicas"] = new_size(deployment, [*found.old, new], new)
    found.new = found.create = new
    found.revision = str(number)
    if has_deadline(deployment):
        found.progress = ("True", "NewReplicaSetCreated", f'Created new replica set "{new["metadata"]["name"]}"')


def _scale(found: Plan, deployment: Obj) -> None:
    """Another size without another template: the only set follows; a finished rollout drops its old sets; in the
    middle of one every set gets its share, so that the risk stays spread."""
    wanted = replicas(deployment)
    only = _active_or_latest(found)
    if only is not None:
        _move(found, deployment, only, wanted)
        return
    if saturated(deployment, found.new):
        for old in active(found.old):
            _move(found, deployment, old, 0)
        return
    if not rolling(deployment):
        return
    allowed = wanted + bounds(deployment)[0] if wanted > 0 else 0
    sets = active(found.all)
    to_add = allowed - total(sets)
    # The largest first, of equal ones the newer when growing and the older when shrinking.
    sets.sort(key=created, reverse=to_add > 0)
    sets.sort(key=replicas, reverse=True)
    sizes, added = {}, 0
    for each in sets:
        share = proportion(each, deployment, to_add, added) if to_add else 0
        sizes[each["metadata"]["name"]] = replicas(each) + share
        added += share
    for i, each in enumerate(sets):
        size = sizes[each["metadata"]["name"]]
        if i == 0 and to_add:
            size = max(size + to_add - added, 0)
        _resize(found, deployment, each, size)


def _active_or_latest(found: Plan) -> Obj | None:
    """The only set with pods; without any, the new set or else the youngest; None when there are several."""
    busy = active(found.all)
    if len(busy) > 1:
        return None
    if busy:
        return busy[0]
    return found.new or max(found.old, key=created, default=None)


def _roll(found: Plan, deployment: Obj) -> None:
    """RollingUpdate: grow the new set within the surge; when it cannot grow, shrink old ones within availability."""
    if found.new is None:
        _make_new(found, deployment)
        return
    wanted = replicas(deployment)
    size = wanted if replicas(found.new) > wanted else new_size(deployment, found.all, found.new)
    if _move(found, deployment, found.new, size) or _shrink(found, deployment):
        return
    if complete(deployment, deployment.get("status") or {}):
        _clean_up(found, deployment)


def _shrink(found: Plan, deployment: Obj) -> bool:
    """Take pods from old sets, the broken ones first, never below replicas - maxUnavailable; whether any was taken."""
    new = found.new
    assert new is not None
    old_sets = sorted(active(found.old), key=created)
    if not old_sets:
        return False
    minimum = replicas(deployment) - bounds(deployment)[1]
    everything = [*old_sets, new]
    room = total(everything) - minimum - (replicas(new) - counted(new, "availableReplicas"))
    if room <= 0:
        return False
    sizes = {x["metadata"]["name"]: replicas(x) for x in old_sets}
    for each in old_sets:
        name = each["metadata"]["name"]
        broken = max(sizes[name] - counted(each, "availableReplicas"), 0)
        taken = min(broken, room)
        sizes[name] -= taken
        room -= taken
    # A set's status may still count pods that its new size has already given up; upstream counts them again.
    spare = sum(min(counted(x, "availableReplicas"), replicas(x)) for x in everything) - minimum
    for each in old_sets:
        if spare <= 0:
            break
        name = each["metadata"]["name"]
        taken = min(sizes[name], spare)
        sizes[name] -= taken
        spare -= taken
    # Not any() over a generator: every set is to move.
    moved = [_move(found, deployment, x, sizes[x["metadata"]["name"]]) for x in old_sets]
    return any(moved)


def _recreate(found: Plan, deployment: Obj, old_pods_running: bool) -> None:
    """Recreate: first no old pod, then the new set at once."""
    shrunk = [_move(found, deployment, x, 0) for x in active(found.old)]
    if any(shrunk) or old_pods_running:
        return
    if found.new is None:
        _make_new(found, deployment)
        return
    if not _move(found, deployment, found.new, replicas(deployment)) and complete(
        deployment, deployment.get("status") or {}
    ):
        _clean_up(found, deployment)


def _clean_up(found: Plan, deployment: Obj) -> None:
    """Drop the oldest empty sets beyond revisionHistoryLimit."""
    limit = deployment["spec"].get("revisionHistoryLimit", 10)
    if limit == UNLIMITED:
        return
    living = [x for x in found.old if not x["metadata"].get("deletionTimestamp")]
    for each in sorted(living, key=lambda x: (revision(x), created(x)))[: max(len(living) - limit, 0)]:
        idle = replicas(each) == 0 and counted(each, "replicas") == 0
        if idle and each["metadata"].get("generation", 0) <= counted(each, "observedGeneration"):
            found.delete.append(each)
