"""Jobs: pods that run to their end, so many at a time, until so many have succeeded.

Stands for kube-controller-manager's pkg/controller/job: jobplan.py decides, jobrules.py knows the policies; here pods
are made and deleted, and counted exactly once with the help of their finalizer. Leaves out metrics.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from fakeapi.clock import rfc3339
from fakeapi.selectors import LabelSelector, SelectorError, from_label_selector
from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import JOBS, PODS
from fakenodes.controllers.base import Controller, Watch, Watching, Work, itself, service_account
from fakenodes.controllers.claiming import OwnerKind, claim_all, owner_key, selecting, to_owner
from fakenodes.controllers.jobplan import FINALIZER, Plan, indexed, per_index, plan, terminating, tracked
from fakenodes.controllers.jobrules import (
    FAILURES_MARK,
    IGNORED_MARK,
    INDEX_MARK,
    condition_true,
    count_of,
    failure_action,
)
from fakenodes.controllers.pods import from_template, is_ready
from fakenodes.informer import key_of
from fakenodes.owners import by_controller, controller_reference

OWNER = OwnerKind(JOBS, "batch/v1", "Job")
# Queue keys of pods that have lost their Job.
ORPHAN = "pod|"
_POINTERS = ("ready", "terminating", "failedIndexes")
TOO_MANY = "Too many succeeded pods running after completion count reached"
# names.MaxGeneratedNameLength
NAME_CHARS = 58


def selector_of(job: Obj) -> LabelSelector:
    """The selector; an empty or broken one selects nothing."""
    selector = job["spec"].get("selector")
    try:
        return from_label_selector(selector) if selector else LabelSelector(never=True)
    except SelectorError:
        return LabelSelector(never=True)


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
    job, status = await _count(work, job, status, found, pods, sum(deleted))
    status = _finish(work, job, status, found, pods, now)
    if status != job.get("status"):
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


async def _count(work: Work, job: Obj, status: Obj, found: Plan, pods: Sequence[Obj], deleted: int) -> tuple[Obj, Obj]:
    """Write the uids of ended pods down, take their finalizers off, then count them: a crash between two of these steps
    neither loses an end nor counts it twice. The Job as it has been written, and its status as it is now.
    """
    by_uid = {p["metadata"]["uid"]: p for p in pods}
    noted = {k: list((status.get("uncountedTerminatedPods") or {}).get(k) or ()) for k in ("succeeded", "failed")}
    ends = {"succeeded": found.succeeded, "failed": found.failed}
    if found.target is not None and found.target[0] == "FailureTarget":
        ends["failed"] = [*found.failed, *found.delete]
    for name, some in ends.items():
        noted[name] += [p["metadata"]["uid"] for p in some if p["metadata"]["uid"] not in noted[name]]
    status["active"] = len(found.active) - deleted + len(found.create)
    status["ready"] = sum(is_ready(p) for p in found.active if p not in found.delete)
    status["terminating"] = sum(map(terminating, pods))
    if indexed(job):
        status["completedIndexes"] = str(found.completed)
        if per_index(job):
            status["failedIndexes"] = str(found.failed_indexes)
    if any(noted.values()):
        status["uncountedTerminatedPods"] = {k: v for k, v in noted.items() if v}
        job = await _write(work, job, status)
        status = dict(job["status"])
        some = [by_uid[u] for uids in noted.values() for u in uids if u in by_uid and tracked(by_uid[u])]
        await asyncio.gather(*(_untrack(work, p) for p in (*some, *found.ignored)))
        for name, uids in noted.items():
            status[name] = status.get(name, 0) + len(uids)
    elif found.ignored:
        await asyncio.gather(*(_untrack(work, p) for p in found.ignored))
    if indexed(job):
        status["succeeded"] = len(found.completed)
    status["uncountedTerminatedPods"] = {}
    return job, status


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
                if status.get("succeeded", 0) > job["spec"].get("completions", status.get("succeeded", 0)):
                    work.event(job, "Warning", "TooManySucceededPods", TOO_MANY)
                work.event(job, "Normal", "Completed", "Job completed")
        status["conditions"] = conditions
    return _clean(status)


async def _write(work: Work, job: Obj, status: Obj) -> Obj:
    return await work.update(JOBS, {**job, "status": _clean(status)}, "status")


def _clean(status: Obj) -> Obj:
    """Without the zeros and empty texts that Go leaves out; those behind pointers stay."""
    return {k: v for k, v in status.items() if v not in (0, "", None) or k in _POINTERS}


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


def pod_for(job: Obj, number: int | None, replaced: Obj | None) -> Obj:
    """A pod of the Job, tracked, with its index where it has one, in place of a failed one if there was one."""
    name = job["metadata"]["name"]
    pod = from_template(job["spec"]["template"], name, controller_reference(job, "batch/v1", "Job"))
    meta = pod["metadata"]
    meta["finalizers"] = [*meta.get("finalizers", ()), FINALIZER]
    if number is None:
        return pod
    end = f"-{number}-"
    meta["generateName"] = f"{name[: NAME_CHARS - len(end)]}{end}"
    meta["annotations"] = {**meta.get("annotations", {}), INDEX_MARK: str(number)}
    if per_index(job):
        meta["annotations"] |= failure_marks(job, replaced)
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


def failure_marks(job: Obj, replaced: Obj | None) -> dict[str, str]:
    """The annotations that carry on how often an index has failed."""
    if replaced is None:
        return {FAILURES_MARK: "0"}
    failures, ignored = count_of(replaced, FAILURES_MARK), count_of(replaced, IGNORED_MARK)
    if failure_action(job, replaced)[0] == "Ignore":
        ignored += 1
    else:
        failures += 1
    return {FAILURES_MARK: str(failures), **({IGNORED_MARK: str(ignored)} if ignored else {})}


async def _create(work: Work, job: Obj, found: Plan) -> ClientError | None:
    """In batches of 1, 2, 4, ...; what could not be made is taken out of the plan."""
    waiting, made, batch = list(found.create), 0, 1
    while waiting:
        some, waiting = waiting[:batch], waiting[batch:]
        results = await asyncio.gather(*(_create_one(work, job, n, found.replaced) for n in some))
        made += sum(x is None for x in results)
        errors = [x for x in results if x is not None]
        if errors:
            found.create = found.create[:made]
            return errors[0]
        batch *= 2
    return None


async def _create_one(work: Work, job: Obj, number: int | None, replaced: Mapping[int, Obj]) -> ClientError | None:
    before = replaced.get(number) if number is not None else None
    try:
        made = await work.create(PODS, pod_for(job, number, before), job["metadata"]["namespace"])
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
