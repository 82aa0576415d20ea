"""Static pods: what a kubelet makes of a manifest, and the mirror pods that show them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from fakeapi import Cluster
from fakenodes.kubelet.manifests import ManifestPath, parse_path, read
from fakenodes.kubelet.static import ManifestError, mirror_pod, static_pod

Obj = dict[str, Any]
NAME = "web-node-0"


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    """Two nodes."""
    with Cluster(nodes=2) as made:
        yield made


@pytest.fixture
def cluster(running: Cluster) -> Cluster:
    """Two nodes, as new."""
    running.reset()
    return running


def manifest(image: str = "nginx:1", **meta: Any) -> Obj:
    """A pod of one container that ends at once when it is told to."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", **meta},
        "spec": {"containers": [{"name": "c", "image": image}], "terminationGracePeriodSeconds": 1},
    }


def get(cluster: Cluster, name: str = NAME) -> Any:
    """The pod as its JSON."""
    return json.loads(cluster.kubectl("get", "pod", name, "-o", "json"))


def test_what_the_kubelet_makes_of_a_manifest() -> None:
    pod = static_pod(manifest(labels={"app": "web"}), "Node-0", "/etc/web.yaml", 0.0)
    meta = pod["metadata"]
    assert (meta["name"], meta["namespace"], pod["spec"]["nodeName"]) == ("web-node-0", "default", "Node-0")
    assert pod["spec"]["tolerations"] == [{"operator": "Exists", "effect": "NoExecute"}]
    assert len(meta["uid"]) == 32
    assert meta["annotations"] == {
        "kubernetes.io/config.hash": meta["uid"],
        "kubernetes.io/config.seen": "1970-01-01T00:00:00.000000Z",
        "kubernetes.io/config.source": "file",
    }
    mirror = mirror_pod(pod, {"metadata": {"name": "Node-0", "uid": "u"}})
    assert "uid" not in mirror["metadata"]
    assert mirror["metadata"]["annotations"]["kubernetes.io/config.mirror"] == meta["uid"]
    assert mirror["metadata"]["ownerReferences"] == [
        {"apiVersion": "v1", "kind": "Node", "name": "Node-0", "uid": "u", "controller": True}
    ]


def test_the_hash_tells_manifests_apart() -> None:
    same, other = manifest(), manifest("nginx:2")
    uids = [
        static_pod(m, node, source, 0.0)["metadata"]["uid"]
        for m, node, source in (
            (same, "a", "s"),
            (same, "a", "s"),
            (other, "a", "s"),
            (same, "b", "s"),
            (same, "a", "t"),
        )
    ]
    assert [uids.index(uid) for uid in uids] == [0, 0, 2, 3, 4]


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "Deployment"}, {"apiVersion": "v2"}, {"metadata": {}}, {"spec": {"containers": []}}, {"spec": None}],
)
def test_what_is_no_manifest(wrong: Obj) -> None:
    with pytest.raises(ManifestError):
        static_pod({**manifest(), **wrong}, "n", "s", 0.0)


def test_a_static_pod_runs_and_is_shown(cluster: Cluster) -> None:
    assert cluster.nodes.add_static("node-0", manifest()) == NAME
    (found,) = cluster.wait(f"pod/{NAME}", "Ready")
    assert found["status"]["phase"] == "Running"
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"] == 1
    owner = found["metadata"]["ownerReferences"][0]
    node = json.loads(cluster.kubectl("get", "node", "node-0", "-o", "json"))
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Node", "node-0", node["metadata"]["uid"])
    cluster.wait(f"pod/{NAME}", lambda o: "Started" in cluster.kubectl("describe", "pod", NAME))
    assert cluster.kubectl("exec", NAME, "--", "hostname") == f"{NAME}\n"


def test_a_mirror_that_is_deleted_comes_back_and_the_pod_runs_on(cluster: Cluster) -> None:
    cluster.nodes.add_static("node-0", manifest())
    (before,) = cluster.wait(f"pod/{NAME}", "Ready")
    cluster.kubectl("delete", "pod", NAME, "--wait=false")
    (after,) = cluster.wait(
        f"pod/{NAME}",
        lambda o: o["metadata"]["uid"] != before["metadata"]["uid"] and o["status"].get("containerStatuses"),
    )
    ids = [p["status"]["containerStatuses"][0]["containerID"] for p in (before, after)]
    assert ids[0] == ids[1]
    assert after["status"]["containerStatuses"][0]["restartCount"] == 0


def test_a_changed_manifest_replaces_the_pod_and_a_removed_one_ends_it(cluster: Cluster) -> None:
    cluster.nodes.add_static("node-0", manifest())
    (before,) = cluster.wait(f"pod/{NAME}", "Ready")
    cluster.nodes.add_static("node-0", manifest("nginx:2"))
    (after,) = cluster.wait(f"pod/{NAME}", lambda o: o["spec"]["containers"][0]["image"] == "nginx:2")
    cluster.wait(f"pod/{NAME}", "Ready")
    key = "kubernetes.io/config.hash"
    assert before["metadata"]["annotations"][key] != after["metadata"]["annotations"][key]
    cluster.nodes.remove_static("node-0", "web")
    cluster.wait(f"pod/{NAME}", "deleted")


def test_static_pods_are_part_of_a_snapshot(cluster: Cluster) -> None:
    cluster.nodes.add_static("node-0", manifest())
    cluster.wait(f"pod/{NAME}", "Ready")
    kept = cluster.snapshot()
    cluster.nodes.remove_static("node-0", "web")
    cluster.wait(f"pod/{NAME}", "deleted")
    cluster.restore(kept)
    cluster.wait(f"pod/{NAME}", "Ready")
    cluster.nodes.remove_static("node-0", "web")
    cluster.wait(f"pod/{NAME}", "deleted")


def test_a_mirror_of_nothing_is_deleted(cluster: Cluster) -> None:
    node = json.loads(cluster.kubectl("get", "node", "node-1", "-o", "json"))
    lost = mirror_pod(static_pod(manifest(), "node-1", "s", 0.0), node)
    client.CoreV1Api(cluster.api_client).create_namespaced_pod("default", lost)
    cluster.wait("pod/web-node-1", "deleted")


def test_drain_leaves_static_pods_alone(cluster: Cluster) -> None:
    cluster.nodes.add_static("node-0", manifest())
    cluster.wait(f"pod/{NAME}", "Ready")
    assert "drained" in cluster.kubectl("drain", "node-0")
    assert get(cluster)["status"]["phase"] == "Running"


def test_a_directory_of_manifests(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(json.dumps(manifest()))
    (tmp_path / "bad.yaml").write_text("kind: Pod\n")
    (tmp_path / "not.yaml").write_text("]")
    (tmp_path / ".hidden.yaml").write_text(json.dumps(manifest()))
    (tmp_path / "below").mkdir()
    assert list(read(tmp_path)) == [str(tmp_path / "web.yaml")]
    assert list(read(tmp_path / "web.yaml")) == [str(tmp_path / "web.yaml")]
    assert parse_path("node-1=/a") == ManifestPath(Path("/a"), "node-1")
    assert parse_path("/a=b") == ManifestPath(Path("/a=b"))
