"""ServiceCIDRs are ready, and stay while Services have addresses that only they cover.

Stands for kube-controller-manager's pkg/controller/servicecidrs.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from fakeapi.clock import rfc3339
from fakenodes.client.base import Obj
from fakenodes.client.gvrs import IP_ADDRESSES, SERVICE_CIDRS
from fakenodes.controllers.base import Controller, Watch, Watching, Work, service_account
from fakenodes.controllers.pods import condition

FINALIZER = "networking.k8s.io/service-cidr-finalizer"
READY = ("True", "", "Kubernetes Service CIDR is ready")
BLOCKED = (
    "False",
    "Terminating",
    "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR",
)
GRACE_SECONDS = 10.0


def networks(cidr: Obj) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """The ranges of a ServiceCIDR."""
    return [ipaddress.ip_network(x) for x in cidr["spec"].get("cidrs") or ()]


def orphans(cidr: Obj, others: Iterable[Obj], addresses: Iterable[Obj]) -> list[str]:
    """Addresses in the range that no other range (not going itself) has."""
    ranges = networks(cidr)
    rest = [
        n
        for other in others
        if other["metadata"]["name"] != cidr["metadata"]["name"] and not other["metadata"].get("deletionTimestamp")
        for n in networks(other)
    ]
    found = []
    for each in addresses:
        ip = ipaddress.ip_address(each["metadata"]["name"])
        if any(ip in n for n in ranges) and not any(ip in n for n in rest):
            found.append(each["metadata"]["name"])
    return found


def with_ready(cidr: Obj, wanted: Sequence[str], now: float) -> Obj | None:
    """The status with the Ready condition; None when it says so already."""
    status, reason, message = wanted
    old = condition(cidr, "Ready")
    if old is not None and old["status"] == status:
        return None
    new = {"type": "Ready", "status": status, "lastTransitionTime": rfc3339(now), "reason": reason, "message": message}
    rest = [c for c in (cidr.get("status") or {}).get("conditions") or () if c is not old]
    return {**(cidr.get("status") or {}), "conditions": [*rest, new]}


async def reconcile(work: Work) -> float | None:
    """Finalizer and condition of one ServiceCIDR."""
    cidr = work.get(SERVICE_CIDRS, work.key)
    if cidr is None:
        return None
    finalizers = cidr["metadata"].get("finalizers") or []
    if cidr["metadata"].get("deletionTimestamp"):
        if FINALIZER not in finalizers:
            return None
        if orphans(cidr, work.list(SERVICE_CIDRS), work.list(IP_ADDRESSES)):
            await _status(work, cidr, BLOCKED)
            return GRACE_SECONDS
        rest = [x for x in finalizers if x != FINALIZER]
        await work.update(SERVICE_CIDRS, {**cidr, "metadata": {**cidr["metadata"], "finalizers": rest}})
        return None
    if FINALIZER not in finalizers:
        meta = {**cidr["metadata"], "finalizers": [*finalizers, FINALIZER]}
        cidr = await work.update(SERVICE_CIDRS, {**cidr, "metadata": meta})
    await _status(work, cidr, READY)
    return None


async def _status(work: Work, cidr: Obj, wanted: Sequence[str]) -> None:
    status = with_ready(cidr, wanted, work.clock.now())
    if status is not None:
        await work.update(SERVICE_CIDRS, {**cidr, "status": status}, "status")


def _of_address(watching: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    """An address that goes may let a range go."""
    return [c["metadata"]["name"] for c in watching.list(SERVICE_CIDRS)] if old is not None and new is None else ()


SERVICE_CIDR = Controller(
    "service-cidr-controller",
    "service-cidr",
    service_account("service-cidrs-controller"),
    (Watch(SERVICE_CIDRS), Watch(IP_ADDRESSES, _of_address)),
    reconcile,
    "service-cidrs-controller",
    workers=1,
)
