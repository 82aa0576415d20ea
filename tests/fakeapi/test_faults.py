"""Every kind of fault, met by real clients: kubectl, the official client, the cluster's own components."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from fakeapi import Cluster
from fakeapi.faults import FaultError, Faults, parse
from fakeapi.kubectl import KubectlError
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
    faults.revision = lambda: 1
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
        ({"effect": "error", "code": "503"}, "code '503' is not a whole number"),
        ({"effect": "error", "count": 1.5}, "count 1.5 is not a whole number"),
        ({"effect": "error", "after": True}, "after True is not a whole number"),
        ({"effect": "latency", "seconds": -1}, "seconds -1 is not a number of at least 0"),
        ({"effect": "latency", "seconds": float("inf")}, "seconds inf is not a number of at least 0"),
        ({"effect": "error", "verb": ["get"]}, r"verb \['get'\] is not a text"),
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


def test_a_file_of_faults(cluster: Cluster, tmp_path: Path) -> None:
    shown = (Path(__file__).resolve().parents[2] / "docs" / "faults.md").read_text().partition("```yaml\n")[2]
    (tmp_path / "faults.yaml").write_text(shown.partition("```")[0])
    loaded = cluster.faults.load(tmp_path / "faults.yaml")
    assert [fault.effect for fault in loaded] == ["error", "latency", "gone"]
    assert list(cluster.faults) == loaded
    with pytest.raises(FaultError, match=r"cannot read .*none: No such file"):
        cluster.faults.load(tmp_path / "none")


def test_a_request_that_waits_goes_on_when_the_fault_is_lifted(cluster: Cluster) -> None:
    fault = cluster.faults.add("latency", verb="list", resource="secrets", seconds=1000)
    timer = threading.Timer(0.1, lambda: (cluster.wait(lambda: fault.hits), fault.remove()))
    timer.start()
    cluster.kubectl("get", "secrets")
    timer.join()


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
