"""A node falls silent: it is tainted, its pods go after their five minutes, and it comes back."""

from __future__ import annotations

import json
from typing import Any

from fakeapi import Cluster


def get(cluster: Cluster, *what: str) -> Any:
    return json.loads(cluster.kubectl("get", *what, "-o", "json"))


def taints(cluster: Cluster) -> set[tuple[str, str]]:
    return {(t["key"], t["effect"]) for t in get(cluster, "node", "node-1")["spec"].get("taints") or ()}


def where(cluster: Cluster) -> list[str]:
    """The nodes of the pods that are not on their way out."""
    pods = get(cluster, "pods")["items"]
    return sorted(p["spec"]["nodeName"] for p in pods if not p["metadata"].get("deletionTimestamp"))


def test_a_silent_node_loses_its_pods_and_comes_back() -> None:
    with Cluster(nodes=2) as cluster:
        cluster.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2")
        cluster.kubectl("rollout", "status", "deployment/web")
        assert where(cluster) == ["node-0", "node-1"]
        cluster.clock.advance(10)
        cluster.nodes.stop("node-1")
        cluster.clock.advance(70)
        unreachable = "node.kubernetes.io/unreachable"
        assert taints(cluster) == {(unreachable, "NoSchedule"), (unreachable, "NoExecute")}
        lost = next(p for p in get(cluster, "pods")["items"] if p["spec"]["nodeName"] == "node-1")
        assert {c["type"]: c["status"] for c in lost["status"]["conditions"]}["Ready"] == "False"
        assert where(cluster) == ["node-0", "node-1"]
        cluster.clock.advance(310)
        assert where(cluster) == ["node-0", "node-0"]
        cluster.nodes.start("node-1")
        cluster.clock.advance(20)
        assert taints(cluster) == set()
        assert len(get(cluster, "pods")["items"]) == 2
