"""HorizontalPodAutoscalers set the scale of their targets by metrics.

Stands for kube-controller-manager's podautoscaler/horizontal.go: scalemetrics.py asks the metrics, autoscaling.py
computes. Every 15 s, and at once when an autoscaler is made or changed (upstream waits for the next round).
"""

from __future__ import annotations

from collections.abc import Iterable

from fakeapi.clock import rfc3339
from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import AUTOSCALERS, PODS
from fakenodes.controllers import autoscaling
from fakenodes.controllers.autoscaling import Memory, MetricError
from fakenodes.controllers.base import Controller, Watch, Watching, Work, service_account
from fakenodes.controllers.scalemetrics import State, Sync, by_metrics, resource_of
from fakenodes.discovery import Resource
from fakenodes.informer import key_of

SYNC_SECONDS = 15.0
BELOW = "Current number of replicas below Spec.MinReplicas"
ABOVE = "Current number of replicas above Spec.MaxReplicas"


async def reconcile(work: Work) -> float | None:
    """One round of one autoscaler."""
    state: State = work.state
    hpa = work.get(AUTOSCALERS, work.key)
    if hpa is None:
        state.memories.pop(work.key, None)
        state.selectors.pop(work.key, None)
        return None
    sync = Sync(work, hpa, dict(hpa.get("status") or {}))
    await _run(sync, state.memories.setdefault(work.key, Memory()))
    if sync.status != (hpa.get("status") or {}):
        await work.client.update(AUTOSCALERS, {**hpa, "status": sync.status}, subresource="status")
    return SYNC_SECONDS


async def _run(sync: Sync, memory: Memory) -> None:
    spec, space = sync.hpa["spec"], sync.hpa["metadata"]["namespace"]
    target = spec["scaleTargetRef"]
    try:
        resource = await resource_of(sync.work, target)
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
            asked, metric = await by_metrics(sync)
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


async def _rescale(sync: Sync, resource: Resource, wanted: int, reason: str, memory: Memory) -> None:
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
