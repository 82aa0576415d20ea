"""PodDisruptionBudgets: how many of the selected pods may be disrupted just now.

Stands for kube-controller-manager's pkg/controller/disruption. The expected number of pods is asked of their
controllers' scale; evictions that came to nothing are forgotten. Pod keys stand for stale DisruptionTarget
conditions. Leaves out metrics.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field

from fakeapi.clock import parse_rfc3339, rfc3339
from fakeapi.selectors import LabelSelector, SelectorError, from_label_selector
from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import (
    DEPLOYMENTS,
    DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
    STATEFUL_SETS,
)
from fakenodes.controllers.base import Controller, Watch, Watching, Work, itself, service_account
from fakenodes.controllers.pods import condition, is_ready, is_terminated
from fakenodes.discovery import Resources, discover
from fakenodes.informer import key_of, split_key
from fakenodes.owners import controller_of

POD, SEVERAL = "pod|", "several|"
DELETION_SECONDS, STALE_SECONDS = 120.0, 120.0
KNOWN = {"ReplicationController": REPLICATION_CONTROLLERS, "ReplicaSet": REPLICA_SETS, "StatefulSet": STATEFUL_SETS}
UNMANAGED = (
    "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. As a result, the status of "
    "the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please "
    'set ".spec.minAvailable" field of the PDB to an integer value.'
)


class ScaleError(Exception):
    """The expected number of pods cannot be told."""


class State(Struct):
    """What the server offers, once it has been asked."""

    resources: Resources | None = None


class Expected(Struct):
    """The number of pods that their controllers want; whether some pod has none."""

    count: int = 0
    unmanaged: bool = False


def scaled(value: int | str, total: int) -> int:
    """An int, or a percentage of total rounded up."""
    return value if isinstance(value, int) else math.ceil(int(value.rstrip("%")) * total / 100)


def desired(spec: Obj, expected: int) -> int:
    """How many pods have to be healthy."""
    if spec.get("maxUnavailable") is not None:
        return max(expected - scaled(spec["maxUnavailable"], expected), 0)
    return scaled(spec["minAvailable"], expected) if spec.get("minAvailable") is not None else 0


def needs_scale(spec: Obj) -> bool:
    """Whether the budget is a share of what the pods' controllers want."""
    return spec.get("maxUnavailable") is not None or isinstance(spec.get("minAvailable"), str)


class Plan(Struct):
    """The status to write, pods whose eviction came to nothing, and when to look again."""

    status: Obj = field(default_factory=dict)
    not_deleted: list[Obj] = field(default_factory=list)
    again: float | None = None


def plan(budget: Obj, pods: Sequence[Obj], expected: int, now: float) -> Plan:
    """What the budget's status is to say. expected: how many pods there should be."""
    found = Plan()
    old = budget.get("status") or {}
    wanted = desired(budget["spec"], expected)
    evicted: dict[str, str] = {}
    healthy = 0
    for pod in pods:
        if pod["metadata"].get("deletionTimestamp"):
            continue
        stamp = (old.get("disruptedPods") or {}).get(pod["metadata"]["name"])
        left = parse_rfc3339(stamp) + DELETION_SECONDS - now if stamp else -1.0
        if stamp and left < 0:
            found.not_deleted.append(pod)
        elif stamp:
            evicted[pod["metadata"]["name"]] = stamp
            found.again = min(found.again or left, left)
        if left <= 0 and is_ready(pod):
            healthy += 1
    allowed = max(healthy - wanted, 0) if expected > 0 else 0
    generation = budget["metadata"].get("generation", 0)
    found.status = {
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": wanted,
        "expectedPods": expected,
        "observedGeneration": generation,
        **({"disruptedPods": evicted} if evicted else {}),
    }
    reason = ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
    found.status["conditions"] = conditions(old.get("conditions") or (), *reason, "", generation, now)
    return found


def conditions(old: Sequence[Obj], status: str, reason: str, message: str, generation: int, now: float) -> list[Obj]:
    """The conditions with DisruptionAllowed as given."""
    before = next((c for c in old if c["type"] == "DisruptionAllowed"), None)
    since = before["lastTransitionTime"] if before and before["status"] == status else rfc3339(now)
    new = {
        "type": "DisruptionAllowed",
        "status": status,
        "observedGeneration": generation,
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }
    return [new if c is before else c for c in old] if before else [*old, new]


