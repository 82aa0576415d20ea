"""Rules of a JobSpec, in a Job or in a CronJob's template.

Stands for validateJobSpec and what it calls in pkg/apis/batch/validation.
"""

from __future__ import annotations

from typing import Any

from fakeapi.errors import FieldError, duplicate, invalid, not_supported, required, too_long, too_many
from fakeapi.names import check, check_domain_prefixed_path, check_non_negative, is_qualified_name
from fakeapi.strategies.podspec.spec import validate_template
from fakeapi.strategies.podspec.warnings import template_warnings

Obj = dict[str, Any]
Errors = list[FieldError]

_COUNTS = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
)
_MODES = ("NonIndexed", "Indexed")
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS = ("In", "NotIn")
_STATUSES = ("False", "True", "Unknown")
_RESTART_POLICIES = ("OnFailure", "Never")
_REPLACEMENT = ("Failed", "TerminatingOrFailed")
_INDEXED_ONLY = "requires indexed completion mode"
_TOO_MANY_INDEXES = (
    "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, "
    "Kubernetes might not be able to track completedIndexes when a big number of indexes fail"
)
_HIGH = "when completions are above 100000 and used with backoff limit per index"


def _quoted(values: tuple[str, ...]) -> str:
    """Go's %q of a list."""
    return "[" + " ".join(f'"{value}"' for value in values) + "]"


def omitted(path: str, detail: str) -> FieldError:
    """field.Invalid with a value that is not shown (OmitValueType)."""
    return FieldError("FieldValueInvalid", path, "Invalid value", detail)


