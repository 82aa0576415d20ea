"""Which changes make a plugin try a pod again that it has rejected."""

from __future__ import annotations

import pytest

from fakenodes.scheduler.framework import Event
from fakenodes.scheduler.plugins.inter_pod_affinity import InterPodAffinity
from fakenodes.scheduler.plugins.node_affinity import NodeAffinity
from fakenodes.scheduler.plugins.node_resources_fit import NodeResourcesFit
from fakenodes.scheduler.plugins.node_unschedulable import NodeUnschedulable
from fakenodes.scheduler.plugins.node_volume_limits import NodeVolumeLimits
from fakenodes.scheduler.plugins.pod_topology_spread import PodTopologySpread
from fakenodes.scheduler.plugins.taint_toleration import TaintToleration
from fakenodes.scheduler.plugins.volume_binding import VolumeBinding
from fakenodes.scheduler.plugins.volume_restrictions import VolumeRestrictions
from fakenodes.scheduler.plugins.volume_zone import VolumeZone
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
def test_pods_near_and_far(waiting, event, helps):
    assert InterPodAffinity(World([HERE]).handle).hint(PodInfo(waiting), event) is helps


TAINT = {"key": "t", "value": "v", "effect": "NoSchedule"}
CORDON = {"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"}
SOFT, TAINTED = {**TAINT, "effect": "PreferNoSchedule"}, node("n", taints=[TAINT])
CORDONED = node("n", unschedulable=True)
SSD = pod("ssd", nodeSelector={"disk": "ssd"})
NEEDY, MODEST = pod("needy", requests={"cpu": "2"}), pod("modest")


def sized(cpu="4", pods="110", **more):
    return node("n", cpu=cpu, pods=pods, **more)


def asking(cpu, **more):
    return pod("x", requests={"cpu": cpu, **more}, nodeName="n")


def spread(key="zone", app="a", **more):
    constraint = {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": app}},
    }
    return pod("spread", labels={"app": "a"}, topologySpreadConstraints=[{**constraint, **more}])


def mounting(name, claim="", namespace="default", **source):
    volume = {"name": "v", **source}
    if claim:
        volume["persistentVolumeClaim"] = {"claimName": claim}
    return pod(name, namespace=namespace, volumes=[volume], nodeName="n")


def claim(name, namespace="default"):
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {}}


def limited(**counts):
    drivers = [{"name": name, "allocatable": {"count": count}} for name, count in counts.items()]
    return {"metadata": {"name": "n"}, "spec": {"drivers": drivers}}


DATA = mounting("data", "data")
DISK = {"gcePersistentDisk": {"pdName": "d"}}


