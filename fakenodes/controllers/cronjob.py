"""CronJobs make Jobs when their schedule says so.

Stands for kube-controller-manager's pkg/controller/cronjob (cronjob_controllerv2.go): time zones, starting
deadlines, missed times, concurrency policies, history limits, the list of active Jobs. A Job's name follows from its
time, so that none is made twice. Leaves out metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct, field

from fakeapi.clock import parse_rfc3339, rfc3339
from fakeapi.gofmt import go_quote
from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import CRON_JOBS, JOBS
from fakenodes.controllers.base import Controller, Watch, Work, service_account
from fakenodes.controllers.claiming import OwnerKind, to_owner
from fakenodes.controllers.cronschedule import Schedule, ScheduleError, parse, zone_of
from fakenodes.controllers.jobrules import condition_true
from fakenodes.owners import by_controller, controller_reference

OWNER = OwnerKind(CRON_JOBS, "batch/v1", "CronJob")
SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
# Queues are a little late on purpose: a key that is early would find nothing to do.
DELTA = 0.1
MANY = 100
UNSUPPORTED = (
    "CRON_TZ or TZ used in schedule {} is not officially supported, see "
    "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
)


class Missed(Struct, frozen=True):
    """From when on times count, the latest time that has come (None: none has), and whether too many have."""

    since: float
    latest: float | None
    many: bool


class Plan(Struct):
    """Events to tell (type, reason, message), the time to run for, and after how long to look again."""

    events: list[tuple[str, str, str]] = field(default_factory=list)
    run: float | None = None
    again: float | None = None


def missed(job: Obj, schedule: Schedule, now: float, deadline: bool) -> Missed:
    """mostRecentScheduleTime. ScheduleError when times are less than a second apart."""
    status, spec = job.get("status") or {}, job["spec"]
    since = parse_rfc3339(status.get("lastScheduleTime") or job["metadata"]["creationTimestamp"])
    seconds = spec.get("startingDeadlineSeconds")
    if deadline and seconds is not None:
        since = max(since, now - seconds)
    first = schedule.next(since)
    if first is None or now < first:
        return Missed(since, None, False)
    second = schedule.next(first)
    if second is None or now < second:
        return Missed(since, first, False)
    between = second - first
    if between < 1:
        raise ScheduleError("time difference between two schedules is less than 1 second")
    count = int((now - first) // between) + 1
    latest, following = first, schedule.next(first + max(count - 2, 0) * between - 1)
    while following is not None and following <= now:
        latest, following = following, schedule.next(following)
    return Missed(since, latest, count > MANY)


def wait(job: Obj, schedule: Schedule, now: float) -> float:
    """Seconds until the schedule next fires."""
    found = missed(job, schedule, now, False)
    start = found.latest if found.latest is not None else now if found.many else found.since
    following = schedule.next(start)
    return max(following + DELTA - now, DELTA) if following is not None else 3600.0


def schedule_of(job: Obj) -> Schedule:
    """The schedule in its zone. ScheduleError."""
    return parse(job["spec"]["schedule"], job["spec"].get("timeZone") or "")


def plan(job: Obj, now: float) -> Plan:
    """Whether to run now; job's status is already up to date with its Jobs."""
    spec, status, found = job["spec"], job.get("status") or {}, Plan()
    zone = spec.get("timeZone")
    if zone is not None:
        try:
            zone_of(zone)
        except ScheduleError as error:
            found.events.append(("Warning", "UnknownTimeZone", f"invalid timeZone: {go_quote(zone)}: {error}"))
            return found
    if spec.get("suspend"):
        return found
    if "TZ" in spec["schedule"]:
        text = UNSUPPORTED.format(go_quote(spec["schedule"]))
        found.events.append(("Warning", "UnsupportedSchedule", text))
    try:
        schedule = schedule_of(job)
    except ScheduleError as error:
        text = f"unparseable schedule: {go_quote(spec['schedule'])} : {error}"
        found.events.append(("Warning", "UnparseableSchedule", text))
        return found
    try:
        times = missed(job, schedule, now, True)
        found.again = wait(job, schedule, now)
    except ScheduleError as error:
        found.events.append(("Warning", "InvalidSchedule", f"invalid schedule: {spec['schedule']} : {error}"))
        return found
    if times.many:
        text = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
        found.events.append(("Warning", "TooManyMissedTimes", text))
    if times.latest is not None:
        _decide(found, job, status, times.latest, now)
    return found


