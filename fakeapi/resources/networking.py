"""The resources of the API group networking.k8s.io, as kube-apiserver serves them by default."""

from __future__ import annotations

from fakeapi.resources.base import Resource, Served, status
from fakeapi.strategies import ingress, ingressclass, ipaddress, networkpolicy, servicecidr

GROUP = "networking.k8s.io"
DEFINITION = "io.k8s.api.networking"

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="IngressClass",
        plural="ingressclasses",
        namespaced=False,
        definition=DEFINITION,
        strategy=ingressclass.STRATEGY,
    ),
    Resource(
        group=GROUP,
        kind="Ingress",
        plural="ingresses",
        short_names=("ing",),
        subresources=(status("Ingress"),),
        definition=DEFINITION,
        strategy=ingress.STRATEGY,
        storage_key="ingress",
    ),
    Resource(
        group=GROUP,
        kind="IPAddress",
        plural="ipaddresses",
        short_names=("ip",),
        namespaced=False,
        versions=(Served("v1", since=33),),
        definition=DEFINITION,
        strategy=ipaddress.STRATEGY,
    ),
    Resource(
        group=GROUP,
        kind="NetworkPolicy",
        plural="networkpolicies",
        short_names=("netpol",),
        definition=DEFINITION,
        strategy=networkpolicy.STRATEGY,
    ),
    Resource(
        group=GROUP,
        kind="ServiceCIDR",
        plural="servicecidrs",
        namespaced=False,
        versions=(Served("v1", since=33),),
        subresources=(status("ServiceCIDR"),),
        definition=DEFINITION,
        strategy=servicecidr.STRATEGY,
    ),
)
