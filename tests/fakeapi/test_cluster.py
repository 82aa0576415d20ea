"""A whole cluster from Python: its life, going back in time, waiting, and what clients see of a reset."""

from __future__ import annotations

import asyncio
import http.client
import os
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

from fakeapi import Cluster
from fakeapi.cli import main
from fakeapi.cluster import WaitTimeout
from fakeapi.control import ControlError, Snapshot
from fakeapi.kubectl import KubectlError
from fakeapi.manifests import ManifestError
from fakeapi.storage.base import Entry
from fakenodes.kubelet.runtime.script import Script
from tests.pace import quiet_seconds


def deployment(name: str = "web", replicas: int = 2, image: str = "nginx") -> dict[str, Any]:
    labels = {"app": name}
    spec = {"containers": [{"name": "main", "image": image}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def test_everything_a_cluster_was_started_for_is_gone_after_it() -> None:
    before = {t.name for t in threading.enumerate()}
    with Cluster(nodes=1) as cluster:
        directory = os.path.dirname(cluster.kubeconfig)
        assert os.stat(cluster.kubeconfig).st_mode & 0o777 == 0o600
        assert cluster.url.startswith("https://127.0.0.1:")
        assert list(cluster.nodes) == ["node-0"]
    assert not os.path.exists(directory)
    assert {t.name for t in threading.enumerate()} <= before
    with pytest.raises(RuntimeError, match="not running"):
        _ = cluster.url


def test_an_idle_client_does_not_hold_a_stop_up(caplog: pytest.LogCaptureFixture) -> None:
    with Cluster(nodes=0) as cluster:
        host, port = cluster.url.removeprefix("https://").split(":")
        client = http.client.HTTPSConnection(host, int(port), context=ssl._create_unverified_context())
        client.request("GET", "/livez")
        assert client.getresponse().read() == b"ok"
    assert [record.getMessage() for record in caplog.records if record.name.startswith("uvicorn")] == []
    client.close()


def test_a_deployment_comes_alive_and_a_reset_takes_it_back(cluster: Cluster) -> None:
    cluster.apply(deployment())
    cluster.wait("deployment/web")
    pods = cluster.wait("pods", selector="app=web")
    assert len(pods) == 2
    before = cluster.snapshot().revision
    cluster.reset()
    assert cluster.kubectl("get", "deployments,replicasets,pods", "-o", "name") == ""
    assert cluster.snapshot().revision > before
    cluster.apply(deployment(replicas=1))
    cluster.wait("deployment/web")


def test_a_reset_takes_milliseconds(cluster: Cluster) -> None:
    times = []
    for number in range(5):
        cluster.apply(deployment(f"web-{number}", 1))
        cluster.wait(f"deployment/web-{number}")
        times.append(quiet_seconds(cluster.reset))
    assert min(times) < 0.01, times


def test_a_restored_object_is_the_one_it_was(cluster: Cluster) -> None:
    made = cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}, "data": {"a": "1"}})[0]
    cluster.settle()
    snapshot = cluster.snapshot()
    cluster.kubectl("delete", "configmap", "kept")
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "later"}})
    cluster.restore(snapshot)
    assert cluster.wait("configmap/kept", "exists") == [made]
    with pytest.raises(KubectlError, match='configmaps "later" not found'):
        cluster.kubectl("get", "configmap", "later")
    cluster.settle()
    assert lasting(cluster.snapshot()) == lasting(snapshot)


def lasting(snapshot: Snapshot) -> dict[str, Entry]:
    """All but what comes of itself: a controller manager that comes back tells of the nodes, kubelets renew leases."""
    written = ("/registry/events/", "/registry/leases/")
    return {entry.key: entry for entry in snapshot.entries if not entry.key.startswith(written)}


def test_service_addresses_are_given_back_by_a_restore(cluster: Cluster) -> None:
    snapshot = cluster.snapshot()
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a"},
        "spec": {"clusterIP": "10.96.7.7", "ports": [{"port": 80}]},
    }
    cluster.apply(service)
    cluster.restore(snapshot)
    cluster.apply({**service, "metadata": {"name": "b"}})
    with pytest.raises(ManifestError, match="already allocated"):
        cluster.apply(service)


