"""What exists from the start, before anyone has asked for anything.

Stands for kube-apiserver's post-start hooks: system namespaces, the kubernetes Service with its Endpoints,
EndpointSlice and address, the default ServiceCIDR, RBAC's and flow control's default objects, system priority classes,
APIServices, two ConfigMaps and the server's identity lease. Objects come complete, as the registry would have stored
them (defaults, status, managedFields, generation), but for uid, resourceVersion and creationTimestamp, to be
inserted in one go. What comes back when it is deleted is upkeep.py's to say.
"""

from __future__ import annotations

import hashlib
import ipaddress
from base64 import b32encode
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import Struct

from fakeapi.bootstrap import flowcontrol, policy, rbac
from fakeapi.priority import priority
from fakeapi.resources.base import Resource
from fakeapi.resources.table import Table

Obj = dict[str, Any]

NAMESPACES = ("kube-system", "kube-public", "kube-node-lease", "default")
MANAGER = "kube-apiserver"
APISERVICES = "apiregistration.k8s.io"
_LEASE_SECONDS = 3600

# name -> (value, description).
_PRIORITY_CLASSES = {
    "system-node-critical": (
        2000001000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
    "system-cluster-critical": (
        2000000000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
}

# Maps and pointers own themselves beside what is in them (FieldsV1's "."); plain structs such as spec do not.
_OWN_THEMSELVES = frozenset(
    (
        *("labels", "annotations", "data", "parentRef", "aggregationRule", "distinguisherMethod"),
        *("exempt", "limited", "limitResponse", "queuing"),
    )
)
_ATOMIC = frozenset(("roleRef",))
_UNMANAGED = frozenset(("name", "namespace", "generation"))


class Facts(Struct, frozen=True):
    """What start-up objects say about this server.

    now: RFC 3339 time in whole seconds. address, port: where clients inside the cluster reach the server. service_cidr:
    the ranges of cluster IPs, whose first address the kubernetes Service has. client_ca: PEM of the client CA, or "".
    hostname, uid: who holds the identity lease.
    """

    now: str
    address: str = "127.0.0.1"
    port: int = 6443
    service_cidr: str = "10.96.0.0/12"
    client_ca: str = ""
    hostname: str = "localhost"
    uid: str = "00000000-0000-0000-0000-000000000000"


def objects(table: Table, facts: Facts, groups: Iterable[str] | None = None) -> Iterator[tuple[Resource, Obj]]:
    """Every object of a fresh server (of these API groups) with its row; what is referred to comes first.

    What this minor does not serve is left out. Objects are new on every call; they hold no uid, resourceVersion or
    creationTimestamp.
    """
    for made, maker in _MAKERS:
        if groups is None or not made.isdisjoint(groups):
            yield from _with_rows(table, facts, maker(table, facts))


def _with_rows(table: Table, facts: Facts, made: Iterable[tuple[str, str, Obj]]) -> Iterator[tuple[Resource, Obj]]:
    for group, plural, obj in made:
        version = obj["apiVersion"].rpartition("/")[2]
        row = table.find(group, version, plural)
        if row is not None:
            obj["metadata"].setdefault("managedFields", _managed(obj, facts.now))
            yield row, obj


def _namespaces(_: Table, __: Facts) -> Iterator[tuple[str, str, Obj]]:
    return (("", "namespaces", _namespace(name)) for name in NAMESPACES)


def _namespace(name: str) -> Obj:
    return {
        "kind": "Namespace",
        "apiVersion": "v1",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def _priority_classes(_: Table, __: Facts) -> Iterator[tuple[str, str, Obj]]:
    return (("scheduling.k8s.io", "priorityclasses", _priority_class(name)) for name in _PRIORITY_CLASSES)


def _priority_class(name: str) -> Obj:
    value, description = _PRIORITY_CLASSES[name]
    return {
        "kind": "PriorityClass",
        "apiVersion": "scheduling.k8s.io/v1",
        "metadata": {"name": name, "generation": 1},
        "value": value,
        "description": description,
        "preemptionPolicy": "PreemptLowerPriority",
    }


def _rbac(_: Table, __: Facts) -> Iterator[tuple[str, str, Obj]]:
    return ((policy.GROUP, plural, obj) for plural, obj in rbac.objects())


def _flow_control(table: Table, facts: Facts) -> Iterator[tuple[str, str, Obj]]:
    """Managed by the two halves of upstream's config controller, one of which applies the schemas' status."""
    version = table.versions(flowcontrol.GROUP)[0]
    for plural, obj in flowcontrol.objects(table.minor, version, facts.now):
        managed = _managed(obj, facts.now, "api-priority-and-fairness-config-producer-v1")
        if plural == "flowschemas":
            keys: Obj = {"f:" + key: {} for key in ("lastTransitionTime", "message", "reason", "status", "type")}
            conditions = {'k:{"type":"Dangling"}': {".": {}, **keys}}
            status = {
                **managed[0],
                "manager": "api-priority-and-fairness-config-consumer-v1",
                "operation": "Apply",
                "fieldsV1": {"f:status": {"f:conditions": conditions}},
                "subresource": "status",
            }
            managed.append(status)
        obj["metadata"]["managedFields"] = managed
        yield flowcontrol.GROUP, plural, obj


def _api_services(table: Table, facts: Facts) -> Iterator[tuple[str, str, Obj]]:
    """One a served group version, but for the aggregator's own."""
    for group in table.groups():
        if group == APISERVICES:
            continue
        for version in table.versions(group):
            yield APISERVICES, "apiservices", api_service(group, version, "onstart", facts.now)


def api_service(group: str, version: str, automanaged: str, now: str) -> Obj:
    """The APIService of a group version that this server answers itself (also what crd.py adds, automanaged "true")."""
    minimum, number = priority(group, version)
    spec = {"version": version, "groupPriorityMinimum": minimum, "versionPriority": number}
    condition = {
        "type": "Available",
        "status": "True",
        "lastTransitionTime": now,
        "reason": "Local",
        "message": "Local APIServices are always available",
    }
    made: Obj = {
        "kind": "APIService",
        "apiVersion": "apiregistration.k8s.io/v1",
        "metadata": {
            "name": f"{version}.{group}",
            "labels": {"kube-aggregator.kubernetes.io/automanaged": automanaged},
        },
        "spec": {"group": group, **spec} if group else spec,
        "status": {"conditions": [condition]},
    }
    made["metadata"]["managedFields"] = _managed(made, now)
    return made


def _kubernetes_service(_: Table, facts: Facts) -> Iterator[tuple[str, str, Obj]]:
    """The Service default/kubernetes, what it points at, and the range and record of its address."""
    cidrs = facts.service_cidr.split(",")
    address = str(next(ipaddress.ip_network(cidrs[0]).hosts()))
    family = f"IPv{ipaddress.ip_address(address).version}"
    endpoint_family = f"IPv{ipaddress.ip_address(facts.address).version}"
    name = {"name": "kubernetes", "namespace": "default"}
    service = _kubernetes(address, family, facts.port)
    service["metadata"]["managedFields"] = [_entry("v1", _SERVICE_FIELDS, facts.now)]
    ready = {
        "type": "Ready",
        "status": "True",
        "lastTransitionTime": facts.now,
        "reason": "",
        "message": "Kubernetes default Service CIDR is ready",
    }
    yield (
        "networking.k8s.io",
        "servicecidrs",
        {
            "kind": "ServiceCIDR",
            "apiVersion": "networking.k8s.io/v1",
            "metadata": {"name": "kubernetes"},
            "spec": {"cidrs": cidrs},
            "status": {"conditions": [ready]},
        },
    )
    yield "networking.k8s.io", "ipaddresses", ip_address(address, family, "default", "kubernetes", facts.now)
    yield "", "services", service
    port = {"name": "https", "port": facts.port, "protocol": "TCP"}
    yield (
        "",
        "endpoints",
        {
            "kind": "Endpoints",
            "apiVersion": "v1",
            "metadata": {**name, "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
            "subsets": [{"addresses": [{"ip": facts.address}], "ports": [port]}],
        },
    )
    yield (
        "discovery.k8s.io",
        "endpointslices",
        {
            "kind": "EndpointSlice",
            "apiVersion": "discovery.k8s.io/v1",
            "metadata": {**name, "generation": 1, "labels": {"kubernetes.io/service-name": "kubernetes"}},
            "addressType": endpoint_family,
            "endpoints": [{"addresses": [facts.address], "conditions": {"ready": True}}],
            "ports": [dict(port)],
        },
    )


def _kubernetes(address: str, family: str, port: int) -> Obj:
    return {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": port}],
            "clusterIP": address,
            "clusterIPs": [address],
            "type": "ClusterIP",
            "sessionAffinity": "None",
            "ipFamilies": [family],
            "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster",
        },
        "status": {"loadBalancer": {}},
    }


# clusterIPs and ipFamilies are allocated, not asked for, so nobody owns them.
_SERVICE_FIELDS = {
    "f:metadata": {"f:labels": {".": {}, "f:component": {}, "f:provider": {}}},
    "f:spec": {
        "f:clusterIP": {},
        "f:internalTrafficPolicy": {},
        "f:ipFamilyPolicy": {},
        "f:ports": {
            ".": {},
            'k:{"port":443,"protocol":"TCP"}': {
                ".": {},
                "f:name": {},
                "f:port": {},
                "f:protocol": {},
                "f:targetPort": {},
            },
        },
        "f:sessionAffinity": {},
        "f:type": {},
    },
}


def ip_address(address: str, family: str, namespace: str, name: str, now: str) -> Obj:
    """The record of a Service's cluster IP, without uid and creation time."""
    labels = {
        "ipaddress.kubernetes.io/ip-family": family,
        "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
    }
    obj: Obj = {
        "kind": "IPAddress",
        "apiVersion": "networking.k8s.io/v1",
        "metadata": {"name": address, "labels": labels},
        "spec": {"parentRef": {"resource": "services", "namespace": namespace, "name": name}},
    }
    obj["metadata"]["managedFields"] = _managed(obj, now)
    return obj


def _config_maps(_: Table, facts: Facts) -> Iterator[tuple[str, str, Obj]]:
    """What tells aggregated servers whom to trust, and what says since when unused legacy tokens are tracked."""
    maps = {
        "extension-apiserver-authentication": {"client-ca-file": facts.client_ca} if facts.client_ca else {},
        "kube-apiserver-legacy-service-account-token-tracking": {"since": facts.now[: len("2006-01-02")]},
    }
    for name, data in maps.items():
        metadata = {"name": name, "namespace": "kube-system"}
        content = {"data": data} if data else {}
        yield "", "configmaps", {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata, **content}


def _leases(_: Table, facts: Facts) -> Iterator[tuple[str, str, Obj]]:
    yield "coordination.k8s.io", "leases", _lease(facts)


def _lease(facts: Facts) -> Obj:
    """The server's identity, named by a hash of its host."""
    digest = hashlib.sha256(facts.hostname.encode()).digest()
    name = "apiserver-" + b32encode(digest).decode().lower()[:26]
    labels = {"apiserver.kubernetes.io/identity": MANAGER, "kubernetes.io/hostname": facts.hostname}
    return {
        "kind": "Lease",
        "apiVersion": "coordination.k8s.io/v1",
        "metadata": {"name": name, "namespace": "kube-system", "labels": labels},
        "spec": {
            "holderIdentity": f"{name}_{facts.uid}",
            "leaseDurationSeconds": _LEASE_SECONDS,
            "renewTime": facts.now.removesuffix("Z") + ".000000Z",
        },
    }


def _managed(obj: Obj, now: str, manager: str = MANAGER) -> list[Obj]:
    """managedFields after one plain create: everything but status, and what nobody ever owns."""
    content = {key: value for key, value in obj.items() if key not in ("kind", "apiVersion", "status")}
    content["metadata"] = {key: value for key, value in obj["metadata"].items() if key not in _UNMANAGED}
    fields = _owned(content)
    if obj["kind"] == "Namespace":
        del fields["f:spec"]
    return [_entry(obj["apiVersion"], fields, now, manager)] if fields else []


def _entry(api_version: str, fields: Obj, now: str, manager: str = MANAGER) -> Obj:
    return {
        "manager": manager,
        "operation": "Update",
        "apiVersion": api_version,
        "time": now,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }


def _owned(value: Obj) -> Obj:
    """FieldsV1 of start-up objects, whose lists are all atomic (but the Service's ports: it has its own table)."""
    fields: Obj = {}
    for key, item in sorted(value.items()):
        if isinstance(item, dict) and key not in _ATOMIC:
            inner = _owned(item)
            if key in _OWN_THEMSELVES:
                inner = {".": {}, **inner}
            if inner:
                fields["f:" + key] = inner
        elif item is not None:
            fields["f:" + key] = {}
    return fields


# (the API groups of what it makes, the maker), in the order in which they run.
_MAKERS: tuple[tuple[frozenset[str], Callable[[Table, Facts], Iterator[tuple[str, str, Obj]]]], ...] = (
    (frozenset({""}), _namespaces),
    (frozenset({"scheduling.k8s.io"}), _priority_classes),
    (frozenset({policy.GROUP}), _rbac),
    (frozenset({flowcontrol.GROUP}), _flow_control),
    (frozenset({APISERVICES}), _api_services),
    (frozenset({"", "networking.k8s.io", "discovery.k8s.io"}), _kubernetes_service),
    (frozenset({""}), _config_maps),
    (frozenset({"coordination.k8s.io"}), _leases),
)
