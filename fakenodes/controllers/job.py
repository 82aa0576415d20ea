"""Jobs: pods that run to their end, so many at a time, until so many have succeeded.

Stands for kube-controller-manager's pkg/controller/job: suspension, deadlines, retries with back-off, indexes, pod
failure policy, success policy, and the finalizer on pods with which each end is counted exactly once. Leaves out
metrics and the orphan-pod finalizer sweep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fakeapi.clock import parse_rfc3339, rfc3339
from fakeapi.selectors import LabelSelector, SelectorError, from_label_selector
from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import JOBS, PODS
from fakenodes.controllers.base import Controller, Watch, Watching, Work, itself, service_account
from fakenodes.controllers.claiming import OwnerKind, claim_all, owner_key, selecting, to_owner
from fakenodes.controllers.jobrules import Indexes, condition_true, failure_action, index_of, success_rule
from fakenodes.controllers.pods import from_template, is_ready, phase
from fakenodes.informer import key_of
from fakenodes.owners import by_controller, controller_reference

OWNER = OwnerKind(JOBS, "batch/v1", "Job")
FINALIZER = "batch.kubernetes.io/job-tracking"
INDEX_MARK = "batch.kubernetes.io/job-completion-index"
FAILURES_MARK = "batch.kubernetes.io/job-index-failure-count"
# Queue keys of pods that have lost their Job.
ORPHAN = "pod|"
BACKOFF, BACKOFF_CAP = 10.0, 600.0


@dataclass(slots=True)
class Plan:
    """What the pods amount to: those to count now, the target that has been reached (type, reason, message), pods to
    create (indexes, or as many None) and to delete, and when to look again."""

    succeeded: list[Obj] = field(default_factory=list)
    failed: list[Obj] = field(default_factory=list)
    ignored: list[Obj] = field(default_factory=list)
    target: tuple[str, str, str] | None = None
    create: list[int | None] = field(default_factory=list)
    delete: list[Obj] = field(default_factory=list)
    completed: Indexes = field(default_factory=Indexes)
    failed_indexes: Indexes = field(default_factory=Indexes)
    failures: dict[int, int] = field(default_factory=dict)
    active: list[Obj] = field(default_factory=list)
    again: float | None = None
    version: str = ""


def selector_of(job: Obj) -> LabelSelector:
    """The selector; an empty or broken one selects nothing."""
    selector = job["spec"].get("selector")
    try:
        return from_label_selector(selector) if selector else LabelSelector(never=True)
    except SelectorError:
        return LabelSelector(never=True)


def indexed(job: Obj) -> bool:
    """Whether every completion has a number."""
    return bool(job["spec"].get("completionMode") == "Indexed")


def tracked(pod: Obj) -> bool:
    """Whether the pod's end has not been counted yet."""
    return FINALIZER in (pod["metadata"].get("finalizers") or ())


def _over(job: Obj, pod: Obj) -> bool:
    """Whether the pod counts as failed: a pod that is being deleted does, unless only failed ones are replaced."""
    if phase(pod) == "Failed":
        return True
    only_failed = job["spec"].get("podReplacementPolicy") == "Failed"
    return bool(pod["metadata"].get("deletionTimestamp")) and phase(pod) != "Succeeded" and not only_failed


def plan(job: Obj, pods: Sequence[Obj], now: float) -> Plan:
    """What to do about a Job that is not finished."""
    spec, status = job["spec"], job.get("status") or {}
    found = Plan(
        completed=Indexes.parse(status.get("completedIndexes", "")),
        failed_indexes=Indexes.parse(status.get("failedIndexes", "")),
    )
    uncounted = status.get("uncountedTerminatedPods") or {}
    seen = {*(uncounted.get("succeeded") or ()), *(uncounted.get("failed") or ())}
    action = ""
    for pod in pods:
        if phase(pod) == "Succeeded":
            if tracked(pod) and pod["metadata"]["uid"] not in seen:
                found.succeeded.append(pod)
        elif _over(job, pod):
            if tracked(pod) and pod["metadata"]["uid"] not in seen:
                action = _fail(found, job, pod) or action
        elif not pod["metadata"].get("deletionTimestamp"):
            found.active.append(pod)
    if indexed(job):
        size = spec.get("completions", 0)
        found.completed.add(n for p in pods if phase(p) == "Succeeded" and 0 <= (n := index_of(p)) < size)
    found.target = _target(found, job, action, now)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and status.get("startTime") and not spec.get("suspend"):
        found.again = max(parse_rfc3339(status["startTime"]) + deadline - now, 0.0)
    if job["metadata"].get("deletionTimestamp"):
        return found
    if found.target is not None or spec.get("suspend"):
        found.delete = list(found.active)
        return found
    _size(found, job, pods, now)
    return found


