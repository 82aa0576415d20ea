"""Label selectors, node selectors, tolerations and pod affinity terms, compiled once into predicates.

Stands for labels.Selector, component-helpers' nodeaffinity and corev1 tolerations, framework.AffinityTerm. A selector
that cannot be parsed matches nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from msgspec import Struct

Labels = Mapping[str, str]
Predicate = Callable[[Labels], bool]
Obj = Mapping[str, Any]


def everything(_: Labels) -> bool:
    """The empty selector."""
    return True


def nothing(_: Labels) -> bool:
    """The absent selector."""
    return False


def _int(text: str | None) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None


def _compare(key: str, values: Sequence[str], greater: bool) -> Predicate:
    bound = _int(values[0]) if len(values) == 1 else None
    if bound is None:
        return nothing

    def matches(labels: Labels) -> bool:
        value = _int(labels.get(key))
        return value is not None and (value > bound if greater else value < bound)

    return matches


OPERATORS: dict[str, Callable[[str, Sequence[str]], Predicate]] = {
    "In": lambda key, values: lambda labels, v=frozenset(values): labels.get(key) in v,  # type: ignore[misc]
    "NotIn": lambda key, values: lambda labels, v=frozenset(values): key not in labels or labels[key] not in v,  # type: ignore[misc]
    "Exists": lambda key, values: lambda labels: key in labels,
    "DoesNotExist": lambda key, values: lambda labels: key not in labels,
    "Gt": lambda key, values: _compare(key, values, True),
    "Lt": lambda key, values: _compare(key, values, False),
}


def _requirement(found: Obj) -> Predicate:
    compile_one = OPERATORS.get(found.get("operator", ""))
    return compile_one(found["key"], found.get("values") or ()) if compile_one else nothing


def _all(parts: Sequence[Predicate]) -> Predicate:
    if len(parts) == 1:
        return parts[0]
    return lambda labels: all(part(labels) for part in parts)


def label_selector(selector: Obj | None) -> Predicate:
    """metav1.LabelSelector: None matches nothing, {} everything."""
    if selector is None:
        return nothing
    parts = [
        _requirement({"key": k, "operator": "In", "values": [v]})
        for k, v in (selector.get("matchLabels") or {}).items()
    ]
    parts += [_requirement(found) for found in selector.get("matchExpressions") or ()]
    return _all(parts) if parts else everything


def equality_selector(labels: Labels) -> Predicate:
    """A Service's or nodeSelector's map: every pair must be there."""
    return label_selector({"matchLabels": labels}) if labels else everything


class NodeTerm(Struct, frozen=True):
    """One term of a NodeSelector. `names`: nodes that matchFields metadata.name allows, None for all."""

    labels: Predicate
    fields: Predicate
    names: frozenset[str] | None

    def matches(self, name: str, labels: Labels) -> bool:
        """Does the node of that name and labels satisfy the term?"""
        return self.labels(labels) and self.fields({"metadata.name": name})


def node_term(term: Obj) -> NodeTerm | None:
    """The compiled term; None for an empty one, which matches no node."""
    expressions = [_requirement(found) for found in term.get("matchExpressions") or ()]
    fields = [_requirement(found) for found in term.get("matchFields") or ()]
    if not expressions and not fields:
        return None
    by_name = [
        frozenset(found.get("values") or ())
        for found in term.get("matchFields") or ()
        if found.get("key") == "metadata.name" and found.get("operator") == "In"
    ]
    names = frozenset.intersection(*by_name) if by_name else None
    return NodeTerm(_all(expressions) if expressions else everything, _all(fields) if fields else everything, names)


def node_terms(terms: Sequence[Obj] | None) -> tuple[NodeTerm, ...]:
    """The compiled terms of a NodeSelector, of which one must match."""
    return tuple(found for found in (node_term(term) for term in terms or ()) if found is not None)


def tolerates(toleration: Obj, taint: Obj) -> bool:
    """Toleration.ToleratesTaint, with the numeric operators Lt and Gt."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Equal":
        return bool(toleration.get("value", "") == taint.get("value", ""))
    if operator == "Exists":
        return True
    mine, theirs = _int(toleration.get("value")), _int(taint.get("value"))
    if mine is None or theirs is None:
        return False
    return theirs < mine if operator == "Lt" else theirs > mine if operator == "Gt" else False


def untolerated(taints: Sequence[Obj], tolerations: Sequence[Obj], effects: tuple[str, ...]) -> Obj | None:
    """The first taint of these effects that nothing tolerates, or None."""
    for taint in taints:
        if taint.get("effect") in effects and not any(tolerates(t, taint) for t in tolerations):
            return taint
    return None


class AffinityTerm:
    """A PodAffinityTerm seen from the pod that has it: which pods of which namespaces, spread over which label."""

    __slots__ = ("everywhere", "key", "labels", "namespace_selector", "namespaces", "topology_key", "weight")

    def __init__(self, term: Obj, namespace: str, weight: int = 0) -> None:
        self.topology_key: str = term.get("topologyKey", "")
        self.labels = label_selector(term.get("labelSelector"))
        self.weight = weight
        chosen = term.get("namespaces") or ()
        selector = term.get("namespaceSelector")
        self.everywhere = (
            selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions")
        )
        self.namespace_selector = label_selector(selector)
        self.namespaces = frozenset(chosen if chosen or selector is not None else (namespace,))
        # Equal terms of different pods share what nodes remember about them.
        self.key = (self.namespaces, orjson.dumps([term.get("labelSelector"), selector], option=orjson.OPT_SORT_KEYS))

    def matches(self, namespace: str, labels: Labels, namespace_labels: Callable[[str], Labels]) -> bool:
        """Is a pod with these labels in that namespace one that the term speaks of?"""
        if not (
            self.everywhere or namespace in self.namespaces or self.namespace_selector(namespace_labels(namespace))
        ):
            return False
        return self.labels(labels)


def required_terms(affinity: Obj | None, namespace: str) -> tuple[AffinityTerm, ...]:
    """The terms of a podAffinity or podAntiAffinity that must hold."""
    found = (affinity or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or ()
    return tuple(AffinityTerm(term, namespace) for term in found)


def preferred_terms(affinity: Obj | None, namespace: str) -> tuple[AffinityTerm, ...]:
    """The weighted terms."""
    found = (affinity or {}).get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    return tuple(AffinityTerm(t["podAffinityTerm"], namespace, t["weight"]) for t in found if t.get("weight"))
