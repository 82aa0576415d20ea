"""What a pod asks for and a node offers, as integers: CPU in milli-CPUs, everything else in whole units.

Stands for component-helpers' resource.PodRequests and the scheduler's framework.Resource. Parsing is cached because a
cluster knows few distinct quantities and many pods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from fakeapi.quantity import parse

Obj = Mapping[str, Any]
Amounts = dict[str, int]

CPU = "cpu"
MEMORY = "memory"
STORAGE = "ephemeral-storage"
PODS = "pods"

# What a container that asks for nothing counts as when nodes are scored: 0.1 CPU and 200 MB (util.GetNonzeroRequests).
DEFAULT_MILLI_CPU = 100
DEFAULT_MEMORY = 200 * 1024 * 1024


@lru_cache(maxsize=8192)
def amount(resource: str, quantity: str) -> int:
    """`("cpu", "1.5")` is 1500, `("memory", "1Ki")` is 1024; rounded up. ValueError for what is no quantity."""
    return parse(quantity).scaled(-3 if resource == CPU else 0)


def amounts(found: Mapping[str, Any] | None) -> Amounts:
    """A ResourceList as integers."""
    return {name: amount(name, str(quantity)) for name, quantity in (found or {}).items()}


def _add(total: Amounts, more: Mapping[str, int]) -> None:
    for name, value in more.items():
        total[name] = total.get(name, 0) + value


def _raise(total: Amounts, floor: Mapping[str, int]) -> None:
    for name, value in floor.items():
        if value > total.get(name, 0):
            total[name] = value


def is_sidecar(container: Obj) -> bool:
    """An init container that keeps running beside the others."""
    return container.get("restartPolicy") == "Always"


def container_requests(container: Obj) -> Amounts:
    """The requests of one container."""
    return amounts((container.get("resources") or {}).get("requests"))


def _in_use(pod: Obj) -> dict[str, Amounts]:
    """Container name to what its node has allocated and what it runs with: both count while a resize is under way."""
    status = pod.get("status") or {}
    found = {}
    for one in (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())):
        used = amounts(one.get("allocatedResources"))
        _raise(used, container_requests(one))
        if used:
            found[one["name"]] = used
    return found


def infeasible(pod: Obj) -> bool:
    """Will what is wanted never be had? Then only what is in use counts."""
    return any(
        c.get("type") == "PodResizePending" and c.get("reason") == "Infeasible"
        for c in (pod.get("status") or {}).get("conditions") or ()
    )


def _counting(pod: Obj, floor: Mapping[str, int]) -> Callable[[Obj], Amounts]:
    """What a container of the pod counts as, by component-helpers' determineContainerReqs."""
    in_use = _in_use(pod)
    hopeless = bool(in_use) and infeasible(pod)

    def requests(container: Obj) -> Amounts:
        used = in_use.get(container.get("name", "")) if in_use else None
        wanted = {} if used and hopeless else container_requests(container)
        if used:
            _raise(wanted, used)
        for name, value in floor.items():
            wanted.setdefault(name, value)
        return wanted

    return requests


def pod_requests(pod: Obj, floor: Mapping[str, int] | None = None) -> Amounts:
    """What the pod needs of a node: the larger of its containers' sum and its init phase, plus overhead.

    floor: what a container counts as that does not name the resource (for scoring). Pod-level requests replace sums.
    """
    spec = pod["spec"]
    requests = _counting(pod, floor or {})
    total: Amounts = {}
    for container in spec.get("containers") or ():
        _add(total, requests(container))
    if spec.get("initContainers"):
        total = _with_init(total, spec["initContainers"], requests)
    pod_level = (spec.get("resources") or {}).get("requests")
    if pod_level:
        total.update(amounts(pod_level))
    _add(total, amounts(spec.get("overhead")))
    return total


def _with_init(total: Amounts, containers: Iterable[Obj], requests: Callable[[Obj], Amounts]) -> Amounts:
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in containers:
        wanted = requests(container)
        if is_sidecar(container):
            _add(sidecars, wanted)
            _raise(peak, sidecars)
        else:
            _add(wanted, sidecars)
            _raise(peak, wanted)
    whole = dict(total)
    _add(whole, sidecars)
    _raise(whole, peak)
    return whole


def scoring_requests(pod: Obj) -> tuple[int, int]:
    """(milli-CPU, bytes) that the pod counts as in scores, where nothing asked for is not nothing used."""
    found = pod_requests(pod, {CPU: DEFAULT_MILLI_CPU, MEMORY: DEFAULT_MEMORY})
    return found.get(CPU, 0), found.get(MEMORY, 0)
