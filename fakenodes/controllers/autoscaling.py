"""How many replicas an autoscaler asks for, and how fast it may change its mind. Pure, but for what it remembers.

Stands for kube-controller-manager's podautoscaler/replica_calculator.go and the normalisation of horizontal.go, with
the default flags: tolerance 0.1, five minutes of stabilisation downwards, of CPU initialisation, 30 s of initial
readiness.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct, field

from fakeapi import quantity
from fakeapi.clock import parse_rfc3339
from fakenodes.client.base import Obj
from fakenodes.controllers.pods import condition, is_ready, phase

TOLERANCE = 0.1
DOWN_SECONDS, INIT_SECONDS, READY_SECONDS = 300.0, 300.0, 30.0
UP_FACTOR, UP_MINIMUM = 2.0, 4.0
NO_METRICS = "did not receive metrics for targeted pods (pods might be unready)"


class MetricError(Exception):
    """No number of replicas follows from the metric; the text is upstream's."""


class Sample(Struct, frozen=True):
    """A pod's metric in thousandths, as of when, over how many seconds."""

    value: int
    at: float
    window: float = 60.0


class Groups(Struct):
    """Pods by what their metrics are worth: counted ones, names of those not ready, without a metric, to leave out."""

    ready: int = 0
    unready: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    ignored: set[str] = field(default_factory=set)


def group(pods: Sequence[Obj], samples: Mapping[str, Sample], cpu: bool, now: float) -> Groups:
    """Sort the pods; the CPU of one that starts says nothing about its load."""
    found = Groups()
    for pod in pods:
        name = pod["metadata"]["name"]
        if pod["metadata"].get("deletionTimestamp") or phase(pod) == "Failed":
            found.ignored.add(name)
        elif phase(pod) == "Pending":
            found.unready.add(name)
        elif name not in samples:
            found.missing.add(name)
        elif cpu and _starting(pod, samples[name], now):
            found.unready.add(name)
        else:
            found.ready += 1
    return found


def _starting(pod: Obj, sample: Sample, now: float) -> bool:
    ready, start = condition(pod, "Ready"), (pod.get("status") or {}).get("startTime")
    if ready is None or not start:
        return True
    began = parse_rfc3339(start)
    changed = parse_rfc3339(ready["lastTransitionTime"]) if ready.get("lastTransitionTime") else 0.0
    if began + INIT_SECONDS > now:
        return bool(ready["status"] == "False") or sample.at < changed + sample.window
    return bool(ready["status"] == "False") and began + READY_SECONDS > changed


def utilization(samples: Mapping[str, Sample], requests: Mapping[str, int], target: int) -> tuple[float, int, int]:
    """(ratio to the target, percent of what was requested, average in thousandths). MetricError."""
    names = [n for n in samples if n in requests]
    total, asked = sum(samples[n].value for n in names), sum(requests[n] for n in names)
    if not asked:
        raise MetricError("no metrics returned matched known pods")
    current = int(total * 100 / asked)
    return current / target, current, total // len(names)


def average(samples: Mapping[str, Sample], target: int) -> tuple[float, int]:
    """(ratio to the target, average in thousandths)."""
    current = sum(x.value for x in samples.values()) // len(samples)
    return current / target, current


def proposal(
    current: int,
    groups: Groups,
    samples: dict[str, Sample],
    ratio: float,
    measure: Callable[[Mapping[str, Sample]], float],
    worst: Callable[[str], int],
    tolerance: tuple[float, float],
) -> int:
    """How many replicas the ratio asks for. samples: of the counted pods; measure: the ratio of samples; worst: what
    a pod without a metric is taken to use when there are too many."""
    up = bool(groups.unready) and ratio > 1.0
    if not up and not groups.missing:
        return current if within(ratio, tolerance) else math.ceil(ratio * groups.ready)
    filled = dict(samples)
    for name in groups.missing:
        filled[name] = Sample(worst(name) if ratio < 1.0 else 0, 0.0)
    if up:
        filled |= {name: Sample(0, 0.0) for name in groups.unready}
    new = measure(filled)
    if within(new, tolerance) or (ratio < 1.0) != (new < 1.0):
        return current
    wanted = math.ceil(new * len(filled))
    wrong = wanted > current if new < 1.0 else wanted < current
    return current if wrong else wanted


def within(ratio: float, tolerance: tuple[float, float] = (TOLERANCE, TOLERANCE)) -> bool:
    """Whether the ratio is near enough to one. tolerance: (downwards, upwards)."""
    return 1.0 - tolerance[0] <= ratio <= 1.0 + tolerance[1]


def by_total(current: int, ready: int, ratio: float, tolerance: tuple[float, float]) -> int:
    """Of a metric that is about all pods together."""
    if current == 0:
        return math.ceil(ratio)
    return current if within(ratio, tolerance) else math.ceil(ratio * ready)


def requests_of(pods: Sequence[Obj], name: str, container: str = "") -> dict[str, int]:
    """What each pod (or its one container) requests, in thousandths. MetricError when one says nothing."""
    found = {}
    for pod in pods:
        spec = pod["spec"]
        side = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
        total = 0
        for each in [*spec["containers"], *side]:
            if container and each["name"] != container:
                continue
            asked = ((each.get("resources") or {}).get("requests") or {}).get(name)
            if asked is None:
                where = f"container {each['name']} of Pod {pod['metadata']['name']}"
                raise MetricError(f"missing request for {name} in {where}")
            total += quantity.milli_value(asked)
        found[pod["metadata"]["name"]] = total
    return found