def test_faults_and_runtime_and_log_go_back_too(cluster: Cluster) -> None:
    snapshot = cluster.snapshot()
    cluster.faults.add("error", resource="pods")
    cluster.runtime.image("nginx", Script(exit_code=1, run_seconds=0))
    cluster.kubectl("get", "nodes")
    assert len(cluster.requests.where(resource="nodes", outside=True)) == 1
    cluster.restore(snapshot)
    assert len(cluster.faults) == 0
    assert len(cluster.requests.where(resource="nodes", outside=True)) == 0
    cluster.apply(deployment())
    cluster.wait("deployment/web")


def test_an_informer_that_lives_across_a_reset_converges(cluster: Cluster) -> None:
    from kubernetes import client, watch

    api = client.CoreV1Api(cluster.api_client)
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "first"}})
    seen: dict[str, str] = {}
    stop = threading.Event()

    def follow() -> None:
        while not stop.is_set():
            found = api.list_namespaced_config_map("default")
            seen.clear()
            seen.update({o.metadata.name: o.metadata.resource_version for o in found.items})
            try:
                stream = watch.Watch().stream(
                    api.list_namespaced_config_map,
                    "default",
                    resource_version=found.metadata.resource_version,
                    timeout_seconds=2,
                )
                for event in stream:
                    name = event["object"].metadata.name
                    if event["type"] == "DELETED":
                        seen.pop(name, None)
                    else:
                        seen[name] = event["object"].metadata.resource_version
            except client.ApiException as error:
                if error.status != 410:
                    raise

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        cluster.wait(lambda: "first" in seen)
        cluster.reset()
        cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "second"}})
        cluster.settle()
        expected = {
            o["metadata"]["name"]: o["metadata"]["resourceVersion"] for o in cluster.wait("configmaps", "exists")
        }
        cluster.wait(lambda: seen == expected)
    finally:
        stop.set()
        thread.join()


def test_wait_says_what_is_missing(cluster: Cluster) -> None:
    cluster.runtime.image("broken", Script(pull_error="no such image"))
    cluster.apply(deployment("sick", image="broken"))
    cluster.wait("pods", lambda o: "PullBackOff" in str(o["status"]) or "ErrImagePull" in str(o["status"]))
    with pytest.raises(WaitTimeout) as caught:
        cluster.wait("deployment/sick", timeout=0.1)
    text = str(caught.value)
    assert "deployment/sick in namespace default: 0 of 2 replicas in status.availableReplicas" in text
    assert "container main: " in text
    assert "ErrImagePull" in text or "ImagePullBackOff" in text


@pytest.mark.parametrize(
    ("what", "until", "missing"),
    [
        ("pod/none", "", "pod/none in namespace default: there is none"),
        ("namespace/default", "deleted", "namespace/default is there"),
        ("node/node-0", "Ready=False", "condition Ready is True"),
        ("node/node-0", "spec.unschedulable=true", "spec.unschedulable is not set, not true"),
        (lambda: False, "", "the condition does not hold"),
    ],
)
def test_wait_times_out(cluster: Cluster, what: Any, until: str, missing: str) -> None:
    with pytest.raises(WaitTimeout, match="not so after 0.05 s: .*" + missing.replace(".", r"\.")):
        cluster.wait(what, until, timeout=0.05)


def test_wait_is_woken_by_a_change(cluster: Cluster) -> None:
    timer = threading.Timer(
        0.1, lambda: cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}})
    )
    timer.start()
    cluster.wait("configmap/late", lambda o: o["metadata"]["name"] == "late")
    timer.join()


def test_manifests_from_files(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "1-crd.yaml").write_text("""
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
""")
    (tmp_path / "2-widget.json").write_text(
        '{"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "shop"}, "spec":'
        ' {"n": 1}}'
    )
    applied = cluster.apply(tmp_path)
    assert [o["kind"] for o in applied] == ["CustomResourceDefinition", "Namespace", "Widget"]
    assert cluster.kubectl("get", "widget", "w", "-n", "shop", "-o", "jsonpath={.spec.n}") == "1"