def stale_in(pod: Obj, now: float) -> float | None:
    """Seconds until the pod's DisruptionTarget condition is stale; None when it never is."""
    found = condition(pod, "DisruptionTarget")
    if found is None or found["status"] != "True" or found.get("reason") == "TerminationByKubelet":
        return None
    if pod["metadata"].get("deletionTimestamp") or is_terminated(pod):
        return None
    return max(parse_rfc3339(found["lastTransitionTime"]) + STALE_SECONDS - now, 0.0)


def selector_of(budget: Obj) -> LabelSelector:
    """The selector: none selects nothing, an empty one everything."""
    selector = budget["spec"].get("selector")
    try:
        return from_label_selector(selector) if selector is not None else LabelSelector(never=True)
    except SelectorError:
        return LabelSelector(never=True)


async def reconcile(work: Work) -> float | None:
    """Write the budget's status when it has changed; for a pod, take back a condition that has become stale."""
    if work.key.startswith(SEVERAL):
        _tell_of_several(work, *work.key.removeprefix(SEVERAL).split("|"))
        return None
    if work.key.startswith(POD):
        return await _unmark(work, work.get(PODS, work.key.removeprefix(POD)))
    budget = work.get(DISRUPTION_BUDGETS, work.key)
    if budget is None:
        return None
    selector = selector_of(budget)
    pods = [
        p
        for p in work.list(PODS, budget["metadata"]["namespace"])
        if selector.matches(p["metadata"].get("labels") or {})
    ]
    if not pods:
        work.event(budget, "Normal", "NoPods", "No matching pods found")
    try:
        found = plan(budget, pods, await _expected(work, budget, pods), work.clock.now())
    except ScaleError as error:
        text = f"Failed to calculate the number of expected pods: {error}"
        work.event(budget, "Warning", "CalculateExpectedPodCountFailed", text)
        await _write(work, budget, _failed(budget, str(error), work.clock.now()))
        return None
    space = budget["metadata"]["namespace"]
    for pod in found.not_deleted:
        text = f"Pod was expected by PDB {space}/{space} to be deleted but it wasn't"  # upstream's slip: no name
        work.event(pod, "Warning", "NotDeleted", text)
    await _write(work, budget, found.status)
    return found.again


def _tell_of_several(work: Work, key: str, name: str) -> None:
    pod = work.get(PODS, key)
    if pod is not None:
        space, own = pod["metadata"]["namespace"], pod["metadata"]["name"]
        text = f'Pod "{space}"/"{own}" matches multiple PodDisruptionBudgets.  Chose "{name}" arbitrarily.'
        work.event(pod, "Warning", "MultiplePodDisruptionBudgets", text)


def _failed(budget: Obj, error: str, now: float) -> Obj:
    status = budget.get("status") or {}
    counts = dict.fromkeys(("currentHealthy", "desiredHealthy", "expectedPods"), 0)
    found = conditions(
        status.get("conditions") or (), "False", "SyncFailed", error, status.get("observedGeneration", 0), now
    )
    return {**counts, **status, "disruptionsAllowed": 0, "conditions": found}


async def _write(work: Work, budget: Obj, status: Obj) -> None:
    if status != (budget.get("status") or {}):
        await work.update(DISRUPTION_BUDGETS, {**budget, "status": status}, "status")


async def _unmark(work: Work, pod: Obj | None) -> float | None:
    left = stale_in(pod, work.clock.now()) if pod is not None else None
    if pod is None or left is None or left > 0:
        return left
    old = condition(pod, "DisruptionTarget")
    fresh = {
        "type": "DisruptionTarget",
        "status": "False",
        "lastProbeTime": None,
        "lastTransitionTime": rfc3339(work.clock.now()),
    }
    if pod["metadata"].get("generation"):
        fresh["observedGeneration"] = pod["metadata"]["generation"]
    found = [fresh if c is old else c for c in pod["status"]["conditions"]]
    await work.update(PODS, {**pod, "status": {**pod["status"], "conditions": found}}, "status")
    return None


async def _expected(work: Work, budget: Obj, pods: Sequence[Obj]) -> int:
    """How many pods there should be. ScaleError."""
    if not needs_scale(budget["spec"]):
        return len(pods)
    scales: dict[str, int] = {}
    unmanaged = False
    for pod in pods:
        reference = controller_of(pod)
        if reference is None:
            unmanaged = True
        elif reference["uid"] not in scales:
            uid, count = await _scale(work, reference, pod)
            scales[reference["uid"]] = 0
            scales[uid] = count
    if unmanaged:
        text = UNMANAGED.format(selector_text(budget["spec"].get("selector") or {}))
        work.event(budget, "Warning", "UnmanagedPods", text)
    return sum(scales.values())


