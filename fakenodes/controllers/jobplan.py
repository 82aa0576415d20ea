"""What a Job's pods amount to: a pure plan of what to count, create and delete, and whether the Job is over.

Stands for kube-controller-manager's pkg/controller/job: syncJob's decisions, manageJob, backoff_utils.go and what of
indexed_job_utils.go concerns pods. job.py carries the plan out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from fakeapi.clock import parse_rfc3339
from fakenodes.client.base import Obj
from fakenodes.controllers.jobrules import (
    FAILURES_MARK,
    IGNORED_MARK,
    Indexes,
    condition_true,
    count_of,
    failure_action,
    index_of,
    success_rule,
)
from fakenodes.controllers.pods import condition, is_ready, phase, ready_since, restarts

FINALIZER = "batch.kubernetes.io/job-tracking"
BACKOFF, BACKOFF_CAP = 10.0, 600.0
BURST = 500

Target = tuple[str, str, str]
EXCEEDED: Target = ("FailureTarget", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
LATE: Target = ("FailureTarget", "DeadlineExceeded", "Job was active longer than specified deadline")
FAILED_INDEXES: Target = ("FailureTarget", "FailedIndexes", "Job has failed indexes")
TOO_MANY_INDEXES: Target = (
    "FailureTarget",
    "MaxFailedIndexesExceeded",
    "Job has exceeded the specified maximal number of failed indexes",
)
REACHED: Target = ("SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods")


class Plan(Struct):
    """What the pods amount to: those to count now, the target that has been reached (type, reason, message), pods to
    create (indexes, or as many None) and to delete, and when to look again. `replaced` are failed pods by index that
    are not counted before a pod in their place carries their number of failures on.
    """

    succeeded: list[Obj] = field(default_factory=list)
    failed: list[Obj] = field(default_factory=list)
    ignored: list[Obj] = field(default_factory=list)
    target: Target | None = None
    create: list[int | None] = field(default_factory=list)
    delete: list[Obj] = field(default_factory=list)
    completed: Indexes = field(default_factory=Indexes)
    failed_indexes: Indexes = field(default_factory=Indexes)
    replaced: dict[int, Obj] = field(default_factory=dict)
    active: list[Obj] = field(default_factory=list)
    again: float | None = None

    def look_in(self, seconds: float) -> None:
        """Look again in so many seconds, unless that is to happen sooner."""
        self.again = seconds if self.again is None else min(self.again, seconds)


def indexed(job: Obj) -> bool:
    """Whether every completion has a number."""
    return bool(job["spec"].get("completionMode") == "Indexed")


def per_index(job: Obj) -> bool:
    """Whether retries are counted for each index."""
    return indexed(job) and job["spec"].get("backoffLimitPerIndex") is not None


def only_failed(job: Obj) -> bool:
    """Whether a pod is replaced no sooner than it has failed, or else as soon as it is being deleted."""
    return bool(job["spec"].get("podReplacementPolicy") == "Failed")


def tracked(pod: Obj) -> bool:
    """Whether the pod's end has not been counted yet."""
    return FINALIZER in (pod["metadata"].get("finalizers") or ())


def terminating(pod: Obj) -> bool:
    """Whether the pod is on its way out."""
    return bool(pod["metadata"].get("deletionTimestamp")) and phase(pod) not in ("Succeeded", "Failed")


def _over(job: Obj, pod: Obj) -> bool:
    """Whether the pod counts as failed: one that is being deleted does, unless only failed ones are replaced."""
    return phase(pod) == "Failed" or (terminating(pod) and not only_failed(job))


def _uncounted(job: Obj, kind: str) -> list[str]:
    found: list[str] = ((job.get("status") or {}).get("uncountedTerminatedPods") or {}).get(kind) or []
    return found


def plan(job: Obj, pods: Sequence[Obj], now: float) -> Plan:
    """What to do about a Job that is not finished."""
    spec, status = job["spec"], job.get("status") or {}
    size = spec.get("completions") or 0
    found = Plan(
        completed=Indexes(n for n in Indexes.parse(status.get("completedIndexes", "")) if n < size),
        failed_indexes=Indexes(n for n in Indexes.parse(status.get("failedIndexes", "")) if n < size),
    )
    failing = _sort(found, job, pods)
    if indexed(job):
        found.completed.add(n for p in pods if phase(p) == "Succeeded" and 0 <= (n := index_of(p)) < size)
    found.target = _target(found, job, pods, failing, now)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and status.get("startTime") and not spec.get("suspend"):
        found.look_in(max(parse_rfc3339(status["startTime"]) + deadline - now, 0.0))
    if job["metadata"].get("deletionTimestamp"):
        return found
    if found.target is not None or spec.get("suspend"):
        found.delete = list(found.active)
        return found
    if per_index(job):
        _delay(found)
    _size(found, job, pods, now)
    return found


