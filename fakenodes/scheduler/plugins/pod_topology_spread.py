"""PodTopologySpread: keeps like pods spread evenly over zones, hosts or any other label of nodes.

Pods without constraints of their own get upstream's system defaults (hosts and zones, ScheduleAnyway) when a Service or
a controller selects them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from msgspec import Struct, field

from fakenodes.scheduler.framework import MAX_SCORE, SKIP, Code, Event, Handle, State, Status
from fakenodes.scheduler.matching import Predicate, equality_selector, everything, label_selector, untolerated
from fakenodes.scheduler.plugins.node_affinity import Compiled, compile_affinity
from fakenodes.scheduler.snapshot import NodeInfo, Obj, PodInfo

MISMATCH = Status(Code.UNSCHEDULABLE, ("node(s) didn't match pod topology spread constraints",), "PodTopologySpread")
UNLABELED = Status(
    Code.UNRESOLVABLE,
    ("node(s) didn't match pod topology spread constraints (missing required label)",),
    "PodTopologySpread",
)
HOSTNAME = "kubernetes.io/hostname"
SYSTEM_DEFAULTS = ((HOSTNAME, 3), ("topology.kubernetes.io/zone", 5))
CONTROLLERS = ("replicationcontrollers", "replicasets", "statefulsets")


class Constraint(Struct):
    """One compiled topologySpreadConstraint. `id` is equal for constraints that count the same pods."""

    key: str
    max_skew: int
    selector: Predicate
    id: tuple[str, bytes]
    min_domains: int = 1
    honor_affinity: bool = True
    honor_taints: bool = False

    def count(self, node: NodeInfo, namespace: str) -> int:
        """Living pods of the namespace on the node that the selector matches; the empty one, as upstream, none."""
        selector = self.selector
        if selector is everything:
            return 0

        def matches(pod: PodInfo) -> bool:
            return pod.namespace == namespace and not pod.terminating and selector(pod.labels)

        return node.count(self.id, matches)


class Spread(Struct):
    """What the filter knows: for every constraint, how many matching pods each domain has."""

    constraints: list[Constraint]
    counts: list[dict[str, int]] = field(default_factory=list)

    def __deepcopy__(self, memo: Any) -> Spread:
        return Spread(self.constraints, [dict(count) for count in self.counts])

    def least(self, index: int) -> int:
        """The smallest domain's count; 0 when there are fewer domains than minDomains."""
        counts = self.counts[index]
        if len(counts) < self.constraints[index].min_domains:
            return 0
        return min(counts.values(), default=2**31)


class Ranking(Struct):
    """What the score knows: the constraints with counts by domain (None: a host is its own) and weights; nodes that
    lack a label."""

    constraints: list[tuple[Constraint, dict[str, int] | None, float]]
    ignored: set[str]


