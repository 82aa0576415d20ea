"""The resources of the API group resource.k8s.io, as kube-apiserver serves them by default."""

from __future__ import annotations

from fakeapi.resources.base import Resource, Served, status

GROUP = "resource.k8s.io"
DEFINITION = "io.k8s.api.resource"

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="DeviceClass",
        plural="deviceclasses",
        namespaced=False,
        versions=(Served("v1", since=34),),
        definition=DEFINITION,
        strategy_name="deviceclass",
    ),
    Resource(
        group=GROUP,
        kind="DeviceTaintRule",
        plural="devicetaintrules",
        namespaced=False,
        versions=(Served("v1", since=37),),
        subresources=(status("DeviceTaintRule"),),
        definition=DEFINITION,
    ),
    Resource(
        group=GROUP,
        kind="ResourceClaim",
        plural="resourceclaims",
        versions=(Served("v1", since=34),),
        subresources=(status("ResourceClaim"),),
        definition=DEFINITION,
        strategy_name="resourceclaim",
    ),
    Resource(
        group=GROUP,
        kind="ResourceClaimTemplate",
        plural="resourceclaimtemplates",
        versions=(Served("v1", since=34),),
        definition=DEFINITION,
        strategy_name="resourceclaimtemplate",
    ),
    Resource(
        group=GROUP,
        kind="ResourceSlice",
        plural="resourceslices",
        namespaced=False,
        versions=(Served("v1", since=34),),
        definition=DEFINITION,
        strategy_name="resourceslice",
    ),
)
