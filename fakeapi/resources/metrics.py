"""metrics.k8s.io: what `kubectl top` and autoscalers read.

Served where the cluster's own nodes run and not by a server alone: on a real cluster, metrics-server brings it.
"""

from __future__ import annotations

from fakeapi.resources.base import Resource, Served

GROUP = "metrics.k8s.io"
_VERSIONS = (Served("v1beta1"),)

ROWS = (
    Resource(
        group=GROUP,
        kind="NodeMetrics",
        plural="nodes",
        namespaced=False,
        versions=_VERSIONS,
        storage_version="v1beta1",
        verbs=("get", "list"),
        virtual=True,
    ),
    Resource(
        group=GROUP,
        kind="PodMetrics",
        plural="pods",
        versions=_VERSIONS,
        storage_version="v1beta1",
        verbs=("get", "list"),
        virtual=True,
    ),
)
