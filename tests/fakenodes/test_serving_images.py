"""Images that are Python functions: reached through proxies, a forwarded port, and as a webhook by Service."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.stream import portforward

from fakeapi import Cluster
from fakenodes.kubelet.runtime.script import HttpRequest, Script
from kubeconfig.certificates import make_ca, sign

Obj = dict[str, Any]
ASKED: list[HttpRequest] = []


def shop(request: HttpRequest) -> Any:
    """A small application."""
    ASKED.append(request)
    if request.path.startswith("/json"):
        return {"method": request.method, "body": request.body.decode(), "port": request.port}
    if request.path == "/gone":
        return 410, {"X-Why": "sold out"}, "gone"
    return f"hello {request.path}"


def guard(request: HttpRequest) -> Any:
    """An admission webhook that lets nothing be called bad."""
    review = json.loads(request.body)
    allowed = not review["request"]["name"].startswith("bad")
    answer = {"uid": review["request"]["uid"], "allowed": allowed, "status": {"message": "bad names are bad"}}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One node, and a shop with its Service."""
    with Cluster(nodes=1) as made:
        made.runtime.image("shop:*", Script(serve=shop))
        made.runtime.image("guard:*", Script(serve=guard))
        made.apply(deployed("shop", 8080))
        made.wait("deployment/shop")
        made.wait("endpoints/shop", lambda o: o.get("subsets"))
        yield made


def deployed(name: str, port: int, **spec: Any) -> Obj:
    """A Deployment of one Pod and a Service on port 443."""
    labels = {"app": name}
    container = {"name": name, "image": f"{name}:1", "ports": [{"containerPort": port}], **spec.pop("container", {})}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], **spec}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": labels, "ports": [{"port": 443, "targetPort": port}]},
    }
    return {"apiVersion": "v1", "kind": "List", "items": [deployment, service]}


def test_through_the_service_and_pod_proxies(cluster: Cluster, tmp_path: Path) -> None:
    core = client.CoreV1Api(cluster.api_client)
    assert cluster.kubectl("get", "--raw", "/api/v1/namespaces/default/services/shop:443/proxy/a?b=1") == "hello /a?b=1"
    pod = core.list_namespaced_pod("default", label_selector="app=shop").items[0].metadata.name
    path = f"/api/v1/namespaces/default/pods/{pod}:8080/proxy/json"
    typed = tmp_path / "typed"
    typed.write_text("typed")
    found = json.loads(cluster.kubectl("create", "--raw", path, "-f", str(typed)))
    assert found == {"method": "POST", "body": "typed", "port": 8080}
    with pytest.raises(client.ApiException) as caught:
        core.connect_get_namespaced_service_proxy_with_path("shop:443", "default", "gone")
    assert (caught.value.status, caught.value.body) == (410, "gone")
    assert caught.value.headers["X-Why"] == "sold out"


def test_through_a_forwarded_port(cluster: Cluster) -> None:
    core = client.CoreV1Api(cluster.api_client)
    pod = core.list_namespaced_pod("default", label_selector="app=shop").items[0].metadata.name
    forward = portforward(core.connect_get_namespaced_pod_portforward, pod, "default", ports="8080")
    with contextlib.closing(forward.socket(8080)) as socket:
        socket.settimeout(60)
        socket.sendall(b"GET /x HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
        answer = b""
        while data := socket.recv(1000):
            answer += data
    forward.websocket.shutdown()
    assert answer.endswith(b"hello /x")
    assert ASKED[-1].headers["host"] == "shop"


def test_as_a_webhook_by_service(cluster: Cluster) -> None:
    ca = make_ca("guards")
    pair = sign(ca, "guard", hosts=("guard.default.svc",))
    cluster.apply({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "certificate", "namespace": "default"},
        "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": pair.certificate.decode(), "tls.key": pair.key.decode()},
    })  # fmt: skip
    mounts = {"volumeMounts": [{"name": "certificate", "mountPath": "/certificate"}]}
    volumes = [{"name": "certificate", "secret": {"secretName": "certificate"}}]
    cluster.apply(deployed("guard", 9443, container=mounts, volumes=volumes))
    hook = {
        "name": "guard.example.com",
        "clientConfig": {
            "service": {"name": "guard", "namespace": "default", "path": "/check"},
            "caBundle": base64.b64encode(ca.certificate).decode(),
        },
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    cluster.wait("deployment/guard")
    cluster.wait("endpoints/guard", lambda o: o.get("subsets"))
    cluster.apply({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "guard"},
        "webhooks": [hook],
    })  # fmt: skip
    assert cluster.kubectl("create", "configmap", "good") == "configmap/good created\n"
    refused = cluster.kubectl("create", "configmap", "bad", check=False).stderr
    assert 'admission webhook "guard.example.com" denied the request: bad names are bad' in refused
    cluster.kubectl("scale", "deployment", "guard", "--replicas=0")
    cluster.wait("endpoints/guard", lambda o: not o.get("subsets"))
    nobody = cluster.kubectl("create", "configmap", "late", check=False).stderr
    assert 'no endpoints available for service "guard"' in nobody
