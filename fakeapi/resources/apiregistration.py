"""The resources of the API group apiregistration.k8s.io, as kube-apiserver serves them by default."""

from __future__ import annotations

from fakeapi.resources.base import Resource, status

GROUP = "apiregistration.k8s.io"
DEFINITION = "io.k8s.kube-aggregator.pkg.apis.apiregistration"

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="APIService",
        plural="apiservices",
        categories=("api-extensions",),
        namespaced=False,
        subresources=(status("APIService"),),
        definition=DEFINITION,
        strategy_name="apiservice",
        storage_key="apiregistration.k8s.io/apiservices",
    ),
)
