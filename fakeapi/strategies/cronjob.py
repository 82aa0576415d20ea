"""CronJobs. Stands for pkg/registry/batch/cronjob and SetDefaults_CronJob."""

from __future__ import annotations

from typing import Any

from fakeapi.names import name_is_dns_subdomain
from fakeapi.strategies.base import Column, Context, Printer, Strategy
from fakeapi.strategies.podspec.defaults import fill
from fakeapi.strategies.podspec.printing import (
    AGE,
    CONTAINERS,
    IMAGES,
    NAME,
    age,
    label_selector,
    names_and_images,
    selector_column,
    since,
)
from fakeapi.strategies.podspec.template import default_template

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


def _cells(obj: Obj, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    last = status.get("lastScheduleTime")
    return [
        obj["metadata"]["name"],
        spec.get("schedule") or "",
        spec.get("timeZone") or "<none>",
        {True: "True", False: "False"}.get(spec.get("suspend"), "<unset>"),
        len(status.get("active") or ()),
        since(last, now) if last else "<none>",
        age(obj, now),
        *names_and_images((job.get("template") or {}).get("spec") or {}),
        label_selector(job.get("selector")),
    ]


PRINTER = Printer(
    columns=(
        NAME,
        Column("Schedule", description="The schedule in Cron format, see https://en.wikipedia.org/wiki/Cron."),
        Column("Timezone", description="The time zone name for the given schedule, see https://en.wikipedia.org/wiki/List_of_tz_database_time_zones."),
        Column("Suspend", "boolean", description="This flag tells the controller to suspend subsequent executions, it does not apply to already started executions."),
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
    name=name_is_dns_subdomain,
    generation=True,
    printer=PRINTER,
)