def _sort(found: Plan, job: Obj, pods: Iterable[Obj]) -> str:
    """File the pods; the message when the failure policy fails the whole Job."""
    seen = {*_uncounted(job, "succeeded"), *_uncounted(job, "failed")}
    message = ""
    for pod in pods:
        new = tracked(pod) and pod["metadata"]["uid"] not in seen
        if phase(pod) == "Succeeded":
            if new:
                found.succeeded.append(pod)
        elif _over(job, pod):
            if new:
                message = _fail(found, job, pod) or message
        elif not pod["metadata"].get("deletionTimestamp"):
            found.active.append(pod)
    return message


def _fail(found: Plan, job: Obj, pod: Obj) -> str:
    """File a failed pod by the failure policy; the message when the policy fails the whole Job."""
    action, message = failure_action(job, pod)
    (found.ignored if action == "Ignore" else found.failed).append(pod)
    if per_index(job):
        spent = action != "Ignore" and count_of(pod, FAILURES_MARK) >= job["spec"]["backoffLimitPerIndex"]
        if action == "FailIndex" or spent:
            found.failed_indexes.add([index_of(pod)])
    return message if action == "FailJob" else ""


def _delay(found: Plan) -> None:
    """Hold back the latest failed pod of each index that will get another one."""
    taken = {index_of(p) for p in found.active}
    for pod in sorted((*found.failed, *found.ignored), key=lambda p: (failures_of(p), _end(p))):
        number = index_of(pod)
        if number not in found.completed and number not in found.failed_indexes and number not in taken:
            found.replaced[number] = pod
    held = {p["metadata"]["uid"] for p in found.replaced.values()}
    found.failed = [p for p in found.failed if p["metadata"]["uid"] not in held]
    found.ignored = [p for p in found.ignored if p["metadata"]["uid"] not in held]


def failures_of(pod: Obj) -> int:
    """How many pods of its index had failed before this one."""
    return count_of(pod, FAILURES_MARK) + count_of(pod, IGNORED_MARK)


def _target(found: Plan, job: Obj, pods: Iterable[Obj], failing: str, now: float) -> Target | None:
    """What the Job has come to: FailureTarget or SuccessCriteriaMet with reason and message."""
    spec, status = job["spec"], job.get("status") or {}
    for type in ("FailureTarget", "SuccessCriteriaMet"):
        kept = condition_true(job, type)
        if kept is not None:
            return type, kept.get("reason", ""), kept.get("message", "")
    if failing:
        return "FailureTarget", "PodFailurePolicy", failing
    failed = status.get("failed", 0) + len(found.failed) + len(_uncounted(job, "failed"))
    if failed > spec.get("backoffLimit", 6) or _restarted_too_often(job, pods):
        return EXCEEDED
    deadline, since = spec.get("activeDeadlineSeconds"), status.get("startTime")
    if deadline is not None and since and not spec.get("suspend") and now - parse_rfc3339(since) >= deadline:
        return LATE
    if indexed(job):
        return _indexed_target(found, job)
    succeeded, completions = _succeeded(found, job), spec.get("completions")
    done = succeeded > 0 and not found.active if completions is None else succeeded >= completions
    return REACHED if done else None


def _restarted_too_often(job: Obj, pods: Iterable[Obj]) -> bool:
    """With restartPolicy OnFailure it is the containers that are retried."""
    if job["spec"]["template"]["spec"].get("restartPolicy") != "OnFailure":
        return False
    count = sum(
        each.get("restartCount", 0)
        for pod in pods
        if phase(pod) in ("Running", "Pending")
        for name in ("initContainerStatuses", "containerStatuses")
        for each in pod["status"].get(name) or ()
    )
    return bool(count >= max(job["spec"].get("backoffLimit", 6), 1))


def _indexed_target(found: Plan, job: Obj) -> Target | None:
    spec = job["spec"]
    size, failed = spec.get("completions", 0), len(found.failed_indexes)
    if per_index(job) and spec.get("maxFailedIndexes") is not None and failed > spec["maxFailedIndexes"]:
        return TOO_MANY_INDEXES
    over = len(found.completed) + failed >= size
    if failed and over:
        return FAILED_INDEXES
    message = success_rule(job, found.completed)
    if message:
        return "SuccessCriteriaMet", "SuccessPolicy", message
    return REACHED if over else None


def _succeeded(found: Plan, job: Obj) -> int:
    counted: int = (job.get("status") or {}).get("succeeded", 0)
    return counted + len(found.succeeded) + len(_uncounted(job, "succeeded"))


