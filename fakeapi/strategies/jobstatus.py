"""A Job's status as its controller (or anybody) writes it.

Stands for validateJobStatus and ValidateJobStatusUpdate of pkg/apis/batch/validation, with the options that
pkg/registry/batch/job gives them: most rules hold only for what a write changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fakeapi.clock import parse_rfc3339
from fakeapi.errors import FieldError, duplicate, invalid, required
from fakeapi.names import check_non_negative
from fakeapi.strategies.jobspec import omitted, parse_indexes

Obj = dict[str, Any]
Errors = list[FieldError]
Rule = Callable[[Obj, Obj, frozenset[str]], Errors]

_COUNTS = ("active", "succeeded", "failed", "ready", "terminating")
_CONDITIONS = "status.conditions"


def true_conditions(status: Obj) -> frozenset[str]:
    """Types of the conditions that are True."""
    return frozenset(c.get("type") or "" for c in status.get("conditions") or () if c.get("status") == "True")


def validate_job_status(new: Obj, old: Obj) -> Errors:
    """new, old: whole Jobs with the same spec."""
    status, before, spec = new.get("status") or {}, old.get("status") or {}, new.get("spec") or {}
    errors: Errors = []
    for name in _COUNTS:
        errors += check_non_negative(f"status.{name}", status.get(name))
    errors += _uncounted(status.get("uncountedTerminatedPods") or {})
    true, was = true_conditions(status), true_conditions(before)
    changed = {name for name in {*status, *before} if status.get(name) != before.get(name)}
    changed |= true ^ was
    for inputs, rule in _RULES:
        if changed & inputs:
            errors += rule(status, spec, true)
    errors += _always(spec, true)
    return errors + _transitions(status, before, spec, true, was)


def _uncounted(pods: Obj) -> Errors:
    errors: Errors = []
    seen: set[str] = set()
    for name in ("succeeded", "failed"):
        for index, uid in enumerate(pods.get(name) or ()):
            where = f"status.uncountedTerminatedPods.{name}[{index}]"
            if not uid:
                errors.append(invalid(where, uid, "must not be empty"))
            elif uid in seen:
                errors.append(duplicate(where, uid))
            seen.add(uid)
    return errors


def _together(one: str, other: str, text: str) -> Rule:
    return lambda status, spec, true: [omitted(_CONDITIONS, text)] if {one, other} <= true else []


def _without(one: str, other: str, text: str) -> Rule:
    return lambda status, spec, true: [omitted(_CONDITIONS, text)] if one in true and other not in true else []


def _finished(true: frozenset[str]) -> bool:
    return bool(true & {"Complete", "Failed"})


def _completion_time(status: Obj, spec: Obj, true: frozenset[str]) -> Errors:
    end = status.get("completionTime")
    if end is not None and "Complete" not in true:
        text = "cannot set completionTime when there is no Complete=True condition"
        return [invalid("status.completionTime", end, text)]
    if end is None and "Complete" in true:
        return [required("status.completionTime", "completionTime is required for Complete jobs")]
    return []


def _time_order(status: Obj, spec: Obj, true: frozenset[str]) -> Errors:
    start, end = status.get("startTime"), status.get("completionTime")
    if start and end and parse_rfc3339(end) < parse_rfc3339(start):
        return [invalid("status.completionTime", end, "completionTime cannot be set before startTime")]
    return []


def _no_more(name: str, text: str) -> Rule:
    def rule(status: Obj, spec: Obj, true: frozenset[str]) -> Errors:
        value = status.get(name) or 0
        return [invalid(f"status.{name}", value, text)] if value > 0 and _finished(true) else []

    return rule


def _start_time(status: Obj, spec: Obj, true: frozenset[str]) -> Errors:
    if status.get("startTime") is None and _finished(true):
        return [required("status.startTime", "startTime is required for finished job")]
    return []


def _all_counted(status: Obj, spec: Obj, true: frozenset[str]) -> Errors:
    pods = status.get("uncountedTerminatedPods") or {}
    if not _finished(true) or not (pods.get("failed") or pods.get("succeeded")):
        return []
    shown = {"Succeeded": pods.get("succeeded"), "Failed": pods.get("failed")}
    text = "uncountedTerminatedPods needs to be empty for finished job"
    return [invalid("status.uncountedTerminatedPods", shown, text)]


def _indexes(name: str) -> Rule:
    def rule(status: Obj, spec: Obj, true: frozenset[str]) -> Errors:
        text = status.get(name)
        limited = name == "completedIndexes" or spec.get("backoffLimitPerIndex") is not None
        if not text or spec.get("completions") is None or not limited:
            return []
        try:
            parse_indexes(text, spec["completions"])
        except ValueError as error:
            return [invalid(f"status.{name}", text, f"error parsing {name}: {error}")]
        return []

    return rule


def _completed_mode(status: Obj, spec: Obj, true: frozenset[str]) -> Errors:
    if status.get("completedIndexes") and spec.get("completionMode") != "Indexed":
        text = "cannot set non-empty completedIndexes when non-indexed completion mode"
        return [invalid("status.completedIndexes", status["completedIndexes"], text)]
    return []


def _failed_mode(status: Obj, spec: Obj, true: frozenset[str]) -> Errors:
    if status.get("failedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        text = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        return [invalid("status.failedIndexes", status["failedIndexes"], text)]
    return []


def _overlap(status: Obj, spec: Obj, true: frozenset[str]) -> Errors:
    completed, failed, completions = (
        status.get("completedIndexes"),
        status.get("failedIndexes"),
        spec.get("completions"),
    )
    if not completed or not failed or completions is None:
        return []
    try:
        pairs = [(c, f) for c in parse_indexes(completed, completions) for f in parse_indexes(failed, completions)]
    except ValueError:
        return []  # told by the rules above
    common = [max(c[0], f[0]) for c, f in pairs if c[0] <= f[1] and f[0] <= c[1]]
    text = "failedIndexes and completedIndexes overlap at index: {}"
    return [invalid("status.failedIndexes", failed, text.format(min(common)))] if common else []


def _ready(status: Obj, spec: Obj, true: frozenset[str]) -> Errors:
    ready = status.get("ready")
    if ready is not None and ready > (status.get("active") or 0):
        return [invalid("status.ready", ready, "cannot set more ready pods than active")]
    return []


_FINISHED = frozenset({"Complete", "Failed"})

# What a rule depends on (fields of the status, types of conditions): it holds only when one of them changes.
_RULES: tuple[tuple[frozenset[str], Rule], ...] = (
    (_FINISHED, _together("Complete", "Failed", "cannot set Complete=True and Failed=true conditions")),
    (
        frozenset({"Complete", "FailureTarget"}),
        _together("Complete", "FailureTarget", "cannot set Complete=True and FailureTarget=true conditions"),
    ),
    (frozenset({"Complete", "completionTime"}), _completion_time),
    (frozenset({"startTime", "completionTime"}), _time_order),
    (
        frozenset({"Failed", "FailureTarget"}),
        _without(
            "Failed", "FailureTarget", "cannot set Failed=True condition without the FailureTarget=true condition"
        ),
    ),
    (
        frozenset({"Complete", "SuccessCriteriaMet"}),
        _without(
            "Complete",
            "SuccessCriteriaMet",
            "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
        ),
    ),
    (_FINISHED | {"active"}, _no_more("active", "active>0 is invalid for finished job")),
    (_FINISHED | {"startTime"}, _start_time),
    (_FINISHED | {"uncountedTerminatedPods"}, _all_counted),
    (frozenset({"completedIndexes"}), _indexes("completedIndexes")),
    (frozenset({"failedIndexes"}), _indexes("failedIndexes")),
    (frozenset({"completedIndexes"}), _completed_mode),
    (frozenset({"failedIndexes"}), _failed_mode),
    (frozenset({"completedIndexes", "failedIndexes"}), _overlap),
    (_FINISHED | {"terminating"}, _no_more("terminating", "terminating>0 is invalid for finished job")),
    (frozenset({"ready", "active"}), _ready),
)


def _always(spec: Obj, true: frozenset[str]) -> Errors:
    errors: Errors = []
    for other in ("Failed", "FailureTarget"):
        if {"SuccessCriteriaMet", other} <= true:
            shown = f"{other}=true"
            errors.append(omitted(_CONDITIONS, f"cannot set SuccessCriteriaMet=True and {shown} conditions"))
    if spec.get("successPolicy") is not None and "Complete" in true and "SuccessCriteriaMet" not in true:
        text = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"
        errors.append(omitted(_CONDITIONS, text))
    return errors


def _transitions(status: Obj, old: Obj, spec: Obj, true: frozenset[str], was: frozenset[str]) -> Errors:
    gone = [kind for kind in ("Failed", "Complete", "FailureTarget") if kind in was - true]
    errors: Errors = [omitted(_CONDITIONS, f"cannot disable the terminal {kind}=True condition") for kind in gone]
    elastic = spec.get("completionMode") == "Indexed" and spec.get("completions") == spec.get("parallelism")
    for name in ("failed", "succeeded"):
        value = status.get(name) or 0
        if value < (old.get(name) or 0) and not (name == "succeeded" and elastic):
            errors.append(invalid(f"status.{name}", value, f"cannot decrease the {name} counter"))
    end, before = status.get("completionTime"), old.get("completionTime")
    if end is not None and before is not None and end != before:
        errors.append(invalid("status.completionTime", end, "completionTime cannot be mutated"))
    start = old.get("startTime")
    if start is not None and start != status.get("startTime") and not spec.get("suspend"):
        errors.append(required("status.startTime", "startTime cannot be removed for unsuspended job"))
    if "SuccessCriteriaMet" in was - true:
        errors.append(omitted(_CONDITIONS, "cannot disable the SuccessCriteriaMet=True condition"))
    if "Complete" in was and "SuccessCriteriaMet" in true - was:
        text = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"
        errors.append(omitted(_CONDITIONS, text))
    return errors
