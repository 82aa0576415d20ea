"""FailedScheduling in upstream's words."""

from __future__ import annotations

import pytest

from tests.fakenodes.scheduling import World, node, pod

THREE = [node(f"node-{i}", labels={"disk": "ssd"} if i == 0 else {}) for i in range(3)]
HOPELESS = (
    "no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
)
AFFINITY = {
    "requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"app": "x"}}, "topologyKey": "kubernetes.io/hostname"}
    ]
}
SPREAD = [
    {
        "maxSkew": 1,
        "topologyKey": "rack",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "x"}},
    }
]
BY_NAME = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["ghost"]}]}]
        }
    }
}
CLAIM = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]

CASES = [
    (pod("p", requests={"cpu": "1000"}), f"0/3 nodes are available: 3 Insufficient cpu. {HOPELESS}"),
    (
        pod("p", requests={"example.com/gpu": "1"}),
        f"0/3 nodes are available: 3 Insufficient example.com/gpu. {HOPELESS}",
    ),
    (
        pod("p", nodeSelector={"a": "b"}),
        f"0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector. {HOPELESS}",
    ),
    (
        pod("p", affinity=BY_NAME),
        f"0/3 nodes are available: 3 node(s) didn't satisfy plugin(s) [NodeAffinity]. {HOPELESS}",
    ),
    (
        pod("p", affinity={"podAffinity": AFFINITY}),
        f"0/3 nodes are available: 3 node(s) didn't match pod affinity rules. {HOPELESS}",
    ),
    (
        pod("p", labels={"app": "x"}, topologySpreadConstraints=SPREAD),
        "0/3 nodes are available: 3 node(s) didn't match pod topology spread constraints (missing required label). "
        + HOPELESS,
    ),
    (pod("p", volumes=CLAIM), '0/3 nodes are available: persistentvolumeclaim "data" not found. not found'),
    (
        pod("p", requests={"cpu": "5"}, nodeSelector={"disk": "ssd"}),
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match Pod's node affinity/selector. " + HOPELESS,
    ),
]


@pytest.mark.parametrize(("obj", "text"), CASES)
def test_on_an_empty_cluster(obj, text):
    assert World(THREE).refusal(obj) == text


def test_taints_and_cordons_are_told_apart():
    nodes = [node("a", taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}]), node("b", unschedulable=True)]
    assert (
        World(nodes)
        .refusal(pod("p"))
        .startswith("0/2 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable. ")
    )


def test_an_unbound_claim_ends_the_cycle_before_the_claims_plugin_has_its_state():
    claim = {
        "metadata": {"name": "data", "namespace": "default", "uid": "u"},
        "spec": {},
        "status": {"phase": "Pending"},
    }
    world = World(THREE, persistentvolumeclaims=[claim])
    assert (
        world.refusal(pod("p", volumes=CLAIM))
        == "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
    )


@pytest.mark.parametrize(("priorities", "policy", "text"), [
    ((0, 0), "PreemptLowerPriority", "preemption: 0/2 nodes are available: "
     "1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling."),
    ((0, 9), "Never", "preemption: not eligible due to preemptionPolicy=Never."),
    ((0, 9), "PreemptLowerPriority", ""),
])  # fmt: skip
def test_preemption_says_why_not(priorities, policy, text):
    low, high = priorities
    nodes = [node("a", **{"example.com/x": "1"}), node("b")]
    world = World(nodes, [pod("low", requests={"example.com/x": "1"}, priority=low, nodeName="a")])
    found = world.refusal(pod("p", requests={"example.com/x": "1"}, priority=high, preemptionPolicy=policy))
    whole = "0/2 nodes are available: 2 Insufficient example.com/x."
    assert found == (f"{whole} no new claims to deallocate, {text}" if text else whole)
    assert world.nominated == ("" if low == high else None if policy == "Never" else "a")
    assert len(world.started) == (0 if text else 1)
