"""The resources of the API group storage.k8s.io, as kube-apiserver serves them by default."""

from __future__ import annotations

from fakeapi.resources.base import Resource, Served, status

GROUP = "storage.k8s.io"
DEFINITION = "io.k8s.api.storage"

_CAPACITY_BETA = Served("v1beta1", until=26, deprecated=24, replacement="storage.k8s.io/v1 CSIStorageCapacity")

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="CSIDriver",
        plural="csidrivers",
        namespaced=False,
        definition=DEFINITION,
        strategy_name="csidriver",
    ),
    Resource(
        group=GROUP,
        kind="CSINode",
        plural="csinodes",
        namespaced=False,
        definition=DEFINITION,
        strategy_name="csinode",
    ),
    Resource(
        group=GROUP,
        kind="CSIStorageCapacity",
        plural="csistoragecapacities",
        versions=(Served("v1"), _CAPACITY_BETA),
        definition=DEFINITION,
        strategy_name="csistoragecapacity",
    ),
    Resource(
        group=GROUP,
        kind="StorageClass",
        plural="storageclasses",
        short_names=("sc",),
        namespaced=False,
        definition=DEFINITION,
        strategy_name="storageclass",
    ),
    Resource(
        group=GROUP,
        kind="VolumeAttachment",
        plural="volumeattachments",
        namespaced=False,
        subresources=(status("VolumeAttachment"),),
        definition=DEFINITION,
        strategy_name="volumeattachment",
    ),
    Resource(
        group=GROUP,
        kind="VolumeAttributesClass",
        plural="volumeattributesclasses",
        short_names=("vac",),
        namespaced=False,
        versions=(Served("v1", since=34),),
        definition=DEFINITION,
        strategy_name="volumeattributesclass",
    ),
)
