"""Jobs: generated selectors, defaults, the table. Stands for pkg/registry/batch/job and SetDefaults_Job."""

from __future__ import annotations

from typing import Any

from fakeapi.clock import parse_rfc3339
from fakeapi.errors import FieldError, invalid, required
from fakeapi.names import (
    IMMUTABLE,
    check_immutable,
    check_label_selector,
    is_dns1123_label,
    is_label_value,
    name_is_dns_subdomain,
)
from fakeapi.selectors import format_label_selector
from fakeapi.strategies.base import Column, Context, Printer, Strategy
from fakeapi.strategies.jobspec import job_warnings, validate_job_spec
from fakeapi.strategies.jobstatus import validate_job_status
from fakeapi.strategies.podspec.defaults import fill
from fakeapi.strategies.podspec.internal import go_template
from fakeapi.strategies.podspec.printing import (
    AGE,
    CONTAINERS,
    IMAGES,
    NAME,
    age,
    human_duration,
    names_and_images,
    selector_column,
)
from fakeapi.strategies.podspec.template import default_template
from fakeapi.strategies.podspec.update import same
from fakeapi.strategies.podspec.warnings import name_warnings
from fakeapi.strategies.workload import MISMATCH, same_generation, selects

Obj = dict[str, Any]

CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
UID_LABELS = ("controller-uid", CONTROLLER_UID)
NAME_LABELS = ("job-name", "batch.kubernetes.io/job-name")
_LEGACY_LABELS = ("controller-uid", "job-name")
_OWN_LABELS = (CONTROLLER_UID, "batch.kubernetes.io/job-name")
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
    # Upstream's answer is the stored object decoded again, and decoding takes labels from the template. Labels that
    # cannot be stored are left to the template's validation.
    labels = obj["spec"]["template"]["metadata"].get("labels") or {}
    if not any(is_label_value(value) for value in labels.values()):
        _inherit_labels(obj)


def _generate_selector(obj: Obj) -> None:
    spec, metadata = obj["spec"], obj["metadata"]
    given = spec["template"]["metadata"].get("labels") or {}
    # Upstream: labels that the Job took from its template are the same Go map, so the Job gets the generated ones too.
    shared = bool(given) and metadata.get("labels") == given
    labels = dict(given)
    selector = spec["selector"] = spec.get("selector") or {}
    chosen = dict(selector.get("matchLabels") or {})
    # What is there already stays, for validation to judge.
    for key in NAME_LABELS:
        labels.setdefault(key, metadata.get("name") or "")
    for key in UID_LABELS:
        labels.setdefault(key, metadata.get("uid") or "")
    chosen.setdefault(CONTROLLER_UID, metadata.get("uid") or "")
    # Go prints maps by key.
    spec["template"]["metadata"]["labels"] = dict(sorted(labels.items()))
    selector["matchLabels"] = dict(sorted(chosen.items()))
    if shared:
        metadata["labels"] = dict(sorted(labels.items()))


def validate(obj: Obj, ctx: Context) -> list[FieldError]:
    """ValidateJob."""
    spec, metadata = obj.get("spec") or {}, obj["metadata"]
    errors: list[FieldError] = []
    if not spec.get("manualSelector") and spec.get("selector") is not None:
        errors += _generated_selector(spec, metadata)
    errors += _validate_spec(spec)
    completions = spec.get("completions") or 0
    if spec.get("completionMode") == "Indexed" and completions > 0:
        name = metadata.get("name") or ""
        host = f"{name}-{completions - 1}"
        if is_dns1123_label(host):
            text = f"will not able to create pod with invalid DNS label: {host}"
            errors.append(invalid("metadata.name", name, text))
    return errors


def _generated_selector(spec: Obj, metadata: Obj) -> list[FieldError]:
    labels = spec["template"]["metadata"].get("labels") or {}
    own = dict.fromkeys(UID_LABELS, metadata.get("uid") or "") | dict.fromkeys(NAME_LABELS, metadata.get("name") or "")
    errors: list[FieldError] = []
    for key in (*_LEGACY_LABELS, *_OWN_LABELS):
        where, text = f"spec.template.metadata.labels[{key}]", f"must be '{own[key]}'"
        if key not in labels:
            errors.append(required(where, text))
        elif labels[key] != own[key]:
            errors.append(invalid(where, labels, text))
    if selects(spec["selector"], own) is False:
        errors.append(invalid("spec.selector", spec["selector"], "`selector` not auto-generated"))
    return errors


