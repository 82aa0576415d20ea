"""The resources of the API group coordination.k8s.io, as kube-apiserver serves them by default."""

from __future__ import annotations

from fakeapi.resources.base import Resource

GROUP = "coordination.k8s.io"
DEFINITION = "io.k8s.api.coordination"

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="Lease",
        plural="leases",
        definition=DEFINITION,
        strategy_name="lease",
    ),
)
