"""Pods leave nodes with NoExecute taints that they do not tolerate, or no longer.

Stands for kube-controller-manager's pkg/controller/tainteviction. The delay counts from when this process first saw
that the pod has to go, as upstream's timers do. Leaves out metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fakeapi.clock import rfc3339
from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import NODES, PODS
from fakenodes.controllers.base import Controller, Watch, Watching, Work, service_account
from fakenodes.controllers.nodelifecycle import by_node
from fakenodes.informer import key_of, split_key
from fakenodes.scheduler.matching import tolerates

DONE = -1.0


def delay(taints: Sequence[Obj], tolerations: Sequence[Obj]) -> float | None:
    """Seconds that the pod may stay beside these NoExecute taints; None: for ever."""
    used: list[Obj] = []
    for taint in taints:
        found = next((t for t in tolerations if tolerates(t, taint)), None)
        if found is None:
            return 0.0
        used.append(found)
    waits = [float(t["tolerationSeconds"]) for t in used if t.get("tolerationSeconds") is not None]
    return max(min(waits), 0.0) if waits else None


def condition_patch(pod: Obj, now: float) -> Obj:
    """The status patch that says why the pod is deleted."""
    found = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastTransitionTime": rfc3339(now),
        "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint",
    }
    if pod["metadata"].get("generation"):
        found["observedGeneration"] = pod["metadata"]["generation"]
    return {"metadata": {"uid": pod["metadata"]["uid"]}, "status": {"conditions": [found]}}


async def reconcile(work: Work) -> float | None:
    """Evict when the time has come. state: key -> when the pod has to go; DONE once it has been told to."""
    due: dict[str, float] = work.state
    pod = work.get(PODS, work.key)
    wait = _wait(work, pod) if pod is not None else None
    if pod is None or wait is None:
        if due.pop(work.key, DONE) != DONE:
            _tell(work, "Cancelling deletion of")
        return None
    now = work.clock.monotonic()
    if due.get(work.key) == DONE:
        return None
    if wait == 0.0 and due.get(work.key, now) > now:
        _tell(work, "Cancelling deletion of")
        del due[work.key]
    # Taints and tolerations that change later do not move a time that is set.
    at = due.setdefault(work.key, now + wait)
    if at > now:
        return at - now
    _tell(work, "Marking for deletion")
    try:
        await work.patch(PODS, pod, condition_patch(pod, work.clock.now()), subresource="status")
        await work.delete(PODS, pod)
    except ClientError as error:
        if error.code != 404:
            raise
    due[work.key] = DONE
    return None


def _wait(work: Work, pod: Obj) -> float | None:
    node = work.get(NODES, pod["spec"].get("nodeName", ""))
    taints = [t for t in ((node or {}).get("spec") or {}).get("taints") or () if t["effect"] == "NoExecute"]
    return delay(taints, pod["spec"].get("tolerations") or ()) if taints else None


def _tell(work: Work, what: str) -> None:
    namespace, name = split_key(work.key)
    about = {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": name}}
    work.event(about, "Normal", "TaintManagerEviction", f"{what} Pod {work.key}")


def _of_node(watching: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    """The pods of a node whose taints have changed."""
    before = ((old or {}).get("spec") or {}).get("taints")
    after = ((new or {}).get("spec") or {}).get("taints")
    if before == after or new is None:
        return ()
    return [key_of(p) for p in watching.find(PODS, "node", new["metadata"]["name"])]


def _of_pod(watching: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    """A pod that is gone, and one that has come to a node or tolerates something else now, if its node has taints."""
    if new is None:
        return (key_of(old),) if old is not None else ()
    if not new["spec"].get("nodeName"):
        return ()
    spec, before = new["spec"], (old or {}).get("spec") or {}
    if spec.get("tolerations") == before.get("tolerations") and spec["nodeName"] == before.get("nodeName"):
        return ()
    node = watching.get(NODES, spec["nodeName"])
    return (key_of(new),) if node is not None and node["spec"].get("taints") else ()


TAINT_EVICTION = Controller(
    "taint-eviction-controller",
    "taint-eviction-controller",
    service_account("node-controller"),
    (Watch(NODES, _of_node), Watch(PODS, _of_pod, {"node": by_node})),
    reconcile,
    "taint-eviction-controller",
)
