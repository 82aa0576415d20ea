"""The resources of the API group scheduling.k8s.io, as kube-apiserver serves them by default."""

from __future__ import annotations

from fakeapi.resources.base import Resource
from fakeapi.strategies import priorityclass

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
        strategy=priorityclass.STRATEGY,
    ),
)