def validate_job_spec(spec: Obj, path: str) -> Errors:
    """Everything but the selector."""
    errors: Errors = []
    for name in _COUNTS:
        errors += check_non_negative(f"{path}.{name}", spec.get(name))
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        errors.append(required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    manager = spec.get("managedBy")
    if manager is not None:
        errors += check_domain_prefixed_path(f"{path}.managedBy", manager)
        errors += [too_long(f"{path}.managedBy", 63)] if len(manager) > 63 else []
    errors += _mode(spec, path)
    if spec.get("podFailurePolicy") is not None:
        errors += _failure_policy(spec, f"{path}.podFailurePolicy.rules")
    if spec.get("successPolicy") is not None:
        errors += _success_policy(spec, f"{path}.successPolicy")
    errors += _replacement(spec, f"{path}.podReplacementPolicy")
    template = spec.get("template") or {}
    errors += validate_template(template, f"{path}.template")
    return errors + _restart_policy(spec, template.get("spec") or {}, f"{path}.template.spec.restartPolicy")


def job_warnings(spec: Obj, path: str) -> list[str]:
    """WarningsForJobSpec."""
    found = []
    if (
        spec.get("completionMode") == "Indexed"
        and (spec.get("completions") or 0) > 100000
        and (spec.get("parallelism") or 0) > 10000
    ):
        found.append(f"{path}: {_TOO_MANY_INDEXES}")
    return found + template_warnings(spec.get("template") or {}, f"{path}.template")


def _mode(spec: Obj, path: str) -> Errors:
    mode = spec.get("completionMode")
    errors: Errors = []
    if mode is not None and mode not in _MODES:
        errors.append(not_supported(f"{path}.completionMode", mode, _MODES))
    if mode == "Indexed":
        errors += _indexed(spec, path)
    if mode in (None, "NonIndexed"):
        given = [name for name in ("backoffLimitPerIndex", "maxFailedIndexes") if spec.get(name) is not None]
        errors += [invalid(f"{path}.{name}", spec[name], _INDEXED_ONLY) for name in given]
    return errors


def _indexed(spec: Obj, path: str) -> Errors:
    completions, parallelism, failed = (spec.get(k) for k in ("completions", "parallelism", "maxFailedIndexes"))
    errors: Errors = []
    if completions is None:
        errors.append(required(f"{path}.completions", "when completion mode is Indexed"))
    if (parallelism or 0) > 100000:
        text = "must be less than or equal to 100000 when completion mode is Indexed"
        errors.append(invalid(f"{path}.parallelism", parallelism, text))
    if failed is not None and completions is not None and failed > completions:
        errors.append(invalid(f"{path}.maxFailedIndexes", failed, "must be less than or equal to completions"))
    if (failed or 0) > 100000:
        errors.append(invalid(f"{path}.maxFailedIndexes", failed, "must be less than or equal to 100000"))
    if (completions or 0) > 100000 and spec.get("backoffLimitPerIndex") is not None:
        if failed is None:
            text = "must be specified when completions is above 100000"
            errors.append(required(f"{path}.maxFailedIndexes", text))
        for name, value in (("parallelism", parallelism), ("maxFailedIndexes", failed)):
            if (value or 0) > 10000:
                errors.append(invalid(f"{path}.{name}", value, f"must be less than or equal to 10000 {_HIGH}"))
    return errors


def _failure_policy(spec: Obj, path: str) -> Errors:
    rules = spec["podFailurePolicy"].get("rules") or []
    pods = (spec.get("template") or {}).get("spec") or {}
    names = {c.get("name") for key in ("containers", "initContainers") for c in pods.get(key) or ()}
    errors: Errors = [too_many(path, len(rules), 20)] if len(rules) > 20 else []
    for index, rule in enumerate(rules):
        errors += _failure_rule(spec, rule, names, f"{path}[{index}]")
    return errors


def _failure_rule(spec: Obj, rule: Obj, names: set[Any], path: str) -> Errors:
    action, codes, conditions = rule.get("action"), rule.get("onExitCodes"), rule.get("onPodConditions") or []
    errors: Errors = []
    if not action:
        errors.append(required(f"{path}.action", f"valid values: {_quoted(_ACTIONS)}"))
    elif action not in _ACTIONS:
        errors.append(not_supported(f"{path}.action", action, _ACTIONS))
    elif action == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
        errors.append(invalid(f"{path}.action", action, "requires the backoffLimitPerIndex to be set"))
    if codes is not None:
        errors += _exit_codes(codes, names, f"{path}.onExitCodes")
    if len(conditions) > 20:
        errors.append(too_many(f"{path}.onPodConditions", len(conditions), 20))
    for index, pattern in enumerate(conditions):
        errors += _pod_condition(pattern, f"{path}.onPodConditions[{index}]")
    if codes is not None and conditions:
        errors.append(omitted(path, "specifying both OnExitCodes and OnPodConditions is not supported"))
    if codes is None and not conditions:
        errors.append(omitted(path, "specifying one of OnExitCodes and OnPodConditions is required"))
    return errors


def _pod_condition(pattern: Obj, path: str) -> Errors:
    kind, status = pattern.get("type") or "", pattern.get("status")
    errors = check(f"{path}.type", kind, is_qualified_name(kind))
    if not status:
        errors.append(required(f"{path}.status", f"valid values: {_quoted(_STATUSES)}"))
    elif status not in _STATUSES:
        errors.append(not_supported(f"{path}.status", status, _STATUSES))
    return errors


def _exit_codes(codes: Obj, names: set[Any], path: str) -> Errors:
    operator, container, values = codes.get("operator"), codes.get("containerName"), codes.get("values") or []
    errors: Errors = []
    if not operator:
        errors.append(required(f"{path}.operator", f"valid values: {_quoted(_OPERATORS)}"))
    elif operator not in _OPERATORS:
        errors.append(not_supported(f"{path}.operator", operator, _OPERATORS))
    if container is not None and container not in names:
        text = "must be one of the container or initContainer names in the pod template"
        errors.append(invalid(f"{path}.containerName", container, text))
    if not values:
        errors.append(invalid(f"{path}.values", codes.get("values"), "at least one value is required"))
    elif len(values) > 255:
        errors.append(too_many(f"{path}.values", len(values), 255))
    for index, value in enumerate(values):
        where = f"{path}.values[{index}]"
        if operator == "In" and value == 0:
            errors.append(invalid(where, value, "must not be 0 for the In operator"))
        if value in values[:index]:
            errors.append(duplicate(where, value))
    if values != sorted(values):
        errors.append(invalid(f"{path}.values", values, "must be ordered"))
    return errors


def _success_policy(spec: Obj, path: str) -> Errors:
    rules = spec["successPolicy"].get("rules") or []
    if spec.get("completionMode") != "Indexed":
        shown = {
            "Rules": [
                {"SucceededIndexes": r.get("succeededIndexes"), "SucceededCount": r.get("succeededCount")}
                for r in rules
            ]
        }
        return [invalid(path, shown, _INDEXED_ONLY)]
    errors: Errors = []
    if not rules:
        text = "at least one rules must be specified when the successPolicy is specified"
        errors.append(required(f"{path}.rules", text))
    if len(rules) > 20:
        errors.append(too_many(f"{path}.rules", len(rules), 20))
    for index, rule in enumerate(rules):
        errors += _success_rule(rule, spec.get("completions") or 0, f"{path}.rules[{index}]")
    return errors


def _success_rule(rule: Obj, completions: int, path: str) -> Errors:
    indexes, count = rule.get("succeededIndexes"), rule.get("succeededCount")
    errors: Errors = []
    if indexes is None and count is None:
        text = "at least one of succeededCount or succeededIndexes must be specified"
        errors.append(required(path, text))
    total = 0
    if indexes is not None:
        if len(indexes) > 64 * 1024:
            errors.append(too_long(f"{path}.succeededIndexes", 64 * 1024))
        try:
            total = sum(last - first + 1 for first, last in parse_indexes(indexes, completions))
        except ValueError as error:
            text = f"error parsing succeededIndexes: {error}"
            errors.append(invalid(f"{path}.succeededIndexes", indexes, text))
    if count is not None:
        where = f"{path}.succeededCount"
        errors += check_non_negative(where, count)
        if count > completions:
            text = f"must be less than or equal to {completions} (the number of specified completions)"
            errors.append(invalid(where, count, text))
        if indexes is not None and count > total:
            text = (
                f"must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
            )
            errors.append(invalid(where, count, text))
    return errors


def parse_indexes(text: str, completions: int) -> list[tuple[int, int]]:
    """`1,3-5` as intervals. ValueError with upstream's text for what is malformed, unordered or out of range."""
    found: list[tuple[int, int]] = []
    for part in text.split(",") if text else ():
        ends = part.split("-")
        if len(ends) > 2:
            rule = "violates the requirement that an index interval can have at most two parts separated by '-'"
            raise ValueError(f'the fragment "{part}" {rule}')
        numbers = [_index(end, completions) for end in ends]
        first, last = numbers[0], numbers[-1]
        if len(ends) == 2 and first >= last:
            raise ValueError(f"non-increasing order, previous: {first}, current: {last}")
        if found and found[-1][1] >= first:
            raise ValueError(f"non-increasing order, previous: {found[-1][1]}, current: {first}")
        found.append((first, last))
    return found


def _index(text: str, completions: int) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f'cannot convert string to integer for index: "{text}"')
    if int(text) >= completions:
        raise ValueError(f'too large index: "{text}"')
    return int(text)


def _replacement(spec: Obj, path: str) -> Errors:
    policy = spec.get("podReplacementPolicy")
    allowed = _REPLACEMENT if spec.get("podFailurePolicy") is None else ("Failed",)
    return [] if policy is None or policy in allowed else [not_supported(path, policy, allowed)]


def _restart_policy(spec: Obj, pods: Obj, path: str) -> Errors:
    policy = pods.get("restartPolicy") or ""
    if policy in ("", "Always"):
        return [required(path, 'valid values: "OnFailure", "Never"')]
    if policy not in _RESTART_POLICIES:
        return [not_supported(path, policy, _RESTART_POLICIES)]
    if spec.get("podFailurePolicy") is not None and policy != "Never":
        return [invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    return []
