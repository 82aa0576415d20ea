"""The resources of the API group storagemigration.k8s.io, as kube-apiserver serves them by default."""

from __future__ import annotations

from fakeapi.resources.base import Resource, Served, status

GROUP = "storagemigration.k8s.io"
DEFINITION = "io.k8s.api.storagemigration"

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="StorageVersionMigration",
        plural="storageversionmigrations",
        namespaced=False,
        versions=(Served("v1", since=37),),
        subresources=(status("StorageVersionMigration"),),
        definition=DEFINITION,
    ),
)
