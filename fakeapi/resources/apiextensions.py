"""The resources of the API group apiextensions.k8s.io; what they define are rows made at run time (crd.py)."""

from __future__ import annotations

from fakeapi.resources.base import Resource, status

GROUP = "apiextensions.k8s.io"
DEFINITION = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions"

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="CustomResourceDefinition",
        plural="customresourcedefinitions",
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        namespaced=False,
        subresources=(status("CustomResourceDefinition"),),
        definition=DEFINITION,
        strategy_name="customresourcedefinition",
        storage_key="apiextensions.k8s.io/customresourcedefinitions",
    ),
)