class PodTopologySpread:
    """PreFilter, filter and score."""

    name = "PodTopologySpread"
    events = (
        "AssignedPod/Add", "AssignedPod/UpdateLabel", "AssignedPod/Delete", "Node/Add", "Node/Delete",
        "Node/UpdateLabel", "Node/UpdateTaint", "Pod/UpdateLabel", "Pod/UpdateToleration",
    )  # fmt: skip

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._snapshot = handle.snapshot

    # Filter

    def pre_filter(self, state: State, pod: PodInfo) -> Status | None:
        """Count matching pods by domain."""
        constraints = _own(pod, "DoNotSchedule")
        if not constraints:
            return SKIP
        spread = state[self.name] = Spread(constraints, [{} for _ in constraints])
        affinity = compile_affinity(pod)
        for node in self._snapshot.nodes:
            if _lacks_label(node, constraints):
                continue
            for constraint, counts in zip(constraints, spread.counts, strict=True):
                if _included(constraint, pod, node, affinity):
                    domain = node.labels[constraint.key]
                    counts[domain] = counts.get(domain, 0) + constraint.count(node, pod.namespace)
        return None

    def add_pod(self, state: State, pod: PodInfo, other: PodInfo, node: NodeInfo) -> None:
        """As if `other` were on the node."""
        self._change(state, pod, other, node, 1)

    def remove_pod(self, state: State, pod: PodInfo, other: PodInfo, node: NodeInfo) -> None:
        """As if `other` were not on the node."""
        self._change(state, pod, other, node, -1)

    def _change(self, state: State, pod: PodInfo, other: PodInfo, node: NodeInfo, delta: int) -> None:
        spread: Spread | None = state.get(self.name)
        if spread is None or other.namespace != pod.namespace or _lacks_label(node, spread.constraints):
            return
        affinity = compile_affinity(pod)
        for constraint, counts in zip(spread.constraints, spread.counts, strict=True):
            if constraint.selector(other.labels) and _included(constraint, pod, node, affinity):
                domain = node.labels[constraint.key]
                counts[domain] = counts.get(domain, 0) + delta

    def filter(self, state: State, pod: PodInfo, node: NodeInfo) -> Status | None:
        """None when no constraint's skew would grow beyond its maximum."""
        spread: Spread = state[self.name]
        for i, constraint in enumerate(spread.constraints):
            domain = node.labels.get(constraint.key)
            if domain is None:
                return UNLABELED
            itself = 1 if constraint.selector(pod.labels) else 0
            if spread.counts[i].get(domain, 0) + itself - spread.least(i) > constraint.max_skew:
                return MISMATCH
        return None

    def hint(self, pod: PodInfo, event: Event) -> bool:
        """Pods of the namespace matter when a constraint counts them or did before, nodes when they are in domains."""
        constraints = _own(pod, "DoNotSchedule")
        if event.kind.startswith("Node/"):
            return _domains_change(constraints, event)
        if event.kind == "Pod/UpdateToleration":
            return True
        sides = [obj for obj in (event.old, event.new) if obj is not None]
        if any(obj["metadata"].get("namespace") != pod.namespace for obj in sides):
            return False
        counted = [[c.selector(obj["metadata"].get("labels") or {}) for c in constraints] for obj in sides]
        if len(counted) == 1:
            return any(counted[0])
        return counted[0] != counted[1] or (event.kind.startswith("Pod/") and not any(counted[1]))

    # Score

    def pre_score(self, state: State, pod: PodInfo, nodes: Sequence[NodeInfo]) -> Status | None:
        """Count matching pods by domain, of the domains that the feasible nodes are in."""
        own = bool(pod.spec.get("topologySpreadConstraints"))
        constraints = _own(pod, "ScheduleAnyway") if own else self._defaults(pod)
        if not constraints:
            return SKIP
        ignored = {n.name for n in nodes if own and _lacks_label(n, constraints)}
        affinity = compile_affinity(pod)
        ranked: list[tuple[Constraint, dict[str, int] | None, float]] = []
        for constraint in constraints:
            key = constraint.key
            if key == HOSTNAME:  # counted when it is scored
                ranked.append((constraint, None, math.log(len(nodes) - len(ignored) + 2)))
                continue
            domains = {n.labels.get(key) for n in nodes if n.name not in ignored}
            found = {domain: 0 for domain in domains if domain is not None}
            for node in self._snapshot.nodes if found else ():
                domain = node.labels.get(key)
                if domain not in found or (own and _lacks_label(node, constraints)):
                    continue
                if _included(constraint, pod, node, affinity):
                    found[domain] += constraint.count(node, pod.namespace)
            # Nodes without the label are a domain more.
            ranked.append((constraint, found, math.log(len(domains) + 2)))
        state[f"{self.name}/score"] = Ranking(ranked, ignored)
        return None

    def score(self, state: State, pod: PodInfo, node: NodeInfo) -> int:
        """More like pods in the node's domains, a larger number."""
        ranking: Ranking = state["PodTopologySpread/score"]
        if node.name in ranking.ignored:
            return 0
        total = 0.0
        for constraint, counts, weight in ranking.constraints:
            domain = node.labels.get(constraint.key)
            if domain is None:
                continue
            if counts is not None:
                found = counts.get(domain, 0)
            elif (known := node.memo.get(constraint.id)) is not None:
                found = known
            else:
                found = constraint.count(node, pod.namespace)
            total += found * weight + (constraint.max_skew - 1)
        return int(total + 0.5)

    def normalize(self, state: State, pod: PodInfo, nodes: Sequence[NodeInfo], scores: list[int]) -> list[int]:
        """Fewer like pods are better; nodes that lack a label get nothing."""
        ranking: Ranking = state[f"{self.name}/score"]
        ignored = ranking.ignored
        counted = [s for s, n in zip(scores, nodes, strict=True) if n.name not in ignored] if ignored else scores
        least, most = min(counted, default=0), max(counted, default=0)
        if least == most and not ignored:
            return [MAX_SCORE] * len(scores)
        return [
            0 if node.name in ignored else MAX_SCORE if most == 0 else MAX_SCORE * (most + least - score) // most
            for score, node in zip(scores, nodes, strict=True)
        ]

    def _defaults(self, pod: PodInfo) -> list[Constraint]:
        selectors = self._selectors(pod)
        if not selectors:
            return []
        merged: dict[str, Any] = {"matchLabels": {}, "matchExpressions": []}
        for selector in selectors:
            merged["matchLabels"].update(selector.get("matchLabels") or {})
            merged["matchExpressions"] += selector.get("matchExpressions") or []
        return [_constraint(key, skew, merged, pod.namespace) for key, skew in SYSTEM_DEFAULTS]

    def _selectors(self, pod: PodInfo) -> list[Obj]:
        """Selectors of the Services of the pod, and of the controller that owns it."""
        listers = self._handle.listers
        found: list[Obj] = []
        for service in listers["services"].list(pod.namespace):
            selector = (service.get("spec") or {}).get("selector")
            if selector and equality_selector(selector)(pod.labels):
                found.append({"matchLabels": selector})
        owner = next((o for o in pod.obj["metadata"].get("ownerReferences") or () if o.get("controller")), None)
        resource = f"{owner['kind'].lower()}s" if owner else ""
        if owner and resource in CONTROLLERS:
            controller = listers[resource].get(f"{pod.namespace}/{owner['name']}")
            selector = (controller or {}).get("spec", {}).get("selector")
            if selector:
                found.append({"matchLabels": selector} if resource == "replicationcontrollers" else selector)
        return found


