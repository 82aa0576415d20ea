"""DaemonSets: one pod on every node that will have it.

Stands for kube-controller-manager's pkg/controller/daemon. The scheduler places the pods, which name their node by
affinity. Rolling updates keep maxUnavailable, or surge. Leaves out history beyond ControllerRevisions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fakeapi.selectors import LabelSelector, SelectorError, from_label_selector
from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS
from fakenodes.controllers.base import Controller, Watch, Watching, Work, service_account
from fakenodes.controllers.claiming import OwnerKind, claim_all, selecting, to_owner
from fakenodes.controllers.deployments.sets import created, scaled
from fakenodes.controllers.history import REVISION_LABEL, revision_of, sync, truncate
from fakenodes.controllers.pods import available_in, from_template, is_ready, phase
from fakenodes.informer import key_of
from fakenodes.owners import by_controller, controller_reference
from fakenodes.scheduler.matching import node_terms, untolerated

OWNER = OwnerKind(DAEMON_SETS, "apps/v1", "DaemonSet")
GENERATION_LABEL = "pod-template-generation"
GENERATION_MARK = "deprecated.daemonset.template.generation"
BURST = 250
FAILED_SECONDS, FAILED_CAP = 1.0, 900.0
# util.AddOrUpdateDaemonPodTolerations: what every daemon pod tolerates. key, effect
_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
_HOST_NETWORK = (("node.kubernetes.io/network-unavailable", "NoSchedule"),)


@dataclass(slots=True)
class Plan:
    """Nodes that need a pod, pods to delete (failed ones apart: they are told of), the status, when to look again."""

    create: list[str] = field(default_factory=list)
    delete: list[Obj] = field(default_factory=list)
    failed: list[Obj] = field(default_factory=list)
    status: Obj = field(default_factory=dict)
    again: float | None = None


def selector_of(owner: Obj) -> LabelSelector:
    """The selector; an empty or broken one selects nothing."""
    selector = owner["spec"].get("selector")
    try:
        return from_label_selector(selector) if selector else LabelSelector(never=True)
    except SelectorError:
        return LabelSelector(never=True)


def tolerations(owner: Obj) -> list[Obj]:
    """The template's tolerations and those that every daemon pod has."""
    spec = owner["spec"]["template"]["spec"]
    found: list[Obj] = list(spec.get("tolerations") or ())
    for key, effect in (*_TOLERATED, *(_HOST_NETWORK if spec.get("hostNetwork") else ())):
        found = [
            t
            for t in found
            if not (t.get("key") == key and t.get("effect") == effect and t.get("operator") == "Exists")
        ]
        found.append({"key": key, "operator": "Exists", "effect": effect})
    return found


def fits(owner: Obj, node: Obj) -> tuple[bool, bool]:
    """(whether a pod should be started there, whether one that is there may stay)."""
    spec = owner["spec"]["template"]["spec"]
    labels = node["metadata"].get("labels") or {}
    if spec.get("nodeName") not in (None, "", node["metadata"]["name"]):
        return False, False
    if any(labels.get(k) != v for k, v in (spec.get("nodeSelector") or {}).items()):
        return False, False
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    if required is not None and not any(
        t.matches(node["metadata"]["name"], labels) for t in node_terms(required.get("nodeSelectorTerms"))
    ):
        return False, False
    taints, tolerated = (node["spec"].get("taints") or ()) if node.get("spec") else (), tolerations(owner)
    stays = untolerated(taints, tolerated, ("NoExecute",)) is None
    return stays and untolerated(taints, tolerated, ("NoSchedule",)) is None, stays


def node_of(pod: Obj) -> str:
    """The node that the pod is on, or is meant for."""
    if pod["spec"].get("nodeName"):
        return str(pod["spec"]["nodeName"])
    affinity = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ) or {}
    for term in affinity.get("nodeSelectorTerms") or ():
        for each in term.get("matchFields") or ():
            if each.get("key") == "metadata.name" and each.get("operator") == "In" and len(each["values"]) == 1:
                return str(each["values"][0])
    return ""


def revision_label(pod: Obj) -> str:
    """The revision that a pod was made from."""
    return str((pod["metadata"].get("labels") or {}).get(REVISION_LABEL, ""))


def _going(pod: Obj) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def plan(owner: Obj, nodes: Sequence[Obj], pods: Sequence[Obj], revision: str, now: float) -> Plan:
    """revision: the hash of the current template."""
    by_node: dict[str, list[Obj]] = {}
    for pod in pods:
        by_node.setdefault(node_of(pod), []).append(pod)
    seconds = int(owner["spec"].get("minReadySeconds", 0))
    verdicts = {n["metadata"]["name"]: fits(owner, n) for n in nodes}
    found = Plan(status=_status(owner, verdicts, by_node, revision, seconds, now))
    waits = [w for p in pods if (w := available_in(p, seconds, now))]
    found.again = min(waits) if waits else None
    if owner["metadata"].get("deletionTimestamp"):
        return found
    surge = _bounds(owner, found.status["desiredNumberScheduled"])[0]
    for name, (run, stays) in verdicts.items():
        _place(found, name, by_node.get(name, []), run, stays, surge, revision, seconds, now)
    for name, there in by_node.items():
        if name and name not in verdicts:
            # Those that were on a node that is gone are the pod garbage collector's.
            found.delete += [p for p in there if not p["spec"].get("nodeName") and not _going(p)]
    if not found.create and not found.delete and not found.failed:
        _roll(found, owner, verdicts, by_node, revision, seconds, now)
    found.create = found.create[:BURST]
    return found