def _decide(found: Plan, job: Obj, status: Obj, at: float, now: float) -> None:
    spec, active = job["spec"], status.get("active") or ()
    deadline = spec.get("startingDeadlineSeconds")
    last = status.get("lastScheduleTime")
    if deadline is not None and at + deadline < now:
        stamp = datetime.fromtimestamp(at, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
        found.events.append(("Warning", "MissSchedule", f"Missed scheduled time to start a job: {stamp}"))
    elif any(ref["name"] == job_name(job, at) for ref in active) or (last and parse_rfc3339(last) == at):
        return
    elif spec.get("concurrencyPolicy") == "Forbid" and active:
        text = "Not starting job because prior execution is running and concurrency policy is Forbid"
        found.events.append(("Normal", "JobAlreadyActive", text))
    else:
        found.run = at


def job_name(job: Obj, at: float) -> str:
    """The name of the Job for a time."""
    return f"{job['metadata']['name']}-{int(at) // 60}"


def job_for(job: Obj, at: float) -> Obj:
    """The Job to create for a time."""
    template = job["spec"]["jobTemplate"]
    meta = template.get("metadata") or {}
    stamp = datetime.fromtimestamp(at, zone_of(job["spec"].get("timeZone") or "")).isoformat().replace("+00:00", "Z")
    made: Obj = {
        "name": job_name(job, at),
        "annotations": {**(meta.get("annotations") or {}), SCHEDULED: stamp},
        "ownerReferences": [controller_reference(job, OWNER.api_version, OWNER.kind)],
    }
    if meta.get("labels"):
        made["labels"] = dict(meta["labels"])
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": made, "spec": template["spec"]}


def finished(job: Obj) -> str:
    """Complete, Failed, or "" while the Job is not finished."""
    return next((x for x in ("Complete", "Failed") if condition_true(job, x) is not None), "")


def superfluous(job: Obj, jobs: Sequence[Obj]) -> list[Obj]:
    """Finished Jobs beyond the history limits, the oldest first."""
    found: list[Obj] = []
    for kind, name in (("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")):
        limit = job["spec"].get(name)
        over = [j for j in jobs if finished(j) == kind]
        if limit is not None and len(over) > limit:
            over.sort(key=lambda j: ((j.get("status") or {}).get("startTime") or "~", j["metadata"]["name"]))
            found += over[: len(over) - limit]
    return found


class _Sync(Struct):
    """One reconcile's CronJob with the status as it grows."""

    work: Work
    job: Obj
    jobs: list[Obj]

    @property
    def status(self) -> Obj:
        found: Obj = self.job["status"]
        return found

    def tell(self, type: str, reason: str, message: str) -> None:
        self.work.event(self.job, type, reason, message)

    def forget(self, uid: str) -> bool:
        """Take a Job off the active list."""
        before = self.status.get("active") or []
        after = [ref for ref in before if ref["uid"] != uid]
        self.status.pop("active", None)
        if after:
            self.status["active"] = after
        return len(after) != len(before)


async def reconcile(work: Work) -> float | None:
    """Clean up, bring the status up to date, start what is due."""
    cached = work.get(CRON_JOBS, work.key)
    if cached is None:
        return None
    jobs = list(work.find(JOBS, "controller", cached["metadata"]["uid"]))
    sync = _Sync(work, {**cached, "status": dict(cached.get("status") or {})}, jobs)
    for job in superfluous(sync.job, jobs):
        await _delete(sync, job)
    await _take_stock(sync)
    again, failure = None, None
    if not cached["metadata"].get("deletionTimestamp"):
        found = plan(sync.job, work.clock.now())
        for event in found.events:
            sync.tell(*event)
        try:
            if found.run is not None:
                await _replace(sync)
                await _start(sync, found.run)
        except (ClientError, OSError) as error:
            failure = error  # what has been found out of the Jobs is written all the same
        again = found.again
    if sync.status != (cached.get("status") or {}):
        await work.update(CRON_JOBS, sync.job, "status")
    if failure is not None:
        raise failure
    return again


async def _take_stock(sync: _Sync) -> None:
    """The active list and the last success, by what has become of the Jobs."""
    active = {ref["uid"] for ref in sync.status.get("active") or ()}
    for job in sync.jobs:
        uid, name, end = job["metadata"]["uid"], job["metadata"]["name"], finished(job)
        if not end and uid not in active:
            text = f"Saw a job that the controller did not create or forgot: {name}"
            sync.tell("Warning", "UnexpectedJob", text)
        elif end and sync.forget(uid):
            sync.tell("Normal", "SawCompletedJob", f"Saw completed job: {name}, condition: {end}")
        done = (job.get("status") or {}).get("completionTime")
        if end == "Complete" and done and done > sync.status.get("lastSuccessfulTime", ""):
            sync.status["lastSuccessfulTime"] = done
    known = {job["metadata"]["uid"] for job in sync.jobs}
    for ref in list(sync.status.get("active") or ()):
        if ref["uid"] not in known and await _fresh(sync, ref) is None:
            sync.tell("Normal", "MissingJob", f"Active job went missing: {ref['name']}")
            sync.forget(ref["uid"])


async def _fresh(sync: _Sync, ref: Obj) -> Obj | None:
    try:
        return await sync.work.client.get(JOBS, ref["name"], ref["namespace"])
    except ClientError as error:
        if error.code == 404:
            return None
        raise


async def _replace(sync: _Sync) -> None:
    if sync.job["spec"].get("concurrencyPolicy") != "Replace":
        return
    for ref in list(sync.status.get("active") or ()):
        try:
            job = await sync.work.client.get(JOBS, ref["name"], ref["namespace"])
        except ClientError as error:
            sync.tell("Warning", "FailedGet", f"Get job: {error}")
            raise
        if not await _delete(sync, job):
            raise OSError(f"could not replace job {ref['namespace']}/{ref['name']}")


async def _start(sync: _Sync, at: float) -> None:
    space = sync.job["metadata"]["namespace"]
    try:
        made = await sync.work.create(JOBS, job_for(sync.job, at), space)
        sync.tell("Normal", "SuccessfulCreate", f"Created job {made['metadata']['name']}")
    except ClientError as error:
        if error.reason != "AlreadyExists":
            if not _terminating(error):
                sync.tell("Warning", "FailedCreate", f"Error creating job: {error}")
            raise
        made = await sync.work.client.get(JOBS, job_name(sync.job, at), space)
        owners = made["metadata"].get("ownerReferences") or ()
        if not any(o["uid"] == sync.job["metadata"]["uid"] and o.get("controller") for o in owners):
            return
        if any(ref["uid"] == made["metadata"]["uid"] for ref in sync.status.get("active") or ()):
            return
    meta = made["metadata"]
    ref = {
        "kind": "Job",
        "namespace": space,
        "name": meta["name"],
        "uid": meta["uid"],
        "apiVersion": "batch/v1",
        "resourceVersion": meta["resourceVersion"],
    }
    sync.status["active"] = [*(sync.status.get("active") or ()), ref]
    sync.status["lastScheduleTime"] = rfc3339(at)


def _terminating(error: ClientError) -> bool:
    causes = (error.status.get("details") or {}).get("causes") or ()
    return any(c.get("reason") == "NamespaceTerminating" for c in causes)


async def _delete(sync: _Sync, job: Obj) -> bool:
    try:
        await sync.work.delete(JOBS, job, "Background")
    except ClientError as error:
        sync.tell("Warning", "FailedDelete", f"Deleted job: {error}")
        return False
    sync.forget(job["metadata"]["uid"])
    sync.tell("Normal", "SuccessfulDelete", f"Deleted job {job['metadata']['name']}")
    return True


_of_jobs = to_owner(OWNER)
CRONJOB = Controller(
    "cronjob-controller",
    "cronjob",
    service_account("cronjob-controller"),
    (Watch(CRON_JOBS), Watch(JOBS, _of_jobs, {"controller": by_controller})),
    reconcile,
)