def _constraint(key: str, skew: int, selector: Mapping[str, Any], namespace: str) -> Constraint:
    packed = orjson.dumps(selector, option=orjson.OPT_SORT_KEYS)
    return Constraint(key, skew, label_selector(selector), (namespace, packed))


def _own(pod: PodInfo, action: str) -> list[Constraint]:
    """The pod's constraints of one kind of whenUnsatisfiable; matchLabelKeys are merged into the selector."""
    found = []
    for spec in pod.spec.get("topologySpreadConstraints") or ():
        if spec.get("whenUnsatisfiable", "DoNotSchedule") != action:
            continue
        selector = spec.get("labelSelector")
        keys = {k: pod.labels[k] for k in spec.get("matchLabelKeys") or () if k in pod.labels}
        if keys and selector is not None:
            selector = {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **keys}}
        packed = orjson.dumps(selector, option=orjson.OPT_SORT_KEYS)
        found.append(
            Constraint(
                spec["topologyKey"],
                spec["maxSkew"],
                label_selector(selector),
                (pod.namespace, packed),
                spec.get("minDomains") or 1,
                spec.get("nodeAffinityPolicy", "Honor") == "Honor",
                spec.get("nodeTaintsPolicy", "Ignore") == "Honor",
            )
        )
    return found


def _domains_change(constraints: Sequence[Constraint], event: Event) -> bool:
    """Does a node come into domains of all constraints, leave them, move between them, or change its taints there?"""
    sides = [obj for obj in (event.old, event.new) if obj is not None]
    found = [[(obj["metadata"].get("labels") or {}).get(c.key) for c in constraints] for obj in sides]
    within = [None not in domains for domains in found]
    if len(sides) == 1 or within[0] != within[1]:
        return any(within)
    taints = [(obj.get("spec") or {}).get("taints") for obj in sides]
    return within[1] and (found[0] != found[1] or taints[0] != taints[1])


def _lacks_label(node: NodeInfo, constraints: Sequence[Constraint]) -> bool:
    """Is the node in no domain of one of them?"""
    return any(c.key not in node.labels for c in constraints)


def _included(constraint: Constraint, pod: PodInfo, node: NodeInfo, affinity: Compiled) -> bool:
    """Do the constraint's policies count this node?"""
    if constraint.honor_affinity and not affinity.matches(node):
        return False
    return not (constraint.honor_taints and untolerated(node.taints, pod.tolerations, ("NoSchedule", "NoExecute")))
