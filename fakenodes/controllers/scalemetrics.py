"""What each metric of an autoscaler asks for: read by metrics.py, computed by autoscaling.py, told as upstream does.

Stands for the part of kube-controller-manager's podautoscaler/horizontal.go around computeReplicasForMetrics.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct, field

from fakeapi import quantity
from fakeapi.clock import rfc3339
from fakeapi.selectors import LabelSelector, SelectorError, parse_labels
from fakenodes.client.base import Obj
from fakenodes.client.gvrs import PODS
from fakenodes.controllers import autoscaling, metrics
from fakenodes.controllers.autoscaling import TOLERANCE, Memory, MetricError, Sample
from fakenodes.controllers.base import Work
from fakenodes.controllers.disruption import selector_text
from fakenodes.discovery import Resource, Resources, discover


class State(Struct):
    """What autoscalers remember and select, by key, and what the server offers."""

    memories: dict[str, Memory] = field(default_factory=dict)
    selectors: dict[str, LabelSelector] = field(default_factory=dict)
    resources: Resources | None = None


class Proposed(Struct):
    """What one metric asks for: replicas, its name in events, its current value."""

    replicas: int
    name: str
    status: Obj


class Sync(Struct):
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


async def resource_of(work: Work, target: Obj) -> Resource:
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


async def by_metrics(sync: Sync) -> tuple[int, str]:
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
        read, reason = _READERS[metric["type"]]
        try:
            found = await read(sync, metric)
        except MetricError as error:
            sync.tell("Warning", reason, str(error))
            failures.append((reason, str(error), where(metric)))
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


def _parsed(sync: Sync, text: str) -> LabelSelector:
    try:
        return parse_labels(text)
    except SelectorError as error:
        why = f"couldn't convert selector into a corresponding internal selector object: {error}"
        sync.tell("Warning", "InvalidSelector", why)
        sync.condition("ScalingActive", "False", "InvalidSelector", why)
        raise MetricError(why) from None


def _refuse_rivals(sync: Sync, chosen: LabelSelector) -> None:
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


def where(metric: Obj) -> str:
    """What the combined error says before that of a metric."""
    body = next(v for k, v in metric.items() if k != "type")
    name, each = (body.get("metric") or body)["name"], body["target"].get("averageValue") is not None
    if metric["type"] == "Pods":
        return "failed to get pods metric value"
    if metric["type"] == "Object":
        return "failed to get object metric value" + (f": failed to get {name} object metric" if each else "")
    if metric["type"] == "External":
        inner = f"failed to get {name} external metric" if each else f"failed to get external metric {name}"
        return f"failed to get {name} external metric value: {inner}"
    if metric["type"] == "ContainerResource":
        return f"failed to get {body['container']} container metric value"
    return f"failed to get {name} resource metric value"


def external_name(metric: Obj) -> str:
    """How a metric of the custom or external API with an average is called in events."""
    selector = metric.get("selector")
    return f"external metric {metric['name']}({selector_text(selector) if selector is not None else 'nil'})"


def _quantity(milli: int) -> str:
    return quantity.canonical(f"{milli}m")


async def _resource_metric(sync: Sync, metric: Obj) -> Proposed:
    """Resource and ContainerResource, by utilization or by average value."""
    kind = "resource" if "resource" in metric else "containerResource"
    body = metric[kind]
    name, container, target = body["name"], body.get("container", ""), body["target"]
    space = sync.hpa["metadata"]["namespace"]
    what = "usage" if target.get("averageValue") is not None else "utilization"
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
            label = f"{name} {'container resource' if container else 'resource'} utilization (percentage of request)"
    except MetricError as error:
        raise MetricError(f"failed to get {name} {what}: {error}") from None
    status = {"name": name, **({"container": container} if container else {}), "current": shown}
    return Proposed(replicas, label, {"type": metric["type"], kind: status})


def _counted(sync: Sync, samples: Mapping[str, Sample], cpu: bool) -> tuple[autoscaling.Groups, dict[str, Sample]]:
    groups = autoscaling.group(sync.pods, samples, cpu, sync.work.clock.now())
    known = {p["metadata"]["name"] for p in sync.pods} - groups.ignored - groups.unready
    counted = {n: x for n, x in samples.items() if n in known}
    if not counted:
        raise MetricError(autoscaling.NO_METRICS)
    return groups, counted


def _by_average(sync: Sync, groups: autoscaling.Groups, counted: dict[str, Sample], wanted: int) -> tuple[int, int]:
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


async def _pods_metric(sync: Sync, metric: Obj) -> Proposed:
    body = metric["pods"]
    wanted = quantity.milli_value(body["target"]["averageValue"])
    space = sync.hpa["metadata"]["namespace"]
    samples = await metrics.pods(sync.work.client, space, sync.selector, body["metric"])
    groups, counted = _counted(sync, samples, False)
    replicas, value = _by_average(sync, groups, counted, wanted)
    status = {"metric": body["metric"], "current": {"averageValue": _quantity(value)}}
    return Proposed(replicas, f"pods metric {body['metric']['name']}", {"type": "Pods", "pods": status})


async def _object_metric(sync: Sync, metric: Obj) -> Proposed:
    body = metric["object"]
    described = body["describedObject"]
    gvr = (await resource_of(sync.work, described)).gvr
    where = f"{gvr.resource}.{gvr.group}" if gvr.group else gvr.resource
    space = sync.hpa["metadata"]["namespace"]
    value = await metrics.of_object(sync.work.client, space, where, described, body["metric"])
    replicas, shown = _by_value(sync, body["target"], value)
    # Of an average upstream forgets whose it is.
    whole = "value" in shown
    about = described if whole else {"kind": "", "name": ""}
    status = {"describedObject": about, "metric": body["metric"], "current": shown}
    name = f"{described['kind']} metric {body['metric']['name']}" if whole else external_name(body["metric"])
    return Proposed(replicas, name, {"type": "Object", "object": status})


async def _external_metric(sync: Sync, metric: Obj) -> Proposed:
    body = metric["external"]
    value = await metrics.external(sync.work.client, sync.hpa["metadata"]["namespace"], body["metric"])
    replicas, shown = _by_value(sync, body["target"], value)
    return Proposed(
        replicas,
        external_name(body["metric"]),
        {"type": "External", "external": {"metric": body["metric"], "current": shown}},
    )


def _by_value(sync: Sync, target: Obj, value: int) -> tuple[int, Obj]:
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


_Reader = Callable[[Sync, Obj], Awaitable[Proposed]]
# metric type -> how it is read, the reason when it cannot be
_READERS: Mapping[str, tuple[_Reader, str]] = {
    "Resource": (_resource_metric, "FailedGetResourceMetric"),
    "ContainerResource": (_resource_metric, "FailedGetContainerResourceMetric"),
    "Pods": (_pods_metric, "FailedGetPodsMetric"),
    "Object": (_object_metric, "FailedGetObjectMetric"),
    "External": (_external_metric, "FailedGetExternalMetric"),
}
