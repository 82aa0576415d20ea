"""Defaults that hold in Pods only, never in templates: requests from limits, pod-level resources, host ports.

Stands for SetDefaults_Pod (pkg/apis/core/v1/defaults.go) and Convert_v1_Pod_To_core_Pod.
"""

from __future__ import annotations

from typing import Any

from fakeapi.strategies.podspec.amounts import aggregate, is_huge_page, pod_level
from fakeapi.strategies.podspec.defaults import default_spec
from fakeapi.strategies.podspec.template import drop_init_annotations

Obj = dict[str, Any]


def default_pod(pod: Obj) -> None:
    """Defaults of a Pod, in place."""
    drop_init_annotations(pod.setdefault("metadata", {}))
    spec = pod.setdefault("spec", {})
    default_spec(spec)
    for key in ("containers", "initContainers"):
        for container in spec.get(key) or ():
            _requests_from_limits(container["resources"])
    if spec.get("resources"):
        _default_pod_resources(spec, spec["resources"])
    if spec.get("enableServiceLinks") is None:
        spec["enableServiceLinks"] = True
    if spec["terminationGracePeriodSeconds"] < 0:
        spec["terminationGracePeriodSeconds"] = 1
    if spec.get("hostNetwork"):
        _host_ports(spec)
    if pod.get("status"):
        _sync_addresses(pod["status"])


def _requests_from_limits(resources: Obj) -> None:
    limits = resources.get("limits")
    if limits:
        requests = resources.get("requests") or {}
        resources["requests"] = {**limits, **requests}


def _host_ports(spec: Obj) -> None:
    for key in ("containers", "initContainers"):
        for container in spec.get(key) or ():
            for port in container.get("ports") or ():
                if not port.get("hostPort") and port.get("containerPort"):
                    port["hostPort"] = port["containerPort"]


def _sync_addresses(status: Obj) -> None:
    """podIP and podIPs[0] are one; where they differ podIP counts."""
    one, many = status.get("podIP"), status.get("podIPs")
    if one and (not many or many[0].get("ip") != one):
        status["podIPs"] = [{"ip": one}]
    elif many and not one:
        status["podIP"] = many[0].get("ip") or ""


def _default_pod_resources(spec: Obj, resources: Obj) -> None:
    given_limits = bool(resources.get("limits"))
    given_requests = bool(resources.get("requests"))
    if not given_limits and not given_requests:
        return
    _huge_page_limits(spec, resources)
    _pod_requests(spec, resources)
    if not given_limits and given_requests:
        _pod_limits(spec, resources)


def _huge_page_limits(spec: Obj, resources: Obj) -> None:
    limits = dict(resources.get("limits") or {})
    for name, value in aggregate(spec, "limits").items():
        if is_huge_page(name) and name not in (resources.get("requests") or {}) and name not in limits:
            limits[name] = str(value)
    if limits:
        resources["limits"] = limits


def _pod_requests(spec: Obj, resources: Obj) -> None:
    limits = resources.get("limits")
    if not limits:
        return
    requests = dict(resources.get("requests") or {})
    for name, value in aggregate(spec, "requests").items():
        if name not in requests and pod_level(name) and not is_huge_page(name):
            requests[name] = str(value)
    for name, value in limits.items():
        if name not in requests and pod_level(name):
            requests[name] = value
    if requests:
        resources["requests"] = requests


def _pod_limits(spec: Obj, resources: Obj) -> None:
    """Where every container has a limit, the pod's is their sum."""
    limits = dict(resources.get("limits") or {})
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    for name, value in aggregate(spec, "limits").items():
        everywhere = all(name in ((c.get("resources") or {}).get("limits") or {}) for c in containers)
        if name not in limits and pod_level(name) and not is_huge_page(name) and everywhere:
            limits[name] = str(value)
    if limits:
        resources["limits"] = limits