@pytest.mark.parametrize(
    ("manifest", "text"),
    [
        ("a: [\n", "the text is not YAML (line 2)"),
        ("kind: Pod\n", "the text: every object needs apiVersion and kind"),
        ("{apiVersion: v9, kind: Pod, metadata: {name: a}}\n", "no kind 'Pod' in version 'v9'"),
        (
            "{apiVersion: v1, kind: Pod, metadata: {name: A}, spec: {containers: [{name: a, image: b}]}}\n",
            'Pod A: Pod "A" is invalid: ',
        ),
        ("/does/not/exist.yaml", "cannot read /does/not/exist.yaml: No such file or directory"),
    ],
)
def test_manifests_that_do_not_work(cluster: Cluster, manifest: str, text: str) -> None:
    with pytest.raises(ManifestError) as caught:
        cluster.apply(manifest)
    assert str(caught.value).startswith(text)


def test_kubectl_failures_are_readable(cluster: Cluster) -> None:
    with pytest.raises(KubectlError) as caught:
        cluster.kubectl("get", "pod", "none")
    assert (
        str(caught.value) == 'kubectl get pod none\nexit status 1: Error from server (NotFound): pods "none" not found'
    )
    done = cluster.kubectl("get", "pod", "none", check=False)
    assert (done, done.returncode) == ("", 1)
    assert (
        cluster.kubectl("apply", "-f", "-", input="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
        == "configmap/a created\n"
    )


def test_kubectl_keeps_what_it_knows_with_the_cluster(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    cluster.kubectl("get", "nodes")
    assert list(tmp_path.iterdir()) == []
    assert (Path(cluster.kubeconfig).parent / "cache" / "discovery").is_dir()


def test_nodes_can_be_added_and_a_reset_takes_them_away(cluster: Cluster) -> None:
    cluster.nodes.add("big", labels={"disk": "ssd"}, capacity={"cpu": "64"})
    assert cluster.wait("node/big", "status.capacity.cpu=64")[0]["metadata"]["labels"]["disk"] == "ssd"
    snapshot = cluster.snapshot()
    cluster.reset()
    assert cluster.nodes.names == ["node-0", "node-1", "node-2"]
    assert len(cluster.wait("nodes")) == 3
    cluster.restore(snapshot)
    assert cluster.nodes.names == ["node-0", "node-1", "node-2", "big"]


@pytest.mark.cluster(nodes=1, authorization="RBAC", kubernetes="1.33")
def test_options_come_from_the_marker(cluster: Cluster) -> None:
    assert cluster.nodes.names == ["node-0"]
    assert cluster.kubectl("auth", "can-i", "get", "pods", "--as", "somebody", check=False) == "no\n"
    assert "v1.33." in cluster.kubectl("version")


def test_awaitable_twins() -> None:
    async def main() -> None:
        async with Cluster(nodes=1) as cluster:
            await cluster.apply(deployment())
            waiting = asyncio.create_task(cluster.wait("deployment/web"))
            assert "node-0" in await cluster.kubectl("get", "nodes")
            await waiting
            await cluster.clock.advance(minutes=1)
            await cluster.reset()
            assert await cluster.wait("deployment/web", "deleted") == []

    asyncio.run(main())


def test_two_clusters_are_two_and_fit_into_one_kubeconfig(cluster: Cluster, make_cluster: Any, tmp_path: Path) -> None:
    other = make_cluster(nodes=1, name="east")
    other.apply(deployment(replicas=1))
    other.wait("deployment/web")
    assert cluster.kubectl("get", "deployments", "-o", "name") == ""
    assert other.kubectl("config", "current-context") == "east\n"
    both = str(tmp_path / "both")
    for each in (cluster, other):
        assert main(["kubeconfig", "merge", "--kubeconfig", each.kubeconfig, "--into", both]) == 0
    shown = {
        name: cluster.kubectl("get", "deployments", "-o", "name", "--kubeconfig", both, "--context", name)
        for name in ("fakekube", "east")
    }
    assert shown == {"fakekube": "", "east": "deployment.apps/web\n"}


def test_a_cluster_on_disk_is_there_again(tmp_path: Path) -> None:
    with Cluster(nodes=1, data=tmp_path) as cluster:
        cluster.apply(deployment(replicas=1))
        cluster.wait("deployment/web")
        revision = cluster.snapshot().revision
    with Cluster(nodes=1, data=tmp_path) as cluster:
        cluster.wait("deployment/web")
        assert cluster.snapshot().revision >= revision


def test_time_does_not_go_back(cluster: Cluster) -> None:
    with pytest.raises(ControlError, match="time does not go back"):
        cluster.clock.advance(-1)
