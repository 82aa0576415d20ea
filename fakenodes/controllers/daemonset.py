"""DaemonSets: one pod on every node that will have it.

Stands for kube-controller-manager's pkg/controller/daemon: daemonplan.py decides, here it is carried out. The scheduler
places the pods, which name their node by affinity. Leaves out history beyond ControllerRevisions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from fakeapi.selectors import LabelSelector, SelectorError, from_label_selector
from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS
from fakenodes.controllers.base import Controller, Watch, Watching, Work, service_account
from fakenodes.controllers.claiming import OwnerKind, claim_all, selecting, to_owner
from fakenodes.controllers.daemonplan import Plan, going, node_of, plan, revision_label, tolerations
from fakenodes.controllers.history import REVISION_LABEL, revision_of, sync, truncate
from fakenodes.controllers.pods import from_template, phase
from fakenodes.informer import key_of
from fakenodes.owners import by_controller, controller_reference

OWNER = OwnerKind(DAEMON_SETS, "apps/v1", "DaemonSet")
GENERATION_LABEL = "pod-template-generation"
GENERATION_MARK = "deprecated.daemonset.template.generation"
FAILED_SECONDS, FAILED_CAP = 1.0, 900.0


def selector_of(owner: Obj) -> LabelSelector:
    """The selector; an empty or broken one selects nothing."""
    selector = owner["spec"].get("selector")
    try:
        return from_label_selector(selector) if selector else LabelSelector(never=True)
    except SelectorError:
        return LabelSelector(never=True)


async def reconcile(work: Work) -> float | None:
    """Claim, keep the history, carry out the plan, write the status."""
    owner = work.get(DAEMON_SETS, work.key)
    if owner is None or owner["metadata"].get("deletionTimestamp"):
        return None
    selector = selector_of(owner)
    pods = await claim_all(work, owner, OWNER, selector, PODS)
    revisions = await claim_all(work, owner, OWNER, selector, CONTROLLER_REVISIONS)
    current, collisions = await sync(
        work, owner, revisions, lambda count: revision_of(owner, "apps/v1", "DaemonSet", 1, count, REVISION_LABEL)
    )
    revision = current["metadata"]["labels"][REVISION_LABEL]
    held = _held(work, owner, pods)
    found = plan(owner, list(work.list(NODES)), pods, revision, work.clock.now(), held)
    _tell(work, owner, found)
    errors = await asyncio.gather(
        *(_create(work, owner, n, revision) for n in found.create),
        *(_delete(work, owner, p) for p in (*found.failed, *found.succeeded, *found.delete)),
    )
    failures = [e for e in errors if e is not None]
    if not failures:
        used = {f"{owner['metadata']['name']}-{revision_label(p)}" for p in pods}
        await truncate(work, owner, revisions, used, current["metadata"]["name"])
    kept = {k: v for k, v in (owner.get("status") or {}).items() if k == "conditions"}
    if collisions:
        kept["collisionCount"] = collisions
    if {**found.status, **kept} != owner.get("status"):
        await work.update(DAEMON_SETS, {**owner, "status": {**found.status, **kept}}, "status")
    if failures:
        raise failures[0]
    return min([x for x in (found.again, *held.values()) if x is not None], default=None)


def _tell(work: Work, owner: Obj, found: Plan) -> None:
    """Of pods that have ended, and count the failures of their nodes."""
    for pod in found.failed:
        key = _back_off(owner, node_of(pod))
        work.state[key] = (_tries(work, key) + 1, work.clock.monotonic())
        _tell_of(work, owner, pod, "Warning", "FailedDaemonPod", "Found failed daemon pod {}, will try to kill it")
    for pod in found.succeeded:
        text = "Found succeeded daemon pod {}, will try to delete it"
        _tell_of(work, owner, pod, "Normal", "SucceededDaemonPod", text)


def _tell_of(work: Work, owner: Obj, pod: Obj, type: str, reason: str, text: str) -> None:
    meta = pod["metadata"]
    work.event(owner, type, reason, text.format(f"{meta['namespace']}/{meta['name']} on node {node_of(pod)}"))


def _back_off(owner: Obj, node: str) -> tuple[str, int, str]:
    """failedPodsBackoffKey: a change of the set starts anew."""
    return owner["metadata"]["uid"], (owner.get("status") or {}).get("observedGeneration", 0), node


def _tries(work: Work, key: tuple[str, int, str]) -> int:
    """How many failures count; a node that has been well for twice the longest wait starts anew."""
    tries, last = work.state.get(key, (0, 0.0))
    return int(tries) if work.clock.monotonic() - last <= 2 * FAILED_CAP else 0


def _held(work: Work, owner: Obj, pods: Sequence[Obj]) -> Mapping[str, float]:
    """Nodes whose failed pod may not be replaced yet, and in how many seconds it may: 1 s after the first failure,
    doubled up to 15 minutes."""
    held: dict[str, float] = {}
    for pod in pods:
        if phase(pod) != "Failed" or going(pod):
            continue
        key = _back_off(owner, node_of(pod))
        if tries := _tries(work, key):
            wait = min(FAILED_SECONDS * 2.0 ** min(tries - 1, 10), FAILED_CAP)
            left = work.state[key][1] + wait - work.clock.monotonic()
            if left > 0:
                held[node_of(pod)] = left
    return held


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
