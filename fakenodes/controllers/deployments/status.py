"""A Deployment's status: counts, Available, Progressing with its deadline, ReplicaFailure.

Stands for kube-controller-manager's deployment progress.go and calculateStatus. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from fakeapi.clock import parse_rfc3339, rfc3339
from fakenodes.client.base import Obj
from fakenodes.controllers.deployments.sets import bounds, counted, replicas, total
from fakenodes.controllers.pods import condition

NO_DEADLINE = 2**31 - 1


def has_deadline(deployment: Obj) -> bool:
    """Whether progressDeadlineSeconds is set and not the number that means never."""
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    return seconds is not None and seconds != NO_DEADLINE


def complete(deployment: Obj, status: Obj) -> bool:
    """Whether a status says that all pods are new and available."""
    wanted = replicas(deployment)
    return all(status.get(x, 0) == wanted for x in ("updatedReplicas", "replicas", "availableReplicas")) and status.get(
        "observedGeneration", 0
    ) >= deployment["metadata"].get("generation", 0)


def _progressing(old: Obj, new: Obj) -> bool:
    def count(status: Obj, name: str) -> int:
        return int(status.get(name, 0))

    old_left = count(old, "replicas") - count(old, "updatedReplicas")
    new_left = count(new, "replicas") - count(new, "updatedReplicas")
    grown = any(count(new, x) > count(old, x) for x in ("updatedReplicas", "readyReplicas", "availableReplicas"))
    return grown or new_left < old_left


def _timed_out(deployment: Obj, now: float) -> bool:
    found = condition(deployment, "Progressing")
    if found is None or found.get("reason") == "NewReplicaSetAvailable":
        return False
    if found.get("reason") == "ProgressDeadlineExceeded":
        return True
    return parse_rfc3339(found["lastUpdateTime"]) + float(deployment["spec"]["progressDeadlineSeconds"]) < now


def set_condition(
    conditions: Sequence[Obj], type: str, status: str, reason: str, message: str, now: float, changed: str = ""
) -> list[Obj]:
    """The conditions with this one; as they were when its status and reason are so already. changed: the transition
    time to keep."""
    current = next((c for c in conditions if c["type"] == type), None)
    if current is not None and current["status"] == status and current.get("reason") == reason and not changed:
        return list(conditions)
    stamp = rfc3339(now)
    if not changed:
        changed = current["lastTransitionTime"] if current is not None and current["status"] == status else stamp
    others = [c for c in conditions if c["type"] != type]
    return [
        *others,
        {
            "type": type,
            "status": status,
            "lastUpdateTime": stamp,
            "lastTransitionTime": changed,
            "reason": reason,
            "message": message,
        },
    ]


def _without(conditions: Sequence[Obj], type: str) -> list[Obj]:
    return [c for c in conditions if c["type"] != type]


def counts(deployment: Obj, sets: Sequence[Obj], new: Obj | None) -> Obj:
    """The numbers of the status; zero ones are left out, as Go leaves them out."""
    available = sum(counted(x, "availableReplicas") for x in sets)
    found = {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": sum(counted(x, "replicas") for x in sets),
        "updatedReplicas": counted(new, "replicas") if new else 0,
        "readyReplicas": sum(counted(x, "readyReplicas") for x in sets),
        "availableReplicas": available,
        "unavailableReplicas": max(total(sets) - available, 0),
    }
    result: Obj = {k: v for k, v in found.items() if v}
    # A set that its controller has not looked at yet has no pods, so none that terminate.
    terminating = [
        (x.get("status") or {}).get("terminatingReplicas", None if counted(x, "observedGeneration") else 0)
        for x in sets
    ]
    if None not in terminating:
        result["terminatingReplicas"] = sum(x for x in terminating if x)
    collisions = (deployment.get("status") or {}).get("collisionCount")
    if collisions is not None:
        result["collisionCount"] = collisions
    return result


def status_of(deployment: Obj, sets: Sequence[Obj], new: Obj | None, rollout: bool, now: float) -> Obj:
    """The status that the sets amount to. rollout: judge progress and take over the sets' failures."""
    status = counts(deployment, sets, new)
    enough = status.get("availableReplicas", 0) >= replicas(deployment) - bounds(deployment)[1]
    conditions = set_condition(
        (deployment.get("status") or {}).get("conditions") or [],
        "Available",
        *(
            ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
            if enough
            else ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
        ),
        now,
    )
    if rollout:
        conditions = _judge(deployment, status, conditions, new, now)
        conditions = _failures(conditions, sets, new, now)
    return {**status, "conditions": conditions} if conditions else status


def _judge(deployment: Obj, status: Obj, conditions: list[Obj], new: Obj | None, now: float) -> list[Obj]:
    if not has_deadline(deployment):
        return _without(conditions, "Progressing")
    current = condition(deployment, "Progressing")
    reached = current is not None and current.get("reason") == "NewReplicaSetAvailable"
    if reached and status.get("replicas", 0) == status.get("updatedReplicas", 0):
        return conditions
    who = f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{deployment["metadata"]["name"]}"'
    if complete(deployment, status):
        return set_condition(
            conditions, "Progressing", "True", "NewReplicaSetAvailable", f"{who} has successfully progressed.", now
        )
    if _progressing(deployment.get("status") or {}, status):
        # Each step forward renews lastUpdateTime, from which the deadline counts.
        kept = current["lastTransitionTime"] if current is not None and current["status"] == "True" else ""
        return set_condition(
            _without(conditions, "Progressing"),
            "Progressing",
            "True",
            "ReplicaSetUpdated",
            f"{who} is progressing.",
            now,
            kept,
        )
    if _timed_out(deployment, now):
        return set_condition(
            conditions, "Progressing", "False", "ProgressDeadlineExceeded", f"{who} has timed out progressing.", now
        )
    return conditions


def _failures(conditions: list[Obj], sets: Sequence[Obj], new: Obj | None, now: float) -> list[Obj]:
    """The new set's ReplicaFailure, or else any old one's."""
    order = [*([new] if new else []), *(x for x in sets if x is not new)]
    failing = [c for c in (condition(x, "ReplicaFailure") for x in order) if c is not None]
    if not failing:
        return _without(conditions, "ReplicaFailure")
    found = failing[0]
    return set_condition(
        conditions, "ReplicaFailure", found["status"], found.get("reason", ""), found.get("message", ""), now
    )


def deadline_in(deployment: Obj, status: Obj, now: float) -> float | None:
    """Seconds until the deadline has to be looked at; None when there is nothing to wait for."""
    found = condition({"status": status}, "Progressing")
    if not has_deadline(deployment) or found is None or complete(deployment, status):
        return None
    if found.get("reason") in ("ProgressDeadlineExceeded", "NewReplicaSetAvailable"):
        return None
    due = parse_rfc3339(found["lastUpdateTime"]) + float(deployment["spec"]["progressDeadlineSeconds"])
    # One second more, since stamps are whole seconds.
    return max(due - now, 0.0) + 1.0
