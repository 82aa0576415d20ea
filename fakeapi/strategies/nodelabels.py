"""Node labels that are going away, and what to say of them.

Stands for GetNodeLabelDeprecatedMessage and GetWarningsForNodeSelector(Term) of pkg/api/node.
"""

from __future__ import annotations

from collections.abc import Mapping

from fakeapi.strategies.base import Obj

_ZONE, _REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
DEPRECATED: Mapping[str, str] = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": f'deprecated since v1.17; use "{_REGION}" instead',
    "failure-domain.beta.kubernetes.io/zone": f'deprecated since v1.17; use "{_ZONE}" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
}


def of_selector(at: str, selector: Mapping[str, str] | None) -> list[str]:
    """A nodeSelector map: every warning is of the whole map."""
    return [f"{at}: {DEPRECATED[k]}" for k in sorted(selector or ()) if k in DEPRECATED]


def of_terms(at: str, terms: list[Obj]) -> list[str]:
    """Node selector terms, each expression told by its key."""
    return [
        f"{at}[{i}].matchExpressions[{j}].key: {e['key']} is {DEPRECATED[e['key']]}"
        for i, term in enumerate(terms)
        for j, e in enumerate(term.get("matchExpressions") or ())
        if e.get("key") in DEPRECATED
    ]


def of_label_selector(at: str, selector: Obj | None) -> list[str]:
    """A label selector: expressions by their keys, then plain labels."""
    given = selector or {}
    found = [
        f"{at}.matchExpressions[{i}].key: {e['key']} is {DEPRECATED[e['key']]}"
        for i, e in enumerate(given.get("matchExpressions") or ())
        if e.get("key") in DEPRECATED
    ]
    return found + [
        f"{at}.matchLabels.{k}: {DEPRECATED[k]}" for k in sorted(given.get("matchLabels") or ()) if k in DEPRECATED
    ]