# ---------------------------------------------------------------- how many


def _size(found: Plan, job: Obj, pods: Sequence[Obj], now: float) -> None:
    """Bring the number of active pods to what parallelism and the remaining completions allow."""
    wanted = _wanted(found, job)
    found.delete = _superfluous(found, job, max(len(found.active) - wanted, 0))[:BURST]
    if found.delete:
        return
    going = [p for p in pods if terminating(p)] if only_failed(job) else []
    missing = min(wanted - len(found.active) - len(going), BURST)
    if missing <= 0:
        return
    wait = 0.0 if per_index(job) else _back_off(job, pods, now)
    if wait > 0:
        found.look_in(wait)
        return
    if not indexed(job):
        found.create = [None] * missing
        return
    taken = {index_of(p) for p in (*found.active, *going)}
    numbers = (
        n
        for n in range(job["spec"].get("completions") or 0)
        if n not in found.completed and n not in found.failed_indexes and n not in taken
    )
    free = [n for n, _ in zip(numbers, range(missing), strict=False)]
    waits = {n: _back_off_of(found.replaced[n], now) for n in free if n in found.replaced}
    found.create = [n for n in free if waits.get(n, 0.0) <= 0]
    # Those that wait are looked at again with what else happens; with nothing to make now, when the first is due.
    late = [x for x in waits.values() if x > 0]
    if late:
        found.look_in(min(late))


def _wanted(found: Plan, job: Obj) -> int:
    spec = job["spec"]
    parallelism, completions = int(spec.get("parallelism", 1)), spec.get("completions")
    if completions is None:
        return min(len(found.active), parallelism) if _succeeded(found, job) else parallelism
    done = len(found.completed) + len(found.failed_indexes) if indexed(job) else _succeeded(found, job)
    return max(min(parallelism, int(completions) - done), 0)


def _superfluous(found: Plan, job: Obj, least: int) -> list[Obj]:
    """At least so many pods that are missed least, and of an Indexed Job all whose index is none or another's too."""
    order = sorted(found.active, key=_rank)
    if not indexed(job):
        return order[:least]
    extra: list[Obj] = []
    left: list[Obj] = []
    seen: set[int] = set()
    for pod in reversed(order):
        number = index_of(pod)
        fits = 0 <= number < (job["spec"].get("completions") or 0) and number not in seen
        seen.add(number)
        (left if fits else extra).append(pod)
    left.reverse()
    return extra + left[: max(least - len(extra), 0)]


def _rank(pod: Obj) -> tuple[object, ...]:
    """controller_utils.go's ActivePods: those that have come least far go first, of equal ones the youngest."""
    phases = {"Pending": 0, "Unknown": 1, "Running": 2}
    ready = is_ready(pod)
    return (
        bool(pod["spec"].get("nodeName")),
        phases.get(phase(pod), 0),
        ready,
        -ready_since(pod) if ready else 0.0,
        -restarts(pod),
        -parse_rfc3339(pod["metadata"]["creationTimestamp"]),
    )


def _back_off(job: Obj, pods: Sequence[Obj], now: float) -> float:
    """Seconds until a pod may be made after failures: 10 s, doubled with each failure since the last success."""
    ended = sorted((_end(p), _over(job, p)) for p in pods if phase(p) == "Succeeded" or _over(job, p))
    failures, last = 0, 0.0
    for when, failed in ended:
        failures, last = (failures + 1, when) if failed else (0, 0.0)
    return _due(failures, last) - now if failures else 0.0


def _back_off_of(pod: Obj, now: float) -> float:
    """Seconds until a pod may be made in the place of that one."""
    return _due(failures_of(pod) + 1, _end(pod)) - now


def _due(failures: int, last: float) -> float:
    return last + min(BACKOFF * 2.0 ** min(failures - 1, 20), BACKOFF_CAP)


def _end(pod: Obj) -> float:
    """When the pod ended, as well as it can be told."""
    status, meta = pod.get("status") or {}, pod["metadata"]
    states = [(s.get("state") or {}).get("terminated") or {} for s in status.get("containerStatuses") or ()]
    if states and all(s.get("finishedAt") for s in states):
        return max(parse_rfc3339(s["finishedAt"]) for s in states)
    ready = condition(pod, "Ready") or {}
    if ready.get("status") == "False" and ready.get("lastTransitionTime"):
        return parse_rfc3339(ready["lastTransitionTime"])
    if meta.get("deletionTimestamp"):
        return parse_rfc3339(meta["deletionTimestamp"]) - float(meta.get("deletionGracePeriodSeconds") or 0)
    return parse_rfc3339(meta["creationTimestamp"])
