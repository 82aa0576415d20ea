"""Nodes that fall silent are marked, tainted, and their pods with them.

Stands for kube-controller-manager's node lifecycle controller: NoSchedule taints that mirror conditions and cordons,
conditions set to Unknown after the grace period, NoExecute taints at a limited rate by zone (who evicts is
tainteviction.py), pods of nodes that are not ready made not ready, renamed labels. nodehealth.py decides. One key a
node, and one for the monitor's round. Leaves out metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import LEASES, NODES, PODS
from fakenodes.controllers.base import Controller, Shared, Watch, Watching, Work, service_account
from fakenodes.controllers.nodehealth import (
    EVICTING,
    EVICTION_RATE,
    GRACE_SECONDS,
    MANAGED,
    MONITOR_SECONDS,
    STARTUP_SECONDS,
    counted,
    no_schedule,
    not_ready_pod,
    ready_status,
    renamed_labels,
    swapped,
    unknown,
    zone_of,
    zone_rates,
)

ROUND = "|round"
# A condition as a kubelet tells it: type, status, time.
Reported = tuple[str, str, object]
LEASE_NAMESPACE = "kube-node-lease"


class Heard(Struct):
    """When this process last heard of a node, and what it heard."""

    at: float
    reported: Sequence[Reported]
    lease: str


class State(Struct):
    """What the rounds remember: nodes by name, and how many of a zone may be evicted (tokens, as of when)."""

    heard: dict[str, Heard] = field(default_factory=dict)
    uids: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, tuple[float, float]] = field(default_factory=dict)
    disrupted: bool = False


async def reconcile(work: Work) -> float | None:
    """A node's NoSchedule taints and labels; or a round over all nodes."""
    if work.key == ROUND:
        await _round(work)
        return MONITOR_SECONDS
    node = work.get(NODES, work.key)
    if node is None:
        return None
    labels = renamed_labels(node)
    if labels:
        await work.patch(NODES, node, {"metadata": {"labels": labels}})
    await _taint(work, node, "NoSchedule", MANAGED, no_schedule(node))
    return None


async def _taint(work: Work, node: Obj, effect: str, managed: Iterable[str], wanted: Sequence[str]) -> bool:
    """Swap taints on the node as the server has it; whether that was needed."""
    now = work.clock.now()
    if swapped(node["spec"].get("taints") or (), effect, managed, wanted, now) is None:
        return False
    fresh = await work.client.get(NODES, node["metadata"]["name"])
    taints = swapped(fresh["spec"].get("taints") or (), effect, managed, wanted, now)
    if taints is not None:
        version = fresh["metadata"]["resourceVersion"]
        await work.patch(NODES, fresh, {"metadata": {"resourceVersion": version}, "spec": {"taints": taints or None}})
    return True


async def _round(work: Work) -> None:
    """Look at every node: who is new, gone, silent; taint for eviction as fast as its zone allows."""
    nodes = sorted(work.list(NODES), key=lambda n: str(n["metadata"]["name"]))
    _census(work, nodes)
    current = []
    for node in nodes:
        try:
            current.append(await _health(work, node))
        except (ClientError, OSError):
            current.append(node)  # the next round tries again
    judged = [n for n in current if counted(n)]
    rates = zone_rates(judged)
    state: State = work.state
    disrupted = bool(judged) and not any(rates.values()) and all(ready_status(n) != "True" for n in judged)
    if state.disrupted and not disrupted:
        # The nodes were not to blame: each gets its whole grace period again.
        for heard in state.heard.values():
            heard.at = work.clock.monotonic()
    state.disrupted = disrupted
    for node in current:
        await _evicting(work, node, rates.get(zone_of(node), EVICTION_RATE), disrupted)


def _census(work: Work, nodes: Sequence[Obj]) -> None:
    state: State = work.state
    names = {n["metadata"]["name"]: n for n in nodes}
    for name, node in names.items():
        if name not in state.uids:
            state.uids[name] = node["metadata"]["uid"]
            _tell(work, name, node["metadata"]["uid"], "RegisteredNode", f"Registered Node {name} in Controller")
    for name in [x for x in state.uids if x not in names]:
        _tell(work, name, state.uids.pop(name), "RemovingNode", f"Removing Node {name} from Controller")
        state.heard.pop(name, None)


def _tell(work: Work, name: str, uid: str, reason: str, text: str) -> None:
    about = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": uid}}
    work.event(about, "Normal", reason, f"Node {name} event: {text}")


