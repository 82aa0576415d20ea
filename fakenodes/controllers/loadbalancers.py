"""Services of type LoadBalancer get an address of a hollow cloud.

Stands for cloud-provider's service controller and a cloud behind it; off unless Options names a range. The address
is the first that no other Service has; no traffic ever goes through it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from fakenodes.client.base import Obj
from fakenodes.client.gvrs import SERVICES
from fakenodes.controllers.base import Controller, Watch, Work, service_account

FINALIZER = "service.kubernetes.io/load-balancer-cleanup"


def wants(service: Obj) -> bool:
    """Whether the service is to have a load balancer of the default class."""
    spec = service["spec"]
    return bool(
        spec.get("type") == "LoadBalancer"
        and not spec.get("loadBalancerClass")
        and not service["metadata"].get("deletionTimestamp")
    )


def addresses(service: Obj) -> list[str]:
    """The addresses that it has."""
    found = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return [x["ip"] for x in found if x.get("ip")]


def allocate(service: Obj, services: Iterable[Obj], cidr: str) -> str:
    """The service's address: the one asked for when it is in the range and free, else the first free one, else ""."""
    uid = service["metadata"]["uid"]
    taken = {ip for other in services if other["metadata"]["uid"] != uid for ip in addresses(other)}
    network = ipaddress.ip_network(cidr)
    asked = service["spec"].get("loadBalancerIP", "")
    if asked and asked not in taken and ipaddress.ip_address(asked) in network:
        return str(asked)
    return next((str(ip) for ip in network.hosts() if str(ip) not in taken), "")


async def reconcile(work: Work) -> float | None:
    """Address and finalizer of one service."""
    service = work.get(SERVICES, work.key)
    if service is None or not work.options.load_balancers:
        return None
    finalizers = service["metadata"].get("finalizers") or []
    if not wants(service):
        if FINALIZER in finalizers:
            if addresses(service):
                service = await work.update(SERVICES, {**service, "status": {"loadBalancer": {}}}, "status")
            rest = [x for x in finalizers if x != FINALIZER]
            await _finalizers(work, service, rest)
        return None
    if addresses(service):
        return None
    work.event(service, "Normal", "EnsuringLoadBalancer", "Ensuring load balancer")
    if FINALIZER not in finalizers:
        service = await _finalizers(work, service, [*finalizers, FINALIZER])
    ip = allocate(service, work.list(SERVICES), work.options.load_balancers)
    if not ip:
        text = "Error syncing load balancer: failed to ensure load balancer: no address is free"
        work.event(service, "Warning", "SyncLoadBalancerFailed", text)
        return 5.0
    status = {**(service.get("status") or {}), "loadBalancer": {"ingress": [{"ip": ip, "ipMode": "VIP"}]}}
    await work.update(SERVICES, {**service, "status": status}, "status")
    work.event(service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer")
    return None


async def _finalizers(work: Work, service: Obj, wanted: list[str]) -> Obj:
    # By patch of the status subresource's sibling, as the service controller may not update Services.
    return await work.patch(
        SERVICES, service, {"metadata": {"finalizers": wanted}}, "application/merge-patch+json", "status"
    )


SERVICE_LB = Controller(
    "service-lb-controller",
    "service",
    service_account("service-controller"),
    (Watch(SERVICES),),
    reconcile,
    "service-controller",
    workers=1,
)
