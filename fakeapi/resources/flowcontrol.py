"""The resources of the API group flowcontrol.apiserver.k8s.io.

Before v1 (1.29) beta versions were on by default; v1beta1 and v1beta2 call the shares of a priority level
assuredConcurrencyShares. A minor that has no v1 stores the newest version that it serves (table.py).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from fakeapi.resources.base import Conversion, Resource, Served, status

GROUP = "flowcontrol.apiserver.k8s.io"
DEFINITION = "io.k8s.api.flowcontrol"


def _versions(kind: str) -> tuple[Served, ...]:
    """The versions of both kinds, each of which names the kind in its successor."""

    def old(version: str, since: int, until: int, deprecated: int, successor: str) -> Served:
        return Served(version, since, until, deprecated, f"{GROUP}/{successor} {kind}")

    return (
        Served("v1", since=29),
        old("v1beta3", 26, 31, 29, "v1"),
        old("v1beta2", 0, 28, 26, "v1beta3"),
        old("v1beta1", 0, 25, 23, "v1beta2"),
    )


def _same(obj: dict[str, Any]) -> dict[str, Any]:
    """For versions of one shape."""
    return obj


def _renamed(old: str, new: str, obj: dict[str, Any]) -> dict[str, Any]:
    """The priority level with spec.limited's field `old` called `new`."""
    spec = obj.get("spec") or {}
    limited = spec.get("limited") or {}
    if old not in limited:
        return obj
    moved = {new if key == old else key: value for key, value in limited.items()}
    return {**obj, "spec": {**spec, "limited": moved}}


SAME: dict[str, Conversion] = {"v1beta1": (_same, _same), "v1beta2": (_same, _same), "v1beta3": (_same, _same)}
_OLD, _NEW = "assuredConcurrencyShares", "nominalConcurrencyShares"
# v1beta2 is only ever converted in minors that store a newer version; v1beta1 only where v1beta2 is stored.
SHARES: dict[str, Conversion] = {**SAME, "v1beta2": (partial(_renamed, _OLD, _NEW), partial(_renamed, _NEW, _OLD))}

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="FlowSchema",
        plural="flowschemas",
        namespaced=False,
        versions=_versions("FlowSchema"),
        subresources=(status("FlowSchema"),),
        definition=DEFINITION,
        strategy_name="flowschema",
        convert=SAME,
    ),
    Resource(
        group=GROUP,
        kind="PriorityLevelConfiguration",
        plural="prioritylevelconfigurations",
        namespaced=False,
        versions=_versions("PriorityLevelConfiguration"),
        subresources=(status("PriorityLevelConfiguration"),),
        definition=DEFINITION,
        strategy_name="prioritylevelconfiguration",
        convert=SHARES,
    ),
)
