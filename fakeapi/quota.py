"""What an object costs a ResourceQuota, and which objects a quota is about.

Stands for pkg/quota/v1 (evaluators of pods, services, claims; object counts). Pure: the admission plugin and the quota
controller share it. Amounts are Quantities by resource name. Leaves out resource claims.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fakeapi import quantity, selectors
from fakeapi.quantity import Quantity
from fakeapi.strategies.podspec.amounts import aggregate, parse, qos_class

Obj = dict[str, Any]
Amounts = dict[str, Quantity]

ONE = quantity.parse("1")
ZERO = quantity.parse("0")
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
# A quota on one of these demands that every container says it.
_DEMANDED = frozenset(f"{prefix}{name}" for prefix in ("", "requests.", "limits.") for name in ("cpu", "memory"))
_POD_NAMES = frozenset(
    ("pods", "count/pods", *(f"{prefix}{name}" for prefix in ("", "requests.", "limits.") for name in _COMPUTE))
)
# Resources whose count has a second, older name.
_COUNTED = frozenset(("configmaps", "secrets", "replicationcontrollers", "resourcequotas"))
_CLASS = ".storageclass.storage.k8s.io/"
_SERVICE_NAMES = frozenset(("services", "services.nodeports", "services.loadbalancers", "count/services"))


def count_name(group: str, resource: str) -> str:
    """`count/deployments.apps`."""
    return f"count/{resource}.{group}" if group else f"count/{resource}"


def usage(group: str, resource: str, obj: Obj) -> Amounts:
    """What an object uses."""
    found: Amounts = {count_name(group, resource): ONE}
    if not group and resource in _COUNTED:
        found[resource] = ONE
    measure = _MEASURES.get((group, resource))
    return found | measure(obj) if measure else found


def matching(group: str, resource: str, names: Iterable[str]) -> list[str]:
    """Those names of a quota's hard limits that are about the resource."""
    own = count_name(group, resource)
    if (group, resource) == ("", "pods"):
        return [n for n in names if n in _POD_NAMES or _is_extended(n)]
    if (group, resource) == ("", "services"):
        return [n for n in names if n in _SERVICE_NAMES]
    if (group, resource) == ("", "persistentvolumeclaims"):
        return [n for n in names if n in ("persistentvolumeclaims", "requests.storage", own) or _CLASS in n]
    return [n for n in names if n == own or (not group and resource in _COUNTED and n == resource)]


def _is_extended(name: str) -> bool:
    """hugepages-*, requests.hugepages-* and requests.<domain>/<resource>."""
    bare = name.removeprefix("requests.")
    return bare.startswith("hugepages-") or (bare != name and "/" in bare and not bare.startswith("kubernetes.io/"))


# -- pods --------------------------------------------------------------------------------------------------------------


