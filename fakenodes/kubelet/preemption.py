"""Which pods a node ends to make room for a critical one that it would have to refuse.

Stands for pkg/kubelet/preemption: as few pods as can be, guaranteed ones last and those of no request first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fakenodes.kubelet.critical import preemptable
from fakenodes.scheduler.resources import PODS
from fakenodes.scheduler.snapshot import PodInfo

MESSAGE = "Preempted in order to admit critical pod"

Lacking = Mapping[str, int]


class NoVictimsError(Exception):
    """Even all pods together would not leave enough."""


def victims(pod: PodInfo, others: Iterable[PodInfo], lacking: Lacking) -> list[PodInfo]:
    """The pods to end. lacking: resource to how much more of it the pod asks for than there is. NoVictimsError."""
    best_effort, burstable, guaranteed = _by_class(pod, others)
    every = best_effort + burstable + guaranteed
    if left := _after(lacking, every):
        raise _none(left)
    last = _nearest(guaranteed, _after(lacking, best_effort + burstable))
    middle = _nearest(burstable, _after(lacking, best_effort + last))
    return _nearest(best_effort, _after(lacking, middle + last)) + middle + last


def _by_class(pod: PodInfo, others: Iterable[PodInfo]) -> tuple[list[PodInfo], list[PodInfo], list[PodInfo]]:
    found: dict[str, list[PodInfo]] = {"BestEffort": [], "Burstable": [], "Guaranteed": []}
    for other in others:
        if preemptable(pod.obj, other.obj):
            found[(other.obj.get("status") or {}).get("qosClass") or "BestEffort"].append(other)
    return found["BestEffort"], found["Burstable"], found["Guaranteed"]


def _request(pod: PodInfo, resource: str) -> int:
    return 1 if resource == PODS else pod.requests.get(resource, 0)


def _after(lacking: Lacking, gone: Iterable[PodInfo]) -> dict[str, int]:
    """What is still lacking once these pods are gone."""
    left = {name: amount - sum(_request(pod, name) for pod in gone) for name, amount in lacking.items()}
    return {name: amount for name, amount in left.items() if amount > 0}


def _nearest(pods: Iterable[PodInfo], lacking: Lacking) -> list[PodInfo]:
    """The pods that come nearest to what is lacking, one by one; of two as near, the one that asks for less."""
    left, chosen = list(pods), []

    def order(index: int) -> tuple[float, int, int, int]:
        pod = left[index]
        short = [(amount - _request(pod, name), amount) for name, amount in lacking.items()]
        distance = sum((rest / amount) ** 2 for rest, amount in short if rest > 0)
        return distance, _request(pod, "memory"), _request(pod, "cpu"), -index

    while lacking:
        if not left:
            raise _none(lacking)
        found = left.pop(min(range(len(left)), key=order))
        chosen.append(found)
        lacking = _after(lacking, [found])
    return chosen


def _none(lacking: Lacking) -> NoVictimsError:
    listed = "".join(f"(res: {name}, q: {amount}), " for name, amount in lacking.items())
    return NoVictimsError(f"no set of running pods found to reclaim resources: [{listed}]")
