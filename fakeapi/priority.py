"""In which order groups and versions are listed: the numbers that their APIServices carry.

Stands for the apiVersionPriorities of kube-apiserver's aggregator (group priority descending, then name; version
priority descending) and for apimachinery's version comparison, which orders what is not in the table: custom resources.
"""

from __future__ import annotations

from fakeapi.patterns import lazy

# group -> (groupPriorityMinimum, {version: versionPriority}). apiregistration.k8s.io is the aggregator's own: it comes
# first and has no APIService, so its numbers are never shown.
PRIORITIES: dict[str, tuple[int, dict[str, int]]] = {
    "apiregistration.k8s.io": (20000, {"v1": 18}),
    "": (18000, {"v1": 1}),
    "apps": (17800, {"v1": 15}),
    "events.k8s.io": (17750, {"v1": 15}),
    "authentication.k8s.io": (17700, {"v1": 15}),
    "authorization.k8s.io": (17600, {"v1": 15}),
    "autoscaling": (17500, {"v2": 30, "v1": 15, "v2beta2": 1}),
    "batch": (17400, {"v1": 15}),
    "certificates.k8s.io": (17300, {"v1": 15}),
    "networking.k8s.io": (17200, {"v1": 15}),
    "policy": (17100, {"v1": 15}),
    "rbac.authorization.k8s.io": (17000, {"v1": 15}),
    "storage.k8s.io": (16800, {"v1": 15, "v1beta1": 9}),
    "admissionregistration.k8s.io": (16700, {"v1": 15}),
    "apiextensions.k8s.io": (16700, {"v1": 15}),
    "scheduling.k8s.io": (16600, {"v1": 15}),
    "coordination.k8s.io": (16500, {"v1": 15}),
    "node.k8s.io": (16300, {"v1": 15}),
    "discovery.k8s.io": (16200, {"v1": 15}),
    "resource.k8s.io": (16200, {"v1": 20}),
    "flowcontrol.apiserver.k8s.io": (16100, {"v1": 21, "v1beta3": 18, "v1beta2": 15, "v1beta1": 12}),
    "storagemigration.k8s.io": (15800, {"v1": 15}),
}
CUSTOM = (1000, 100)

_VERSION = lazy(r"v(\d+)(?:(alpha|beta)(\d+))?")
_STABILITY = {"alpha": 1, "beta": 2, None: 3}


def priority(group: str, version: str) -> tuple[int, int]:
    """(groupPriorityMinimum, versionPriority) of a group version's APIService."""
    group_minimum, versions = PRIORITIES.get(group, (CUSTOM[0], {}))
    return group_minimum, versions.get(version, CUSTOM[1])


def group_order(group: str) -> tuple[int, str]:
    """Sort key: the group listed first sorts first."""
    return -PRIORITIES.get(group, CUSTOM)[0], group


def version_order(group: str, version: str) -> tuple[int, int, int, int, str]:
    """Sort key within a group: priority, then stable before beta before alpha, newest first, then the alphabet."""
    number = -priority(group, version)[1]
    parsed = _VERSION.fullmatch(version)
    if parsed is None:
        return number, 0, 0, 0, version
    major, stability, minor = parsed.groups()
    return number, -_STABILITY[stability], -int(major), -int(minor or 0), ""
