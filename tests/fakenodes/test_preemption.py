"""Whom a node ends to make room for a critical pod."""

from __future__ import annotations

import pytest

from fakenodes.kubelet.admission import refusals
from fakenodes.kubelet.critical import is_critical, preemptable
from fakenodes.kubelet.preemption import NoVictimsError, victims
from fakenodes.scheduler.snapshot import PodInfo

SYSTEM = 2_000_001_000


def pod(name, cpu="0", memory="0", qos="Burstable", priority=0, **meta):
    requests = {"cpu": cpu, "memory": memory}
    return {
        "metadata": {"name": name, "namespace": "ns", "uid": name, **meta},
        "spec": {"priority": priority, "containers": [{"name": "c", "resources": {"requests": requests}}]},
        "status": {"qosClass": qos},
    }


BEST = pod("best", qos="BestEffort")
SMALL, LARGE = pod("small", "100m", "100"), pod("large", "300m", "300")
SURE, SURER = pod("sure", "100m", "100", "Guaranteed"), pod("surer", "300m", "300", "Guaranteed")
OWN = pod("own", "1", "1000", "Guaranteed", SYSTEM)
ALL = [BEST, SMALL, LARGE, SURE, SURER, OWN]


@pytest.mark.parametrize(
    ("there", "lacking", "chosen"),
    [
        (ALL, {"memory": 50}, ["small"]),
        (ALL, {"memory": 200}, ["large"]),
        (ALL, {"memory": 350}, ["small", "large"]),
        (ALL, {"memory": 550}, ["large", "surer"]),
        (ALL, {"pods": 1}, ["best"]),
        (ALL, {"pods": 2, "memory": 100}, ["best", "small"]),
        ([SURE, SURER], {"cpu": 200}, ["surer"]),
        ([SURE, SURER, SMALL], {"cpu": 100, "memory": 100}, ["small"]),
    ],
)
def test_as_few_as_can_be_and_guaranteed_ones_last(there, lacking, chosen):
    found = victims(PodInfo(pod("me", priority=SYSTEM)), map(PodInfo, there), lacking)
    assert sorted(v.name for v in found) == sorted(chosen)


def test_when_all_would_not_be_enough_nobody_goes():
    with pytest.raises(NoVictimsError) as caught:
        victims(PodInfo(pod("me", priority=SYSTEM)), map(PodInfo, ALL), {"cpu": 1000, "memory": 100})
    assert str(caught.value) == "no set of running pods found to reclaim resources: [(res: cpu, q: 200), ]"


STATIC = {"annotations": {"kubernetes.io/config.source": "file"}}


@pytest.mark.parametrize(
    ("mine", "theirs", "may"),
    [
        (pod("a", priority=SYSTEM), pod("b"), True),
        (pod("a", **STATIC), pod("b", priority=5), True),
        (pod("a", **STATIC), pod("b", priority=SYSTEM), False),
        (pod("a", priority=SYSTEM + 1), pod("b", priority=SYSTEM), True),
        (pod("a"), pod("b"), False),
        (pod("a", priority=1), pod("b"), True),
    ],
)
def test_who_may_take_whose_place(mine, theirs, may):
    assert preemptable(mine, theirs) is may


@pytest.mark.parametrize(
    ("meta", "critical"),
    [
        (STATIC, True),
        ({"annotations": {"kubernetes.io/config.mirror": "x"}}, True),
        ({"annotations": {"kubernetes.io/config.source": "api"}}, False),
        ({}, False),
    ],
)
def test_what_is_critical(meta, critical):
    assert is_critical(pod("a", **meta)) is critical


NODE = {
    "metadata": {"name": "n", "labels": {}},
    "spec": {"taints": [{"key": "k", "effect": "NoExecute"}]},
    "status": {"allocatable": {"cpu": "1", "memory": "1Ki", "pods": "1"}},
}


def test_everything_that_speaks_against_a_pod():
    wanted = pod("a", "1500m", "2Ki")
    wanted["spec"]["nodeSelector"] = {"a": "b"}
    found = refusals(wanted, NODE, [PodInfo(BEST)])
    assert [(r.reason, r.resource, r.lacking) for r in found] == [
        ("OutOfpods", "pods", 1),
        ("OutOfcpu", "cpu", 500),
        ("OutOfmemory", "memory", 1024),
        ("NodeAffinity", "", 0),
        ("TaintToleration", "", 0),
    ]


@pytest.mark.parametrize(
    ("meta", "spec", "reason", "message"),
    [
        (
            {"labels": {"kubernetes.io/os": "windows"}},
            {},
            "PodOSSelectorNodeLabelDoesNotMatch",
            "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
        ),
        (
            {},
            {"os": {"name": "windows"}},
            "PodOSNotSupported",
            "Failed to admit pod as the OS field doesn't match node OS",
        ),
    ],
)
def test_what_no_room_would_help_is_refused_first(meta, spec, reason, message):
    wanted = pod("a", "9", **meta)
    wanted["spec"].update(spec)
    assert [(r.reason, r.message) for r in refusals(wanted, NODE, ())] == [(reason, message)]
