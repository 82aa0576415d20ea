"""autoscaling/v1's view of a HorizontalPodAutoscaler: one CPU target, and the rest in annotations.

Stands for pkg/apis/autoscaling/v1/conversion.go. The hub is autoscaling/v2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from fakeapi.strategies.base import Obj

_PREFIX = "autoscaling.alpha.kubernetes.io/"
_METRICS, _CURRENT = _PREFIX + "metrics", _PREFIX + "current-metrics"
_CONDITIONS, _BEHAVIOR = _PREFIX + "conditions", _PREFIX + "behavior"
_ALL = (_METRICS, _CURRENT, _CONDITIONS, _BEHAVIOR)

# type -> (field, v1 field -> path in the v2 source), in the order of v1's struct. {side} is target or current.
_SHAPES: Mapping[str, tuple[str, Mapping[str, tuple[str, ...]]]] = {
    "Object": (
        "object",
        {
            "target": ("describedObject",),
            "metricName": ("metric", "name"),
            "{side}Value": ("{side}", "value"),
            "selector": ("metric", "selector"),
            "averageValue": ("{side}", "averageValue"),
        },
    ),
    "Pods": (
        "pods",
        {
            "metricName": ("metric", "name"),
            "{side}AverageValue": ("{side}", "averageValue"),
            "selector": ("metric", "selector"),
        },
    ),
    "Resource": (
        "resource",
        {
            "name": ("name",),
            "{side}AverageUtilization": ("{side}", "averageUtilization"),
            "{side}AverageValue": ("{side}", "averageValue"),
        },
    ),
    "ContainerResource": (
        "containerResource",
        {
            "name": ("name",),
            "{side}AverageUtilization": ("{side}", "averageUtilization"),
            "{side}AverageValue": ("{side}", "averageValue"),
            "container": ("container",),
        },
    ),
    "External": (
        "external",
        {
            "metricName": ("metric", "name"),
            "metricSelector": ("metric", "selector"),
            "{side}Value": ("{side}", "value"),
            "{side}AverageValue": ("{side}", "averageValue"),
        },
    ),
}
# Quantities that v1's structs always have, by type and side.
_ALWAYS = {
    ("Object", "target"): "{side}Value",
    ("Object", "current"): "{side}Value",
    ("Pods", "target"): "{side}AverageValue",
    ("Pods", "current"): "{side}AverageValue",
    ("Resource", "current"): "{side}AverageValue",
    ("ContainerResource", "current"): "{side}AverageValue",
    ("External", "current"): "{side}Value",
}
_BEHAVIOR_FIELDS = (
    ("StabilizationWindowSeconds", "stabilizationWindowSeconds"),
    ("SelectPolicy", "selectPolicy"),
    ("Policies", "policies"),
    ("Tolerance", "tolerance"),
)
_POLICY_FIELDS = (("Type", "type"), ("Value", "value"), ("PeriodSeconds", "periodSeconds"))


def _metric_to_v1(metric: Obj, side: str) -> Obj:
    kind = metric.get("type", "")
    if kind not in _SHAPES:
        return {"type": kind}
    field, shape = _SHAPES[kind]
    found: Obj = {}
    for name, steps in shape.items():
        value: Any = metric.get(field) or {}
        for step in steps:
            value = (value or {}).get(step.format(side=side))
        if value is None and name == _ALWAYS.get((kind, side)):
            value = "0"
        if value is not None:
            found[name.format(side=side)] = value
    return {"type": kind, field: found}


def _metric_to_v2(metric: Obj, side: str) -> Obj:
    kind = metric.get("type", "")
    if kind not in _SHAPES:
        return {"type": kind}
    field, shape = _SHAPES[kind]
    found: Obj = {}
    for name, steps in shape.items():
        value = (metric.get(field) or {}).get(name.format(side=side))
        if value is None or (name == _ALWAYS.get((kind, side)) and value == "0"):
            continue
        inner = found
        for step in steps[:-1]:
            inner = inner.setdefault(step.format(side=side), {})
        inner[steps[-1].format(side=side)] = value
    if side == "target":
        target = found.setdefault("target", {})
        kinds = (("averageUtilization", "Utilization"), ("averageValue", "AverageValue"), ("value", "Value"))
        target["type"] = next((t for f, t in kinds if f in target), "Value")
    return {"type": kind, field: found}


def _is_cpu(metric: Obj, side: str) -> bool:
    resource = metric.get("resource") or {}
    share = (resource.get(side) or {}).get("averageUtilization")
    return metric.get("type") == "Resource" and resource.get("name") == "cpu" and share is not None


def _dump(value: Any) -> str:
    return orjson.dumps(value).decode()


def from_hub(obj: Obj) -> Obj:
    """autoscaling/v2 to autoscaling/v1."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    added: dict[str, str] = {}
    v1_spec = {k: spec[k] for k in ("scaleTargetRef", "minReplicas", "maxReplicas") if k in spec}
    metrics = list(spec.get("metrics") or ())
    cpu = next((m for m in metrics if _is_cpu(m, "target")), None)
    if cpu is not None:
        v1_spec["targetCPUUtilizationPercentage"] = cpu["resource"]["target"]["averageUtilization"]
        metrics = [m for m in metrics if m is not cpu]
    if metrics:
        added[_METRICS] = _dump([_metric_to_v1(m, "target") for m in metrics])
    names = ("observedGeneration", "lastScaleTime", "currentReplicas", "desiredReplicas")
    v1_status = {"currentReplicas": 0, "desiredReplicas": 0} | {k: status[k] for k in names if k in status}
    current = status.get("currentMetrics") or []
    now = next((m for m in current if _is_cpu(m, "current")), None)
    if now is not None:
        v1_status["currentCPUUtilizationPercentage"] = now["resource"]["current"]["averageUtilization"]
    if current:
        added[_CURRENT] = _dump([_metric_to_v1(m, "current") for m in current])
    if status.get("conditions"):
        added[_CONDITIONS] = _dump(status["conditions"])
    if spec.get("behavior") is not None:
        added[_BEHAVIOR] = _dump(_behavior_to_go(spec["behavior"]))
    return _with_annotations(obj, v1_spec, v1_status, added, "autoscaling/v1")


