"""A hollow node: its Node object, its heartbeats, the images and addresses that its pods get.

Stands for the kubelet's node registration and status (kubelet_node_status.go, nodestatus/setters.go) and the component
nodelease. Shape like kubemark's hollow nodes: 32 CPUs, 256 GiB, 110 pods, no taints of its own.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from fakeapi.clock import rfc3339, rfc3339_micro
from fakenodes.kubelet.ailments import Ailments
from fakenodes.kubelet.runtime.imagenames import full_name, image_id, image_size
from fakenodes.kubelet.runtime.script import Script

Obj = dict[str, Any]

LEASE_NAMESPACE = "kube-node-lease"
LEASE_SECONDS = 40
RENEW_SECONDS = 10.0
STATUS_SECONDS = 300.0
VERSION = "v1.36.2"
CAPACITY = {
    "cpu": "32",
    "ephemeral-storage": "1Ti",
    "hugepages-1Gi": "0",
    "hugepages-2Mi": "0",
    "memory": "256Gi",
    "pods": "110",
}
# type, status, reason, message
CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)
PRESSURES = {
    "MemoryPressure": ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
    "DiskPressure": ("KubeletHasDiskPressure", "kubelet has disk pressure"),
    "PIDPressure": ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
}
OWN_RANGES = 12 * 256  # pod ranges in 10.244.0.0 to 10.255.0.0, then on from 10.128.0.0
HOST_BITS = 16
REPORTED_IMAGES = 50


class Endpoint(Struct, frozen=True):
    """Where the process's kubelet server listens; port 0 means that there is none."""

    host: str = "localhost"
    port: int = 0


class Node(Struct):
    """One hollow node. `number` decides its addresses."""

    name: str
    number: int
    labels: Mapping[str, str] = field(default_factory=dict)
    capacity: Mapping[str, str] = field(default_factory=lambda: dict(CAPACITY))
    endpoint: Endpoint = Endpoint()
    ailments: Ailments = field(default_factory=Ailments)
    boots: int = 1
    images: set[str] = field(default_factory=set)
    obj: Obj | None = None
    lease: Obj | None = None
    _addresses: dict[str, int] = field(default_factory=dict)
    _next: int = 2

    @property
    def user(self) -> str:
        """Who it is to the API server."""
        return f"system:node:{self.name}"

    @property
    def host_ip(self) -> str:
        """Its InternalIP, which nothing dials."""
        number = self.number + 2
        return f"172.{18 + (number >> HOST_BITS)}.{(number >> 8) & 255}.{number & 255}"

    @property
    def pod_range(self) -> str:
        """The first three bytes of its pods' addresses."""
        if self.number < OWN_RANGES:
            return f"10.{244 + self.number // 256}.{self.number % 256}"
        rest = self.number - OWN_RANGES
        return f"10.{128 + rest // 256}.{rest % 256}"

    def pod_ip(self, uid: str) -> str:
        """The pod's address, the same until release()."""
        if uid not in self._addresses:
            taken = set(self._addresses.values())
            while self._next in taken:
                self._next = 2 + (self._next - 1) % 252
            self._addresses[uid] = self._next
            self._next = 2 + (self._next - 1) % 252
        return f"{self.pod_range}.{self._addresses[uid]}"

    def release(self, uid: str) -> None:
        """The pod is gone."""
        self._addresses.pop(uid, None)


def _stable(name: str, what: str) -> str:
    return str(uuid.UUID(bytes=hashlib.sha256(f"{what}/{name}".encode()).digest()[:16], version=4))


def conditions(node: Node, now: float, old: Mapping[str, Obj] | None = None) -> list[Obj]:
    """The node's conditions; a transition time is kept while the status is the same."""
    found = []
    for name, status, reason, message in CONDITIONS:
        if name in node.ailments.pressures:
            status = "True"
            reason, message = PRESSURES[name]
        before = (old or {}).get(name)
        since = before["lastTransitionTime"] if before and before["status"] == status else rfc3339(now)
        found.append({
            "type": name, "status": status, "lastHeartbeatTime": rfc3339(now), "lastTransitionTime": since,
            "reason": reason, "message": message,
        })  # fmt: skip
    return found


def node_object(node: Node, now: float) -> Obj:
    """The Node as it registers."""
    labels = {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": node.name,
        "kubernetes.io/os": "linux",
        **node.labels,
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": node.name, "labels": labels,
                     "annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"}},
        "spec": {"providerID": f"fakekube://{node.name}"},
        "status": {
            "capacity": dict(node.capacity),
            "allocatable": dict(node.capacity),
            "conditions": conditions(node, now),
            "addresses": addresses(node),
            "daemonEndpoints": {"kubeletEndpoint": {"Port": node.endpoint.port}},
            "nodeInfo": {
                "machineID": _stable(node.name, "machine").replace("-", ""),
                "systemUUID": _stable(node.name, "system"),
                "bootID": _stable(node.name, f"boot {node.boots}"),
                "kernelVersion": "6.12.0-hollow",
                "osImage": "fakekube hollow node",
                "containerRuntimeVersion": "containerd://2.1.4",
                "kubeletVersion": VERSION,
                "kubeProxyVersion": "",
                "operatingSystem": "linux",
                "architecture": "amd64",
            },
        },
    }  # fmt: skip


def addresses(node: Node) -> list[Obj]:
    """InternalIP and Hostname as kubelets have them, and an InternalDNS, where the kubelet server answers."""
    found = [{"type": "InternalIP", "address": node.host_ip}, {"type": "Hostname", "address": node.name}]
    if node.endpoint.port:
        found.append({"type": "InternalDNS", "address": node.endpoint.host})
    return found


def heartbeat(node: Node, now: float) -> Obj:
    """The patch of /status that a kubelet sends every five minutes and when something has changed."""
    old = {c["type"]: c for c in ((node.obj or {}).get("status") or {}).get("conditions") or ()}
    return {"status": {"conditions": conditions(node, now, old), "images": _images(node)}}


def _images(node: Node) -> list[Obj]:
    """What the node has pulled, the largest first, at most fifty."""
    sizes = sorted(((image_size(image, Script()), image) for image in node.images), reverse=True)
    return [{"names": [image_id(i), full_name(i)], "sizeBytes": size} for size, i in sizes[:REPORTED_IMAGES]]


def lease_object(node: Node, now: float) -> Obj:
    """The node's Lease as it is first made."""
    assert node.obj is not None
    owner = {"apiVersion": "v1", "kind": "Node", "name": node.name, "uid": node.obj["metadata"]["uid"]}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": node.name, "namespace": LEASE_NAMESPACE, "ownerReferences": [owner]},
        "spec": {"holderIdentity": node.name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": rfc3339_micro(now)},
    }
