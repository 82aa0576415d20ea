"""In-place resize, and containers that use more memory than they may."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, watch

from fakeapi import Cluster

Obj = dict[str, Any]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """One node, of 32 CPUs."""
    with Cluster(nodes=1) as made:
        yield made


def pod(name: str, cpu: str, memory: str = "64Mi", restart: str = "NotRequired") -> Obj:
    """A pod with requests, and memory limited to its request."""
    container = {
        "name": "main",
        "image": "app:1",
        "resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}},
        "resizePolicy": [{"resourceName": "cpu", "restartPolicy": restart}],
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def resize(cluster: Cluster, name: str, cpu: str) -> None:
    """Ask for another CPU request."""
    body = {"spec": {"containers": [{"name": "main", "resources": {"requests": {"cpu": cpu}}}]}}
    client.CoreV1Api(cluster.api_client).patch_namespaced_pod_resize(name, "default", body)


def given(obj: Obj) -> str:
    """The CPU that the container has."""
    found: str = obj["status"]["containerStatuses"][0]["allocatedResources"]["cpu"]
    return found


@pytest.mark.parametrize(("restart", "restarts"), [("NotRequired", 0), ("RestartContainer", 1)])
def test_a_resize_that_fits(cluster: Cluster, restart: str, restarts: int) -> None:
    cluster.apply(pod("a", "1", restart=restart))
    cluster.wait("pod/a", "Ready")
    resize(cluster, "a", "2")
    (found,) = cluster.wait("pod/a", lambda o: given(o) == "2")
    cluster.wait("pod/a", lambda o: o["status"]["containerStatuses"][0]["restartCount"] == restarts)
    (found,) = cluster.wait("pod/a", lambda o: not resizing(o))
    assert found["status"]["containerStatuses"][0]["resources"]["requests"]["cpu"] == "2"
    summary = '{"name":"main","resources":{"limits":{"memory":"64Mi"},"requests":{"cpu":"2","memory":"64Mi"}}}'
    for what in ("started", "completed"):
        text = f'Pod resize {what}: {{"containers":[{summary}],"generation":2}}'
        cluster.wait("pod/a", lambda o, t=text, w=what: (f"Resize{w.title()}", t) in events(cluster, "a"))


def resizing(obj: Obj) -> set[str]:
    """What its conditions say of a resize."""
    return {c["type"] for c in obj["status"]["conditions"]} & {"PodResizePending", "PodResizeInProgress"}


def events(cluster: Cluster, name: str) -> set[tuple[str, str]]:
    """Reasons and messages."""
    found = client.CoreV1Api(cluster.api_client).list_namespaced_event("default").items
    return {(e.reason, e.message) for e in found if e.involved_object.name == name}


def test_a_resize_is_seen_in_progress(cluster: Cluster) -> None:
    cluster.apply(pod("a", "1"))
    (before,) = cluster.wait("pod/a", "Ready")
    resize(cluster, "a", "2")
    cluster.wait("pod/a", lambda o: given(o) == "2" and not resizing(o))
    core, since = client.CoreV1Api(cluster.api_client), before["metadata"]["resourceVersion"]
    seen = []
    for event in watch.Watch().stream(core.list_namespaced_pod, "default", resource_version=since, timeout_seconds=30):
        obj = event["raw_object"]
        had = obj["status"]["containerStatuses"][0]["resources"]["requests"]["cpu"]
        seen.append((given(obj), had, resizing(obj)))
        if had == "2":
            break
    assert seen == [("1", "1", set()), ("2", "1", {"PodResizeInProgress"}), ("2", "2", set())]


def test_a_resize_that_waits_for_room(cluster: Cluster) -> None:
    for name in ("a", "b"):
        cluster.apply(pod(name, "16"))
        cluster.wait(f"pod/{name}", "Ready")
    resize(cluster, "a", "20")
    (found,) = cluster.wait("pod/a", "PodResizePending")
    pending = next(c for c in found["status"]["conditions"] if c["type"] == "PodResizePending")
    assert pending["reason"] == "Deferred"
    assert pending["message"].startswith("Node didn't have enough resource: cpu, requested: 20000, used: 16000")
    assert given(found) == "16"
    cluster.wait("pod/a", lambda o: any(r == "ResizeDeferred" for r, _ in events(cluster, "a")))
    (message,) = [m for r, m in events(cluster, "a") if r == "ResizeDeferred"]
    assert message.startswith('Pod resize Deferred: {"containers":[{"name":"main","resources":')
    assert message.endswith(f'"generation":2,"error":"{pending["message"]}"}}')
    client.CoreV1Api(cluster.api_client).delete_namespaced_pod("b", "default")
    cluster.wait("pod/b", "deleted")
    cluster.clock.advance(15)
    cluster.wait("pod/a", lambda o: given(o) == "20" and not resizing(o))


def test_more_memory_than_allowed_ends_in_an_oom_kill(cluster: Cluster) -> None:
    cluster.apply(pod("a", "1", memory="5Mi"))
    (found,) = cluster.wait("pod/a", lambda o: o["status"]["containerStatuses"][0]["restartCount"])
    ended = found["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")
