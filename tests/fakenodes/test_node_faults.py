"""Nodes that fail: what happens to their pods, their kubelets' API and the Node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client

from fakeapi import Cluster
from fakenodes.kubelet.faults import Fault, parse_fault

Obj = dict[str, Any]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """One node."""
    with Cluster(nodes=1) as made:
        yield made


def pod(name: str, priority: int = 0, **spec: Any) -> Obj:
    """A pod on the node; system-node-critical is above all eviction."""
    found = {"containers": [{"name": "main", "image": "app:1"}], "terminationGracePeriodSeconds": 0, **spec}
    if priority:
        found["priorityClassName"] = "system-node-critical"
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": found}


def state(cluster: Cluster, name: str) -> Any:
    """The Pod's status."""
    return client.CoreV1Api(cluster.api_client).read_namespaced_pod(name, "default").status


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("node-1:stop", Fault("node-1", "stop")),
        ("node-1:crash@10", Fault("node-1", "crash", 10.0)),
        ("n.a:memory-pressure@1.5+30", Fault("n.a", "memory-pressure", 1.5, 30.0)),
    ],
)
def test_a_fault_as_text(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize("text", ["node-1", "node-1:melt", "node-1:stop@soon", ":stop"])
def test_what_is_no_fault(text: str) -> None:
    with pytest.raises(ValueError):
        parse_fault(text)


def test_pressure_evicts_one_pod_a_look_and_refuses_others(cluster: Cluster) -> None:
    for name, priority in (("a", 0), ("critical", 1)):
        cluster.apply(pod(name, priority))
        cluster.wait(f"pod/{name}", "Ready")
    cluster.nodes.pressure("node-0")
    cluster.wait("pod/a", lambda o: o["status"].get("reason") == "Evicted")
    found = state(cluster, "a")
    assert found.phase == "Failed"
    assert found.message.startswith("The node was low on resource: memory. ")
    assert {c.type: c.reason for c in found.conditions}["DisruptionTarget"] == "TerminationByKubelet"
    assert state(cluster, "critical").phase == "Running"
    cluster.apply(pod("late", nodeName="node-0"))
    cluster.wait("pod/late", lambda o: o["status"].get("reason") == "Evicted")
    assert state(cluster, "late").message == "The node had condition: [MemoryPressure]. "
    cluster.nodes.pressure("node-0", on=False)
    cluster.apply(pod("after", nodeName="node-0"))
    cluster.wait("pod/after", "Ready")


def test_a_crash_ends_containers_and_they_start_again(cluster: Cluster) -> None:
    cluster.apply(pod("a"))
    cluster.wait("pod/a", "Ready")
    cluster.nodes.crash("node-0")
    with pytest.raises(client.ApiException, match=r"Get .*EOF"):
        client.CoreV1Api(cluster.api_client).read_namespaced_pod_log("a", "default")
    cluster.nodes.start("node-0")
    cluster.wait("pod/a", lambda o: o["status"]["containerStatuses"][0]["restartCount"] == 1)
    last = state(cluster, "a").container_statuses[0].last_state.terminated
    assert (last.exit_code, last.reason) == (255, "Unknown")
