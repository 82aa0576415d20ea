"""Nodes that fail: what happens to their pods, their kubelets' API and the Node."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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


def told(cluster: Cluster, name: str) -> set[tuple[str, str]]:
    """Reason and message of every event about it, once all are told."""
    cluster.settle()
    events = client.CoreV1Api(cluster.api_client).list_event_for_all_namespaces().items
    return {(e.reason, e.message) for e in events if e.involved_object.name == name}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("node-1:stop", Fault("node-1", "stop")),
        ("node-1:crash@10", Fault("node-1", "crash", 10.0)),
        ("n.a:memory-pressure@1.5+30", Fault("n.a", "memory-pressure", 1.5, 30.0)),
        ("node-1:slow=2.5@1", Fault("node-1", "slow", 1.0, None, 2.5)),
        ("node-1:partition+9", Fault("node-1", "partition", 0.0, 9.0)),
        ("node-1:pause", Fault("node-1", "pause")),
    ],
)
def test_a_fault_as_text(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize("text", ["node-1", "node-1:melt", "node-1:stop@soon", ":stop", "node-1:stop=3"])
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
    assert found.message == (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 0. "
        "Container main was using 10Mi, request is 0, has larger consumption of memory. "
    )
    assert ("EvictionThresholdMet", "Attempting to reclaim memory") in told(cluster, "node-0")
    events = client.CoreV1Api(cluster.api_client).list_namespaced_event("default").items
    assert next(e.metadata.annotations for e in events if e.reason == "Evicted") == {
        "offending_containers": "main",
        "offending_containers_usage": "10Mi",
        "starved_resource": "memory",
    }
    assert {c.type: c.reason for c in found.conditions}["DisruptionTarget"] == "TerminationByKubelet"
    assert state(cluster, "critical").phase == "Running"
    cluster.apply(pod("late", nodeName="node-0"))
    cluster.wait("pod/late", lambda o: o["status"].get("reason") == "Evicted")
    assert state(cluster, "late").message == "Pod was rejected: The node had condition: [MemoryPressure]. "
    cluster.nodes.pressure("node-0", on=False)
    cluster.apply(pod("after", nodeName="node-0"))
    cluster.wait("pod/after", "Ready")


def test_disk_pressure_counts_in_shares_and_spares_static_pods(cluster: Cluster) -> None:
    static = {**pod("static"), "spec": pod("static")["spec"]}
    cluster.nodes.add_static("node-0", static)
    cluster.apply(pod("a"))
    cluster.wait("pod/static-node-0", "Ready")
    cluster.wait("pod/a", "Ready")
    cluster.nodes.pressure("node-0", "DiskPressure")
    cluster.wait("pod/a", lambda o: o["status"].get("reason") == "Evicted")
    text = "The node was low on resource: ephemeral-storage. Threshold quantity: 107374184Ki, available: 0. "
    assert state(cluster, "a").message == text
    cluster.clock.advance(30)
    assert state(cluster, "static-node-0").phase == "Running"


def test_under_memory_pressure_a_node_takes_what_tolerates_it(cluster: Cluster) -> None:
    cluster.nodes.pressure("node-0")
    tolerant = {"tolerations": [{"key": "node.kubernetes.io/memory-pressure", "operator": "Exists"}]}
    cluster.apply(pod("tolerant", nodeName="node-0", priorityClassName="", **tolerant))
    cluster.wait("pod/tolerant", lambda o: o["status"].get("startTime"))
    assert "Pod was rejected" not in (state(cluster, "tolerant").message or "")


def test_a_static_pod_takes_the_place_of_others(cluster: Cluster) -> None:
    big = {"resources": {"requests": {"cpu": "30"}}}
    cluster.apply(pod("victim", containers=[{"name": "main", "image": "app:1", **big}]))
    cluster.apply(pod("small"))
    cluster.wait("pod/victim", "Ready")
    cluster.wait("pod/small", "Ready")
    static = pod("static", containers=[{"name": "main", "image": "app:1", **big}])
    cluster.nodes.add_static("node-0", static)
    cluster.wait("pod/victim", lambda o: o["status"].get("reason") == "Preempting")
    found = state(cluster, "victim")
    assert (found.phase, found.message) == ("Failed", "Preempted in order to admit critical pod")
    assert {c.type: c.message for c in found.conditions}["DisruptionTarget"] == (
        "Pod was preempted by Kubelet to accommodate a critical pod."
    )
    assert ("Preempting", "Preempted in order to admit critical pod") in told(cluster, "victim")
    cluster.clock.advance(2)
    cluster.wait("pod/static-node-0", "Ready")
    assert state(cluster, "small").phase == "Running"


def test_a_critical_pod_that_finds_nobody_to_preempt_is_refused(cluster: Cluster) -> None:
    much = [{"name": "main", "image": "app:1", "resources": {"requests": {"cpu": "33"}}}]
    cluster.apply(pod("a", 1, nodeName="node-0", containers=much))
    cluster.wait("pod/a", lambda o: o["status"].get("phase") == "Failed")
    found = state(cluster, "a")
    assert (found.reason, found.message) == (
        "UnexpectedAdmissionError",
        "Pod was rejected: Unexpected error while attempting to recover from admission failure: preemption: error "
        "finding a set of pods to preempt: no set of running pods found to reclaim resources: [(res: cpu, q: 1000), ]",
    )


def test_a_crash_ends_containers_and_they_start_again(cluster: Cluster) -> None:
    cluster.apply(pod("a"))
    cluster.wait("pod/a", "Ready")
    address = state(cluster, "a").pod_ip
    cluster.nodes.crash("node-0")
    with pytest.raises(client.ApiException, match=r"Get .*EOF"):
        client.CoreV1Api(cluster.api_client).read_namespaced_pod_log("a", "default")
    cluster.nodes.start("node-0")
    cluster.wait("pod/a", lambda o: o["status"]["containerStatuses"][0]["restartCount"] == 1)
    last = state(cluster, "a").container_statuses[0].last_state.terminated
    assert (last.exit_code, last.reason) == (255, "Unknown")
    assert state(cluster, "a").pod_ip != address


def conditions(cluster: Cluster) -> dict[str, str]:
    """The Node's."""
    found = client.CoreV1Api(cluster.api_client).read_node("node-0").status.conditions
    return {c.type: c.status for c in found}