def _listen(work: Work, node: Obj) -> float:
    """For how many seconds nothing has been heard of the node, and notes what there is to hear."""
    state: State = work.state
    name, now = node["metadata"]["name"], work.clock.monotonic()
    lease = work.get(LEASES, f"{LEASE_NAMESPACE}/{name}")
    renewed = ((lease or {}).get("spec") or {}).get("renewTime", "")
    status = node.get("status") or {}
    reported = [(c["type"], c["status"], c.get("lastHeartbeatTime")) for c in status.get("conditions") or ()]
    heard = state.heard.get(name)
    if heard is None:
        heard = state.heard[name] = Heard(now, reported, renewed)
    elif renewed > heard.lease or _spoke(heard.reported, reported):
        heard.at = now
    heard.reported, heard.lease = reported, max(renewed, heard.lease)
    return now - heard.at


def _spoke(old: Sequence[Reported], new: Sequence[Reported]) -> bool:
    """Whether the kubelet has said anything: what this controller has written itself is no sign of life."""
    before = {x[0]: x for x in old}
    return any(before.get(x[0]) != x and x[1] != "Unknown" for x in new)


async def _health(work: Work, node: Obj) -> Obj:
    """The node with its conditions brought up to date, and its pods with it when it is not ready."""
    silent = _listen(work, node)
    observed = ready_status(node)
    if silent > (GRACE_SECONDS if observed else STARTUP_SECONDS) and observed != "Unknown":
        conditions = unknown(node, work.clock.now())
        status = {**(node.get("status") or {}), "conditions": conditions}
        node = await work.client.update(NODES, {**node, "status": status}, subresource="status")
    current = ready_status(node)
    if current in ("False", "Unknown"):
        if observed == "True":
            name, uid = node["metadata"]["name"], node["metadata"]["uid"]
            about = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": uid}}
            work.event(about, "Normal", "NodeNotReady", f"Node {name} status is now: NodeNotReady")
        await _mark_pods(work, node)
    return node


async def _mark_pods(work: Work, node: Obj) -> None:
    for pod in work.find(PODS, "node", node["metadata"]["name"]):
        status = not_ready_pod(pod, work.clock.now())
        if status is None:
            continue
        try:
            await work.update(PODS, {**pod, "status": status}, "status")
        except ClientError as error:
            if error.code not in (404, 409):
                raise
            continue
        work.event(pod, "Warning", "NodeNotReady", "Node is not ready")


async def _evicting(work: Work, node: Obj, rate: float, disrupted: bool) -> None:
    """The NoExecute taint of a node that is not ready; a swap of one for the other costs no token."""
    wanted = EVICTING.get(ready_status(node))
    keys = EVICTING.values()
    has = any(t["effect"] == "NoExecute" and t["key"] in keys for t in node["spec"].get("taints") or ())
    try:
        if wanted is None or disrupted:
            await _taint(work, node, "NoExecute", keys, ())
        elif has or _take(work, zone_of(node), rate):
            await _taint(work, node, "NoExecute", keys, (wanted,))
    except (ClientError, OSError):
        return  # the next round tries again


def _take(work: Work, zone: str, rate: float) -> bool:
    """A token of the zone's bucket of one."""
    state: State = work.state
    now = work.clock.monotonic()
    tokens, since = state.tokens.get(zone, (1.0, now))
    tokens = min(1.0, tokens + (now - since) * rate)
    allowed = rate > 0.0 and tokens >= 1.0
    state.tokens[zone] = (tokens - 1.0 if allowed else tokens, now)
    return allowed


def by_node(pod: Obj) -> Iterable[str]:
    """An index: by the name of the pod's node."""
    name = (pod.get("spec") or {}).get("nodeName")
    return (name,) if name else ()


def _changed(_: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    """Nodes whose taints or labels may have to change: heartbeats are not among them."""
    if new is None or (old is not None and _shown(old) == _shown(new)):
        return ()
    return (new["metadata"]["name"],)


def _shown(node: Obj) -> object:
    conditions = [(c["type"], c["status"]) for c in (node.get("status") or {}).get("conditions") or ()]
    return conditions, node["spec"].get("unschedulable"), node["spec"].get("taints"), node["metadata"].get("labels")


async def begin(shared: Shared) -> None:
    """The first round."""
    shared.queue.add(ROUND)


NODE_LIFECYCLE = Controller(
    "node-lifecycle-controller",
    "nodelifecycle",
    service_account("node-controller"),
    (Watch(NODES, _changed), Watch(PODS, None, {"node": by_node}), Watch(LEASES, None)),
    reconcile,
    "node-controller",
    State,
    begin,
    workers=5,
)