def _validate_spec(spec: Obj) -> list[FieldError]:
    selector = spec.get("selector")
    errors = validate_job_spec(spec, "spec")
    errors += check_label_selector("spec.selector", selector) if selector is not None else [required("spec.selector")]
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if selects(selector, labels or {}) is False:
        errors.append(invalid("spec.template.metadata.labels", labels, MISMATCH))
    return errors


_IMMUTABLE = ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")


def validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    """ValidateJob, and ValidateJobUpdate, which says most of it again."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    errors = validate(new, ctx) + _validate_spec(spec) + _completions_update(spec, before)
    errors += check_immutable("spec.selector", spec.get("selector"), before.get("selector"))
    errors += _template_update(spec.get("template") or {}, before.get("template") or {}, old)
    for name in _IMMUTABLE:
        errors += check_immutable(f"spec.{name}", spec.get(name), before.get(name))
    return errors


def _completions_update(spec: Obj, before: Obj) -> list[FieldError]:
    value = spec.get("completions")
    if spec.get("completionMode") != "Indexed":
        return check_immutable("spec.completions", value, before.get("completions"))
    if value is None or value == before.get("completions") or value == spec.get("parallelism"):
        return []
    return [invalid("spec.completions", value, "can only be modified in tandem with spec.parallelism")]


_DIRECTIVES = ("nodeSelector", "tolerations", "schedulingGates")


def _template_update(new: Obj, old: Obj, job: Obj) -> list[FieldError]:
    """The template stays, but a suspended Job without pods may still be told where to run and what its pods ask for."""
    status = job.get("status") or {}
    suspended = (job.get("spec") or {}).get("suspend") and not (status.get("startTime") and status.get("active"))
    kept, was = (_without_directives(t) for t in (new, old)) if suspended else (new, old)
    return [] if same(kept, was) else [invalid("spec.template", go_template(new), IMMUTABLE)]


def _without_amounts(resources: Obj) -> Obj:
    return {k: v for k, v in resources.items() if k not in ("limits", "requests")}


def _without_directives(template: Obj) -> Obj:
    spec = {k: v for k, v in (template.get("spec") or {}).items() if k not in _DIRECTIVES}
    affinity = {k: v for k, v in (spec.pop("affinity", None) or {}).items() if k != "nodeAffinity"}
    for key in ("containers", "initContainers"):
        if key in spec:
            spec[key] = [{**c, "resources": _without_amounts(c.get("resources") or {})} for c in spec[key]]
    metadata = {k: v for k, v in (template.get("metadata") or {}).items() if k not in ("labels", "annotations")}
    return {"metadata": metadata, "spec": {**spec, **({"affinity": affinity} if affinity else {})}}


def validate_status(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    """ValidateJobUpdateStatus."""
    return validate_job_status(new, old)


def warnings(new: Obj, old: Obj | None, ctx: Context) -> list[str]:
    """WarningsOnCreate and WarningsOnUpdate."""
    if same_generation(new, old):
        return []
    found = name_warnings(new["metadata"].get("name") or "") if old is None else []
    return found + job_warnings(new.get("spec") or {}, "spec")


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
        format_label_selector(spec.get("selector")),
    ]


PRINTER = Printer(
    columns=(
        NAME,
        Column("Status", description="Status of the job."),
        Column(
            "Completions",
            description=(
                "Completions specifies the desired number of successfully finished pods the job should be run with."
            ),
        ),
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
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    warnings=warnings,
    name=name_is_dns_subdomain,
    generation=True,
    fields={"status.successful": lambda obj: str((obj.get("status") or {}).get("succeeded") or 0)},
    printer=PRINTER,
    default_propagation="Orphan",
    delete_warning=(
        "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or "
        "set propagationPolicy=Orphan to suppress this warning"
    ),
)