def log(cluster: Cluster, name: str) -> Any:
    """What its container has logged."""
    return client.CoreV1Api(cluster.api_client).read_namespaced_pod_log(name, "default")


def test_a_crashed_node_tells_that_it_was_rebooted(cluster: Cluster) -> None:
    cluster.apply(pod("a"))
    cluster.wait("pod/a", "Ready")
    before = json.loads(cluster.kubectl("get", "node", "node-0", "-o", "json"))["status"]["nodeInfo"]["bootID"]
    cluster.nodes.crash("node-0")
    cluster.nodes.start("node-0")
    after = json.loads(cluster.kubectl("get", "node", "node-0", "-o", "json"))["status"]["nodeInfo"]["bootID"]
    assert before != after
    cluster.wait("node/node-0", lambda o: "has been rebooted" in cluster.kubectl("events", "--all-namespaces"))
    cluster.wait("pod/a", lambda o: "SandboxChanged" in cluster.kubectl("events", "--for", "pod/a"))


def test_a_node_that_is_cut_off_works_on_and_tells_later(cluster: Cluster) -> None:
    cluster.apply(pod("a", containers=[{"name": "main", "image": "app:1", "command": ["sleep", "60"]}]))
    cluster.apply(pod("b", terminationGracePeriodSeconds=30))
    for name in ("a", "b"):
        cluster.wait(f"pod/{name}", "Ready")
    cluster.nodes.partition("node-0")
    with pytest.raises(client.ApiException, match=r"Get .*EOF"):
        log(cluster, "b")
    cluster.kubectl("delete", "pod", "b", "--wait=false")
    cluster.apply(pod("late"))
    cluster.clock.advance(90)
    assert conditions(cluster)["Ready"] == "Unknown"
    assert state(cluster, "a").container_statuses[0].restart_count == 0
    assert state(cluster, "b").phase == "Running"
    cluster.nodes.partition("node-0", on=False)
    (found,) = cluster.wait("pod/a", lambda o: o["status"]["containerStatuses"][0]["restartCount"])
    ended = found["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert ended["reason"] == "Completed"
    cluster.wait("pod/b", "deleted")
    cluster.wait("node/node-0", "Ready")
    cluster.clock.advance(10)
    cluster.wait("pod/late", "Ready")


def test_a_slow_node_is_late_with_everything(cluster: Cluster) -> None:
    cluster.clock.freeze()
    cluster.nodes.slow("node-0", 20)
    cluster.apply(pod("a"))
    cluster.clock.advance(19)
    assert state(cluster, "a").phase == "Pending"
    assert not state(cluster, "a").container_statuses
    cluster.clock.advance(2)
    assert state(cluster, "a").phase == "Running"
    cluster.nodes.slow("node-0", 0)
    cluster.apply(pod("b"))
    cluster.wait("pod/b", "Ready")


def test_a_kubelet_that_stands_still_keeps_its_callers_waiting(cluster: Cluster) -> None:
    cluster.apply(pod("a"))
    cluster.wait("pod/a", "Ready")
    cluster.nodes.pause("node-0")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(log, cluster, "a")
        cluster.clock.advance(60)
        assert conditions(cluster)["Ready"] == "Unknown"
        assert not asked.done()
        cluster.nodes.start("node-0")
        assert asked.result(timeout=90) == ""
    cluster.wait("node/node-0", "Ready")


def test_faults_are_part_of_a_snapshot(cluster: Cluster) -> None:
    cluster.nodes.pressure("node-0", "DiskPressure")
    cluster.nodes.slow("node-0", 5)
    kept = cluster.snapshot()
    cluster.nodes.pressure("node-0", "DiskPressure", on=False)
    cluster.nodes.slow("node-0", 0)
    cluster.wait("node/node-0", lambda o: conditions(cluster)["DiskPressure"] == "False")
    cluster.restore(kept)
    assert conditions(cluster)["DiskPressure"] == "True"
    cluster.apply(pod("a", nodeName="node-0"))
    cluster.clock.advance(6)
    cluster.wait("pod/a", lambda o: o["status"].get("reason") == "Evicted")
    cluster.nodes.pressure("node-0", "DiskPressure", on=False)
    cluster.wait("node/node-0", lambda o: conditions(cluster)["DiskPressure"] == "False")


def test_a_node_that_is_deleted_comes_back_with_its_kubelet(cluster: Cluster) -> None:
    cluster.kubectl("delete", "node", "node-0")
    cluster.clock.advance(minutes=11)
    assert cluster.kubectl("get", "nodes").stderr.strip() == "No resources found"
    cluster.nodes.stop("node-0")
    cluster.nodes.start("node-0")
    cluster.wait("node/node-0", "Ready")