def _fail(found: Plan, job: Obj, pod: Obj) -> str:
    """File a failed pod by the failure policy; the message when the policy fails the whole Job."""
    action, message = failure_action(job, pod)
    if action == "Ignore":
        found.ignored.append(pod)
        return ""
    found.failed.append(pod)
    limit = job["spec"].get("backoffLimitPerIndex")
    if limit is not None and indexed(job):
        number = index_of(pod)
        count = int((pod["metadata"].get("annotations") or {}).get(FAILURES_MARK, "0")) + 1
        found.failures[number] = max(found.failures.get(number, 0), count)
        if action == "FailIndex" or count > limit:
            found.failed_indexes.add([number])
    return message if action == "FailJob" else ""


def _target(found: Plan, job: Obj, failing: str, now: float) -> tuple[str, str, str] | None:
    """What the Job has come to: FailureTarget or SuccessCriteriaMet with reason and message."""
    spec, status = job["spec"], job.get("status") or {}
    for type in ("FailureTarget", "SuccessCriteriaMet"):
        kept = condition_true(job, type)
        if kept is not None:
            return type, kept.get("reason", ""), kept.get("message", "")
    uncounted = status.get("uncountedTerminatedPods") or {}
    failed = status.get("failed", 0) + len(found.failed) + len(uncounted.get("failed") or ())
    succeeded = status.get("succeeded", 0) + len(found.succeeded) + len(uncounted.get("succeeded") or ())
    if failing:
        return "FailureTarget", "PodFailurePolicy", failing
    if failed > spec.get("backoffLimit", 6):
        return "FailureTarget", "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    deadline = spec.get("activeDeadlineSeconds")
    if (
        deadline is not None
        and status.get("startTime")
        and not spec.get("suspend")
        and (now - parse_rfc3339(status["startTime"]) >= deadline)
    ):
        return "FailureTarget", "DeadlineExceeded", "Job was active longer than specified deadline"
    if indexed(job):
        return _indexed_target(found, job)
    completions = spec.get("completions")
    if completions is None:
        done = succeeded > 0 and not found.active
    else:
        done = succeeded >= completions
    return ("SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods") if done else None


def _indexed_target(found: Plan, job: Obj) -> tuple[str, str, str] | None:
    spec = job["spec"]
    if spec.get("maxFailedIndexes") is not None and len(found.failed_indexes) > spec["maxFailedIndexes"]:
        return (
            "FailureTarget",
            "MaxFailedIndexesExceeded",
            "Job has exceeded the specified maximal number of failed indexes",
        )
    message = success_rule(job, found.completed)
    if message:
        return "SuccessCriteriaMet", "SuccessPolicy", message
    size = spec.get("completions", 0)
    if len(found.completed) + len(found.failed_indexes) >= size:
        if len(found.failed_indexes):
            return "FailureTarget", "FailedIndexes", "Job has failed indexes"
        return "SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods"
    return None


