"""InterPodAffinity: pods that want to be near others, or far from them, and others that want to be far from the pod."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, field

from fakenodes.scheduler.framework import MAX_SCORE, SKIP, Code, Event, Handle, State, Status
from fakenodes.scheduler.matching import AffinityTerm
from fakenodes.scheduler.snapshot import NodeInfo, PodInfo

AFFINITY = Status(Code.UNRESOLVABLE, ("node(s) didn't match pod affinity rules",), "InterPodAffinity")
ANTI_AFFINITY = Status(Code.UNSCHEDULABLE, ("node(s) didn't match pod anti-affinity rules",), "InterPodAffinity")
EXISTING = Status(Code.UNSCHEDULABLE, ("node(s) didn't satisfy existing pods anti-affinity rules",), "InterPodAffinity")
HARD_WEIGHT = 1  # hardPodAffinityWeight: what required terms of placed pods count when nodes are scored

Domain = tuple[str, str]  # topology key and value


class Counts(Struct):
    """Pods by domain: those whose anti-affinity forbids the pod, those that it must and must not be near."""

    existing: dict[Domain, int] = field(default_factory=dict)
    affinity: dict[Domain, int] = field(default_factory=dict)
    anti_affinity: dict[Domain, int] = field(default_factory=dict)

    def __deepcopy__(self, memo: Any) -> Counts:
        return Counts(dict(self.existing), dict(self.affinity), dict(self.anti_affinity))


def _raise(counts: dict[Domain, int], key: str, node: NodeInfo, by: int) -> None:
    value = node.labels.get(key)
    if value is not None and by:
        counts[key, value] = counts.get((key, value), 0) + by


class InterPodAffinity:
    """PreFilter, filter and score."""

    name = "InterPodAffinity"
    events = (
        "AssignedPod/Add", "AssignedPod/UpdateLabel", "AssignedPod/Delete", "Node/Add", "Node/UpdateLabel",
        "Pod/UpdateLabel",
    )  # fmt: skip

    def __init__(self, handle: Handle) -> None:
        self._snapshot = handle.snapshot

    def _matches(self, term: AffinityTerm, pod: PodInfo) -> bool:
        return term.matches(pod.namespace, pod.labels, self._snapshot.namespace_labels)

    def _count(self, term: AffinityTerm, node: NodeInfo) -> int:
        return node.count(term.key, lambda other: self._matches(term, other))

    # Filter

    def pre_filter(self, state: State, pod: PodInfo) -> Status | None:
        """Count the pods that the terms of either side speak of."""
        counts = Counts()
        for node in self._snapshot.anti_affinity_nodes.values():
            for other in node.with_anti_affinity.values():
                for term in other.anti_affinity:
                    if self._matches(term, pod):
                        _raise(counts.existing, term.topology_key, node, 1)
        if not counts.existing and not pod.affinity and not pod.anti_affinity:
            return SKIP
        if pod.affinity or pod.anti_affinity:
            for node in self._snapshot.nodes:
                if not node.pods:
                    continue
                for term in pod.anti_affinity:
                    _raise(counts.anti_affinity, term.topology_key, node, self._count(term, node))
                if pod.affinity:
                    self._count_affinity(counts, pod, node)
        state[self.name] = counts
        return None

    def _count_affinity(self, counts: Counts, pod: PodInfo, node: NodeInfo) -> None:
        """A pod counts when every term matches it."""
        terms = pod.affinity
        key = tuple(term.key for term in terms)
        found = node.count(key, lambda other: all(self._matches(term, other) for term in terms))
        for term in terms:
            _raise(counts.affinity, term.topology_key, node, found)

    def add_pod(self, state: State, pod: PodInfo, other: PodInfo, node: NodeInfo) -> None:
        """As if `other` were on the node."""
        self._change(state, pod, other, node, 1)

    def remove_pod(self, state: State, pod: PodInfo, other: PodInfo, node: NodeInfo) -> None:
        """As if `other` were not on the node."""
        self._change(state, pod, other, node, -1)

    def _change(self, state: State, pod: PodInfo, other: PodInfo, node: NodeInfo, by: int) -> None:
        counts: Counts | None = state.get(self.name)
        if counts is None:
            return
        for term in other.anti_affinity:
            if self._matches(term, pod):
                _raise(counts.existing, term.topology_key, node, by)
        for term in pod.anti_affinity:
            if self._matches(term, other):
                _raise(counts.anti_affinity, term.topology_key, node, by)
        if pod.affinity and all(self._matches(term, other) for term in pod.affinity):
            for term in pod.affinity:
                _raise(counts.affinity, term.topology_key, node, by)

    def filter(self, state: State, pod: PodInfo, node: NodeInfo) -> Status | None:
        """None when nobody is too near or too far."""
        counts: Counts = state[self.name]
        if not self._near_enough(counts, pod, node):
            return AFFINITY
        if counts.anti_affinity and any(
            counts.anti_affinity.get((t.topology_key, node.labels.get(t.topology_key, ""))) for t in pod.anti_affinity
        ):
            return ANTI_AFFINITY
        if counts.existing and any(counts.existing.get(label) for label in node.labels.items()):
            return EXISTING
        return None

    def _near_enough(self, counts: Counts, pod: PodInfo, node: NodeInfo) -> bool:
        near = True
        for term in pod.affinity:
            value = node.labels.get(term.topology_key)
            if value is None:
                return False
            near = near and counts.affinity.get((term.topology_key, value), 0) > 0
        if near:
            return True
        # The first pod of a group that wants to be together may go anywhere.
        return not any(counts.affinity.values()) and all(self._matches(term, pod) for term in pod.affinity)

    def hint(self, pod: PodInfo, event: Event) -> bool:
        """Pods come to be near, or go that were too near, or nodes change their domains."""
        if event.kind.startswith("Node/"):
            return self._node_helps(pod, event)
        if not event.kind.startswith("AssignedPod/"):
            return True
        before = PodInfo(event.old) if event.old is not None else None
        after = PodInfo(event.new) if event.new is not None else None
        if after is None:
            return before is not None and (
                self._all_match(pod.anti_affinity, before) or any(self._matches(t, pod) for t in before.anti_affinity)
            )
        near = self._all_match(pod.affinity, after)
        if before is None:
            return near
        was_near, was_too_near = self._all_match(pod.affinity, before), self._all_match(pod.anti_affinity, before)
        return (near and not was_near) or (was_too_near and not self._all_match(pod.anti_affinity, after))

    def _all_match(self, terms: Sequence[AffinityTerm], other: PodInfo) -> bool:
        return bool(terms) and all(self._matches(term, other) for term in terms)

    @staticmethod
    def _node_helps(pod: PodInfo, event: Event) -> bool:
        """A new node may; one that changes only if it comes to be of another domain."""
        if event.old is None or event.new is None:
            return True
        old, new = (obj["metadata"].get("labels") or {} for obj in (event.old, event.new))
        return any(old.get(t.topology_key) != new.get(t.topology_key) for t in (*pod.affinity, *pod.anti_affinity))

    # Score

    def pre_score(self, state: State, pod: PodInfo, nodes: Sequence[NodeInfo]) -> Status | None:
        """Sum weights by domain, of the pod's wishes and of those that placed pods have of it."""
        wishes = bool(pod.preferred_affinity or pod.preferred_anti_affinity)
        if not wishes and not self._snapshot.affinity_nodes:
            return SKIP
        sums: dict[Domain, int] = {}
        for node in self._snapshot.nodes if wishes else ():
            if node.pods:
                for term in pod.preferred_affinity:
                    _raise(sums, term.topology_key, node, term.weight * self._count(term, node))
                for term in pod.preferred_anti_affinity:
                    _raise(sums, term.topology_key, node, -term.weight * self._count(term, node))
        for node in self._snapshot.affinity_nodes.values():
            for other in node.with_affinity.values():
                self._wishes_of(sums, other, pod, node)
        if not sums:
            return SKIP
        state[f"{self.name}/score"] = sums
        return None

    def _wishes_of(self, sums: dict[Domain, int], other: PodInfo, pod: PodInfo, node: NodeInfo) -> None:
        for terms, sign in ((other.preferred_affinity, 1), (other.preferred_anti_affinity, -1)):
            for term in terms:
                if self._matches(term, pod):
                    _raise(sums, term.topology_key, node, sign * term.weight)
        for term in other.affinity:
            if self._matches(term, pod):
                _raise(sums, term.topology_key, node, HARD_WEIGHT)

    def score(self, state: State, pod: PodInfo, node: NodeInfo) -> int:
        """The sum over the node's domains."""
        sums: dict[Domain, int] = state[f"{self.name}/score"]
        labels = node.labels
        return sum(value for (key, domain), value in sums.items() if labels.get(key) == domain)

    def normalize(self, state: State, pod: PodInfo, nodes: Sequence[NodeInfo], scores: list[int]) -> list[int]:
        """Between the smallest and the largest sum."""
        least, most = min(scores), max(scores)
        if least == most:
            return [0] * len(scores)
        return [MAX_SCORE * (score - least) // (most - least) for score in scores]
