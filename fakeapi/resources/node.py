"""The resources of the API group node.k8s.io, as kube-apiserver serves them by default."""

from __future__ import annotations

from fakeapi.resources.base import Resource

GROUP = "node.k8s.io"
DEFINITION = "io.k8s.api.node"

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="RuntimeClass",
        plural="runtimeclasses",
        namespaced=False,
        definition=DEFINITION,
        strategy_name="runtimeclass",
    ),
)