def ready_count(pods: Sequence[Obj]) -> int:
    """Running and ready pods."""
    return sum(phase(p) == "Running" and is_ready(p) for p in pods)


class Memory(Struct):
    """What an autoscaler remembers: recommendations and changes with their times."""

    recommended: list[tuple[float, int]] = field(default_factory=list)
    up: list[tuple[float, int]] = field(default_factory=list)
    down: list[tuple[float, int]] = field(default_factory=list)


class Decision(Struct):
    """The replicas to have, and the two conditions that say why: (status, reason, message) each."""

    replicas: int
    able: tuple[str, str, str]
    limited: tuple[str, str, str]


_READY = ("True", "ReadyForNewScale", "recommended size matches current size")
_DOWN = (
    "True",
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)
_UP = (
    "True",
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
_FAST = "the desired replica count is {} faster than the maximum scale rate"
_MORE = "the desired replica count is more than the maximum replica count"
_LESS = "the desired replica count is less than the minimum replica count"
_RANGE = ("False", "DesiredWithinRange", "the desired count is within the acceptable range")


def normalise(spec: Obj, memory: Memory, current: int, wanted: int, now: float) -> Decision:
    """Hold back what is too sudden, keep within the limits."""
    behavior = spec.get("behavior")
    stable, able = _stabilise(behavior, memory, current, wanted, now)
    low, high = spec.get("minReplicas", 1), spec["maxReplicas"]
    if behavior is None:
        limit = int(max(UP_FACTOR * current, UP_MINIMUM))
        reason = ("ScaleUpLimit", _FAST.format("increasing")) if high > limit else ("TooManyReplicas", _MORE)
        if stable < low:
            return Decision(low, able, ("True", "TooFewReplicas", _LESS))
        if stable > min(high, limit):
            return Decision(min(high, limit), able, ("True", *reason))
        return Decision(stable, able, _RANGE)
    if stable > current:
        limit = max(_limit_up(current, behavior["scaleUp"], memory, now), current)
        reason = ("ScaleUpLimit", _FAST.format("increasing")) if high > limit else ("TooManyReplicas", _MORE)
        if stable > min(high, limit):
            return Decision(min(high, limit), able, ("True", *reason))
    elif stable < current:
        limit = min(_limit_down(current, behavior["scaleDown"], memory, now), current)
        reason = ("ScaleDownLimit", _FAST.format("decreasing")) if low < limit else ("TooFewReplicas", _LESS)
        if stable < max(low, limit):
            return Decision(max(low, limit), able, ("True", *reason))
    return Decision(stable, able, _RANGE)


def _stabilise(
    behavior: Obj | None, memory: Memory, current: int, wanted: int, now: float
) -> tuple[int, tuple[str, str, str]]:
    up, down = 0.0, DOWN_SECONDS
    if behavior is not None:
        up = float(behavior["scaleUp"].get("stabilizationWindowSeconds") or 0)
        window = behavior["scaleDown"].get("stabilizationWindowSeconds")
        down = DOWN_SECONDS if window is None else float(window)
    memory.recommended = [x for x in memory.recommended if now - x[0] <= max(up, down)]
    rising = behavior is not None and wanted >= current
    recent = [n for at, n in memory.recommended if now - at < (up if rising else down)]
    memory.recommended.append((now, wanted))
    stable = min([wanted, *recent]) if rising else max([wanted, *recent])
    if behavior is not None:
        # What was recommended before holds a change back, and never makes one.
        stable = max(stable, current) if rising else min(stable, current)
    return stable, _READY if stable == wanted else _UP if rising else _DOWN


def _start(current: int, memory: Memory, seconds: float, now: float) -> int:
    """How many replicas there were at the beginning of the period."""
    added, deleted = (sum(n for at, n in events if now - at < seconds) for events in (memory.up, memory.down))
    return current - added + deleted


def _limit_up(current: int, rules: Obj, memory: Memory, now: float) -> int:
    if rules.get("selectPolicy") == "Disabled":
        return current
    found = []
    for policy in rules.get("policies") or ():
        start = _start(current, memory, policy["periodSeconds"], now)
        found.append(
            start + policy["value"] if policy["type"] == "Pods" else math.ceil(start * (1 + policy["value"] / 100))
        )
    return (min if rules.get("selectPolicy") == "Min" else max)(found, default=current)


def _limit_down(current: int, rules: Obj, memory: Memory, now: float) -> int:
    if rules.get("selectPolicy") == "Disabled":
        return current
    found = []
    for policy in rules.get("policies") or ():
        start = _start(current, memory, policy["periodSeconds"], now)
        found.append(start - policy["value"] if policy["type"] == "Pods" else int(start * (1 - policy["value"] / 100)))
    return max(found, default=current) if rules.get("selectPolicy") == "Min" else min(found, default=current)


def remember(memory: Memory, behavior: Obj | None, before: int, after: int, now: float) -> None:
    """A change that was made, for as long as some policy counts it."""
    if behavior is None:
        return
    for events, rules, change in (
        (memory.up, behavior["scaleUp"], after - before),
        (memory.down, behavior["scaleDown"], before - after),
    ):
        if change > 0:
            longest = max((p["periodSeconds"] for p in rules.get("policies") or ()), default=0)
            events[:] = [x for x in events if now - x[0] <= longest]
            events.append((now, change))
