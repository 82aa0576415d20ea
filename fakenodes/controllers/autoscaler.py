"""HorizontalPodAutoscalers set the scale of their targets by metrics.

Stands for kube-controller-manager's podautoscaler/horizontal.go: autoscaling.py computes, metrics.py asks. Every 15
s, and at once when an autoscaler is made or changed (upstream waits for the next round).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from fakeapi import quantity
from fakeapi.clock import rfc3339
from fakeapi.selectors import LabelSelector, SelectorError, parse_labels
from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import AUTOSCALERS, PODS
from fakenodes.controllers import autoscaling, metrics
from fakenodes.controllers.autoscaling import TOLERANCE, Memory, MetricError, Sample
from fakenodes.controllers.base import Controller, Watch, Watching, Work, service_account
from fakenodes.discovery import Resource, Resources, discover
from fakenodes.informer import key_of

SYNC_SECONDS = 15.0
BELOW = "Current number of replicas below Spec.MinReplicas"
ABOVE = "Current number of replicas above Spec.MaxReplicas"


@dataclass(slots=True)
class State:
    """What autoscalers remember and select, by key, and what the server offers."""

    memories: dict[str, Memory] = field(default_factory=dict)
    selectors: dict[str, LabelSelector] = field(default_factory=dict)
    resources: Resources | None = None


@dataclass(slots=True)
class Proposed:
    """What one metric asks for: replicas, its name in events, its current value."""

    replicas: int
    name: str
    status: Obj


@dataclass(slots=True)
class _Sync:
    """One reconcile: the autoscaler, its status as it grows, the scale and the pods of its target."""

    work: Work
    hpa: Obj
    status: Obj
    scale: Obj = field(default_factory=dict)
    selector: str = ""
    pods: list[Obj] = field(default_factory=list)
    values: list[Obj] | None = None

    @property
    def current(self) -> int:
        return int((self.scale.get("spec") or {}).get("replicas", 0))

    @property
    def tolerance(self) -> tuple[float, float]:
        behavior = self.hpa["spec"].get("behavior") or {}
        found = [(behavior.get(k) or {}).get("tolerance") for k in ("scaleDown", "scaleUp")]
        down, up = (TOLERANCE if x is None else quantity.milli_value(str(x)) / 1000 for x in found)
        return down, up

    def condition(self, type: str, status: str, reason: str, message: str) -> None:
        """Set one; the time is that of a change of status."""
        old = self.status.get("conditions") or []
        before = next((c for c in old if c["type"] == type), None)
        same = before is not None and before["status"] == status
        since = before["lastTransitionTime"] if before and same else rfc3339(self.work.clock.now())
        new = {"type": type, "status": status, "lastTransitionTime": since, "reason": reason, "message": message}
        self.status["conditions"] = [new if c is before else c for c in old] if before else [*old, new]

    def counts(self, current: int, desired: int, values: list[Obj] | None) -> None:
        """The numbers of the status; zero replicas are left out."""
        self.status.pop("currentReplicas", None)
        if current:
            self.status["currentReplicas"] = current
        self.status["desiredReplicas"] = desired
        self.status["currentMetrics"] = values or None

    def tell(self, type: str, reason: str, message: str) -> None:
        self.work.event(self.hpa, type, reason, message)


async def reconcile(work: Work) -> float | None:
    """One round of one autoscaler."""
    state: State = work.state
    hpa = work.get(AUTOSCALERS, work.key)
    if hpa is None:
        state.memories.pop(work.key, None)
        state.selectors.pop(work.key, None)
        return None
    sync = _Sync(work, hpa, dict(hpa.get("status") or {}))
    await _run(sync, state.memories.setdefault(work.key, Memory()))
    if sync.status != (hpa.get("status") or {}):
        await work.client.update(AUTOSCALERS, {**hpa, "status": sync.status}, subresource="status")
    return SYNC_SECONDS


async def _run(sync: _Sync, memory: Memory) -> None:
    spec, space = sync.hpa["spec"], sync.hpa["metadata"]["namespace"]
    target = spec["scaleTargetRef"]
    try:
        resource = await _resource(sync.work, target)
        sync.scale = await sync.work.client.get(resource.gvr, target["name"], space, subresource="scale")
    except (ClientError, MetricError) as error:
        sync.tell("Warning", "FailedGetScale", str(error))
        text = f"the HPA controller was unable to get the target's current scale: {error}"
        sync.condition("AbleToScale", "False", "FailedGetScale", text)
        return
    text = "the HPA controller was able to get the target's current scale"
    sync.condition("AbleToScale", "True", "SucceededGetScale", text)
    current, now = sync.current, sync.work.clock.monotonic()
    if not memory.recommended:
        memory.recommended.append((now, current))
    low, high = spec.get("minReplicas", 1), spec["maxReplicas"]
    if current == 0 and low != 0:
        text = "scaling is disabled since the replica count of the target is zero"
        sync.condition("ScalingActive", "False", "ScalingDisabled", text)
        sync.counts(0, 0, None)
        return
    if current > high:
        wanted, reason = high, ABOVE
    elif current < low:
        wanted, reason = low, BELOW
    else:
        try:
            asked, metric = await _by_metrics(sync)
        except MetricError as error:
            sync.counts(current, int(sync.status.get("desiredReplicas") or 0), sync.values)
            sync.tell("Warning", "FailedComputeMetricsReplicas", str(error))
            return
        reason = f"{metric} above target" if asked > current else "All metrics below target"
        decision = autoscaling.normalise(spec, memory, current, asked, now)
        wanted = decision.replicas
        sync.condition("AbleToScale", *decision.able)
        sync.condition("ScalingLimited", *decision.limited)
    if wanted == current:
        sync.counts(current, current, sync.values)
        return
    await _rescale(sync, resource, wanted, reason, memory)


async def _rescale(sync: _Sync, resource: Resource, wanted: int, reason: str, memory: Memory) -> None:
    current = sync.current
    try:
        await sync.work.client.update(resource.gvr, {**sync.scale, "spec": {"replicas": wanted}}, subresource="scale")
    except ClientError as error:
        sync.tell("Warning", "FailedRescale", f"New size: {wanted}; reason: {reason}; error: {error}")
        text = f"the HPA controller was unable to update the target scale: {error}"
        sync.condition("AbleToScale", "False", "FailedUpdateScale", text)
        sync.counts(current, int(sync.status.get("desiredReplicas") or 0), sync.values)
        return
    text = f"the HPA controller was able to update the target scale to {wanted}"
    sync.condition("AbleToScale", "True", "SucceededRescale", text)
    sync.tell("Normal", "SuccessfulRescale", f"New size: {wanted}; reason: {reason}")
    autoscaling.remember(memory, sync.hpa["spec"].get("behavior"), current, wanted, sync.work.clock.monotonic())
    sync.counts(current, wanted, sync.values)
    sync.status["lastScaleTime"] = rfc3339(sync.work.clock.now())


async def _resource(work: Work, target: Obj) -> Resource:
    """The resource of the target's kind, of another version if need be. MetricError for a kind that nobody knows."""
    state: State = work.state
    group = target["apiVersion"].rpartition("/")[0] if "/" in target.get("apiVersion", "") else ""
    for fresh in (False, True):
        if fresh or state.resources is None:
            state.resources = await discover(work.client)
        found = state.resources.by_kind(target.get("apiVersion", ""), target["kind"]) or next(
            (r for r in state.resources.every if (r.gvr.group, r.kind) == (group, target["kind"])), None
        )
        if found is not None:
            return found
    raise MetricError(f'no matches for kind "{target["kind"]}" in group "{group}"')


