"""Every kind of fault, met by real clients: kubectl, the official client, the cluster's own components."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from fakeapi import Cluster
from fakeapi.cluster import KubectlError
from fakeapi.faults import FaultError, Faults, parse
from fakeapi.request import Request, User, parse_query
from fakeapi.request import parse as parse_request


async def _no_body() -> bytes:
    return b""


def request(method: str, target: str, user: str = "somebody") -> Request:
    path, _, query = target.partition("?")
    values = parse_query(query)
    return Request(method, path, values, {}, _no_body, parse_request(method, path, values), User(user))


@pytest.mark.parametrize(
    ("rule", "method", "target", "hit"),
    [
        ({}, "GET", "/api/v1/pods", True),
        ({}, "GET", "/version", True),
        ({"verb": "list"}, "GET", "/api/v1/pods", True),
        ({"verb": "list"}, "GET", "/api/v1/pods?watch=1", False),
        ({"resource": "pods"}, "PUT", "/api/v1/namespaces/a/pods/b/status", False),
        ({"resource": "pods/status"}, "PUT", "/api/v1/namespaces/a/pods/b/status", True),
        ({"resource": "pods*"}, "PUT", "/api/v1/namespaces/a/pods/b/status", True),
        ({"namespace": "a", "name": "b"}, "GET", "/api/v1/namespaces/a/pods/b", True),
        ({"namespace": "kube-*"}, "GET", "/api/v1/namespaces/a/pods/b", False),
        ({"user": "some*"}, "GET", "/api/v1/pods", True),
        ({"user": "system:node:*"}, "GET", "/api/v1/pods", False),
        ({"group": "apps"}, "GET", "/apis/apps/v1/deployments", True),
        ({"group": "apps"}, "GET", "/api/v1/pods", False),
        ({"effect": "cut"}, "GET", "/api/v1/pods", False),
        ({"effect": "cut"}, "GET", "/api/v1/pods?watch=true", True),
        ({"effect": "stale"}, "POST", "/api/v1/namespaces/a/pods", False),
    ],
)
def test_which_requests_a_fault_meets(rule: dict[str, Any], method: str, target: str, hit: bool) -> None:
    faults = Faults()
    faults.put(parse({"effect": "error", **rule})[0])
    assert bool(faults.met(request(method, target))) is hit


def test_how_often_a_fault_is_met() -> None:
    faults = Faults(seed=1)
    some = faults.add("error", count=2, after=1)
    asked = [bool(faults.met(request("GET", "/version"))) for _ in range(5)]
    assert asked == [False, True, True, False, False]
    assert some.hits == 2
    some.remove()
    half = faults.add("drop", probability=0.5)
    for _ in range(200):
        faults.met(request("GET", "/version"))
    assert 60 < half.hits < 140


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"effect": "explode"}, "there is no fault 'explode'"),
        ({"effect": "error", "code": 200}, "200 is not the code of an error"),
        ({"effect": "error", "probability": 2}, "probability 2 is not between 0 and 1"),
        ({"effect": "error", "verbs": "get"}, "a fault has no 'verbs'"),
        ("error", "a fault is a mapping"),
    ],
)
def test_faults_that_make_no_sense(rule: Any, text: str) -> None:
    with pytest.raises(FaultError, match=text):
        parse(rule)


def config_map(name: str, value: str = "1") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": value}}


def test_an_error_as_kubectl_reads_it(cluster: Cluster) -> None:
    fault = cluster.faults.add("error", verb="get", resource="configmaps", code=503, message="not today")
    with fault, pytest.raises(KubectlError, match=r"Error from server \(ServiceUnavailable\): not today"):
        cluster.kubectl("get", "configmap", "kube-root-ca.crt")
    assert fault.hits == 1
    assert [r.fault for r in cluster.requests.where(resource="configmaps", verb="get", outside=True)] == ["error"]
    cluster.wait("configmap/kube-root-ca.crt", "exists")
    cluster.kubectl("get", "configmap", "kube-root-ca.crt")


def test_components_try_again_after_errors_and_drops(cluster: Cluster) -> None:
    cluster.faults.add(
        "error", verb="create", resource="pods", user="system:serviceaccount:kube-system:replicaset-controller", count=3
    )
    cluster.faults.add("drop", verb="patch", resource="pods/status", user="system:node:*", count=2)
    cluster.faults.add("lost", verb="create", resource="pods/binding", count=1)
    cluster.faults.add("gone", resource="pods", user="system:kube-*", events=1, count=2)
    cluster.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": {"a": "b"}},
                "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
            },
        }
    )
    cluster.wait("deployment/web")
    assert {f.effect: f.hits for f in cluster.faults if f.effect != "gone"} == {"error": 3, "drop": 2, "lost": 1}


def test_latency(cluster: Cluster) -> None:
    cluster.faults.add("latency", verb="list", resource="secrets", seconds=0.3)
    begun = time.perf_counter()
    cluster.kubectl("get", "secrets")
    assert time.perf_counter() - begun > 0.3


def official(cluster: Cluster) -> Any:
    from kubernetes import client

    return client.CoreV1Api(cluster.api_client)


def test_a_dropped_connection_leaves_nothing_behind_and_a_lost_answer_does(cluster: Cluster) -> None:
    from urllib3.exceptions import HTTPError

    api = official(cluster)
    api.list_namespace()
    cluster.faults.add("drop", resource="configmaps", verb="create", name="*", namespace="default")
    with pytest.raises(HTTPError):
        api.create_namespaced_config_map("default", config_map("dropped"))
    cluster.faults.clear()
    cluster.faults.add("lost", resource="configmaps", verb="create", namespace="default")
    with pytest.raises(HTTPError):
        api.create_namespaced_config_map("default", config_map("kept"))
    cluster.faults.clear()
    names = {o.metadata.name for o in api.list_namespaced_config_map("default").items}
    assert "kept" in names
    assert "dropped" not in names
    assert [r.status for r in cluster.requests.where(verb="create", resource="configmaps", outside=True)][-1] == 0


def test_throttling_as_priority_and_fairness_does_it(cluster: Cluster) -> None:
    fault = cluster.faults.add("throttle", verb="list", resource="secrets", user="kubernetes-admin", count=1)
    begun = time.perf_counter()
    cluster.kubectl("get", "secrets")  # client-go waits for Retry-After, then asks again
    assert time.perf_counter() - begun >= 1
    assert fault.hits == 1


def test_an_etcd_that_does_not_answer(cluster: Cluster) -> None:
    cluster.faults.add("timeout", verb="get", resource="secrets", seconds=0.1)
    with pytest.raises(KubectlError, match="Error from server: etcdserver: request timed out"):
        cluster.kubectl("get", "secret", "a")


def test_stale_reads(cluster: Cluster) -> None:
    api = official(cluster)
    api.create_namespaced_config_map("default", config_map("a", "old"))
    with cluster.faults.add("stale", resource="configmaps", user="kubernetes-admin"):
        api.patch_namespaced_config_map("a", "default", {"data": {"a": "new"}})
        api.create_namespaced_config_map("default", config_map("b"))
        assert api.read_namespaced_config_map("a", "default").data == {"a": "old"}
        assert "b" not in {o.metadata.name for o in api.list_namespaced_config_map("default").items}
        assert cluster.kubectl("get", "configmap", "a", "-o", "jsonpath={.data.a}") == "old"
        with pytest.raises(KubectlError, match='configmaps "b" not found'):
            cluster.kubectl("get", "configmap", "b")
    assert api.read_namespaced_config_map("a", "default").data == {"a": "new"}
    assert api.read_namespaced_config_map("b", "default").metadata.name == "b"


def watch(cluster: Cluster, seconds: int) -> tuple[list[str], BaseException | None]:
    """A watch of ConfigMaps through the official client while two are made: event names, and how it ended."""
    from kubernetes import watch as watching

    api = official(cluster)
    version = api.list_namespaced_config_map("default").metadata.resource_version
    timer = threading.Timer(0.1, lambda: [cluster.apply(config_map(name)) for name in ("one", "two")])
    timer.start()
    seen: list[str] = []
    try:
        stream = watching.Watch().stream(
            api.list_namespaced_config_map,
            "default",
            resource_version=version,
            timeout_seconds=seconds,
            _request_timeout=(5, seconds),
        )
        for event in stream:
            seen.append(event["object"].metadata.name)
            if len(seen) == 2:
                break
    except Exception as error:
        return seen, error
    finally:
        timer.join()
    return seen, None


def test_a_watch_that_is_told_that_its_revision_is_gone(cluster: Cluster) -> None:
    from kubernetes.client import ApiException

    cluster.faults.add("gone", resource="configmaps", user="kubernetes-admin", events=1)
    seen, error = watch(cluster, 3)
    assert seen == ["one"]
    assert isinstance(error, ApiException)
    assert error.status == 410


def test_a_watch_that_is_cut(cluster: Cluster) -> None:
    from urllib3.exceptions import ProtocolError

    cluster.faults.add("cut", resource="configmaps", user="kubernetes-admin", events=1, count=1)
    seen, error = watch(cluster, 3)
    assert seen == ["one"]
    assert isinstance(error, ProtocolError)


def test_a_watch_that_stalls(cluster: Cluster) -> None:
    from urllib3.exceptions import ReadTimeoutError

    cluster.faults.add("stall", resource="configmaps", user="kubernetes-admin", events=1)
    begun = time.perf_counter()
    seen, error = watch(cluster, 1)
    assert seen == ["one"]
    assert isinstance(error, ReadTimeoutError)
    assert time.perf_counter() - begun >= 1


def test_the_log_of_requests(cluster: Cluster) -> None:
    cluster.kubectl("create", "configmap", "a", "--from-literal=a=1")
    cluster.kubectl("patch", "configmap", "a", "-p", '{"data":{"a":"2"}}')
    made = cluster.requests.where(verb="create", resource="configmaps", outside=True)
    assert [(r.user, r.name, r.namespace, r.status) for r in made] == [("kubernetes-admin", "a", "default", 201)]
    assert made[0].agent.startswith("kubectl/")
    patched = cluster.requests.where(verb="patch", name="a")
    assert len(patched) == 1
    assert "kubernetes-admin PATCH /api/v1/namespaces/default/configmaps/a?fieldManager=kubectl-patch 200" in str(
        patched
    )
