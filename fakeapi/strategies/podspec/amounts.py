"""Amounts of resources of containers and of whole pods: sums, comparisons, QoS class.

Stands for k8s.io/component-helpers/resource and pkg/apis/core/helper/qos.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fakeapi import quantity
from fakeapi.quantity import Quantity

Obj = dict[str, Any]
Amounts = dict[str, Quantity]

POD_LEVEL = ("cpu", "memory")
_QOS = frozenset(POD_LEVEL)


def is_huge_page(name: str) -> bool:
    """hugepages-2Mi and the like."""
    return name.startswith("hugepages-")


def pod_level(name: str) -> bool:
    """Whether a pod's own spec.resources may name it."""
    return name in POD_LEVEL or is_huge_page(name)


def parse(amounts: Mapping[str, Any] | None) -> Amounts:
    """A ResourceList as numbers."""
    return {name: quantity.parse(value) for name, value in amounts.items()} if amounts else {}


def is_sidecar(container: Obj) -> bool:
    """A restartable init container."""
    return container.get("restartPolicy") == "Always"


def aggregate(spec: Obj, kind: str) -> Amounts:
    """AggregateContainerRequests/Limits: kind is "requests" or "limits"; init containers count by their peak."""

    def of(container: Obj) -> Amounts:
        return parse((container.get("resources") or {}).get(kind))

    total = _sum(map(of, spec.get("containers") or ()))
    peak: Amounts = {}
    sidecars: Amounts = {}
    for container in spec.get("initContainers") or ():
        own = of(container)
        if is_sidecar(container):
            sidecars = _sum((sidecars, own))
            total = _sum((total, own))
            own = sidecars
        else:
            own = _sum((own, sidecars))
        peak = _merge(peak, own, max)
    return _merge(total, peak, max)


def _sum(lists: Iterable[Amounts]) -> Amounts:
    total: Amounts = {}
    for amounts in lists:
        total = _merge(total, amounts, lambda a, b: a + b)
    return total


def _merge(one: Amounts, other: Amounts, join: Callable[[Quantity, Quantity], Quantity]) -> Amounts:
    joined = dict(one)
    for name, value in other.items():
        joined[name] = join(joined[name], value) if name in joined else value
    return joined


def qos_class(spec: Obj) -> str:
    """Guaranteed, Burstable or BestEffort."""
    own = spec.get("resources")
    owners = [own] if own is not None else _container_resources(spec)
    requests: Amounts = {}
    limits: Amounts = {}
    guaranteed = True
    for resources in owners:
        requests = _sum((requests, _positive(resources.get("requests"))))
        found = _positive(resources.get("limits"))
        limits = _sum((limits, found))
        guaranteed = guaranteed and found.keys() >= _QOS
    if not requests and not limits:
        return "BestEffort"
    return "Guaranteed" if guaranteed and requests == limits else "Burstable"


def _container_resources(spec: Obj) -> list[Obj]:
    both = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    return [container.get("resources") or {} for container in both]


def _positive(amounts: Mapping[str, Any] | None) -> Amounts:
    return {name: value for name, value in parse(amounts).items() if name in _QOS and value.nano > 0} if amounts else {}