async def _scale(work: Work, reference: Obj, pod: Obj) -> tuple[str, int]:
    """The controller (a ReplicaSet's Deployment in its place) by uid, and how many pods it wants."""
    space = pod["metadata"]["namespace"]
    key = f"{space}/{reference['name']}"
    gvr = KNOWN.get(reference["kind"])
    owner = work.get(gvr, key) if gvr is not None else None
    if owner is not None and owner["metadata"]["uid"] == reference["uid"]:
        above = controller_of(owner)
        if reference["kind"] == "ReplicaSet" and above is not None and above["kind"] == "Deployment":
            deployment = work.get(DEPLOYMENTS, f"{space}/{above['name']}")
            if deployment is not None and deployment["metadata"]["uid"] == above["uid"]:
                owner = deployment
        return owner["metadata"]["uid"], owner["spec"].get("replicas", 1)
    return await _scale_of_other(work, reference, pod)


async def _scale_of_other(work: Work, reference: Obj, pod: Obj) -> tuple[str, int]:
    """By the scale subresource, whatever the kind."""
    missing = ScaleError(f'found no controllers for pod "{pod["metadata"]["name"]}"')
    state: State = work.state
    resource = state.resources.by_kind(reference["apiVersion"], reference["kind"]) if state.resources else None
    if resource is None:
        state.resources = await discover(work.client)
        resource = state.resources.by_kind(reference["apiVersion"], reference["kind"])
    if resource is None:
        raise missing
    space = pod["metadata"]["namespace"]
    try:
        found = await work.client.get(resource.gvr, reference["name"], space, subresource="scale")
    except ClientError as error:
        if error.code == 403:
            raise ScaleError(str(error)) from None
        if error.code != 404:
            raise
        name = f"{resource.gvr.resource}.{resource.gvr.group}" if resource.gvr.group else resource.gvr.resource
        if reference["kind"] in KNOWN or (error.status.get("details") or {}).get("name") == reference["name"]:
            raise missing from None
        raise ScaleError(f"{name} does not implement the scale subresource") from None
    if found["metadata"].get("uid") != reference["uid"]:
        raise missing
    return reference["uid"], (found.get("spec") or {}).get("replicas", 0)


def selector_text(selector: Mapping[str, object]) -> str:
    """A LabelSelector as Go prints a pointer to it."""
    labels = selector.get("matchLabels")
    pairs = "".join(f"{k}: {v}," for k, v in sorted(labels.items())) if isinstance(labels, dict) else ""
    terms = selector.get("matchExpressions")
    each = "".join(
        f"LabelSelectorRequirement{{Key:{t['key']},Operator:{t['operator']},Values:[{values}],}},"
        for t in (terms if isinstance(terms, list) else ())
        for values in [" ".join(t.get("values") or ())]
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{pairs}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{each}}},}}"
    )


def _of_pod(watching: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    """The budgets that select the pod, before and after. Several are an error of the user's, which is told; upstream
    then keeps but one of them current.
    """
    found: list[str] = []
    for pod in (old, new):
        if pod is None:
            continue
        labels = pod["metadata"].get("labels") or {}
        budgets = watching.list(DISRUPTION_BUDGETS, pod["metadata"]["namespace"])
        keys = [key_of(b) for b in budgets if selector_of(b).matches(labels)]
        found += keys
        if len(keys) > 1 and pod is new:
            found.append(f"{SEVERAL}{key_of(pod)}|{split_key(keys[0])[1]}")
    if new is not None and condition(new, "DisruptionTarget") is not None:
        found.append(f"{POD}{key_of(new)}")
    return found


DISRUPTION = Controller(
    "disruption-controller",
    "disruption",
    service_account("disruption-controller"),
    (
        Watch(DISRUPTION_BUDGETS, itself),
        Watch(PODS, _of_pod),
        Watch(REPLICATION_CONTROLLERS, None),
        Watch(REPLICA_SETS, None),
        Watch(DEPLOYMENTS, None),
        Watch(STATEFUL_SETS, None),
    ),
    reconcile,
    "controllermanager",
    State,
)
