"""Scores, plugin by plugin: numbers worked out by hand from upstream's formulas."""

from __future__ import annotations

import pytest

from fakenodes.scheduler.plugins.image_locality import ImageLocality
from fakenodes.scheduler.plugins.node_resources_balanced_allocation import NodeResourcesBalancedAllocation
from fakenodes.scheduler.plugins.node_resources_fit import (
    FitArgs,
    NodeResourcesFit,
    RequestedToCapacityRatio,
    least_allocated,
    most_allocated,
)
from fakenodes.scheduler.plugins.pod_topology_spread import PodTopologySpread
from fakenodes.scheduler.resources import CPU, STORAGE
from fakenodes.scheduler.snapshot import PodInfo
from tests.fakenodes.scheduling import World, node, pod

TEN = {"cpu": "10", "memory": "10Gi"}
HALF = [(0, 10), (50, 7), (100, 0)]  # falls unevenly
MEGABYTE = 1024 * 1024


def scores(plugin, world, obj):
    """By node name, normalized where the plugin does that; {} when it leaves itself out."""
    nodes, info, state = world.snapshot.nodes, PodInfo(obj), {}
    if hasattr(plugin, "pre_score") and plugin.pre_score(state, info, nodes) is not None:
        return {}
    found = [plugin.score(state, info, n) for n in nodes]
    if hasattr(plugin, "normalize"):
        found = plugin.normalize(state, info, nodes, found)
    return {n.name: score for n, score in zip(nodes, found, strict=True)}