def _size(found: Plan, job: Obj, pods: Sequence[Obj], now: float) -> None:
    """Bring the number of active pods to what parallelism and the remaining completions allow."""
    spec, status = job["spec"], job.get("status") or {}
    uncounted = status.get("uncountedTerminatedPods") or {}
    succeeded = status.get("succeeded", 0) + len(found.succeeded) + len(uncounted.get("succeeded") or ())
    parallelism, completions = spec.get("parallelism", 1), spec.get("completions")
    going = [p for p in pods if p["metadata"].get("deletionTimestamp") and phase(p) not in ("Succeeded", "Failed")]
    if completions is None:
        wanted = len(found.active) if succeeded else parallelism
        wanted = min(wanted, parallelism)
    elif indexed(job):
        wanted = min(parallelism, completions - len(found.completed) - len(found.failed_indexes))
    else:
        wanted = min(parallelism, completions - succeeded)
    wanted = max(wanted, 0)
    if len(found.active) > wanted:
        order = sorted(
            found.active,
            key=lambda p: (bool(p["spec"].get("nodeName")), is_ready(p), p["metadata"]["creationTimestamp"]),
        )
        found.delete = order[: len(found.active) - wanted]
        return
    missing = wanted - len(found.active)
    if spec.get("podReplacementPolicy") == "Failed":
        missing -= len(going)
    if missing <= 0:
        return
    wait = _back_off(job, pods, now)
    if wait > 0:
        found.again = wait if found.again is None else min(wait, found.again)
        return
    if not indexed(job):
        found.create = [None] * missing
        return
    taken = {index_of(p) for p in found.active}
    if spec.get("podReplacementPolicy") == "Failed":
        taken |= {index_of(p) for p in going}
    free = (
        n
        for n in range(completions or 0)
        if n not in found.completed and n not in found.failed_indexes and n not in taken
    )
    found.create = [n for n, _ in zip(free, range(missing), strict=False)]


def _back_off(job: Obj, pods: Sequence[Obj], now: float) -> float:
    """Seconds until a pod may be made after failures: 10 s, doubled with each failure since the last success."""
    ended = sorted(
        (t, phase(p) == "Failed" or _over(job, p))
        for p in pods
        if (phase(p) in ("Failed", "Succeeded") or _over(job, p)) and (t := _end(p))
    )
    failures, last = 0, 0.0
    for when, failed in ended:
        failures, last = (failures + 1, when) if failed else (0, 0.0)
    if not failures:
        return 0.0
    return last + min(BACKOFF * 2.0 ** (failures - 1), BACKOFF_CAP) - now


def _end(pod: Obj) -> float:
    stamps = [
        s["state"]["terminated"]["finishedAt"]
        for s in (pod.get("status") or {}).get("containerStatuses") or ()
        if ((s.get("state") or {}).get("terminated") or {}).get("finishedAt")
    ]
    stamps = stamps or [
        c["lastTransitionTime"]
        for c in (pod.get("status") or {}).get("conditions") or ()
        if c.get("type") == "Ready" and c.get("lastTransitionTime")
    ]
    stamps = stamps or [pod["metadata"].get("deletionTimestamp") or pod["metadata"]["creationTimestamp"]]
    return max(map(parse_rfc3339, stamps))


async def reconcile(work: Work) -> float | None:
    """Count ends, carry out the plan, write the status; finished Jobs only let their pods go."""
    if work.key.startswith(ORPHAN):
        await _let_go(work, work.key.removeprefix(ORPHAN))
        return None
    job = work.get(JOBS, work.key)
    if job is None or job["spec"].get("managedBy", "kubernetes.io/job-controller") != "kubernetes.io/job-controller":
        return None
    if condition_true(job, "Complete") or condition_true(job, "Failed"):
        pods = work.find(PODS, "controller", job["metadata"]["uid"])
        await asyncio.gather(*(_untrack(work, p) for p in pods if tracked(p)))
        return None
    pods = await claim_all(work, job, OWNER, selector_of(job), PODS)
    now = work.clock.now()
    found = plan(job, pods, now)
    status = _started(work, job, now)
    deleted = await asyncio.gather(*(_delete(work, job, p, found.target is not None) for p in found.delete))
    error = await _create(work, job, found)
    status = await _count(work, job, status, found, pods, sum(deleted))
    status = _finish(work, job, status, found, pods, now)
    if status != job.get("status") or found.version:
        if found.version:
            job = {**job, "metadata": {**job["metadata"], "resourceVersion": found.version}}
        await _write(work, job, status)
    if error is not None:
        raise error
    return found.again