@pytest.mark.parametrize(
    ("plugin", "waiting", "event", "helps"),
    [
        (NodeUnschedulable, PLAIN, Event("Node/Add", None, HERE), True),
        (NodeUnschedulable, PLAIN, Event("Node/Add", None, CORDONED), False),
        (NodeUnschedulable, PLAIN, Event("Node/UpdateTaint", CORDONED, HERE), True),
        (NodeUnschedulable, PLAIN, Event("Node/UpdateTaint", HERE, TAINTED), False),
        (NodeUnschedulable, PLAIN, Event("Pod/UpdateToleration", PLAIN, PLAIN), False),
        (NodeUnschedulable, pod("p", tolerations=[CORDON]), Event("Pod/UpdateToleration", PLAIN, PLAIN), True),
        (TaintToleration, PLAIN, Event("Node/Add", None, HERE), True),
        (TaintToleration, PLAIN, Event("Node/Add", None, TAINTED), False),
        (TaintToleration, PLAIN, Event("Node/UpdateTaint", TAINTED, node("n", taints=[SOFT])), True),
        (TaintToleration, PLAIN, Event("Node/UpdateTaint", TAINTED, node("n", taints=[SOFT, TAINT])), False),
        (TaintToleration, PLAIN, Event("Node/UpdateTaint", node("n", taints=[SOFT]), HERE), False),
        (TaintToleration, PLAIN, Event("Pod/UpdateToleration", PLAIN, PLAIN), True),
        (NodeAffinity, SSD, Event("Node/Add", None, OTHER), True),
        (NodeAffinity, SSD, Event("Node/Add", None, HERE), False),
        (NodeAffinity, SSD, Event("Node/UpdateLabel", HERE, OTHER), True),
        (NodeAffinity, SSD, Event("Node/UpdateLabel", OTHER, node("n", labels={"disk": "ssd"})), False),
        (NodeResourcesFit, NEEDY, Event("Node/Add", None, sized("1")), False),
        (NodeResourcesFit, NEEDY, Event("Node/Add", None, sized("2")), True),
        (NodeResourcesFit, NEEDY, Event("Node/UpdateAllocatable", sized("1"), sized("2")), True),
        (NodeResourcesFit, NEEDY, Event("Node/UpdateAllocatable", sized("3"), sized("2")), False),
        (NodeResourcesFit, NEEDY, Event("Node/UpdateAllocatable", sized(memory="1Gi"), sized(memory="2Gi")), False),
        (NodeResourcesFit, NEEDY, Event("Node/UpdateAllocatable", sized(pods="1"), sized(pods="2")), True),
        (NodeResourcesFit, MODEST, Event("Node/UpdateAllocatable", sized("1"), sized("2")), False),
        (NodeResourcesFit, NEEDY, Event("AssignedPod/Delete", asking("0"), None), True),
        (NodeResourcesFit, NEEDY, Event("AssignedPod/ScaleDown", asking("2"), asking("1")), True),
        (
            NodeResourcesFit,
            NEEDY,
            Event("AssignedPod/ScaleDown", asking("1", memory="2Gi"), asking("1", memory="1Gi")),
            False,
        ),
        (NodeResourcesFit, NEEDY, Event("Pod/ScaleDown", NEEDY, NEEDY), True),
        (PodTopologySpread, spread(), Event("AssignedPod/Add", None, A), True),
        (PodTopologySpread, spread(), Event("AssignedPod/Add", None, B), False),
        (PodTopologySpread, spread(), Event("AssignedPod/UpdateLabel", A, B), True),
        (PodTopologySpread, spread(), Event("AssignedPod/UpdateLabel", A, A), False),
        (PodTopologySpread, spread(), Event("AssignedPod/Delete", A, None), True),
        (
            PodTopologySpread,
            spread(),
            Event("AssignedPod/Delete", {**A, "metadata": claim("a", "x")["metadata"]}),
            False,
        ),
        (PodTopologySpread, spread(), Event("Pod/UpdateLabel", B, B), True),  # its own pod counts no more
        (PodTopologySpread, spread(), Event("Node/Add", None, HERE), True),
        (PodTopologySpread, spread("rack"), Event("Node/Add", None, HERE), False),
        (PodTopologySpread, spread(), Event("Node/Delete", HERE, None), True),
        (PodTopologySpread, spread(), Event("Node/UpdateLabel", HERE, THERE), True),
        (PodTopologySpread, spread(), Event("Node/UpdateLabel", HERE, OTHER), False),
        (PodTopologySpread, spread(), Event("Node/UpdateLabel", HERE, node("n")), True),
        (PodTopologySpread, spread("rack"), Event("Node/UpdateTaint", HERE, TAINTED), False),
        (PodTopologySpread, spread("kubernetes.io/hostname"), Event("Node/UpdateTaint", HERE, TAINTED), True),
        (VolumeRestrictions, DATA, Event("AssignedPod/Delete", mounting("x", "data"), None), True),
        (VolumeRestrictions, DATA, Event("AssignedPod/Delete", mounting("x", "other"), None), False),
        (VolumeRestrictions, DATA, Event("AssignedPod/Delete", mounting("x", "data", "other"), None), False),
        (
            VolumeRestrictions,
            mounting("p", **DISK),
            Event("AssignedPod/Delete", mounting("x", **DISK), None),
            True,
        ),
        (VolumeRestrictions, DATA, Event("PersistentVolumeClaim/Add", None, claim("data")), True),
        (VolumeRestrictions, DATA, Event("PersistentVolumeClaim/Add", None, claim("other")), False),
        (VolumeBinding, DATA, Event("PersistentVolumeClaim/Update", claim("data"), claim("data")), True),
        (VolumeBinding, DATA, Event("PersistentVolumeClaim/Update", None, claim("data", "other")), False),
        (VolumeBinding, DATA, Event("PersistentVolume/Add", None, claim("v")), True),
        (VolumeZone, DATA, Event("PersistentVolumeClaim/Update", None, claim("other")), False),
        (VolumeZone, DATA, Event("PersistentVolumeClaim/Update", None, claim("data")), True),
        (NodeVolumeLimits, DATA, Event("CSINode/Add", None, limited(a=1)), True),
        (NodeVolumeLimits, DATA, Event("CSINode/Add", None, limited()), False),
        (NodeVolumeLimits, DATA, Event("CSINode/Update", limited(a=1), limited(a=2)), True),
        (NodeVolumeLimits, DATA, Event("CSINode/Update", limited(a=2), limited(a=2)), False),
        (NodeVolumeLimits, DATA, Event("AssignedPod/Delete", mounting("x", "data"), None), True),
        (NodeVolumeLimits, DATA, Event("AssignedPod/Delete", PLAIN, None), False),
        (NodeVolumeLimits, DATA, Event("PersistentVolumeClaim/Add", None, claim("other")), False),
    ],
)
def test_hints(plugin, waiting, event, helps):
    assert event.kind in plugin.events
    assert plugin(World([HERE]).handle).hint(PodInfo(waiting), event) is helps