# ---------------------------------------------------------------- metrics


async def _by_metrics(sync: _Sync) -> tuple[int, str]:
    """(replicas, the metric that asks for them); what is read goes into sync.values, a metric that cannot be read as
    one of no type. MetricError when no count can be trusted."""
    text = (sync.scale.get("status") or {}).get("selector", "")
    if not text:
        sync.tell("Warning", "SelectorRequired", "selector is required")
        sync.condition("ScalingActive", "False", "InvalidSelector", "the HPA target's scale is missing a selector")
        raise MetricError("selector is required")
    sync.selector = text
    chosen = _parsed(sync, text)
    space = sync.hpa["metadata"]["namespace"]
    sync.pods = [p for p in sync.work.list(PODS, space) if chosen.matches(p["metadata"].get("labels") or {})]
    _refuse_rivals(sync, chosen)
    best: Proposed | None = None
    sync.values = []
    failures: list[tuple[str, str, str]] = []
    asked = sync.hpa["spec"].get("metrics") or []
    for metric in asked:
        read, reason, label = _READERS[metric["type"]]
        try:
            found = await read(sync, metric)
        except MetricError as error:
            sync.tell("Warning", reason, str(error))
            failures.append((reason, str(error), label.format(*_named(metric))))
            sync.values.append({"type": ""})
            continue
        sync.values.append(found.status)
        if best is None or found.replicas > best.replicas:
            best = found
    if best is None or (failures and best.replicas < sync.current):
        reason, why, label = failures[0] if failures else ("FailedGetResourceMetric", "no metrics", "")
        sync.condition("ScalingActive", "False", reason, f"the HPA was unable to compute the replica count: {why}")
        counts = f"{len(failures)} invalid out of {len(asked)}"
        raise MetricError(f"invalid metrics ({counts}), first error is: {label}: {why}")
    text = f"the HPA was able to successfully calculate a replica count from {best.name}"
    sync.condition("ScalingActive", "True", "ValidMetricFound", text)
    return best.replicas, best.name


