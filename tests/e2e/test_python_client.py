"""The official Python client against a cluster: typed and dynamic CRUD, watches that resume, informers."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from kubernetes import client, config, dynamic, informer, watch
from kubernetes.client.exceptions import ApiException

from tests.e2e.processes import eventually

SECONDS = 90


@pytest.fixture(scope="module")
def api(kubeconfig: Path) -> Iterator[client.ApiClient]:
    """A client of the cluster."""
    with config.new_client_from_config(str(kubeconfig)) as made:
        yield made


@pytest.fixture
def core(api: client.ApiClient) -> client.CoreV1Api:
    """The core group."""
    return client.CoreV1Api(api)


@pytest.fixture
def namespace(core: client.CoreV1Api) -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"python-{uuid4().hex[:8]}"
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))
    yield name
    core.delete_namespace(name)


def config_map(name: str = "settings", **data: str) -> client.V1ConfigMap:
    """A typed ConfigMap."""
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data=data)


def test_typed_crud(core: client.CoreV1Api, namespace: str) -> None:
    created = core.create_namespaced_config_map(namespace, config_map(color="blue"))
    assert core.read_namespaced_config_map("settings", namespace) == created
    created.data["color"] = "red"
    replaced = core.replace_namespaced_config_map("settings", namespace, created)
    with pytest.raises(ApiException) as stale:
        core.replace_namespaced_config_map("settings", namespace, created)
    assert (stale.value.status, stale.value.reason) == (409, "Conflict")
    assert int(replaced.metadata.resource_version) > int(created.metadata.resource_version)
    patched = core.patch_namespaced_config_map("settings", namespace, {"data": {"size": "small"}})
    assert patched.data == {"color": "red", "size": "small"}
    assert [
        item.metadata.name
        for item in core.list_namespaced_config_map(namespace, label_selector="!x").items
        if item.data == patched.data
    ]
    core.delete_namespaced_config_map("settings", namespace)
    with pytest.raises(ApiException) as missing:
        core.read_namespaced_config_map("settings", namespace)
    assert missing.value.status == 404


def test_typed_workload_comes_alive(api: client.ApiClient, core: client.CoreV1Api, namespace: str) -> None:
    apps = client.AppsV1Api(api)
    template = client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels={"app": "web"}),
        spec=client.V1PodSpec(
            containers=[client.V1Container(name="main", image="nginx")], termination_grace_period_seconds=1
        ),
    )
    spec = client.V1DeploymentSpec(
        replicas=2, selector=client.V1LabelSelector(match_labels={"app": "web"}), template=template
    )
    apps.create_namespaced_deployment(
        namespace, client.V1Deployment(metadata=client.V1ObjectMeta(name="web"), spec=spec)
    )
    eventually(
        lambda: apps.read_namespaced_deployment_status("web", namespace).status.available_replicas == 2, "two replicas"
    )
    apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 1}})
    eventually(lambda: len(core.list_namespaced_pod(namespace, label_selector="app=web").items) == 1, "one pod")
    assert apps.read_namespaced_deployment_scale("web", namespace).spec.replicas == 1


def test_lists_page_by_page(core: client.CoreV1Api, namespace: str) -> None:
    for number in range(5):
        core.create_namespaced_config_map(namespace, config_map(f"c{number}"))
    names: list[str] = []
    token = None
    while token != "":
        page = core.list_namespaced_config_map(namespace, limit=2, _continue=token)
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue or ""
    assert [name for name in names if name.startswith("c")] == ["c0", "c1", "c2", "c3", "c4"]


def test_dynamic_client(api: client.ApiClient, namespace: str) -> None:
    maps = dynamic.DynamicClient(api).resources.get(api_version="v1", kind="ConfigMap")
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings"},
        "data": {"color": "blue"},
    }
    maps.create(body=body, namespace=namespace)
    applied = maps.server_side_apply(
        body={**body, "data": {"size": "small"}},
        namespace=namespace,
        name="settings",
        field_manager="tester",
        force_conflicts=True,
    )
    assert applied.data.to_dict() == {"color": "blue", "size": "small"}
    patched = maps.patch(
        body={"data": {"color": None}},
        namespace=namespace,
        name="settings",
        content_type="application/merge-patch+json",
    )
    assert patched.data.to_dict() == {"size": "small"}
    assert [
        item.metadata.name for item in maps.get(namespace=namespace, field_selector="metadata.name=settings").items
    ] == ["settings"]
    assert maps.delete(name="settings", namespace=namespace).status == "Success"


def test_a_watch_resumes_from_a_resource_version(core: client.CoreV1Api, namespace: str) -> None:
    start = core.create_namespaced_config_map(namespace, config_map(color="blue")).metadata.resource_version
    core.patch_namespaced_config_map("settings", namespace, {"data": {"color": "red"}})
    core.delete_namespaced_config_map("settings", namespace)
    only: dict[str, Any] = {
        "namespace": namespace,
        "field_selector": "metadata.name=settings",
        "timeout_seconds": SECONDS,
    }
    first = watch.Watch()
    seen: list[tuple[str, str]] = []
    for event in first.stream(core.list_namespaced_config_map, resource_version=start, **only):
        seen.append((event["type"], event["object"].data["color"]))
        if len(seen) == 1:
            resume = event["object"].metadata.resource_version
        if len(seen) == 2:
            first.stop()
    assert seen == [("MODIFIED", "red"), ("DELETED", "red")]
    again = watch.Watch()
    for event in again.stream(core.list_namespaced_config_map, resource_version=resume, **only):
        assert (event["type"], event["object"].metadata.name) == ("DELETED", "settings")
        again.stop()


def test_a_watch_from_no_version_is_refused(core: client.CoreV1Api, namespace: str) -> None:
    with pytest.raises(ApiException) as refused:
        for _ in watch.Watch().stream(
            core.list_namespaced_config_map, namespace, resource_version="abc", timeout_seconds=1
        ):
            pass
    assert refused.value.status == 500


def test_an_informer_follows(core: client.CoreV1Api, namespace: str) -> None:
    core.create_namespaced_config_map(namespace, config_map("first", color="blue"))
    follower = informer.SharedInformer(core.list_namespaced_config_map, namespace=namespace)
    told: queue.Queue[tuple[str, str]] = queue.Queue()
    for kind in (informer.ADDED, informer.MODIFIED, informer.DELETED):
        follower.add_event_handler(kind, lambda found, kind=kind: told.put((kind, found.metadata.name)))
    follower.start()
    try:
        assert next_about("first", told) == "ADDED"
        core.create_namespaced_config_map(namespace, config_map("second"))
        assert next_about("second", told) == "ADDED"
        core.patch_namespaced_config_map("first", namespace, {"data": {"color": "red"}})
        assert next_about("first", told) == "MODIFIED"
        core.delete_namespaced_config_map("second", namespace)
        assert next_about("second", told) == "DELETED"
        assert {item.metadata.name for item in follower.cache.list()} >= {"first"}
        assert "second" not in {item.metadata.name for item in follower.cache.list()}
    finally:
        follower.stop()


def next_about(name: str, told: queue.Queue[tuple[str, str]]) -> str:
    """The type of the next event of that object."""
    while True:
        kind, about = told.get(timeout=SECONDS)
        if about == name:
            return kind