def _started(work: Work, job: Obj, now: float) -> Obj:
    """startTime, and the Suspended condition with its event when suspension begins or ends."""
    status: Obj = dict(job.get("status") or {})
    stamp = rfc3339(now)
    conditions = list(status.get("conditions") or ())
    old = next((c for c in conditions if c["type"] == "Suspended"), None)
    if job["spec"].get("suspend"):
        if old is None or old["status"] != "True":
            conditions = _with(conditions, "Suspended", "True", "JobSuspended", "Job suspended", stamp)
            work.event(job, "Normal", "Suspended", "Job suspended")
        status.pop("startTime", None)
    else:
        if old is not None and old["status"] == "True":
            conditions = _with(conditions, "Suspended", "False", "JobResumed", "Job resumed", stamp)
            work.event(job, "Normal", "Resumed", "Job resumed")
        status.setdefault("startTime", stamp)
    if conditions:
        status["conditions"] = conditions
    return status


def _with(conditions: Sequence[Obj], type: str, status: str, reason: str, message: str, stamp: str) -> list[Obj]:
    made = {
        "type": type,
        "status": status,
        "lastProbeTime": stamp,
        "lastTransitionTime": stamp,
        "reason": reason,
        "message": message,
    }
    if any(c["type"] == type for c in conditions):
        return [made if c["type"] == type else c for c in conditions]
    return [*conditions, made]


async def _count(work: Work, job: Obj, status: Obj, found: Plan, pods: Sequence[Obj], deleted: int) -> Obj:
    """Write the uids of ended pods down, take their finalizers off, then count them: a crash between two of these steps
    neither loses an end nor counts it twice."""
    by_uid = {p["metadata"]["uid"]: p for p in pods}
    noted = {k: list((status.get("uncountedTerminatedPods") or {}).get(k) or ()) for k in ("succeeded", "failed")}
    ends = {"succeeded": found.succeeded, "failed": found.failed}
    if found.target is not None and found.target[0] == "FailureTarget":
        ends["failed"] = [*found.failed, *found.delete]
    for name, some in ends.items():
        noted[name] += [p["metadata"]["uid"] for p in some if p["metadata"]["uid"] not in noted[name]]
    status["active"] = len(found.active) - deleted + len(found.create)
    status["ready"] = sum(is_ready(p) for p in found.active if p not in found.delete)
    status["terminating"] = sum(
        bool(p["metadata"].get("deletionTimestamp")) and phase(p) not in ("Succeeded", "Failed") for p in pods
    )
    if indexed(job):
        status["completedIndexes"] = str(found.completed)
        if job["spec"].get("backoffLimitPerIndex") is not None:
            status["failedIndexes"] = str(found.failed_indexes)
    if any(noted.values()):
        status["uncountedTerminatedPods"] = {k: v for k, v in noted.items() if v}
        written = await _write(work, job, status)
        status = dict(written["status"])
        found.version = written["metadata"]["resourceVersion"]
        some = [by_uid[u] for uids in noted.values() for u in uids if u in by_uid and tracked(by_uid[u])]
        await asyncio.gather(*(_untrack(work, p) for p in (*some, *found.ignored)))
        for name, uids in noted.items():
            status[name] = status.get(name, 0) + len(uids)
    elif found.ignored:
        await asyncio.gather(*(_untrack(work, p) for p in found.ignored))
    if indexed(job):
        status["succeeded"] = len(found.completed)
    status["uncountedTerminatedPods"] = {}
    return status


def _finish(work: Work, job: Obj, status: Obj, found: Plan, pods: Sequence[Obj], now: float) -> Obj:
    """The conditions of the end: the target at once, Complete or Failed when no pod is left running."""
    stamp = rfc3339(now)
    if found.target is not None:
        type, reason, message = found.target
        conditions = status.get("conditions") or []
        if not any(c["type"] == type for c in conditions):
            conditions = _with(conditions, type, "True", reason, message, stamp)
        if not found.active and not found.create and not status.get("terminating"):
            last = "Failed" if type == "FailureTarget" else "Complete"
            conditions = _with(conditions, last, "True", reason, message, stamp)
            if last == "Failed":
                work.event(job, "Warning", reason, message)
            else:
                status["completionTime"] = stamp
                work.event(job, "Normal", "Completed", "Job completed")
        status["conditions"] = conditions
    return {k: v for k, v in status.items() if v not in (0, "", None) or k in ("ready", "terminating")}


async def _write(work: Work, job: Obj, status: Obj) -> Obj:
    clean = {k: v for k, v in status.items() if v not in (0, "", None) or k in ("ready", "terminating")}
    return await work.update(JOBS, {**job, "status": clean}, "status")


