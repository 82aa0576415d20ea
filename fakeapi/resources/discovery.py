"""The resources of the API group discovery.k8s.io, as kube-apiserver serves them by default."""

from __future__ import annotations

from fakeapi.resources.base import Resource

GROUP = "discovery.k8s.io"
DEFINITION = "io.k8s.api.discovery"

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="EndpointSlice",
        plural="endpointslices",
        definition=DEFINITION,
        strategy_name="endpointslice",
    ),
)
