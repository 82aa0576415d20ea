"""HorizontalPodAutoscaler: defaults, validation and table; stored as autoscaling/v2.

Stands for pkg/registry/autoscaling/horizontalpodautoscaler, pkg/apis/autoscaling/validation and v2's defaults. The
conversion to autoscaling/v1 is hpa_v1.py's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fakeapi.errors import FieldError, forbidden, invalid, not_supported, required
from fakeapi.names import check, is_path_segment, name_is_dns_subdomain
from fakeapi.quantity import parse
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table
from fakeapi.strategies.hpa_v1 import from_hub, to_hub

CONVERT = {"v1": (to_hub, from_hub)}

_UP_POLICIES = (("Pods", 4), ("Percent", 100))
_DOWN_POLICIES = (("Percent", 100),)
_MAX_WINDOW, _MAX_PERIOD = 3600, 1800
_SHOWN_METRICS = 2


def _rules(given: Obj | None, window: int | None, policies: tuple[tuple[str, int], ...]) -> Obj:
    base: Obj = {} if window is None else {"stabilizationWindowSeconds": window}
    base["selectPolicy"] = "Max"
    base["policies"] = [{"type": t, "value": v, "periodSeconds": 15} for t, v in policies]
    return base | {k: v for k, v in (given or {}).items() if v is not None}


def _default(obj: Obj) -> None:
    spec = obj["spec"] = obj.get("spec") or {}
    if spec.get("minReplicas") is None:
        spec["minReplicas"] = 1
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if behavior is not None:
        behavior["scaleUp"] = _rules(behavior.get("scaleUp"), 0, _UP_POLICIES)
        behavior["scaleDown"] = _rules(behavior.get("scaleDown"), None, _DOWN_POLICIES)


def _prepare_create(obj: Obj, ctx: Context) -> None:
    obj["status"] = {"desiredReplicas": 0, "currentMetrics": None}


def _prepare_update(new: Obj, old: Obj, ctx: Context) -> None:
    new["status"] = old.get("status") or {}


def _prepare_status(new: Obj, old: Obj, ctx: Context) -> None:
    new["spec"] = old["spec"]


def _reference(at: str, reference: Obj, *, core: bool) -> list[FieldError]:
    """ValidateCrossVersionObjectReference. core: the legacy group may be meant."""
    found: list[FieldError] = []
    for field in ("kind", "name"):
        value = reference.get(field, "")
        found += check(f"{at}.{field}", value, is_path_segment(value)) if value else [required(f"{at}.{field}")]
    version = reference.get("apiVersion", "")
    if version.count("/") > 1:
        found.append(invalid(f"{at}.apiVersion", version, f"unexpected GroupVersion string: {version}"))
    elif not core and "/" not in version:
        found.append(invalid(f"{at}.apiVersion", version, "apiVersion must specify API group"))
    return found


def _metric(at: str, metric: Obj) -> list[FieldError]:
    name = metric.get("name", "")
    return (
        check(f"{at}.name", name, is_path_segment(name))
        if name
        else [required(f"{at}.name", "must specify a metric name")]
    )


def _target(at: str, target: Obj) -> list[FieldError]:
    kind = target.get("type", "")
    found = [] if kind else [required(f"{at}.type", "must specify a metric target type")]
    if kind not in ("Utilization", "Value", "AverageValue"):
        found.append(invalid(f"{at}.type", kind, "must be either Utilization, Value, or AverageValue"))
    for field in ("value", "averageValue"):
        given = target.get(field)
        if given is not None and parse(given).nano <= 0:
            found.append(invalid(f"{at}.{field}", given, "must be positive"))
    share = target.get("averageUtilization")
    if share is not None and share < 1:
        found.append(invalid(f"{at}.averageUtilization", share, "must be greater than 0"))
    return found


_EITHER = "must set either a target value for metric or a per-pod target"


def _object(at: str, source: Obj) -> list[FieldError]:
    target = source.get("target") or {}
    found = _reference(f"{at}.describedObject", source.get("describedObject") or {}, core=True)
    found += _metric(f"{at}.metric", source.get("metric") or {}) + _target(f"{at}.target", target)
    if target.get("value") is None and target.get("averageValue") is None:
        found.append(required(f"{at}.target.averageValue", _EITHER))
    return found


def _external(at: str, source: Obj) -> list[FieldError]:
    target = source.get("target") or {}
    found = _metric(f"{at}.metric", source.get("metric") or {}) + _target(f"{at}.target", target)
    given = [target.get(f) is not None for f in ("value", "averageValue")]
    if not any(given):
        found.append(required(f"{at}.target.averageValue", _EITHER))
    if all(given):
        found.append(forbidden(f"{at}.target.value", "may not set both a target value for metric and a per-pod target"))
    return found


def _pods(at: str, source: Obj) -> list[FieldError]:
    target = source.get("target") or {}
    found = _metric(f"{at}.metric", source.get("metric") or {}) + _target(f"{at}.target", target)
    average = target.get("averageValue")
    if average is None or parse(average).nano <= 0:
        found.append(required(f"{at}.target.averageValue", "must specify a positive target averageValue"))
    return found


def _resource(at: str, source: Obj) -> list[FieldError]:
    target = source.get("target") or {}
    found = [] if source.get("name") else [required(f"{at}.name", "must specify a resource name")]
    found += _target(f"{at}.target", target)
    given = [target.get(f) is not None for f in ("averageUtilization", "averageValue")]
    if not any(given):
        text = "must set either a target raw value or a target utilization"
        found.append(required(f"{at}.target.averageUtilization", text))
    if all(given):
        text = "may not set both a target raw value and a target utilization"
        found.append(forbidden(f"{at}.target.averageValue", text))
    return found


def _container_resource(at: str, source: Obj) -> list[FieldError]:
    found = [] if source.get("container") else [required(f"{at}.container", "must specify a container")]
    return found + _resource(at, source)


# In upstream's order of looking: only the first source that is present is looked into.
_SOURCES: dict[str, tuple[str, Callable[[str, Obj], list[FieldError]]]] = {
    "object": ("Object", _object),
    "external": ("External", _external),
    "pods": ("Pods", _pods),
    "resource": ("Resource", _resource),
    "containerResource": ("ContainerResource", _container_resource),
}


def _metric_spec(at: str, spec: Obj) -> list[FieldError]:
    kind = spec.get("type", "")
    found: list[FieldError] = []
    types = sorted(t for t, _ in _SOURCES.values())
    if not kind:
        found.append(required(f"{at}.type", "must specify a metric source type"))
    if kind not in types:
        found.append(not_supported(f"{at}.type", kind, types))
    present = [f for f in _SOURCES if spec.get(f) is not None]
    if present:
        found += _SOURCES[present[0]][1](f"{at}.{present[0]}", spec[present[0]])
    expected = next((f for f, (t, _) in _SOURCES.items() if t == kind), "")
    if not expected:  # told a second time, by upstream's switch
        found.append(not_supported(f"{at}.type", kind, types))
    elif expected not in present:
        found.append(required(f"{at}.{expected}", "must populate information for the given metric source"))
    if len(present) > 1:
        others = sorted(f for f in present if f != expected)
        found += [forbidden(f"{at}.{f}", "must populate the given metric source only") for f in others]
    return found


def _scaling_rules(at: str, rules: Obj) -> list[FieldError]:
    found: list[FieldError] = []
    window, select, policies = (rules.get(f) for f in ("stabilizationWindowSeconds", "selectPolicy", "policies"))
    if window is not None and window < 0:
        found.append(invalid(f"{at}.stabilizationWindowSeconds", window, "must be greater than or equal to zero"))
    if window is not None and window > _MAX_WINDOW:
        text = f"must be less than or equal to {_MAX_WINDOW}"
        found.append(invalid(f"{at}.stabilizationWindowSeconds", window, text))
    if select is not None and select not in ("Disabled", "Max", "Min"):
        found.append(not_supported(f"{at}.selectPolicy", select, ("Disabled", "Max", "Min")))
    if not policies:
        found.append(required(f"{at}.policies", "must specify at least one Policy"))
    for i, policy in enumerate(policies or ()):
        own = f"{at}.policies[{i}]"
        kind, value, period = policy.get("type", ""), policy.get("value", 0), policy.get("periodSeconds", 0)
        if kind not in ("Percent", "Pods"):
            found.append(not_supported(f"{own}.type", kind, ("Percent", "Pods")))
        if value <= 0:
            found.append(invalid(f"{own}.value", value, "must be greater than zero"))
        if period <= 0:
            found.append(invalid(f"{own}.periodSeconds", period, "must be greater than zero"))
        if period > _MAX_PERIOD:
            found.append(invalid(f"{own}.periodSeconds", period, f"must be less than or equal to {_MAX_PERIOD}"))
    tolerance = rules.get("tolerance")
    if tolerance is not None and parse(tolerance).nano < 0:
        found.append(invalid(f"{at}.tolerance", tolerance, "must be greater or equal to zero"))
    return found


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    spec = obj["spec"]
    least, most = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    found: list[FieldError] = []
    if least is not None and least < 1:
        found.append(invalid("spec.minReplicas", least, "must be greater than or equal to 1"))
    if most < 1:
        found.append(required("spec.maxReplicas", "must be set and greater than 0"))
    if least is not None and most < least:
        found.append(invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
    target = spec.get("scaleTargetRef") or {}
    found += _reference("spec.scaleTargetRef", target, core=target.get("kind") == "ReplicationController")
    for i, metric in enumerate(spec.get("metrics") or ()):
        found += _metric_spec(f"spec.metrics[{i}]", metric)
    behavior = spec.get("behavior") or {}
    for side in ("scaleUp", "scaleDown"):
        if behavior.get(side) is not None:
            found += _scaling_rules(f"spec.behavior.{side}", behavior[side])
    return found


def _validate_status(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    status = new.get("status") or {}
    fields = ("currentReplicas", "desiredReplicas")
    text = "must be greater than or equal to 0"
    return [invalid(f"status.{f}", status[f], text) for f in fields if status.get(f, 0) < 0]


def _shown_metric(spec: Obj, status: Obj) -> str:
    field = next((f for f, (t, _) in _SOURCES.items() if t == spec.get("type")), "")
    source, current = spec.get(field), (status.get(field) or {}).get("current")
    if source is None:
        return "<unknown type>"
    target = source.get("target") or {}
    prefix = f"{source.get('name', '')}: " if field in ("resource", "containerResource") else ""

    def now(key: str, unit: str = "") -> str:
        return f"{current[key]}{unit}" if current is not None and current.get(key) is not None else "<unknown>"

    if target.get("averageValue") is not None:
        suffix = " (avg)" if field in ("external", "object") else ""
        return f"{prefix}{now('averageValue')}/{target['averageValue']}{suffix}"
    if prefix:
        share = f"{target['averageUtilization']}%" if target.get("averageUtilization") is not None else "<auto>"
        return f"{prefix}{now('averageUtilization', '%')}/{share}"
    return f"{now('value')}/{target.get('value')}"


def _targets(obj: Obj) -> str:
    metrics = obj["spec"].get("metrics") or []
    statuses: list[Any] = (obj.get("status") or {}).get("currentMetrics") or []
    if not metrics:
        return "<none>"
    pairs = [(m, statuses[i] if i < len(statuses) else {}) for i, m in enumerate(metrics)]
    text = ", ".join(_shown_metric(m, s) for m, s in pairs[:_SHOWN_METRICS])
    more = len(metrics) - _SHOWN_METRICS
    return f"{text} + {more} more..." if more > 0 else text


def _target_name(obj: Obj) -> str:
    target = obj["spec"].get("scaleTargetRef") or {}
    return f"{target.get('kind', '')}/{target.get('name', '')}"


STRATEGY = Strategy(
    default=_default,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_status=_prepare_status,
    validate=_validate,
    validate_update=lambda new, old, ctx: _validate(new, ctx),
    validate_status=_validate_status,
    name=name_is_dns_subdomain,
    printer=table(
        NAME,
        column("Reference", _target_name),
        column("Targets", _targets),
        column("MinPods", lambda o: str(path("spec", "minReplicas", default="<unset>")(o))),
        column("MaxPods", path("spec", "maxReplicas", default=0)),
        column("Replicas", path("status", "currentReplicas", default=0)),
        AGE,
    ),
)