def _parsed(sync: _Sync, text: str) -> LabelSelector:
    try:
        return parse_labels(text)
    except SelectorError as error:
        why = f"couldn't convert selector into a corresponding internal selector object: {error}"
        sync.tell("Warning", "InvalidSelector", why)
        sync.condition("ScalingActive", "False", "InvalidSelector", why)
        raise MetricError(why) from None


def _refuse_rivals(sync: _Sync, chosen: LabelSelector) -> None:
    """Of several autoscalers of a pod none works. MetricError."""
    selectors = sync.work.state.selectors
    selectors[sync.work.key] = chosen
    space = sync.hpa["metadata"]["namespace"]
    labels = [p["metadata"].get("labels") or {} for p in sync.pods]
    rivals = sorted(
        key for key, other in selectors.items() if key.startswith(f"{space}/") and any(map(other.matches, labels))
    )
    if len(rivals) > 1:
        why = f"pods by selector {sync.selector} are controlled by multiple HPAs: [{' '.join(rivals)}]"
        sync.tell("Warning", "AmbiguousSelector", why)
        sync.condition("ScalingActive", "False", "AmbiguousSelector", why)
        raise MetricError(why)


def _named(metric: Obj) -> tuple[str]:
    body = next(v for k, v in metric.items() if k != "type")
    return (str(body.get("name") or (body.get("metric") or {}).get("name", "")),)


def _quantity(milli: int) -> str:
    return quantity.canonical(f"{milli}m")


async def _resource_metric(sync: _Sync, metric: Obj) -> Proposed:
    """Resource and ContainerResource, by utilization or by average value."""
    kind = "resource" if "resource" in metric else "containerResource"
    body = metric[kind]
    name, container, target = body["name"], body.get("container", ""), body["target"]
    space = sync.hpa["metadata"]["namespace"]
    try:
        samples = await metrics.resource(sync.work.client, space, sync.selector, name, container)
        groups, counted = _counted(sync, samples, name == "cpu")
        if target.get("averageValue") is not None:
            wanted = quantity.milli_value(target["averageValue"])
            replicas, value = _by_average(sync, groups, counted, wanted)
            shown: Obj = {"averageValue": _quantity(value)}
            label = f"{name} resource"
        else:
            percent = target["averageUtilization"]
            alive = [p for p in sync.pods if p["metadata"]["name"] not in groups.ignored]
            asked = autoscaling.requests_of(alive, name, container)
            ratio, share, value = autoscaling.utilization(counted, asked, percent)
            replicas = autoscaling.proposal(
                sync.current,
                groups,
                counted,
                ratio,
                lambda s: autoscaling.utilization(s, asked, percent)[0],
                lambda pod: asked[pod] * max(100, percent) // 100,
                sync.tolerance,
            )
            shown = {"averageUtilization": share, "averageValue": _quantity(value)}
            label = f"{name} resource utilization (percentage of request)"
    except MetricError as error:
        raise MetricError(f"failed to get {name} utilization: {error}") from None
    status = {"name": name, **({"container": container} if container else {}), "current": shown}
    if container:
        label = label.replace(f"{name} resource", f"{name} container resource", 1)
    return Proposed(replicas, label, {"type": metric["type"], kind: status})


def _counted(sync: _Sync, samples: Mapping[str, Sample], cpu: bool) -> tuple[autoscaling.Groups, dict[str, Sample]]:
    groups = autoscaling.group(sync.pods, samples, cpu, sync.work.clock.now())
    known = {p["metadata"]["name"] for p in sync.pods} - groups.ignored - groups.unready
    counted = {n: x for n, x in samples.items() if n in known}
    if not counted:
        raise MetricError(autoscaling.NO_METRICS)
    return groups, counted


