"""The resources of the API group scheduling.k8s.io, as kube-apiserver serves them by default."""

from __future__ import annotations

from fakeapi.resources.base import Resource

GROUP = "scheduling.k8s.io"
DEFINITION = "io.k8s.api.scheduling"

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="PriorityClass",
        plural="priorityclasses",
        short_names=("pc",),
        namespaced=False,
        definition=DEFINITION,
        strategy_name="priorityclass",
    ),
)
