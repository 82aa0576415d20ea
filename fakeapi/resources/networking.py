"""The resources of the API group networking.k8s.io, as kube-apiserver serves them by default."""

from __future__ import annotations

from fakeapi.resources.base import Resource, Served, status

GROUP = "networking.k8s.io"
DEFINITION = "io.k8s.api.networking"

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="IngressClass",
        plural="ingressclasses",
        namespaced=False,
        definition=DEFINITION,
        strategy_name="ingressclass",
    ),
    Resource(
        group=GROUP,
        kind="Ingress",
        plural="ingresses",
        short_names=("ing",),
        subresources=(status("Ingress"),),
        definition=DEFINITION,
        strategy_name="ingress",
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
        strategy_name="ipaddress",
    ),
    Resource(
        group=GROUP,
        kind="NetworkPolicy",
        plural="networkpolicies",
        short_names=("netpol",),
        definition=DEFINITION,
        strategy_name="networkpolicy",
    ),
    Resource(
        group=GROUP,
        kind="ServiceCIDR",
        plural="servicecidrs",
        namespaced=False,
        versions=(Served("v1", since=33),),
        subresources=(status("ServiceCIDR"),),
        definition=DEFINITION,
        strategy_name="servicecidr",
    ),
)