async def _untrack(work: Work, pod: Obj) -> None:
    meta = pod["metadata"]
    body = {"metadata": {"uid": meta["uid"], "$deleteFromPrimitiveList/finalizers": [FINALIZER]}}
    try:
        await work.patch(PODS, pod, body)
    except ClientError as error:
        if error.code != 404:
            raise


async def _let_go(work: Work, key: str) -> None:
    """A pod whose Job is gone, or not its owner any more, is not held back for counting."""
    pod = work.get(PODS, key)
    if pod is not None and tracked(pod) and not owner_key(work.shared.watching, pod, OWNER):
        await _untrack(work, pod)


async def _delete(work: Work, job: Obj, pod: Obj, failing: bool) -> int:
    if not failing and tracked(pod):
        # Pods that are merely too many count neither as failed nor, when they end well, as succeeded.
        await _untrack(work, pod)
    if await work.delete(PODS, pod):
        work.event(job, "Normal", "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")
    return 1


def pod_for(job: Obj, number: int | None, failures: Mapping[int, int]) -> Obj:
    """A pod of the Job, tracked, with its index where it has one."""
    name = job["metadata"]["name"]
    pod = from_template(job["spec"]["template"], name, controller_reference(job, "batch/v1", "Job"))
    meta = pod["metadata"]
    meta["finalizers"] = [*meta.get("finalizers", ()), FINALIZER]
    if number is None:
        return pod
    meta["generateName"] = f"{name}-{number}-"
    meta["annotations"] = {**meta.get("annotations", {}), INDEX_MARK: str(number)}
    if job["spec"].get("backoffLimitPerIndex") is not None:
        meta["annotations"][FAILURES_MARK] = str(failures.get(number, 0))
    meta["labels"] = {**meta.get("labels", {}), INDEX_MARK: str(number)}
    variable = {
        "name": "JOB_COMPLETION_INDEX",
        "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX_MARK}']"}},
    }
    spec = pod["spec"]
    for part in ("initContainers", "containers"):
        if spec.get(part):
            spec[part] = [
                {**c, "env": [*(c.get("env") or ()), variable]}
                if not any(e.get("name") == variable["name"] for e in c.get("env") or ())
                else c
                for c in spec[part]
            ]
    spec["hostname"] = f"{name}-{number}"
    return pod


async def _create(work: Work, job: Obj, found: Plan) -> ClientError | None:
    """In batches of 1, 2, 4, ...; what could not be made is taken out of the plan."""
    waiting, made, batch = list(found.create), 0, 1
    while waiting:
        some, waiting = waiting[:batch], waiting[batch:]
        results = await asyncio.gather(*(_create_one(work, job, n, found.failures) for n in some))
        made += sum(x is None for x in results)
        errors = [x for x in results if x is not None]
        if errors:
            found.create = found.create[:made]
            return errors[0]
        batch *= 2
    return None


async def _create_one(work: Work, job: Obj, number: int | None, failures: Mapping[int, int]) -> ClientError | None:
    try:
        made = await work.create(PODS, pod_for(job, number, failures), job["metadata"]["namespace"])
    except ClientError as error:
        causes = (error.status.get("details") or {}).get("causes") or ()
        if not any(c.get("reason") == "NamespaceTerminating" for c in causes):
            work.event(job, "Warning", "FailedCreate", f"Error creating: {error}")
        return error
    work.event(job, "Normal", "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
    return None


def _job_changed(watching: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    """The Job; when it is gone, its pods."""
    found = list(itself(watching, old, new))
    if new is None and old is not None:
        found += [ORPHAN + key_of(p) for p in watching.find(PODS, "controller", old["metadata"]["uid"])]
    return found


_OWNERS = to_owner(OWNER, selecting(JOBS, selector_of))


def _pod_changed(watching: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    found = list(_OWNERS(watching, old, new))
    if new is not None and tracked(new) and not owner_key(watching, new, OWNER):
        found.append(ORPHAN + key_of(new))
    return found


JOB = Controller(
    "job-controller",
    "job",
    service_account("job-controller"),
    (Watch(JOBS, _job_changed), Watch(PODS, _pod_changed, {"controller": by_controller})),
    reconcile,
)
