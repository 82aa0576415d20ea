from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fakenodes.client.base import MERGE_PATCH, Obj
from fakenodes.client.gvrs import ATTRIBUTES_CLASSES, CLAIMS, VOLUMES
from fakenodes.controllers.attachments import plan as attach
from fakenodes.controllers.expand import needs
from fakenodes.controllers.protection import uses
from fakenodes.controllers.provisioner import NAME
from fakenodes.controllers.provisioner import plan as provision
from fakenodes.controllers.volumes import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    PROVISIONED_BY,
    PROVISIONER,
    SELECTED_NODE,
    best_match,
    bound_claim,
    bound_volume,
    claim_status,
    mismatch,
    unbound_volume,
    undeletable,
)
from tests.fakenodes.world import EVENTS, world


def claim(size: str = "1Gi", mode: str = "ReadWriteOnce", marks: dict[str, str] | None = None, **spec: Any) -> Obj:
    return {
        "metadata": {"name": "data", "namespace": "ns", "uid": "c", "resourceVersion": "1", "annotations": marks or {}},
        "spec": {"accessModes": [mode], "resources": {"requests": {"storage": size}}, "storageClassName": "s", **spec},
    }


def volume(name: str = "v", size: str = "2Gi", phase: str = "Available", **spec: Any) -> Obj:
    labels = spec.pop("labels", {})
    return {
        "metadata": {"name": name, "labels": labels},
        "status": {"phase": phase},
        "spec": {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": "s", **spec},
    }


MINE = {"namespace": "ns", "name": "data"}


@pytest.mark.parametrize(
    ("wanted", "volumes", "delayed", "found"),
    [
        (claim(), [volume("big", "5Gi"), volume("small", "2Gi")], False, "small"),
        (claim(), [volume(size="500Mi")], False, None),
        (claim(mode="ReadWriteMany"), [volume()], False, None),
        (claim(volumeMode="Block"), [volume()], False, None),
        (claim(), [volume(storageClassName="other")], False, None),
        (claim(), [volume(phase="Released")], False, None),
        (claim(), [volume(claimRef={"namespace": "ns", "name": "other"})], False, None),
        (claim(), [volume("small"), volume("mine", "9Gi", claimRef=MINE)], False, "mine"),
        (claim(), [volume(claimRef={**MINE, "uid": "another"})], False, None),
        (claim(), [volume()], True, None),
        (claim(), [volume(claimRef=MINE)], True, "v"),
        (
            claim(selector={"matchLabels": {"disk": "fast"}}),
            [volume(), volume("fast", labels={"disk": "fast"})],
            False,
            "fast",
        ),
    ],
)
def test_which_volume(wanted: Obj, volumes: list[Obj], delayed: bool, found: str | None) -> None:
    match = best_match(wanted, volumes, delayed)
    assert (match["metadata"]["name"] if match else None) == found


def test_binding_is_written_once_on_both_sides() -> None:
    first = bound_volume(volume(), claim())
    assert first is not None
    assert first["metadata"]["annotations"] == {BOUND_BY_CONTROLLER: "yes"}
    assert bound_volume(first, claim()) is None
    second = bound_claim(claim(), first)
    assert second is not None
    assert second["metadata"]["annotations"] == {BOUND_BY_CONTROLLER: "yes", BIND_COMPLETED: "yes"}
    assert bound_claim(second, first) is None
    assert claim_status(second, first, "Bound") == {
        "phase": "Bound",
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "2Gi"},
    }


def test_a_volume_that_its_maker_meant_for_the_claim_says_nothing_of_a_controller() -> None:
    found = bound_volume(volume(claimRef=MINE), claim())
    assert found is not None
    assert "annotations" not in found["metadata"]
    assert unbound_volume(found)["spec"]["claimRef"] == {
        "kind": "PersistentVolumeClaim",
        "apiVersion": "v1",
        "namespace": "ns",
        "name": "data",
    }
    assert "claimRef" not in unbound_volume(bound_volume(volume(), claim()) or {})["spec"]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (volume(), ""),
        (volume(size="1Mi"), "requested PV is too small"),
        (volume(storageClassName="x"), "storageClassName does not match"),
        (volume(volumeMode="Block"), "incompatible volumeMode"),
        (volume(accessModes=["ReadOnlyMany"]), "incompatible accessMode"),
    ],
)
def test_why_a_named_volume_will_not_do(found: Obj, why: str) -> None:
    assert mismatch(found, claim()) == why


@pytest.mark.parametrize(
    ("marks", "mode", "made"),
    [
        ({PROVISIONER: NAME}, "Immediate", True),
        ({PROVISIONER: "example.com/other"}, "Immediate", False),
        ({PROVISIONER: NAME}, "WaitForFirstConsumer", False),
        ({PROVISIONER: NAME, SELECTED_NODE: "node-0"}, "WaitForFirstConsumer", True),
        ({PROVISIONER: NAME, BIND_COMPLETED: "yes"}, "Immediate", False),
    ],
)
def test_what_the_hollow_provisioner_makes(marks: dict[str, str], mode: str, made: bool) -> None:
    found = provision(claim(marks=marks), {"metadata": {"name": "s"}, "volumeBindingMode": mode})
    assert (found is not None) is made
    if found is not None:
        assert found["spec"]["claimRef"]["uid"] == "c"
        assert found["spec"]["persistentVolumeReclaimPolicy"] == "Delete"


