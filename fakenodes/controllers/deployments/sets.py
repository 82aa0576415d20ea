"""What a Deployment knows of its ReplicaSets: which is new, their revisions, and how many pods there may be.

Stands for kube-controller-manager's pkg/controller/deployment/util. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from fakenodes.client.base import Obj
from fakenodes.hashing import fnv_name

HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
# Annotations that are a Deployment's own and are not copied to its sets.
OWN = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        HISTORY,
        DESIRED,
        MAXIMUM,
        "deprecated.deployment.rollback.to",
    }
)
HISTORY_CHARS = 2000


def replicas(obj: Obj) -> int:
    """spec.replicas."""
    return int(obj["spec"].get("replicas", 1))


def counted(obj: Obj, name: str) -> int:
    """A count of the status."""
    return int((obj.get("status") or {}).get(name, 0))


def rolling(deployment: Obj) -> bool:
    """Whether the strategy is RollingUpdate."""
    return bool((deployment["spec"].get("strategy") or {}).get("type", "RollingUpdate") == "RollingUpdate")


def scaled(value: Any, total: int, up: bool) -> int:
    """An int-or-percent of total, rounded up or down; 0 for what is neither."""
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.endswith("%") and value[:-1].isdigit():
        part = int(value[:-1]) * total
        return -(-part // 100) if up else part // 100
    return 0


def bounds(deployment: Obj) -> tuple[int, int]:
    """(surge, unavailable) as pods: they are never both 0, and unavailable is at most the replicas."""
    if not rolling(deployment):
        return 0, 0
    total = replicas(deployment)
    given = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    surge = scaled(given.get("maxSurge", 0), total, True)
    unavailable = scaled(given.get("maxUnavailable", 0), total, False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, min(unavailable, total)


def annotations_of(obj: Obj) -> dict[str, str]:
    """metadata.annotations, never None."""
    found: dict[str, str] = obj["metadata"].get("annotations") or {}
    return found


def revision(obj: Obj) -> int:
    """The revision annotation; 0 when there is none or it is no number."""
    text = annotations_of(obj).get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def created(obj: Obj) -> tuple[str, str]:
    """Sort key: oldest first, then by name."""
    return obj["metadata"].get("creationTimestamp") or "", obj["metadata"]["name"]


def active(sets: Iterable[Obj]) -> list[Obj]:
    """Those that want pods."""
    return [x for x in sets if replicas(x) > 0]


def total(sets: Iterable[Obj]) -> int:
    """The pods that they want together."""
    return sum(map(replicas, sets))


def _comparable(template: Obj) -> Obj:
    meta = template.get("metadata") or {}
    labels = {k: v for k, v in (meta.get("labels") or {}).items() if k != HASH}
    found = {k: v for k, v in meta.items() if v not in (None, {}, [])}
    return {**template, "metadata": {**found, "labels": labels}}


def same_template(left: Obj, right: Obj) -> bool:
    """Whether two pod templates are equal but for the hash label."""
    return _comparable(left) == _comparable(right)


def find_new(deployment: Obj, sets: Iterable[Obj]) -> Obj | None:
    """The oldest set with the Deployment's template: several may have it after a collision in the past."""
    template = deployment["spec"]["template"]
    for found in sorted(sets, key=created):
        if same_template(found["spec"]["template"], template):
            return found
    return None


def template_hash(deployment: Obj) -> str:
    """FNV-1a of the template and the collision count, in the alphabet that spells no words."""
    data = orjson.dumps(deployment["spec"]["template"], option=orjson.OPT_SORT_KEYS)
    collisions = (deployment.get("status") or {}).get("collisionCount")
    if collisions is not None:
        data += int(collisions).to_bytes(8, "little")
    return fnv_name(data)


def new_annotations(deployment: Obj, found: dict[str, str], number: int) -> dict[str, str]:
    """The annotations of the new set: the Deployment's, its revision, and the revisions that it had before."""
    result = {**found, **{k: v for k, v in annotations_of(deployment).items() if k not in OWN}}
    old = found.get(REVISION, "")
    if not old or (old.isdigit() and int(old) < number):
        result[REVISION] = str(number)
        if old:
            history = [x for x in result.get(HISTORY, "").split(",") if x]
            while history and len(",".join([*history, old])) > HISTORY_CHARS:
                history.pop(0)
            result[HISTORY] = ",".join([*history, old])
    return result


def size_annotations(deployment: Obj) -> dict[str, str]:
    """What a set remembers of the size that the Deployment had when it was scaled."""
    wanted = replicas(deployment)
    return {DESIRED: str(wanted), MAXIMUM: str(wanted + bounds(deployment)[0])}


def new_size(deployment: Obj, sets: Sequence[Obj], new: Obj) -> int:
    """How large the new set may be now: within the surge, at most what is wanted."""
    wanted = replicas(deployment)
    if not rolling(deployment):
        return wanted
    room = wanted + bounds(deployment)[0] - total(sets)
    if room <= 0:
        return replicas(new)
    return replicas(new) + min(room, wanted - replicas(new))


def desired(found: Obj) -> int | None:
    """The desired-replicas annotation."""
    text = annotations_of(found).get(DESIRED, "")
    return int(text) if text.lstrip("-").isdigit() else None


def proportion(found: Obj, deployment: Obj, to_add: int, added: int) -> int:
    """A set's share of a change of size: its part of the total, never more than is left to add (or to take)."""
    if replicas(found) == 0 or to_add in (0, added):
        return 0
    share = _fraction(found, deployment)
    return min(share, to_add - added) if to_add > 0 else max(share, to_add - added)


def _fraction(found: Obj, deployment: Obj) -> int:
    if replicas(deployment) == 0:
        return -replicas(found)
    maximum = replicas(deployment) + bounds(deployment)[0]
    text = annotations_of(found).get(MAXIMUM, "")
    before = int(text) if text.isdigit() and int(text) else counted(deployment, "replicas")
    if not before:
        return 0
    # Go's math.Round goes away from zero at halves; Python's goes to even.
    return math.floor(replicas(found) * maximum / before + 0.5) - replicas(found)


def saturated(deployment: Obj, new: Obj | None) -> bool:
    """Whether the new set has all the pods, all of them available."""
    wanted = replicas(deployment)
    return (
        new is not None
        and replicas(new) == wanted
        and desired(new) == wanted
        and counted(new, "availableReplicas") == wanted
    )