def to_hub(obj: Obj) -> Obj:
    """autoscaling/v1 to autoscaling/v2. Annotations that do not parse are dropped, as upstream drops them."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    annotations = obj["metadata"].get("annotations") or {}
    v2_spec = {k: spec[k] for k in ("scaleTargetRef", "minReplicas", "maxReplicas") if k in spec}
    metrics = []
    share = spec.get("targetCPUUtilizationPercentage")
    if share is not None:
        target = {"type": "Utilization", "averageUtilization": share}
        metrics.append({"type": "Resource", "resource": {"name": "cpu", "target": target}})
    metrics += [_metric_to_v2(m, "target") for m in _load(annotations, _METRICS, [])]
    if metrics:
        v2_spec["metrics"] = metrics
    behavior = _load(annotations, _BEHAVIOR, None)
    if behavior is not None:
        v2_spec["behavior"] = _behavior_from_go(behavior)
    names = ("observedGeneration", "lastScaleTime", "currentReplicas", "desiredReplicas")
    v2_status: Obj = {"desiredReplicas": 0, "currentMetrics": None} | {k: status[k] for k in names if k in status}
    if not v2_status.get("currentReplicas"):
        v2_status.pop("currentReplicas", None)
    current = [_metric_to_v2(m, "current") for m in _load(annotations, _CURRENT, [])]
    used = status.get("currentCPUUtilizationPercentage")
    if used is not None and not current:
        value = {"name": "cpu", "current": {"averageUtilization": used}}
        current = [{"type": "Resource", "resource": value}]
    if current:
        v2_status["currentMetrics"] = current
    conditions = _load(annotations, _CONDITIONS, None)
    if conditions:
        v2_status["conditions"] = conditions
    return _with_annotations(obj, v2_spec, v2_status, {}, "autoscaling/v2")


def _load(annotations: Mapping[str, str], key: str, default: Any) -> Any:
    try:
        return orjson.loads(annotations[key])
    except (KeyError, orjson.JSONDecodeError):
        return default


def _with_annotations(obj: Obj, spec: Obj, status: Obj, added: dict[str, str], version: str) -> Obj:
    metadata = dict(obj["metadata"])
    kept = {k: v for k, v in (metadata.pop("annotations", None) or {}).items() if k not in _ALL} | added
    if kept:
        metadata["annotations"] = kept
    return {**obj, "apiVersion": version, "metadata": metadata, "spec": spec, "status": status}


def _behavior_to_go(behavior: Obj) -> Obj:
    """The internal struct, which has no JSON names."""

    def rules(given: Obj | None) -> Obj | None:
        if given is None:
            return None
        found = {go: given.get(name) for go, name in _BEHAVIOR_FIELDS}
        if found["Policies"] is not None:
            found["Policies"] = [{go: p.get(name) for go, name in _POLICY_FIELDS} for p in found["Policies"]]
        return found

    return {"ScaleUp": rules(behavior.get("scaleUp")), "ScaleDown": rules(behavior.get("scaleDown"))}


def _behavior_from_go(behavior: Obj) -> Obj:
    def rules(given: Obj) -> Obj:
        found = {name: given[go] for go, name in _BEHAVIOR_FIELDS if given.get(go) is not None}
        if "policies" in found:
            found["policies"] = [{name: p.get(go) for go, name in _POLICY_FIELDS} for p in found["policies"]]
        return found

    sides = (("ScaleUp", "scaleUp"), ("ScaleDown", "scaleDown"))
    return {name: rules(behavior[go]) for go, name in sides if behavior.get(go) is not None}
