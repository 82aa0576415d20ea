"""NodeAffinity: nodeSelector and node affinity, required and preferred."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import orjson
from msgspec import Struct

from fakenodes.scheduler.framework import SKIP, Code, Event, Handle, PreFilterResult, State, Status, default_normalize
from fakenodes.scheduler.matching import NodeTerm, Predicate, equality_selector, node_term, node_terms
from fakenodes.scheduler.snapshot import NodeInfo, Obj, PodInfo

REJECTED = Status(Code.UNRESOLVABLE, ("node(s) didn't match Pod's node affinity/selector",), "NodeAffinity")
CONFLICT = Status(Code.UNRESOLVABLE, ("pod affinity terms conflict",), "NodeAffinity")
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
COMPILED_LIMIT = 1024


class Compiled(Struct, frozen=True):
    """A pod's wishes: the selector, the required terms (None: no such field), the preferred ones with weights."""

    selector: Predicate
    required: tuple[NodeTerm, ...] | None
    preferred: tuple[tuple[int, NodeTerm], ...]

    def matches(self, node: NodeInfo) -> bool:
        """Is everything required there?"""
        if not self.selector(node.labels):
            return False
        return self.required is None or any(term.matches(node.name, node.labels) for term in self.required)


def _node_affinity(pod: PodInfo) -> Obj:
    found: Obj = (pod.spec.get("affinity") or {}).get("nodeAffinity") or {}
    return found


def compile_affinity(pod: PodInfo) -> Compiled:
    """The pod's node selector and affinity as predicates."""
    affinity = _node_affinity(pod)
    required = affinity.get(REQUIRED)
    preferred = [(found["weight"], node_term(found["preference"])) for found in affinity.get(PREFERRED) or ()]
    return Compiled(
        equality_selector(pod.spec.get("nodeSelector") or {}),
        node_terms(required.get("nodeSelectorTerms")) if required is not None else None,
        tuple((weight, term) for weight, term in preferred if term is not None and weight),
    )


def _labelled(obj: Obj) -> NodeInfo:
    node = NodeInfo(obj["metadata"]["name"])
    node.labels = obj["metadata"].get("labels") or {}
    return node


class NodeAffinity:
    """PreFilter, filter and score."""

    name = "NodeAffinity"
    events = ("Node/Add", "Node/UpdateLabel", "Pod/UpdateAffinity")

    def __init__(self, handle: Handle) -> None:
        self._compiled: dict[Hashable, Compiled] = {}

    def sign(self, pod: PodInfo) -> Hashable:
        """The selector and the affinity."""
        affinity = _node_affinity(pod)
        selector = pod.spec.get("nodeSelector")
        return orjson.dumps([selector, affinity]) if affinity or selector else b""

    def compiled(self, pod: PodInfo) -> Compiled:
        """compile_affinity, remembered by signature."""
        key = self.sign(pod)
        found = self._compiled.get(key)
        if found is None:
            if len(self._compiled) >= COMPILED_LIMIT:
                self._compiled.clear()
            found = self._compiled[key] = compile_affinity(pod)
        return found

    def pre_filter(self, state: State, pod: PodInfo) -> PreFilterResult | Status | None:
        """Terms that name nodes narrow the search to these."""
        found = state[self.name] = self.compiled(pod)
        if found.required is None:
            return SKIP if not pod.spec.get("nodeSelector") else None
        if not found.required or any(term.names is None for term in found.required):
            return None
        names = frozenset().union(*(term.names or () for term in found.required))
        return PreFilterResult(names) if names else CONFLICT

    def filter(self, state: State, pod: PodInfo, node: NodeInfo) -> Status | None:
        """None when the node has all that is required."""
        return None if state[self.name].matches(node) else REJECTED

    def hint(self, pod: PodInfo, event: Event) -> bool:
        """A node helps that matches and did not before."""
        if event.new is None or not event.kind.startswith("Node/"):
            return True
        wanted = self.compiled(pod)
        return wanted.matches(_labelled(event.new)) and (event.old is None or not wanted.matches(_labelled(event.old)))

    def pre_score(self, state: State, pod: PodInfo, nodes: Sequence[NodeInfo]) -> Status | None:
        """Nothing preferred, nothing to score."""
        found = state.setdefault(self.name, None) or self.compiled(pod)
        state[self.name] = found
        return None if found.preferred else SKIP

    def score(self, state: State, pod: PodInfo, node: NodeInfo) -> int:
        """The sum of the weights of the preferred terms that match."""
        found: Compiled = state[self.name]
        return sum(weight for weight, term in found.preferred if term.matches(node.name, node.labels))

    def normalize(self, state: State, pod: PodInfo, nodes: Sequence[NodeInfo], scores: list[int]) -> list[int]:
        """More is better."""
        return default_normalize(scores)
