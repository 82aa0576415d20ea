"""How a kubelet makes its Node known and keeps it alive: registration, lease, status.

Stands for the kubelet's kubelet_node_status.go and the component nodelease.
"""

from __future__ import annotations

from typing import Any

from fakeapi.clock import rfc3339_micro
from fakenodes.client.base import GVR, ClientError
from fakenodes.kubelet import node as nodes
from fakenodes.kubelet.podworker import NODES, Kubelet

Obj = dict[str, Any]

LEASES = GVR("coordination.k8s.io", "v1", "leases")


def event_target(name: str) -> Obj:
    """The Node as the kubelet's events name it: its uid is its name."""
    return {"kind": "Node", "metadata": {"name": name, "uid": name}}


async def take_over(kubelet: Kubelet) -> bool:
    """Whether the server has the node; it is this kubelet's from now on."""
    try:
        kubelet.node.obj = await kubelet.client.get(NODES, kubelet.node.name)
    except ClientError as error:
        if error.code != 404:
            raise
        return False
    return True


async def register(kubelet: Kubelet) -> None:
    """Create the Node, or bring an old one up to date, and tell what has changed about it."""
    node, client, now = kubelet.node, kubelet.client, kubelet.clock.now()
    wanted = nodes.node_object(node, now)
    old: Obj = {}
    try:
        node.obj = await client.create(NODES, wanted)
    except ClientError as error:
        if error.reason != "AlreadyExists":
            raise
        # It was there before: the kubelet was away and takes its node over again.
        body = {"metadata": {"labels": wanted["metadata"]["labels"]}}
        old = (await client.patch(NODES, node.name, body)).get("status") or {}
        node.obj = None
    if node.obj is None or (node.obj.get("status") or {}).get("allocatable") != wanted["status"]["allocatable"]:
        node.obj = await client.patch(NODES, node.name, {"status": wanted["status"]}, subresource="status")
    _tell(kubelet, old, wanted["status"])
    await renew(kubelet)


def _tell(kubelet: Kubelet, old: Obj, new: Obj) -> None:
    name = kubelet.node.name
    boot = new["nodeInfo"]["bootID"]
    if (old.get("nodeInfo") or {}).get("bootID", boot) != boot:
        message = f"Node {name} has been rebooted, boot id: {boot}"
        kubelet.recorder.record(event_target(name), "Warning", "Rebooted", message)
    before = {c["type"]: c["status"] for c in old.get("conditions") or ()}
    for condition in new["conditions"]:
        if before.get(condition["type"]) != condition["status"]:
            reason = condition["reason"].removeprefix("Kubelet")
            reason = f"Node{reason}"
            message = f"Node {name} status is now: {reason}"
            kubelet.recorder.record(event_target(name), "Normal", reason, message)


async def report(kubelet: Kubelet) -> None:
    """Send the node's status now. A Node that was deleted does not come back before its kubelet starts anew."""
    body = nodes.heartbeat(kubelet.node, kubelet.clock.now())
    kubelet.node.obj = await kubelet.client.patch(NODES, kubelet.node.name, body, subresource="status")


async def renew(kubelet: Kubelet) -> None:
    """Renew the node's lease, or make it."""
    node, client = kubelet.node, kubelet.client
    now = kubelet.clock.now()
    if node.lease is None:
        try:
            node.lease = await client.create(LEASES, nodes.lease_object(node, now), nodes.LEASE_NAMESPACE)
            return
        except ClientError as error:
            if error.reason != "AlreadyExists":
                raise
            node.lease = await client.get(LEASES, node.name, nodes.LEASE_NAMESPACE)
    node.lease["spec"]["renewTime"] = rfc3339_micro(now)
    try:
        node.lease = await client.update(LEASES, node.lease)
    except ClientError as error:
        if error.code not in (404, 409):
            raise
        node.lease = None
