"""Nodes say how long kubelets may keep what they have read: the longer the more nodes there are.

Stands for kube-controller-manager's pkg/controller/ttl.
"""

from __future__ import annotations

from collections.abc import Iterable

from fakenodes.client.base import Obj
from fakenodes.client.gvrs import NODES
from fakenodes.controllers.base import Controller, Watch, Watching, Work, service_account

MARK = "node.alpha.kubernetes.io/ttl"
# (from nodes, up to nodes, seconds): they overlap so that the answer does not flicker.
BOUNDARIES = ((0, 100, 0), (90, 500, 15), (450, 1000, 30), (900, 2000, 60), (1800, 2**31 - 1, 300))


def step(boundary: int, nodes: int) -> int:
    """The boundary to use from here on."""
    while nodes > BOUNDARIES[boundary][1]:
        boundary += 1
    while nodes < BOUNDARIES[boundary][0]:
        boundary -= 1
    return boundary


async def reconcile(work: Work) -> float | None:
    """Annotate the node. state: {"boundary": n}."""
    node = work.get(NODES, work.key)
    if node is None:
        return None
    state: dict[str, int] = work.state
    state["boundary"] = step(state.get("boundary", 0), len(work.shared.watching.informer(NODES).store))
    seconds = str(BOUNDARIES[state["boundary"]][2])
    if (node["metadata"].get("annotations") or {}).get(MARK) != seconds:
        await work.patch(NODES, node, {"metadata": {"annotations": {MARK: seconds}}})
    return None


def _changed(_: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    """Nodes without the annotation, new or robbed of it."""
    if new is None or (old is not None and MARK in (new["metadata"].get("annotations") or {})):
        return ()
    return (new["metadata"]["name"],)


NODE_TTL = Controller("ttl-controller", "ttl", service_account("ttl-controller"), (Watch(NODES, _changed),), reconcile)