@pytest.mark.parametrize(
    ("used", "wanted", "score"),
    [
        ({}, {"cpu": "1", "memory": "1Gi"}, 75),  # balanced before and after
        ({"cpu": "4"}, {"memory": "4Gi"}, 50 + (50 + 100 - 80) // 2),
        ({"cpu": "4"}, {"cpu": "2"}, 50 + (50 + 70 - 80) // 2),
        ({}, {"cpu": "10"}, 50),
        ({"cpu": "10"}, {"memory": "10Gi"}, 100),
    ],
)
def test_the_balance_that_a_pod_brings(used, wanted, score):
    world = World([node("a", **TEN)], [pod("old", requests=used, nodeName="a")])
    plugin = NodeResourcesBalancedAllocation(world.handle)
    assert scores(plugin, world, pod("new", requests=wanted)) == {"a": score}
    assert scores(plugin, world, pod("new")) == {}


@pytest.mark.parametrize(
    ("args", "requests", "score"),
    [
        (FitArgs(), {"cpu": "5", "memory": "1Gi"}, (50 + 90) // 2),
        # 100m of 10 CPUs and 200Mi of 10Gi stand for what is not asked for.
        (FitArgs(), None, (99 + 98) // 2),
        (FitArgs(most_allocated), {"cpu": "5", "memory": "1Gi"}, (50 + 10) // 2),
        # Ephemeral storage counts of pods, too, that do not ask for it; other resources do not.
        (FitArgs(least_allocated, ((CPU, 1), (STORAGE, 1))), {"cpu": "5"}, (50 + 100) // 2),
        (FitArgs(least_allocated, ((CPU, 1), ("example.com/x", 9))), {"cpu": "5"}, 50),
        # 25% used are 85, 75% are 35, and 100% are 0, which counts for nothing.
        (FitArgs(RequestedToCapacityRatio(HALF)), {"cpu": "2500m", "memory": "7680Mi"}, 60),
        (FitArgs(RequestedToCapacityRatio(HALF)), {"cpu": "2500m", "memory": "10Gi"}, 85),
        (FitArgs(RequestedToCapacityRatio([(0, 0), (100, 10)])), {"cpu": "2500m", "memory": "2663Mi"}, 26),
        # Go rounds a falling line's division towards zero.
        (FitArgs(RequestedToCapacityRatio([(0, 10), (30, 9)]), ((CPU, 1),)), {"cpu": "1"}, 97),
    ],
)
def test_what_is_left_of_the_node(args, requests, score):
    world = World([node("a", **TEN, **{"ephemeral-storage": "10Gi", "example.com/x": "4"})])
    assert scores(NodeResourcesFit(world.handle, args), world, pod("p", requests=requests)) == {"a": score}


def with_images(name, **sizes):
    made = node(name)
    made["status"]["images"] = [{"names": [f"{n}:latest"], "sizeBytes": size * MEGABYTE} for n, size in sizes.items()]
    return made


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({}, {"a": 100 * (600 // 2 - 23) // (1000 - 23), "b": 0}),
        # An image volume adds to the size, and not to the most that counts.
        ({"volumes": [{"name": "v", "image": {"reference": "v"}}]}, {"a": 100 * (600 - 23) // (1000 - 23), "b": 0}),
        ({"initContainers": [{"name": "n", "image": "v"}]}, {"a": 100 * (600 - 23) // (2000 - 23), "b": 0}),
    ],
)
def test_images_that_are_there(spec, found):
    world = World([with_images("a", i=600, v=600), with_images("b")])
    assert scores(ImageLocality(world.handle), world, pod("p", **spec)) == found


def spread(key, skew=1, selector=None):
    return {
        "maxSkew": skew,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"app": "x"}} if selector is None else selector,
    }


def placed(**counts):
    return [pod(f"{n}-{i}", labels={"app": "x"}, nodeName=n) for n, count in counts.items() for i in range(count)]


def test_spread_over_zones_and_racks_leaves_out_nodes_without_both():
    nodes = [node(n, labels={"zone": z, "rack": "r"}) for n, z in (("a", "1"), ("b", "2"))]
    nodes.append(node("half", labels={"zone": "2"}))
    world = World(nodes, placed(a=1, half=5))
    wanted = pod("p", labels={"app": "x"}, topologySpreadConstraints=[spread("zone"), spread("rack")])
    # The pods on the node without a rack do not count for its zone, nor does the node get a score. Zones weigh log 4,
    # racks log 3: (1.39 + 1.10, 0 + 1.10) are 2 and 1.
    assert scores(PodTopologySpread(world.handle), world, wanted) == {"a": 100 * (2 + 1 - 2) // 2, "b": 100, "half": 0}


def test_half_a_point_is_rounded_up():
    world = World([node("a"), node("b")], placed(a=1, b=3))
    plugin = PodTopologySpread(world.handle)
    state, info = {}, PodInfo(pod("p", topologySpreadConstraints=[spread("kubernetes.io/hostname")]))
    plugin.pre_score(state, info, world.snapshot.nodes)
    ranking = state["PodTopologySpread/score"]
    ranking.constraints = [(c, counts, 2.5) for c, counts, _ in ranking.constraints]
    assert [plugin.score(state, info, n) for n in world.snapshot.nodes] == [3, 8]


def test_the_empty_selector_counts_nobody():
    world = World([node("a"), node("b")], placed(a=3))
    wanted = pod("p", topologySpreadConstraints=[spread("kubernetes.io/hostname", selector={})])
    assert scores(PodTopologySpread(world.handle), world, wanted) == {"a": 100, "b": 100}


def test_pods_of_a_service_are_spread_by_default():
    nodes = [node("a", labels={"topology.kubernetes.io/zone": "1"}), node("b")]
    service = {"metadata": {"name": "s", "namespace": "default"}, "spec": {"selector": {"app": "x"}}}
    world = World(nodes, placed(a=4, b=4), services=[service])
    plugin = PodTopologySpread(world.handle)
    # Hosts: 4 * log 4 + 2 each; zones, of which the node without one is another: 4 * log 4 + 4 more for the first.
    assert scores(plugin, world, pod("p", labels={"app": "x"})) == {"a": 100 * (17 + 8 - 17) // 17, "b": 100}
    assert scores(plugin, world, pod("p")) == {}
