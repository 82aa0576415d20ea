"""Volumes: which nodes can take the Pod, and why the others cannot."""

from __future__ import annotations

import pytest

from fakenodes.scheduler.plugins.volume_binding import BIND_COMPLETED
from tests.fakenodes.scheduling import World, node, pod

NODES = [node("a", labels={"topology.kubernetes.io/zone": "1"}), node("b", labels={"topology.kubernetes.io/zone": "2"})]
LATER = {"metadata": {"name": "later"}, "provisioner": "x", "volumeBindingMode": "WaitForFirstConsumer"}
LOCAL = {**LATER, "metadata": {"name": "local"}, "provisioner": "kubernetes.io/no-provisioner"}
UNBOUND = "pod has unbound immediate PersistentVolumeClaims"
ONE_POD = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"


def claim(name, volume="", bound=False, mode="ReadWriteOnce", owner="", **spec):
    meta = {"name": name, "namespace": "default", "uid": name}
    if bound:
        meta["annotations"] = {BIND_COMPLETED: "yes"}
    if owner:
        meta["ownerReferences"] = [{"kind": "Pod", "name": owner, "uid": f"uid-{owner}", "controller": True}]
    named = {"volumeName": volume} if volume else {}
    return {"metadata": meta, "spec": {"accessModes": [mode], **named, **spec}, "status": {"phase": "Pending"}}


def volume(name, only="", **labels):
    spec = {}
    if only:
        wanted = {"key": "kubernetes.io/hostname", "operator": "In", "values": [only]}
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [wanted]}]}}
    return {"metadata": {"name": name, "labels": labels}, "spec": spec}


def mounting(name, *claims, **spec):
    volumes = [{"name": c, "persistentVolumeClaim": {"claimName": c}} for c in claims]
    return pod(name, volumes=volumes, **spec)


def ephemeral(name):
    return pod(name, volumes=[{"name": "v", "ephemeral": {"volumeClaimTemplate": {}}}])


def world(*claims, volumes=(), placed=()):
    return World(NODES, placed, persistentvolumeclaims=claims, persistentvolumes=volumes, storageclasses=[LATER, LOCAL])


@pytest.mark.parametrize(
    ("wanted", "claims", "text"),
    [
        (mounting("p", "a", "gone"), [claim("a")], 'persistentvolumeclaim "gone" not found'),
        (mounting("p", "a"), [claim("a")], UNBOUND),
        (mounting("p", "a"), [claim("a", "v", storageClassName="later")], UNBOUND),  # one that names its volume
        (ephemeral("p"), [], 'waiting for ephemeral volume controller to create the persistentvolumeclaim "p-v"'),
        (
            ephemeral("p"),
            [claim("p-v", storageClassName="later", owner="other")],
            "PVC default/p-v was not created for pod default/p (pod is not owner)",
        ),
    ],
)
def test_claims_that_end_the_cycle(wanted, claims, text):
    assert world(*claims).refusal(wanted) == f"0/2 nodes are available: {text}. not found"


def test_an_ephemeral_claim_of_the_pod_is_bound_with_it():
    assert world(claim("p-v", storageClassName="later", owner="p")).refusal(ephemeral("p")) == ""


def test_a_node_tells_all_that_is_wrong_with_it():
    found = world(
        claim("here", "v", bound=True), claim("none", storageClassName="local"), volumes=[volume("v", only="a")]
    )
    assert found.refusal(mounting("p", "here", "none")).startswith(
        "0/2 nodes are available: 1 node(s) didn't match PersistentVolume's node affinity, "
        "2 node(s) didn't find available persistent volumes to bind. "
    )


@pytest.mark.parametrize(
    "label", ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"], ids=["current", "beta"]
)
def test_a_volume_keeps_to_its_zones(label):
    found = world(claim("c", "v", bound=True), volumes=[volume("v", **{label: "2__3"})])
    assert found.feasible(mounting("p", "c")) == {"b"}


def test_a_claim_of_one_pod_is_taken_wherever_that_pod_is():
    single = claim("c", "v", bound=True, mode="ReadWriteOncePod")
    found = world(single, volumes=[volume("v")], placed=[mounting("old", "c", nodeName="a")])
    assert found.refusal(mounting("new", "c")) == (
        f"0/2 nodes are available: 2 {ONE_POD}. no new claims to deallocate, "
        "preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod."
    )
    assert found.victims(mounting("urgent", "c", priority=9)) == ("a", {"uid-old"})
    found.snapshot.remove_pod("uid-old")
    assert found.refusal(mounting("new", "c")) == ""


@pytest.mark.parametrize(
    ("mine", "theirs", "fits"),
    [
        ({"gcePersistentDisk": {"pdName": "d"}}, {"gcePersistentDisk": {"pdName": "d"}}, False),
        (
            {"gcePersistentDisk": {"pdName": "d", "readOnly": True}},
            {"gcePersistentDisk": {"pdName": "d", "readOnly": True}},
            True,
        ),
        (
            {"rbd": {"pool": "p", "image": "i", "monitors": ["m", "n"]}},
            {"rbd": {"pool": "p", "image": "i", "monitors": ["n"]}},
            False,
        ),
        (
            {"rbd": {"pool": "p", "image": "i", "monitors": ["m"]}},
            {"rbd": {"pool": "p", "image": "i", "monitors": ["n"]}},
            True,
        ),
    ],
)
def test_disks_with_one_user_on_a_node(mine, theirs, fits):
    old = pod("old", volumes=[{"name": "v", **theirs}], nodeName="a")
    assert World(NODES, [old]).feasible(pod("p", volumes=[{"name": "v", **mine}])) == ({"a", "b"} if fits else {"b"})
