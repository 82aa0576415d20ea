"""Whatever the nodes and pods: nothing is overcommitted, no rule is broken, and no node is overlooked.

The model below decides by the rules' plain meaning, one node at a time, from the objects alone.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fakenodes.scheduler.framework import Unfit
from fakenodes.scheduler.snapshot import PodInfo
from tests.fakenodes.scheduling import World, node, pod

ZONES = ("a", "b")
APPS = ("x", "y")
TAINT = {"key": "t", "value": "v", "effect": "NoSchedule"}
HOST, ZONE = "kubernetes.io/hostname", "zone"


@st.composite
def some_nodes(draw):
    found = []
    for i in range(draw(st.integers(1, 5))):
        found.append(
            node(
                f"n{i}",
                cpu=str(draw(st.integers(1, 3))),
                pods=str(draw(st.integers(1, 4))),
                labels={ZONE: draw(st.sampled_from(ZONES))} if draw(st.booleans()) else {},
                taints=[TAINT] if draw(st.integers(0, 3)) == 0 else [],
                unschedulable=draw(st.integers(0, 5)) == 0,
            )
        )
    return found


def term(app, key):
    return {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key}
        ]
    }


@st.composite
def some_pod(draw, name):
    spec = {"priority": draw(st.integers(0, 2))}
    app = draw(st.sampled_from(APPS))
    if draw(st.booleans()):
        spec["tolerations"] = [{"key": "t", "operator": "Exists"}]
    if draw(st.integers(0, 3)) == 0:
        spec["nodeSelector"] = {ZONE: draw(st.sampled_from(ZONES))}
    kind = draw(st.sampled_from((None, None, "podAffinity", "podAntiAffinity")))
    if kind:
        spec["affinity"] = {kind: term(draw(st.sampled_from(APPS)), draw(st.sampled_from((HOST, ZONE))))}
    if draw(st.integers(0, 3)) == 0:
        spec["topologySpreadConstraints"] = [
            {
                "maxSkew": draw(st.integers(1, 2)),
                "topologyKey": draw(st.sampled_from((HOST, ZONE))),
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app": app}},
            }
        ]
    made = pod(name, requests={"cpu": f"{draw(st.integers(0, 4)) * 500}m"}, labels={"app": app}, **spec)
    if draw(st.integers(0, 3)) == 0:
        made["spec"]["containers"][0]["ports"] = [{"containerPort": 80, "hostPort": draw(st.integers(80, 81))}]
    return made


def pods(count):
    return st.tuples(*(some_pod(f"p{i}") for i in range(count)))


def milli(obj):
    return int(obj["spec"]["containers"][0]["resources"]["requests"]["cpu"][:-1])


def ports(obj):
    return {p["hostPort"] for p in obj["spec"]["containers"][0].get("ports", ())}


def terms(obj, kind):
    found = obj["spec"].get("affinity", {}).get(kind, {}).get("requiredDuringSchedulingIgnoredDuringExecution", ())
    return [(t["labelSelector"]["matchLabels"]["app"], t["topologyKey"]) for t in found]


def allowed(new, target, nodes, placed):
    """May `new` go to the node `target`? placed: (pod, node name)."""
    by_name = {n["metadata"]["name"]: n for n in nodes}
    here = [p for p, n in placed if n == target["metadata"]["name"]]
    labels = target["metadata"]["labels"]
    if target["spec"].get("unschedulable") or (target["spec"].get("taints") and not new["spec"].get("tolerations")):
        return False
    if any(labels.get(k) != v for k, v in new["spec"].get("nodeSelector", {}).items()):
        return False
    if len(here) >= int(target["status"]["allocatable"]["pods"]):
        return False
    if sum(map(milli, here)) + milli(new) > 1000 * int(target["status"]["allocatable"]["cpu"]) and milli(new):
        return False
    if any(ports(p) & ports(new) for p in here):
        return False
    return near(new, labels, by_name, placed) and even(new, labels, nodes, by_name, placed)


def near(new, labels, by_name, placed):
    def domain(name, key):
        return by_name[name]["metadata"]["labels"].get(key)

    for app, key in terms(new, "podAffinity"):
        if key not in labels:
            return False
        friends = [n for p, n in placed if p["metadata"]["labels"]["app"] == app and domain(n, key) is not None]
        if not any(domain(n, key) == labels[key] for n in friends) and (
            friends or new["metadata"]["labels"]["app"] != app
        ):
            return False
    for app, key in terms(new, "podAntiAffinity"):
        if key in labels and any(
            p["metadata"]["labels"]["app"] == app and domain(n, key) == labels[key] for p, n in placed
        ):
            return False
    for other, name in placed:
        for app, key in terms(other, "podAntiAffinity"):
            if (
                new["metadata"]["labels"]["app"] == app
                and domain(name, key) is not None
                and domain(name, key) == labels.get(key)
            ):
                return False
    return True


def even(new, labels, nodes, by_name, placed):
    for constraint in new["spec"].get("topologySpreadConstraints", ()):
        key, app = constraint["topologyKey"], constraint["labelSelector"]["matchLabels"]["app"]
        if key not in labels:
            return False
        wanted = new["spec"].get("nodeSelector", {})
        counts = {}
        for candidate in nodes:
            its = candidate["metadata"]["labels"]
            if key in its and all(its.get(k) == v for k, v in wanted.items()):
                mine = sum(
                    p["metadata"]["labels"]["app"] == app and n == candidate["metadata"]["name"] for p, n in placed
                )
                counts[its[key]] = counts.get(its[key], 0) + mine
        itself = new["metadata"]["labels"]["app"] == app
        if counts.get(labels[key], 0) + itself - min(counts.values(), default=0) > constraint["maxSkew"]:
            return False
    return True


@settings(deadline=None, max_examples=150)
@given(nodes=some_nodes(), wanted=pods(8))
def test_the_scheduler_finds_exactly_the_nodes_that_the_rules_allow(nodes, wanted):
    world, placed = World(nodes), []
    for obj in wanted:
        expected = {n["metadata"]["name"] for n in nodes if allowed(obj, n, nodes, placed)}
        assert world.feasible(obj) == expected
        try:
            chosen = world.place(obj)
        except Unfit:
            assert not expected
            continue
        assert chosen in expected
        placed.append((obj, chosen))
    for info in world.snapshot.nodes:
        mine = [p for p, n in placed if n == info.name]
        assert sum(map(milli, mine)) <= info.allocatable["cpu"]
        assert len(mine) <= info.allocatable["pods"]
        assert info.requested.get("cpu", 0) == sum(map(milli, mine))


@settings(deadline=None, max_examples=100)
@given(nodes=some_nodes(), wanted=pods(8), urgent=some_pod("urgent"))
def test_preemption_takes_only_what_is_needed_and_lower(nodes, wanted, urgent):
    world, placed = World(nodes), {}
    for obj in wanted:
        try:
            placed[obj["metadata"]["uid"]] = (obj, world.place(obj))
        except Unfit:
            continue
    victims = world.victims(urgent)
    if victims is None:
        kept = list(placed.values())
        lower = [x for x in kept if x[0]["spec"]["priority"] < urgent["spec"]["priority"]]
        for n in nodes if not terms(urgent, "podAffinity") else ():  # what is missing there, nobody's leaving brings
            rest = [x for x in kept if x not in lower or x[1] != n["metadata"]["name"]]
            # Either there was room, or making room does not help.
            assert world.feasible(urgent) or not allowed(urgent, n, nodes, rest)
        return
    target, chosen = victims
    assert chosen
    assert all(placed[v][1] == target for v in chosen)
    assert all(placed[v][0]["spec"]["priority"] < urgent["spec"]["priority"] for v in chosen)
    by_name = {n["metadata"]["name"]: n for n in nodes}
    left = [x for uid, x in placed.items() if uid not in chosen]
    assert allowed(urgent, by_name[target], nodes, left)
    for spared in chosen:
        assert not allowed(urgent, by_name[target], nodes, [*left, placed[spared]])


@settings(deadline=None, max_examples=60)
@given(nodes=some_nodes(), wanted=pods(6), gone=st.lists(st.integers(0, 5), max_size=3))
def test_a_snapshot_kept_up_to_date_is_the_one_made_anew(nodes, wanted, gone):
    world, placed = World(nodes), {}
    for obj in wanted:
        try:
            placed[obj["metadata"]["uid"]] = {**obj, "spec": {**obj["spec"], "nodeName": world.place(obj)}}
        except Unfit:
            continue
    for obj in placed.values():  # the binding's events
        world.snapshot.set_pod(PodInfo(obj))
    for i in gone:
        world.snapshot.remove_pod(f"uid-p{i}")
        placed.pop(f"uid-p{i}", None)
    anew = World(nodes, list(placed.values()))
    for mine, other in zip(world.snapshot.nodes, anew.snapshot.nodes, strict=True):
        assert {k: v for k, v in mine.requested.items() if v} == {k: v for k, v in other.requested.items() if v}
        assert (mine.scored, mine.ports, set(mine.pods)) == (other.scored, other.ports, set(other.pods))
        assert set(mine.with_anti_affinity) == set(other.with_anti_affinity)