def _by_average(sync: _Sync, groups: autoscaling.Groups, counted: dict[str, Sample], wanted: int) -> tuple[int, int]:
    """The replicas that a wanted average value asks for, and the average as it is."""
    ratio, value = autoscaling.average(counted, wanted)
    replicas = autoscaling.proposal(
        sync.current,
        groups,
        counted,
        ratio,
        lambda s: autoscaling.average(s, wanted)[0],
        lambda _: wanted,
        sync.tolerance,
    )
    return replicas, value


async def _pods_metric(sync: _Sync, metric: Obj) -> Proposed:
    body = metric["pods"]
    wanted = quantity.milli_value(body["target"]["averageValue"])
    space = sync.hpa["metadata"]["namespace"]
    samples = await metrics.pods(sync.work.client, space, sync.selector, body["metric"])
    groups, counted = _counted(sync, samples, False)
    replicas, value = _by_average(sync, groups, counted, wanted)
    status = {"metric": body["metric"], "current": {"averageValue": _quantity(value)}}
    return Proposed(replicas, f"pods metric {body['metric']['name']}", {"type": "Pods", "pods": status})


async def _object_metric(sync: _Sync, metric: Obj) -> Proposed:
    body = metric["object"]
    described = body["describedObject"]
    gvr = (await _resource(sync.work, described)).gvr
    where = f"{gvr.resource}.{gvr.group}" if gvr.group else gvr.resource
    space = sync.hpa["metadata"]["namespace"]
    value = await metrics.of_object(sync.work.client, space, where, described, body["metric"])
    replicas, shown = _by_value(sync, body["target"], value)
    status = {"describedObject": described, "metric": body["metric"], "current": shown}
    name = f"{described['kind']} metric {body['metric']['name']}"
    return Proposed(replicas, name, {"type": "Object", "object": status})


async def _external_metric(sync: _Sync, metric: Obj) -> Proposed:
    body = metric["external"]
    value = await metrics.external(sync.work.client, sync.hpa["metadata"]["namespace"], body["metric"])
    replicas, shown = _by_value(sync, body["target"], value)
    name = f"external metric {body['metric']['name']}(nil)"
    return Proposed(replicas, name, {"type": "External", "external": {"metric": body["metric"], "current": shown}})


def _by_value(sync: _Sync, target: Obj, value: int) -> tuple[int, Obj]:
    """Of one value about all pods: against a target in all, or for each."""
    if target.get("value") is not None:
        ratio = value / quantity.milli_value(target["value"])
        replicas = autoscaling.by_total(sync.current, autoscaling.ready_count(sync.pods), ratio, sync.tolerance)
        return replicas, {"value": _quantity(value)}
    wanted = quantity.milli_value(target["averageValue"])
    running = int((sync.scale.get("status") or {}).get("replicas", 0))
    each = -(-value // running) if running else value
    near = running and autoscaling.within(value / (wanted * running), sync.tolerance)
    return running if near else -(-value // wanted), {"averageValue": _quantity(each)}


_Reader = Callable[[_Sync, Obj], Awaitable[Proposed]]
# metric type -> how it is read, the reason when it cannot be, what the combined error calls it
_READERS: Mapping[str, tuple[_Reader, str, str]] = {
    "Resource": (_resource_metric, "FailedGetResourceMetric", "failed to get {} resource metric value"),
    "ContainerResource": (
        _resource_metric,
        "FailedGetContainerResourceMetric",
        "failed to get {} container metric value",
    ),
    "Pods": (_pods_metric, "FailedGetPodsMetric", "failed to get pods metric value"),
    "Object": (_object_metric, "FailedGetObjectMetric", "failed to get object metric value"),
    "External": (_external_metric, "FailedGetExternalMetric", "failed to get {} external metric value"),
}


def _changed(_: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    """New autoscalers, changed ones and those that are gone; not their status."""
    found = new or old
    assert found is not None
    return () if old is not None and new is not None and old["spec"] == new["spec"] else (key_of(found),)


AUTOSCALER = Controller(
    "horizontal-pod-autoscaler-controller",
    "horizontalpodautoscaling",
    service_account("horizontal-pod-autoscaler"),
    (Watch(AUTOSCALERS, _changed), Watch(PODS, None)),
    reconcile,
    "horizontal-pod-autoscaler",
    State,
)