@pytest.mark.parametrize(
    ("asked", "size", "has", "result"),
    [
        ("2Gi", "1Gi", "1Gi", True),
        ("2Gi", "2Gi", "1Gi", True),
        ("1Gi", "1Gi", "1Gi", False),
        ("1Gi", "2Gi", "2Gi", False),
    ],
)
def test_who_needs_more(asked: str, size: str, has: str, result: bool) -> None:
    bound = {**claim(asked), "status": {"phase": "Bound", "capacity": {"storage": has}}}
    assert needs(bound, volume(size=size)) is result


def test_attachments_follow_the_nodes() -> None:
    found = volume(csi={"driver": "d", "volumeHandle": "h"})
    made, _ = attach(found, ["n1", "n2"], [])
    assert [m["spec"]["nodeName"] for m in made] == ["n1", "n2"]
    assert attach(found, ["n2"], made) == ([], made[:1])


def user(node: str = "n", phase: str = "Running", ephemeral: bool = False, **meta: Any) -> Obj:
    found: Obj = {"name": "x"}
    if ephemeral:
        found["ephemeral"] = {}
    else:
        found["persistentVolumeClaim"] = {"claimName": "p-x"}
    named = {"name": "p", "namespace": "ns", "uid": "u", **meta}
    return {"metadata": named, "spec": {"nodeName": node, "volumes": [found]}, "status": {"phase": phase}}


GOING = {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 0}


@pytest.mark.parametrize(
    ("pod", "result"),
    [
        (user(), True),
        (user(node=""), False),
        (user(phase="Succeeded"), True),  # as long as it is there
        (user(**GOING), True),
        (user(ephemeral=True), True),
        (user(ephemeral=True, **GOING), False),
        (user(ephemeral=True, uid="another"), False),
    ],
)
def test_what_a_claim_waits_for(pod: Obj, result: bool) -> None:
    owner = {"controller": True, "uid": "u", "kind": "Pod", "name": "p"}
    assert uses(pod, {"metadata": {"name": "p-x", "ownerReferences": [owner]}}) is result


UNKNOWN = 'error getting deleter volume plugin for volume "v": no {} plugin matched'
DELETE = {"persistentVolumeReclaimPolicy": "Delete"}


@pytest.mark.parametrize(
    ("spec", "marks", "why"),
    [
        ({**DELETE, "hostPath": {"path": "/tmp/x"}}, {}, ""),
        (
            {**DELETE, "hostPath": {"path": "/x"}},
            {},
            "host_path deleter only supports /tmp/.+ but received provided /x",
        ),
        ({**DELETE, "nfs": {"server": "s", "path": "/"}}, {}, UNKNOWN.format("deletable volume")),
        ({**DELETE, "iscsi": {}}, {}, UNKNOWN.format("volume")),
        ({**DELETE, "csi": {}}, {PROVISIONED_BY: "example.com/prov"}, None),
        ({"persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": "/tmp/x"}}, {}, None),
    ],
)
def test_who_deletes_a_released_volume(spec: Obj, marks: dict[str, str], why: str | None) -> None:
    assert undeletable({"metadata": {"name": "v", "annotations": marks}, "spec": spec}) == why


def test_a_volume_that_is_to_be_deleted_goes_with_its_claim_or_fails() -> None:
    async def run() -> None:
        async with world("persistentvolume-binder,pvc-protection,pv-protection") as w:
            for name, path in (("good", "/tmp/x"), ("bad", "/x")):
                made = volume(name, storageClassName=name, hostPath={"path": path}, **DELETE)
                await w.client.create(VOLUMES, {"metadata": {"name": name}, "spec": made["spec"]})
                asked = claim(storageClassName=name)["spec"]
                await w.client.create(CLAIMS, {"metadata": {"name": name}, "spec": asked}, "default")
            await w.settle()
            for name in ("good", "bad"):
                await w.client.delete(CLAIMS, name, "default")
            await w.settle()
            assert await w.names(VOLUMES, "") == {"bad"}
            failed = (await w.client.get(VOLUMES, "bad"))["status"]
            why = "host_path deleter only supports /tmp/.+ but received provided /x"
            assert (failed["phase"], failed["message"]) == ("Failed", why)
            told = [e["message"] for e in (await w.client.list(EVENTS)).items if e["reason"] == "VolumeFailedDelete"]
            assert told == [why]

    asyncio.run(run())


def test_an_attributes_class_waits_for_its_users() -> None:
    async def run() -> None:
        async with world("volumeattributesclass-protection-controller") as w:
            body = {"metadata": {"name": "fast"}, "driverName": "example.com", "parameters": {"iops": "1"}}
            await w.client.create(ATTRIBUTES_CLASSES, body)
            made = volume(volumeAttributesClassName="fast", csi={"driver": "example.com", "volumeHandle": "h"})
            await w.client.create(VOLUMES, {"metadata": {"name": "v"}, "spec": made["spec"]})
            await w.client.delete(ATTRIBUTES_CLASSES, "fast")
            await w.settle()
            assert await w.names(ATTRIBUTES_CLASSES, "") == {"fast"}
            await w.client.delete(VOLUMES, "v")
            await w.client.patch(VOLUMES, "v", {"metadata": {"finalizers": None}}, content_type=MERGE_PATCH)
            await w.settle()
            assert await w.names(ATTRIBUTES_CLASSES, "") == set()

    asyncio.run(run())
