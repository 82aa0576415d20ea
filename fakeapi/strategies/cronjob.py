"""CronJobs. Stands for pkg/registry/batch/cronjob and SetDefaults_CronJob."""

from __future__ import annotations

from typing import Any

from fakeapi.errors import FieldError, invalid, not_supported, required
from fakeapi.names import check, check_non_negative, name_is_dns_subdomain
from fakeapi.selectors import format_label_selector
from fakeapi.strategies.base import Column, Context, Printer, Strategy
from fakeapi.strategies.jobspec import job_warnings, validate_job_spec
from fakeapi.strategies.podspec.defaults import fill
from fakeapi.strategies.podspec.printing import (
    AGE,
    CONTAINERS,
    IMAGES,
    NAME,
    age,
    names_and_images,
    selector_column,
    since,
)
from fakeapi.strategies.podspec.template import default_template
from fakeapi.strategies.podspec.warnings import name_warnings
from fakeapi.strategies.schedule import schedule_error, zone_errors
from fakeapi.strategies.workload import same_generation

Obj = dict[str, Any]


def default(obj: Obj) -> None:
    """Runs may overlap; three good Jobs and a failed one are kept. The template's Job keeps its own gaps."""
    spec = obj.setdefault("spec", {})
    template = spec.setdefault("jobTemplate", {})
    job = template.setdefault("spec", {})
    default_template(job.setdefault("template", {}))
    fill(
        spec,
        {
            "concurrencyPolicy": "Allow",
            "suspend": False,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 1,
        },
    )
    for rule in (job.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            fill(pattern, {"status": "True"})


def prepare_create(obj: Obj, ctx: Context) -> None:
    """PrepareForCreate: an empty status."""
    obj["status"] = {}


_POLICIES = ("Allow", "Forbid", "Replace")
_TIME_ZONE = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
_TWO_ZONES = "cannot use both timeZone field and TZ or CRON_TZ in schedule"


def validate(obj: Obj, ctx: Context) -> list[FieldError]:
    """ValidateCronJobCreate."""
    errors = _validate_spec(obj.get("spec") or {}, None)
    name = obj["metadata"].get("name") or ""
    if len(name) > 52:  # the controller's Jobs get eleven characters more
        errors.append(invalid("metadata.name", name, "must be no more than 52 characters"))
    return errors


def validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    """ValidateCronJobUpdate."""
    return _validate_spec(new.get("spec") or {}, old.get("spec") or {})


def _validate_spec(spec: Obj, old: Obj | None) -> list[FieldError]:
    zone = spec.get("timeZone")
    errors = _schedule(spec.get("schedule") or "", zone, "TZ" in ((old or {}).get("schedule") or ""))
    errors += check_non_negative("spec.startingDeadlineSeconds", spec.get("startingDeadlineSeconds"))
    if zone is not None and (old is None or old.get("timeZone") != zone):
        errors += check("spec.timeZone", zone, zone_errors(zone))
    policy = spec.get("concurrencyPolicy")
    if policy not in _POLICIES:
        where = "spec.concurrencyPolicy"
        errors.append(not_supported(where, policy, _POLICIES) if policy else required(where))
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    errors += validate_job_spec(job, "spec.jobTemplate.spec")
    if job.get("selector") is not None:
        errors.append(invalid("spec.jobTemplate.spec.selector", job["selector"], "`selector` will be auto-generated"))
    if job.get("manualSelector"):
        errors.append(not_supported("spec.jobTemplate.spec.manualSelector", True, ("nil", "false")))
    for name in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        errors += check_non_negative(f"spec.{name}", spec.get(name))
    return errors


def _schedule(schedule: str, zone: str | None, zone_allowed: bool) -> list[FieldError]:
    where = "spec.schedule"
    if not schedule:
        return [required(where)]
    problem = schedule_error(schedule)
    errors = [invalid(where, schedule, problem)] if problem else []
    if "TZ" in schedule and not zone_allowed:
        errors.append(invalid(where, schedule, _TIME_ZONE))
    elif "TZ" in schedule and zone is not None:
        errors.append(invalid(where, schedule, _TWO_ZONES))
    return errors


def warnings(new: Obj, old: Obj | None, ctx: Context) -> list[str]:
    """WarningsOnCreate and WarningsOnUpdate."""
    if same_generation(new, old):
        return []
    found = name_warnings(new["metadata"].get("name") or "") if old is None else []
    job = (new["spec"].get("jobTemplate") or {}).get("spec") or {}
    if old is not None and "TZ" in (new["spec"].get("schedule") or ""):
        found.append(
            "spec.schedule: TZ or CRON_TZ in schedule is not officially supported, see "
            "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more "
            "details"
        )
    return found + job_warnings(job, "spec.jobTemplate.spec")


def _cells(obj: Obj, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    last = status.get("lastScheduleTime")
    return [
        obj["metadata"]["name"],
        spec.get("schedule") or "",
        spec.get("timeZone") or "<none>",
        "<unset>" if spec.get("suspend") is None else str(spec["suspend"]),
        len(status.get("active") or ()),
        since(last, now) if last else "<none>",
        age(obj, now),
        *names_and_images((job.get("template") or {}).get("spec") or {}),
        format_label_selector(job.get("selector")),
    ]


PRINTER = Printer(
    columns=(
        NAME,
        Column("Schedule", description="The schedule in Cron format, see https://en.wikipedia.org/wiki/Cron."),
        Column(
            "Timezone",
            description="The time zone name for the given schedule, see https://en.wikipedia.org/wiki/List_of_tz_database_time_zones.",
        ),
        Column(
            "Suspend",
            "boolean",
            description=(
                "This flag tells the controller to suspend subsequent executions, it does not apply "
                "to already started executions."
            ),
        ),
        Column("Active", "integer", description="A list of pointers to currently running jobs."),
        Column("Last Schedule", description="Information when was the last time the job was successfully scheduled."),
        AGE,
        CONTAINERS,
        IMAGES,
        selector_column("A label query over pods that should match the pod count."),
    ),
    cells=_cells,
)

STRATEGY = Strategy(
    default=default,
    prepare_create=prepare_create,
    validate=validate,
    validate_update=validate_update,
    warnings=warnings,
    name=name_is_dns_subdomain,
    generation=True,
    printer=PRINTER,
)