def _place(
    found: Plan,
    name: str,
    there: Sequence[Obj],
    run: bool,
    stays: bool,
    surge: int,
    revision: str,
    seconds: int,
    now: float,
) -> None:
    """One live pod on a node that should have one; failed ones and doubles go."""
    failed = [p for p in there if phase(p) == "Failed" and not _going(p)]
    over = [p for p in there if phase(p) == "Succeeded" and not _going(p)]
    alive = [p for p in there if phase(p) not in ("Failed", "Succeeded")]
    if run and not there:
        found.create.append(name)
    elif stays:
        found.failed += failed
        found.delete += over
        running = sorted((p for p in alive if not _going(p)), key=lambda p: (not is_ready(p), created(p)))
        if surge:
            new = [p for p in running if revision_label(p) == revision]
            old = [p for p in running if revision_label(p) != revision]
            if new and available_in(new[0], seconds, now) == 0.0:
                found.delete += old
            found.delete += [*new[1:], *old[1:]]
        else:
            found.delete += running[1:]
    else:
        found.delete += [p for p in there if not _going(p)]


def _bounds(owner: Obj, desired: int) -> tuple[int, int]:
    """(surge, unavailable) as pods, not both 0."""
    given = (owner["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    surge = scaled(given.get("maxSurge", 0), desired, True)
    unavailable = scaled(given.get("maxUnavailable", 1), desired, True)
    return surge, unavailable if surge or unavailable else 1


def _roll(
    found: Plan,
    owner: Obj,
    verdicts: Mapping[str, tuple[bool, bool]],
    by_node: Mapping[str, Sequence[Obj]],
    revision: str,
    seconds: int,
    now: float,
) -> None:
    """Replace pods of old templates, so many nodes at a time."""
    if (owner["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate") != "RollingUpdate":
        return
    surge, unavailable = _bounds(owner, found.status["desiredNumberScheduled"])
    ready: list[str] = []
    broken: list[str] = []
    surging: list[str] = []
    without = 0
    for name, (run, _) in verdicts.items():
        if not run:
            continue
        alive = [p for p in by_node.get(name, ()) if not _going(p)]
        old = [p for p in alive if revision_label(p) != revision]
        new = [p for p in alive if revision_label(p) == revision]
        up = any(available_in(p, seconds, now) == 0.0 for p in alive)
        without += not up
        if surge:
            surging += [name] if old and new else []
            ready += [name] if old and not new else []
        elif old:
            (ready if up else broken).append(name)
    if surge:
        found.create += ready[: max(surge - len(surging), 0)]
        return
    chosen = [*broken, *ready[: max(unavailable - without, 0)]]
    found.delete += [p for n in chosen for p in by_node[n] if revision_label(p) != revision and not _going(p)]


def _status(
    owner: Obj,
    verdicts: Mapping[str, tuple[bool, bool]],
    by_node: Mapping[str, Sequence[Obj]],
    revision: str,
    seconds: int,
    now: float,
) -> Obj:
    count = dict.fromkeys(
        (
            "currentNumberScheduled",
            "numberMisscheduled",
            "desiredNumberScheduled",
            "numberReady",
            "updatedNumberScheduled",
            "numberAvailable",
        ),
        0,
    )
    for name, (run, _) in verdicts.items():
        there = by_node.get(name, ())
        if not run:
            count["numberMisscheduled"] += bool(there)
            continue
        count["desiredNumberScheduled"] += 1
        if there:
            oldest = sorted(there, key=created)
            count["currentNumberScheduled"] += 1
            count["numberReady"] += any(is_ready(p) for p in oldest)
            count["numberAvailable"] += any(available_in(p, seconds, now) == 0.0 for p in oldest)
            count["updatedNumberScheduled"] += any(revision_label(p) == revision for p in oldest)
    always = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
    status: Obj = {k: v for k, v in count.items() if v or k in always}
    status["observedGeneration"] = owner["metadata"].get("generation", 0)
    missing = count["desiredNumberScheduled"] - count["numberAvailable"]
    if missing:
        status["numberUnavailable"] = missing
    return status


async def reconcile(work: Work) -> float | None:
    """Claim, keep the history, carry out the plan, write the status."""
    owner = work.get(DAEMON_SETS, work.key)
    if owner is None:
        return None
    selector = selector_of(owner)
    pods = await claim_all(work, owner, OWNER, selector, PODS)
    revisions = await claim_all(work, owner, OWNER, selector, CONTROLLER_REVISIONS)
    current, collisions = await sync(
        work, owner, revisions, lambda count: revision_of(owner, "apps/v1", "DaemonSet", 1, count, REVISION_LABEL)
    )
    revision = current["metadata"]["labels"][REVISION_LABEL]
    found = plan(owner, list(work.list(NODES)), pods, revision, work.clock.now())
    found.failed = _due(work, owner, found)
    for pod in found.failed:
        meta = pod["metadata"]
        work.event(
            owner,
            "Warning",
            "FailedDaemonPod",
            f"Found failed daemon pod {meta['namespace']}/{meta['name']} on node {node_of(pod)}, will try to kill it",
        )
    errors = await asyncio.gather(
        *(_create(work, owner, n, revision) for n in found.create),
        *(_delete(work, owner, p) for p in (*found.failed, *found.delete)),
    )
    kept = {k: v for k, v in (owner.get("status") or {}).items() if k == "conditions"}
    if collisions:
        kept["collisionCount"] = collisions
    if {**found.status, **kept} != owner.get("status"):
        await work.update(DAEMON_SETS, {**owner, "status": {**found.status, **kept}}, "status")
    used = {f"{owner['metadata']['name']}-{revision_label(p)}" for p in pods} | {current["metadata"]["name"]}
    await truncate(work, owner, revisions, used)
    for error in errors:
        if error is not None:
            raise error
    return found.again


def _due(work: Work, owner: Obj, found: Plan) -> list[Obj]:
    """The failed pods whose node may have another one now: 1 s after the first failure, doubled up to 15 minutes."""
    due, now = [], work.clock.monotonic()
    for pod in found.failed:
        key = (owner["metadata"]["uid"], node_of(pod))
        tries, last = work.state.get(key, (0, 0.0))
        wait = min(FAILED_SECONDS * 2.0 ** (tries - 1), FAILED_CAP) if tries else 0.0
        # A node that has been well for twice as long starts anew.
        if tries and now - last > 2 * FAILED_CAP:
            tries, wait = 0, 0.0
        if now - last >= wait:
            work.state[key] = (tries + 1, now)
            due.append(pod)
        else:
            left = last + wait - now
            found.again = left if found.again is None else min(left, found.again)
    return due


def pod_for(owner: Obj, node: str, revision: str) -> Obj:
    """The pod for a node: bound to it by affinity, with every daemon pod's tolerations."""
    pod = from_template(
        owner["spec"]["template"], owner["metadata"]["name"], controller_reference(owner, "apps/v1", "DaemonSet")
    )
    number = (owner["metadata"].get("annotations") or {}).get(GENERATION_MARK, "")
    labels = {**(pod["metadata"].get("labels") or {}), REVISION_LABEL: revision}
    if number:
        labels[GENERATION_LABEL] = number
    pod["metadata"]["labels"] = labels
    spec = pod["spec"]
    affinity = dict(spec.get("affinity") or {})
    own = dict(affinity.get("nodeAffinity") or {})
    required = own.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    here = [{"key": "metadata.name", "operator": "In", "values": [node]}]
    terms = [{**t, "matchFields": here} for t in required.get("nodeSelectorTerms") or ()] or [{"matchFields": here}]
    own["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": terms}
    affinity["nodeAffinity"] = own
    pod["spec"] = {**spec, "affinity": affinity, "tolerations": tolerations(owner)}
    return pod


async def _create(work: Work, owner: Obj, node: str, revision: str) -> ClientError | None:
    try:
        made = await work.create(PODS, pod_for(owner, node, revision), owner["metadata"]["namespace"])
    except ClientError as error:
        causes = (error.status.get("details") or {}).get("causes") or ()
        if any(c.get("reason") == "NamespaceTerminating" for c in causes):
            return None
        work.event(owner, "Warning", "FailedCreate", f"Error creating: {error}")
        return error
    work.event(owner, "Normal", "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
    return None


async def _delete(work: Work, owner: Obj, pod: Obj) -> ClientError | None:
    try:
        if await work.delete(PODS, pod):
            work.event(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")
    except ClientError as error:
        work.event(owner, "Warning", "FailedDelete", f"Error deleting: {error}")
        return error
    return None


def _node_changed(watching: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    """All sets, when what decides about a node's fitness has changed: heartbeats do not."""

    def relevant(node: Obj | None) -> object:
        if node is None:
            return None
        return node["metadata"].get("labels"), (node.get("spec") or {}).get("taints")

    if relevant(old) == relevant(new):
        return ()
    return [key_of(x) for x in watching.list(DAEMON_SETS)]


DAEMONSET = Controller(
    "daemonset-controller",
    "daemonset",
    service_account("daemon-set-controller"),
    (
        Watch(DAEMON_SETS),
        Watch(NODES, _node_changed),
        Watch(PODS, to_owner(OWNER, selecting(DAEMON_SETS, selector_of)), {"controller": by_controller}),
        Watch(CONTROLLER_REVISIONS, None, {"controller": by_controller}),
    ),
    reconcile,
)
