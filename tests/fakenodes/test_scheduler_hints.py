"""Which changes make InterPodAffinity try a pod again that it has rejected."""

from __future__ import annotations

import pytest

from fakenodes.scheduler.framework import Event
from fakenodes.scheduler.plugins.inter_pod_affinity import InterPodAffinity
from fakenodes.scheduler.snapshot import PodInfo
from tests.fakenodes.scheduling import World, node, pod


def term(app):
    wanted = {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": "zone"}
    return {"requiredDuringSchedulingIgnoredDuringExecution": [wanted]}


NEAR = pod("near", affinity={"podAffinity": term("a")})
FAR = pod("far", affinity={"podAntiAffinity": term("a")})
PLAIN = pod("plain", labels={"app": "a"})
A, B = pod("x", labels={"app": "a"}, nodeName="n"), pod("x", labels={"app": "b"}, nodeName="n")
SHY = pod("shy", nodeName="n", affinity={"podAntiAffinity": term("a")})
HERE, THERE = node("n", labels={"zone": "1"}), node("n", labels={"zone": "2"})
OTHER = node("n", labels={"zone": "1", "disk": "ssd"})


@pytest.mark.parametrize(
    ("waiting", "event", "helps"),
    [
        (NEAR, Event("AssignedPod/Add", None, A), True),
        (NEAR, Event("AssignedPod/Add", None, B), False),
        (NEAR, Event("AssignedPod/UpdateLabel", B, A), True),
        (NEAR, Event("AssignedPod/UpdateLabel", A, A), False),
        (NEAR, Event("AssignedPod/Delete", A, None), False),
        (FAR, Event("AssignedPod/Add", None, A), False),
        (FAR, Event("AssignedPod/UpdateLabel", A, B), True),
        (FAR, Event("AssignedPod/UpdateLabel", B, A), False),
        (FAR, Event("AssignedPod/Delete", A, None), True),
        (FAR, Event("AssignedPod/Delete", B, None), False),
        (PLAIN, Event("AssignedPod/Delete", SHY, None), True),
        (PLAIN, Event("AssignedPod/Delete", A, None), False),
        (FAR, Event("Node/Add", None, HERE), True),
        (FAR, Event("Node/UpdateLabel", HERE, THERE), True),
        (FAR, Event("Node/UpdateLabel", HERE, OTHER), False),
    ],
)
def test_hints(waiting, event, helps):
    plugin = InterPodAffinity(World([HERE]).handle)
    assert plugin.hint(PodInfo(waiting), event) is helps