def _pod(pod: Obj) -> Amounts:
    """Nothing but the count once a Pod has ended."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return {}
    spec = pod.get("spec") or {}
    own, overhead = spec.get("resources") or {}, parse(spec.get("overhead"))
    requests = add(aggregate(spec, "requests") | parse(own.get("requests")), overhead)
    limits = aggregate(spec, "limits") | parse(own.get("limits"))
    for name, amount in overhead.items():
        if name in limits:
            limits[name] = limits[name] + amount
    return _compute(requests, limits)


def _compute(requests: Mapping[str, Quantity], limits: Mapping[str, Quantity]) -> Amounts:
    found: Amounts = {"pods": ONE}
    for name, amount in requests.items():
        if name in _COMPUTE or name.startswith("hugepages-"):
            found[name] = found[f"requests.{name}"] = amount
        elif "/" in name:
            found[f"requests.{name}"] = amount
    for name in _COMPUTE:
        if name in limits:
            found[f"limits.{name}"] = limits[name]
    return found


def missing(pod: Obj, names: Iterable[str]) -> str:
    """`must specify cpu for: a,b; memory for: a`: what the containers of a Pod leave out that a quota demands; "" if
    nothing.
    """
    spec = pod.get("spec") or {}
    lacking: dict[str, set[str]] = {}
    own = spec.get("resources") or {}
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        resources = container.get("resources") or {}
        given = _compute(
            parse(resources.get("requests")) | parse(own.get("requests")),
            parse(resources.get("limits")) | parse(own.get("limits")),
        )
        for name in _DEMANDED.intersection(names) - given.keys():
            lacking.setdefault(name, set()).add(container["name"])
    if not lacking:
        return ""
    return "must specify " + "; ".join(f"{name} for: {','.join(sorted(lacking[name]))}" for name in sorted(lacking))


# -- services and claims -----------------------------------------------------------------------------------------------


def _service(service: Obj) -> Amounts:
    spec = service.get("spec") or {}
    ports = len(spec.get("ports") or ())
    found = {"services": ONE, "services.nodeports": ZERO, "services.loadbalancers": ZERO}
    if spec.get("type") == "NodePort":
        found["services.nodeports"] = quantity.parse(str(ports))
    elif spec.get("type") == "LoadBalancer":
        if spec.get("allocateLoadBalancerNodePorts") is False:
            ports = sum(1 for p in spec.get("ports") or () if p.get("nodePort"))
        found["services.nodeports"] = quantity.parse(str(ports))
        found["services.loadbalancers"] = ONE
    return found


def _claim(claim: Obj) -> Amounts:
    spec = claim.get("spec") or {}
    found: Amounts = {"persistentvolumeclaims": ONE}
    annotations = claim["metadata"].get("annotations") or {}
    name = annotations.get("volume.beta.kubernetes.io/storage-class") or spec.get("storageClassName")
    if name:
        found[f"{name}{_CLASS}persistentvolumeclaims"] = ONE
    storage = parse((spec.get("resources") or {}).get("requests")).get("storage")
    allocated = parse((claim.get("status") or {}).get("allocatedResources")).get("storage")
    if storage is not None:
        if allocated is not None and storage < allocated:
            storage = allocated
        found["requests.storage"] = storage
        if name:
            found[f"{name}{_CLASS}requests.storage"] = storage
    return found


_MEASURES: dict[tuple[str, str], Callable[[Obj], Amounts]] = {
    ("", "pods"): _pod,
    ("", "services"): _service,
    ("", "persistentvolumeclaims"): _claim,
}


# -- scopes ------------------------------------------------------------------------------------------------------------


def in_scope(quota: Obj, group: str, resource: str, obj: Obj) -> bool:
    """Whether the quota's scopes, if any, all take the object in."""
    spec = quota.get("spec") or {}
    wanted = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    wanted += (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    if not wanted:
        return True
    if (group, resource) == ("", "persistentvolumeclaims"):
        return all(w["scopeName"] == "VolumeAttributesClass" and _selected(w, _attributes_class(obj)) for w in wanted)
    return (group, resource) == ("", "pods") and all(_pod_in_scope(w, obj) for w in wanted)


def _attributes_class(claim: Obj) -> str:
    return str((claim.get("spec") or {}).get("volumeAttributesClassName") or "")


def _pod_in_scope(wanted: Obj, pod: Obj) -> bool:
    spec, scope = pod.get("spec") or {}, wanted["scopeName"]
    if scope in ("Terminating", "NotTerminating"):
        return (spec.get("activeDeadlineSeconds") is not None) is (scope == "Terminating")
    if scope in ("BestEffort", "NotBestEffort"):
        return (qos_class(spec) == "BestEffort") is (scope == "BestEffort")
    if scope == "PriorityClass":
        return _selected(wanted, spec.get("priorityClassName") or "")
    return scope == "CrossNamespacePodAffinity" and _crosses_namespaces(spec.get("affinity") or {})


def _selected(wanted: Obj, name: str) -> bool:
    if wanted.get("operator") == "Exists":
        return bool(name)
    requirement = {"key": wanted["scopeName"], "operator": wanted.get("operator"), "values": wanted.get("values") or []}
    selector = selectors.from_label_selector({"matchExpressions": [requirement]})
    return selector.matches({wanted["scopeName"]: name} if name else {})


def _crosses_namespaces(affinity: Obj) -> bool:
    for kind in ("podAffinity", "podAntiAffinity"):
        part = affinity.get(kind) or {}
        terms = list(part.get("requiredDuringSchedulingIgnoredDuringExecution") or ())
        preferred = part.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        terms += [p.get("podAffinityTerm") or {} for p in preferred]
        if any(t.get("namespaces") or t.get("namespaceSelector") is not None for t in terms):
            return True
    return False


# -- sums --------------------------------------------------------------------------------------------------------------


def add(one: Mapping[str, Quantity], other: Mapping[str, Quantity]) -> Amounts:
    """The sum by name."""
    total = dict(one)
    for name, amount in other.items():
        total[name] = total[name] + amount if name in total else amount
    return total


def grown(new: Mapping[str, Quantity], old: Mapping[str, Quantity]) -> Amounts:
    """By how much new exceeds old, nothing negative."""
    return {n: a - old[n] if n in old and old[n] < a else ZERO if n in old else a for n, a in new.items()}


def written(amounts: Mapping[str, Quantity]) -> dict[str, str]:
    """A ResourceList."""
    return {name: str(amount) for name, amount in sorted(amounts.items())}
