"""What the scheduler believes of the cluster: nodes with the pods on them, kept up to date by events and assumptions.

Stands for the scheduler's backend/cache and framework.NodeInfo/PodInfo. One loop owns it and a scheduling cycle never
awaits, so the cache is its own snapshot and nothing is copied. Leaves out the expiry of assumed pods: an assumption
ends when the binding fails or its event arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import cached_property
from typing import Any

from fakenodes.scheduler import matching, resources
from fakenodes.scheduler.resources import CPU, MEMORY, PODS, Amounts

Obj = dict[str, Any]
Port = tuple[str, str, int]  # host IP, protocol, port

ZONE_LABELS = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone")
TERMINAL = ("Succeeded", "Failed")
MEMO_LIMIT = 64
NO_LABELS: Mapping[str, str] = {}


class PodInfo:
    """A pod with what scheduling reads of it, worked out once. The object itself is never changed."""

    def __init__(self, obj: Obj) -> None:
        meta = obj["metadata"]
        self.obj = obj
        self.spec: Obj = obj["spec"]
        self.name: str = meta["name"]
        self.namespace: str = meta.get("namespace", "")
        self.uid: str = meta.get("uid", "")
        self.key = f"{self.namespace}/{self.name}"
        self.labels: Mapping[str, str] = meta.get("labels") or NO_LABELS
        self.priority: int = self.spec.get("priority") or 0
        self.node_name: str = self.spec.get("nodeName", "")
        self.nominated: str = (obj.get("status") or {}).get("nominatedNodeName", "")
        self.terminating = meta.get("deletionTimestamp") is not None

    @cached_property
    def requests(self) -> Amounts:
        """What must fit, zeroes left out."""
        return {name: value for name, value in resources.pod_requests(self.obj).items() if value}

    @cached_property
    def scored(self) -> tuple[int, int]:
        """(milli-CPU, bytes) for scores."""
        return resources.scoring_requests(self.obj)

    @cached_property
    def tolerations(self) -> tuple[Obj, ...]:
        """spec.tolerations."""
        return tuple(self.spec.get("tolerations") or ())

    @cached_property
    def host_ports(self) -> tuple[Port, ...]:
        """The ports it takes of its node: those of containers and sidecars."""
        found = [*(self.spec.get("containers") or ())]
        found += [c for c in self.spec.get("initContainers") or () if resources.is_sidecar(c)]
        return tuple(
            (port.get("hostIP") or "0.0.0.0", port.get("protocol") or "TCP", port["hostPort"])
            for container in found
            for port in container.get("ports") or ()
            if port.get("hostPort")
        )

    def _terms(self, kind: str, make: Callable[[Any, str], tuple[matching.AffinityTerm, ...]]) -> Any:
        return make((self.spec.get("affinity") or {}).get(kind), self.namespace)

    @cached_property
    def affinity(self) -> tuple[matching.AffinityTerm, ...]:
        """Required pod affinity."""
        found: tuple[matching.AffinityTerm, ...] = self._terms("podAffinity", matching.required_terms)
        return found

    @cached_property
    def anti_affinity(self) -> tuple[matching.AffinityTerm, ...]:
        """Required pod anti-affinity."""
        found: tuple[matching.AffinityTerm, ...] = self._terms("podAntiAffinity", matching.required_terms)
        return found

    @cached_property
    def preferred_affinity(self) -> tuple[matching.AffinityTerm, ...]:
        """Preferred pod affinity."""
        found: tuple[matching.AffinityTerm, ...] = self._terms("podAffinity", matching.preferred_terms)
        return found

    @cached_property
    def preferred_anti_affinity(self) -> tuple[matching.AffinityTerm, ...]:
        """Preferred pod anti-affinity."""
        found: tuple[matching.AffinityTerm, ...] = self._terms("podAntiAffinity", matching.preferred_terms)
        return found

    @cached_property
    def claims(self) -> tuple[str, ...]:
        """Names of the PersistentVolumeClaims that its volumes use, ephemeral ones included."""
        found = []
        for volume in self.spec.get("volumes") or ():
            if volume.get("persistentVolumeClaim"):
                found.append(volume["persistentVolumeClaim"]["claimName"])
            elif volume.get("ephemeral"):
                found.append(f"{self.name}-{volume['name']}")
        return tuple(found)

    @property
    def claim_keys(self) -> list[str]:
        """`namespace/name` of its claims."""
        return [f"{self.namespace}/{name}" for name in self.claims]

    def uses(self, claim: Obj) -> bool:
        """Is the PersistentVolumeClaim one of its own?"""
        meta = claim["metadata"]
        return meta.get("namespace") == self.namespace and meta["name"] in self.claims


class NodeInfo:
    """A node and the pods on it, with running sums. `memo` forgets everything whenever the node or its pods change."""

    __slots__ = (
        "allocatable", "images", "labels", "memo", "name", "obj", "pods", "ports", "requested", "scored_cpu",
        "scored_memory", "taints", "unschedulable", "with_affinity", "with_anti_affinity",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.obj: Obj | None = None
        self.labels: Mapping[str, str] = NO_LABELS
        self.taints: tuple[Obj, ...] = ()
        self.unschedulable = False
        self.allocatable: Amounts = {}
        self.requested: Amounts = {}
        self.scored_cpu = 0
        self.scored_memory = 0
        self.pods: dict[str, PodInfo] = {}
        self.ports: dict[Port, int] = {}
        self.with_affinity: dict[str, PodInfo] = {}
        self.with_anti_affinity: dict[str, PodInfo] = {}
        self.images: dict[str, int] = {}
        self.memo: dict[Hashable, Any] = {}

    def set_node(self, obj: Obj) -> None:
        """Take over a Node object."""
        spec, status = obj.get("spec") or {}, obj.get("status") or {}
        self.obj = obj
        self.labels = obj["metadata"].get("labels") or NO_LABELS
        self.taints = tuple(spec.get("taints") or ())
        self.unschedulable = bool(spec.get("unschedulable"))
        self.allocatable = resources.amounts(status.get("allocatable"))
        self.images = {
            name: image.get("sizeBytes", 0) for image in status.get("images") or () for name in image.get("names") or ()
        }
        self.memo.clear()

    def add(self, pod: PodInfo) -> None:
        """A pod has come."""
        self.pods[pod.uid] = pod
        self._count(pod, 1)
        if pod.affinity or pod.anti_affinity or pod.preferred_affinity or pod.preferred_anti_affinity:
            self.with_affinity[pod.uid] = pod
        if pod.anti_affinity:
            self.with_anti_affinity[pod.uid] = pod

    def remove(self, uid: str) -> None:
        """A pod has gone."""
        pod = self.pods.pop(uid)
        self._count(pod, -1)
        self.with_affinity.pop(uid, None)
        self.with_anti_affinity.pop(uid, None)

    def _count(self, pod: PodInfo, sign: int) -> None:
        requested = self.requested
        for name, value in pod.requests.items():
            requested[name] = requested.get(name, 0) + sign * value
        cpu, memory = pod.scored
        self.scored_cpu += sign * cpu
        self.scored_memory += sign * memory
        for port in pod.host_ports:
            self.ports[port] = self.ports.get(port, 0) + sign
            if not self.ports[port]:
                del self.ports[port]
        self.memo.clear()

    def remember(self, key: Hashable, value: Any) -> None:
        """Keep what was worked out until the node changes; `memo.get(key)` has it."""
        if len(self.memo) >= MEMO_LIMIT:
            self.memo.clear()
        self.memo[key] = value

    def count(self, key: Hashable, matches: Callable[[PodInfo], bool]) -> int:
        """How many of its pods match; remembered under the key."""
        found = self.memo.get(key)
        if found is None:
            found = sum(1 for pod in self.pods.values() if matches(pod))
            self.remember(key, found)
        return int(found)

    def clone(self) -> NodeInfo:
        """A copy to try things on."""
        copy = NodeInfo(self.name)
        copy.obj, copy.labels, copy.taints, copy.unschedulable = self.obj, self.labels, self.taints, self.unschedulable
        copy.allocatable, copy.images = self.allocatable, self.images
        copy.requested, copy.ports, copy.pods = dict(self.requested), dict(self.ports), dict(self.pods)
        copy.scored_cpu, copy.scored_memory = self.scored_cpu, self.scored_memory
        copy.with_affinity, copy.with_anti_affinity = dict(self.with_affinity), dict(self.with_anti_affinity)
        return copy

    @property
    def free_pods(self) -> int:
        """How many more pods the node takes."""
        return self.allocatable.get(PODS, 0) - len(self.pods)

    @property
    def scored(self) -> tuple[int, int]:
        """(milli-CPU, bytes) in use, for scores."""
        return self.scored_cpu, self.scored_memory

    @property
    def offered(self) -> tuple[int, int]:
        """(milli-CPU, bytes) that it has for pods."""
        return self.allocatable.get(CPU, 0), self.allocatable.get(MEMORY, 0)


class Snapshot:
    """Every node in the order in which filters visit them, every placed pod, and the assumed ones among them."""

    def __init__(self) -> None:
        self.infos: dict[str, NodeInfo] = {}
        self.placed: dict[str, NodeInfo] = {}
        self.assumed: set[str] = set()
        self.namespaces: dict[str, Mapping[str, str]] = {}
        self.image_nodes: dict[str, int] = {}
        self.affinity_nodes: dict[str, NodeInfo] = {}
        self.anti_affinity_nodes: dict[str, NodeInfo] = {}
        self.claim_users: dict[str, int] = {}  # "namespace/name" of claims to how many placed pods use them
        self._order: list[NodeInfo] | None = None

    @property
    def nodes(self) -> list[NodeInfo]:
        """Nodes, taking zones in turn, so that the first of them already lie in all zones."""
        if self._order is None:
            zones: dict[tuple[str | None, ...], list[NodeInfo]] = {}
            for info in self.infos.values():
                if info.obj is not None:
                    zones.setdefault(tuple(info.labels.get(label) for label in ZONE_LABELS), []).append(info)
            self._order = list(_interleave(zones.values()))
        return self._order

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        """Labels of a namespace, none when it is not known."""
        return self.namespaces.get(name, NO_LABELS)

    def set_node(self, obj: Obj) -> None:
        """A Node was added or changed."""
        name = obj["metadata"]["name"]
        info = self.infos.setdefault(name, NodeInfo(name))
        before, images = info.labels, info.images
        known = info.obj is not None
        info.set_node(obj)
        if not known or any(before.get(label) != info.labels.get(label) for label in ZONE_LABELS):
            self._order = None
        if images != info.images:
            _tally(self.image_nodes, images, -1)
            _tally(self.image_nodes, info.images, 1)

    def remove_node(self, name: str) -> None:
        """A Node is gone; its pods stay known until they are gone too."""
        info = self.infos.get(name)
        if info is None:
            return
        _tally(self.image_nodes, info.images, -1)
        info.obj, info.images, self._order = None, {}, None
        if not info.pods:
            del self.infos[name]

    def set_pod(self, pod: PodInfo) -> None:
        """A pod with a node was added or changed."""
        self.assumed.discard(pod.uid)
        self._place(pod, pod.node_name)

    def assume(self, pod: PodInfo, node: str) -> None:
        """Count the pod on the node before the API server says so."""
        self.assumed.add(pod.uid)
        self._place(pod, node)

    def remove_pod(self, uid: str) -> None:
        """The pod is gone or has ended, or an assumption was wrong."""
        self.assumed.discard(uid)
        info = self._take_off(uid)
        if info is not None and info.obj is None and not info.pods:
            self.infos.pop(info.name, None)

    def _place(self, pod: PodInfo, node: str) -> None:
        self._take_off(pod.uid)
        info = self.infos.setdefault(node, NodeInfo(node))
        info.add(pod)
        self.placed[pod.uid] = info
        self._index(info)
        _tally(self.claim_users, pod.claim_keys, 1)

    def _take_off(self, uid: str) -> NodeInfo | None:
        """The node that the pod was on."""
        info = self.placed.pop(uid, None)
        if info is not None:
            _tally(self.claim_users, info.pods[uid].claim_keys, -1)
            info.remove(uid)
            self._index(info)
        return info

    def _index(self, info: NodeInfo) -> None:
        for table, found in (
            (self.affinity_nodes, info.with_affinity),
            (self.anti_affinity_nodes, info.with_anti_affinity),
        ):
            if found:
                table[info.name] = info
            else:
                table.pop(info.name, None)


def _tally(counts: dict[str, int], names: Iterable[str], by: int) -> None:
    for name in names:
        left = counts.get(name, 0) + by
        if left:
            counts[name] = left
        else:
            counts.pop(name, None)


def _interleave(groups: Iterable[list[NodeInfo]]) -> Iterable[NodeInfo]:
    rows = [list(group) for group in groups]
    for i in range(max((len(row) for row in rows), default=0)):
        for row in rows:
            if i < len(row):
                yield row[i]
