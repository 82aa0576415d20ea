"""Jobs: generated selectors, defaults, the table. Stands for pkg/registry/batch/job and SetDefaults_Job."""

from __future__ import annotations

from typing import Any

from fakeapi.clock import parse_rfc3339
from fakeapi.names import name_is_dns_subdomain
from fakeapi.strategies.base import Column, Context, Printer, Strategy
from fakeapi.strategies.podspec.defaults import fill
from fakeapi.strategies.podspec.printing import (
    AGE,
    CONTAINERS,
    IMAGES,
    NAME,
    age,
    human_duration,
    label_selector,
    names_and_images,
    selector_column,
)
from fakeapi.strategies.podspec.template import default_template

Obj = dict[str, Any]

CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
UID_LABELS = ("controller-uid", CONTROLLER_UID)
NAME_LABELS = ("job-name", "batch.kubernetes.io/job-name")
_MAX_INT32 = 2**31 - 1


def default(obj: Obj) -> None:
    """One pod, six retries; labels come from the template's."""
    spec = obj.setdefault("spec", {})
    default_template(spec.setdefault("template", {}))
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = spec["parallelism"] = 1
    per_index = spec.get("backoffLimitPerIndex") is not None
    policy = spec.get("podFailurePolicy")
    fill(
        spec,
        {
            "parallelism": 1,
            "backoffLimit": _MAX_INT32 if per_index else 6,
            "completionMode": "NonIndexed",
            "suspend": False,
            "manualSelector": False,
            "podReplacementPolicy": "TerminatingOrFailed" if policy is None else "Failed",
        },
    )
    for rule in (policy or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            fill(pattern, {"status": "True"})
    _inherit_labels(obj)


def _inherit_labels(obj: Obj) -> None:
    metadata = obj.setdefault("metadata", {})
    labels = obj["spec"]["template"]["metadata"].get("labels")
    if labels and not metadata.get("labels"):
        metadata["labels"] = dict(labels)


def prepare_create(obj: Obj, ctx: Context) -> None:
    """PrepareForCreate: an empty status; unless told otherwise, a selector and labels that no other Job has."""
    obj["status"] = {}
    if not obj["spec"].get("manualSelector"):
        _generate_selector(obj)
    # Upstream's answer is the stored object decoded again, and decoding takes labels from the template.
    _inherit_labels(obj)


def _generate_selector(obj: Obj) -> None:
    spec, metadata = obj["spec"], obj["metadata"]
    labels = spec["template"]["metadata"]["labels"] = dict(spec["template"]["metadata"].get("labels") or {})
    selector = spec["selector"] = spec.get("selector") or {}
    chosen = selector["matchLabels"] = dict(selector.get("matchLabels") or {})
    # What is there already stays, for validation to judge.
    for key in NAME_LABELS:
        labels.setdefault(key, metadata.get("name") or "")
    for key in UID_LABELS:
        labels.setdefault(key, metadata.get("uid") or "")
    chosen.setdefault(CONTROLLER_UID, metadata.get("uid") or "")


_STATUSES = (("Complete", "Complete"), ("Failed", "Failed"))
_LATER_STATUSES = ("Suspended", "FailureTarget", "SuccessCriteriaMet")


def _status(obj: Obj) -> str:
    true = {c.get("type") for c in (obj.get("status") or {}).get("conditions") or () if c.get("status") == "True"}
    for condition, text in _STATUSES:
        if condition in true:
            return text
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return next((name for name in _LATER_STATUSES if name in true), "Running")


def _completions(obj: Obj) -> str:
    spec, succeeded = obj.get("spec") or {}, (obj.get("status") or {}).get("succeeded") or 0
    if spec.get("completions") is not None:
        return f"{succeeded}/{spec['completions']}"
    parallelism = spec.get("parallelism") or 0
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _duration(obj: Obj, now: float) -> str:
    status = obj.get("status") or {}
    if not status.get("startTime"):
        return ""
    end = parse_rfc3339(status["completionTime"]) if status.get("completionTime") else now
    return human_duration(end - parse_rfc3339(status["startTime"]))


def _cells(obj: Obj, now: float) -> list[Any]:
    spec = obj.get("spec") or {}
    return [
        obj["metadata"]["name"],
        _status(obj),
        _completions(obj),
        _duration(obj, now),
        age(obj, now),
        *names_and_images((spec.get("template") or {}).get("spec") or {}),
        label_selector(spec.get("selector")),
    ]


PRINTER = Printer(
    columns=(
        NAME,
        Column("Status", description="Status of the job."),
        Column("Completions", description="Completions specifies the desired number of successfully finished pods the job should be run with."),
        Column("Duration", description="Time required to complete the job."),
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
    fields={"status.successful": lambda obj: str((obj.get("status") or {}).get("succeeded") or 0)},
    printer=PRINTER,
    default_propagation="Orphan",
)
