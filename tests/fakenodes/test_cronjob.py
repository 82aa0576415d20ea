from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakeapi.clock import parse_rfc3339, rfc3339
from fakenodes.client.base import Obj
from fakenodes.client.gvrs import CRON_JOBS
from fakenodes.controllers.cronjob import job_for, plan, superfluous
from fakenodes.controllers.cronschedule import ScheduleError, parse
from tests.fakenodes.world import EVENTS, world


@pytest.mark.parametrize(
    ("schedule", "zone", "after", "following"),
    [
        ("* * * * *", "", "2026-01-01T00:00:30Z", "2026-01-01T00:01:00Z"),
        ("*/15 3 * * *", "", "2026-01-01T03:50:00Z", "2026-01-02T03:00:00Z"),
        ("0 0 1 1 *", "", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("0 0 29 2 *", "", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 12 * * mon-fri", "", "2026-01-02T12:00:00Z", "2026-01-05T12:00:00Z"),
        ("0 0 13 * 5", "", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),  # either day will do
        ("0 9 * * *", "America/New_York", "2026-01-01T00:00:00Z", "2026-01-01T14:00:00Z"),
        ("30 2 * * *", "America/New_York", "2026-03-08T00:00:00Z", "2026-03-09T06:30:00Z"),  # an hour that is skipped
        ("TZ=Asia/Tokyo 0 9 * * *", "", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
        ("@every 90s", "", "2026-01-01T00:00:00Z", "2026-01-01T00:01:30Z"),
        ("@hourly", "", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"),
        ("0 0 30 2 *", "", "2026-01-01T00:00:00Z", None),
    ],
)
def test_when_a_schedule_fires(schedule: str, zone: str, after: str, following: str | None) -> None:
    found = parse(schedule, zone).next(parse_rfc3339(after))
    assert (rfc3339(found) if found is not None else None) == following


@pytest.mark.parametrize("schedule", ["* * * *", "60 * * * *", "x * * * *", "*/0 * * * *"])
def test_what_is_no_schedule(schedule: str) -> None:
    with pytest.raises(ScheduleError):
        parse(schedule)


field = st.sampled_from(["*", "*/7", "5", "1-9/3", "2,11"])


@settings(max_examples=60, deadline=None)
@given(minute=field, hour=field, day=field, at=st.integers(1_700_000_000, 1_900_000_000))
def test_a_time_that_comes_matches_and_is_the_first_to(minute: str, hour: str, day: str, at: int) -> None:
    schedule = parse(f"{minute} {hour} {day} * *")
    found = schedule.next(at)
    assert found is not None
    assert found > at
    when = datetime.fromtimestamp(found, UTC)
    assert (when.minute in schedule.minutes, when.hour in schedule.hours, when.day in schedule.days) == (True,) * 3
    assert schedule.next(found - 1) == found


CREATED = "2026-01-01T00:00:00Z"


def cronjob(status: Obj | None = None, **spec: Any) -> Obj:
    return {
        "metadata": {"name": "tick", "namespace": "default", "uid": "c", "creationTimestamp": CREATED},
        "spec": {
            "schedule": "0 * * * *",
            "concurrencyPolicy": "Allow",
            "jobTemplate": {"metadata": {"labels": {"a": "b"}}, "spec": {"template": {}}},
            **spec,
        },
        "status": status or {},
    }


RUNNING = {"active": [{"name": "tick-1", "namespace": "default", "uid": "j"}]}


@pytest.mark.parametrize(
    ("job", "now", "run", "reasons"),
    [
        (cronjob(), "2026-01-01T00:59:59Z", None, []),
        (cronjob(), "2026-01-01T01:00:00Z", "2026-01-01T01:00:00Z", []),
        (cronjob(), "2026-01-01T05:30:00Z", "2026-01-01T05:00:00Z", []),  # only the last of those missed
        (cronjob(), "2026-01-08T00:30:00Z", "2026-01-08T00:00:00Z", ["TooManyMissedTimes"]),
        (cronjob(startingDeadlineSeconds=60), "2026-01-01T05:30:00Z", None, []),
        (cronjob({"lastScheduleTime": "2026-01-01T05:00:00Z"}), "2026-01-01T05:30:00Z", None, []),
        (cronjob(suspend=True), "2026-01-01T05:30:00Z", None, []),
        (cronjob(RUNNING, concurrencyPolicy="Forbid"), "2026-01-01T05:30:00Z", None, ["JobAlreadyActive"]),
        (cronjob(RUNNING, concurrencyPolicy="Replace"), "2026-01-01T05:30:00Z", "2026-01-01T05:00:00Z", []),
        (cronjob(timeZone="Mars/Phobos"), "2026-01-01T05:30:00Z", None, ["UnknownTimeZone"]),
        (cronjob(schedule="x"), "2026-01-01T05:30:00Z", None, ["UnparseableSchedule"]),
        (cronjob(schedule="TZ=UTC 0 * * * *"), "2026-01-01T01:00:00Z", "2026-01-01T01:00:00Z", ["UnsupportedSchedule"]),
    ],
)
def test_whether_to_run(job: Obj, now: str, run: str | None, reasons: list[str]) -> None:
    found = plan(job, parse_rfc3339(now))
    assert (rfc3339(found.run) if found.run is not None else None) == run
    assert [reason for _, reason, _ in found.events] == reasons


def test_a_job_is_named_and_marked_by_its_time() -> None:
    made = job_for(cronjob(timeZone="America/New_York"), parse_rfc3339("2026-01-01T05:00:00Z"))
    assert made["metadata"]["name"] == "tick-29454060"
    assert made["metadata"]["annotations"] == {
        "batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-01-01T00:00:00-05:00"
    }
    assert made["metadata"]["labels"] == {"a": "b"}


def test_history_keeps_the_latest() -> None:
    jobs = [
        {
            "metadata": {"name": f"j{n}"},
            "status": {
                "startTime": f"2026-01-01T0{n}:00:00Z",
                "conditions": [{"type": "Complete" if n % 2 else "Failed", "status": "True"}],
            },
        }
        for n in range(6)
    ]
    gone = superfluous(cronjob(successfulJobsHistoryLimit=1, failedJobsHistoryLimit=2), jobs)
    assert [j["metadata"]["name"] for j in gone] == ["j1", "j3", "j0"]


def test_a_job_that_nobody_wants_to_see_is_not_told_of() -> None:
    async def run() -> None:
        async with world("cronjob,job,nodelifecycle,garbagecollector", nodes=1) as w:
            container = {"name": "c", "image": "busybox:1", "command": ["true"]}
            pod = {"restartPolicy": "Never", "containers": [container]}
            body = cronjob(schedule="* * * * *", successfulJobsHistoryLimit=0)
            body["spec"]["jobTemplate"] = {"spec": {"template": {"spec": pod}}}
            made = {"metadata": {"name": "tick"}, "spec": body["spec"]}
            await w.client.create(CRON_JOBS, made, "default")
            await w.advance(70)
            await w.advance(5)
            found = await w.find(CRON_JOBS, "tick")
            assert found is not None
            assert "lastSuccessfulTime" in found["status"]
            assert "active" not in found["status"]
            events = (await w.client.list(EVENTS, "default")).items
            told = {e["reason"] for e in events if e["involvedObject"]["kind"] == "CronJob"}
            assert told == {"SuccessfulCreate", "SuccessfulDelete"}

    asyncio.run(run())
