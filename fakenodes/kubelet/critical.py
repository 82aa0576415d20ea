"""Which pods a node does not do without, and who may take whose place on it.

Stands for pkg/kubelet/types/pod_update.go (IsCriticalPod, Preemptable).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Obj = Mapping[str, Any]

SOURCE, MIRROR = "kubernetes.io/config.source", "kubernetes.io/config.mirror"
CRITICAL = 2_000_000_000  # the lowest priority of the system's own classes


def is_critical(pod: Obj) -> bool:
    """Static and mirror pods are, and those of a system priority."""
    notes = pod["metadata"].get("annotations") or {}
    return notes.get(SOURCE, "api") != "api" or MIRROR in notes or (pod["spec"].get("priority") or 0) >= CRITICAL


def preemptable(pod: Obj, other: Obj) -> bool:
    """May the other pod be ended to make room for the pod?"""
    if is_critical(pod) and not is_critical(other):
        return True
    mine, theirs = pod["spec"].get("priority"), other["spec"].get("priority")
    return mine is not None and theirs is not None and mine > theirs
