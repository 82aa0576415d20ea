"""The garbage collector on a running server: owners of every kind go, and what happens to what they owned."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fakenodes.client.base import GVR, JSON_PATCH, Obj
from fakenodes.client.gvrs import CONFIG_MAPS, NAMESPACES, SECRETS
from tests.fakenodes.world import EVENTS, World, world

DEFINITIONS = GVR("apiextensions.k8s.io", "v1", "customresourcedefinitions", namespaced=False)
WIDGETS = GVR("example.com", "v1", "widgets")
ROLES = GVR("rbac.authorization.k8s.io", "v1", "clusterroles", namespaced=False)
DEFINITION: Obj = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}
KINDS = {CONFIG_MAPS: ("v1", "ConfigMap"), SECRETS: ("v1", "Secret"), WIDGETS: ("example.com/v1", "Widget")}


def refer(owner: Obj, block: bool = False) -> Obj:
    """A reference to the owner."""
    meta = owner["metadata"]
    found = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"], "uid": meta["uid"]}
    return {**found, "blockOwnerDeletion": True} if block else found


async def make(w: World, gvr: GVR, name: str, *owners: Obj, space: str = "default") -> Obj:
    """Create an object with those owner references."""
    version, kind = KINDS[gvr]
    body = {"apiVersion": version, "kind": kind, "metadata": {"name": name, "ownerReferences": list(owners)}}
    return {"apiVersion": version, "kind": kind, **await w.client.create(gvr, body, space)}


def collected(story: Callable[[World], Awaitable[None]]) -> Callable[[], None]:
    """A test that runs the story with a garbage collector."""

    def test() -> None:
        async def run() -> None:
            async with world("garbagecollector") as w:
                await story(w)

        asyncio.run(run())

    test.__doc__ = story.__doc__
    return test


@collected
async def test_a_custom_owner_that_goes_before_its_kind_is_followed(w: World) -> None:
    """Neither the owner's coming nor its going was seen by any informer."""
    await w.settle()
    await w.client.create(DEFINITIONS, DEFINITION)
    await w.settle()
    owner = await make(w, WIDGETS, "w")
    await make(w, CONFIG_MAPS, "child", refer(owner))
    await w.settle()
    await w.client.delete(WIDGETS, "w", "default")
    await w.settle()
    await w.advance(1)
    assert await w.names(WIDGETS) == set()
    assert "child" not in await w.names(CONFIG_MAPS)


@collected
async def test_a_custom_owner_that_goes_after_its_kind_is_followed(w: World) -> None:
    await w.client.create(DEFINITIONS, DEFINITION)
    await w.advance(1)
    owner = await make(w, WIDGETS, "w")
    await make(w, CONFIG_MAPS, "child", refer(owner))
    await w.advance(5)
    assert "child" in await w.names(CONFIG_MAPS)
    await w.client.delete(WIDGETS, "w", "default")
    await w.settle()
    assert "child" not in await w.names(CONFIG_MAPS)


@collected
async def test_what_a_definitions_objects_own_goes_with_it(w: World) -> None:
    """The kind is unknown by the time that the dependents are looked at: what was seen to go needs no asking."""
    await w.client.create(DEFINITIONS, DEFINITION)
    await w.advance(1)
    owner = await make(w, WIDGETS, "w")
    await make(w, CONFIG_MAPS, "child", refer(owner))
    await w.settle()
    await w.client.delete(DEFINITIONS, "widgets.example.com")
    await w.advance(5)
    assert "child" not in await w.names(CONFIG_MAPS)


@collected
async def test_owners_of_unknown_kinds_are_waited_for(w: World) -> None:
    stranger = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": "1"}
    await make(w, CONFIG_MAPS, "child", stranger)
    await w.advance(3600)
    assert "child" in await w.names(CONFIG_MAPS)
    await w.client.create(DEFINITIONS, DEFINITION)
    await w.advance(1000)
    assert "child" not in await w.names(CONFIG_MAPS)


@collected
async def test_an_owner_in_another_namespace_is_none(w: World) -> None:
    await w.client.create(NAMESPACES, {"metadata": {"name": "other"}})
    owner = await make(w, CONFIG_MAPS, "owner", space="other")
    await w.settle()
    await make(w, CONFIG_MAPS, "child", refer(owner))
    await w.settle()
    assert "child" not in await w.names(CONFIG_MAPS)
    assert "owner" in await w.names(CONFIG_MAPS, "other")
    told = [(e["reason"], e["involvedObject"]["name"], e["message"]) for e in (await w.client.list(EVENTS)).items]
    ref = f"ownerRef [v1/ConfigMap, namespace: default, name: owner, uid: {owner['metadata']['uid']}]"
    assert told == [("OwnerRefInvalidNamespace", "child", f'{ref} does not exist in namespace "default"')]


@collected
async def test_a_namespaced_owner_of_a_cluster_scoped_object_is_left_alone(w: World) -> None:
    owner = await make(w, CONFIG_MAPS, "owner")
    await w.client.create(ROLES, {"metadata": {"name": "r", "ownerReferences": [refer(owner)]}, "rules": []})
    await w.settle()
    await w.client.delete(CONFIG_MAPS, "owner", "default")
    await w.advance(100)
    assert "r" in await w.names(ROLES, "")
    told = [(e["reason"], e["message"]) for e in (await w.client.list(EVENTS)).items]
    uid = owner["metadata"]["uid"]
    ref = f"ownerRef [v1/ConfigMap, namespace: , name: owner, uid: {uid}]"
    assert told == [("OwnerRefInvalidNamespace", f'{ref} does not exist in namespace ""')]


@collected
async def test_what_goes_while_the_collector_is_down(w: World) -> None:
    gone, stays = await make(w, CONFIG_MAPS, "gone"), await make(w, CONFIG_MAPS, "stays")
    await make(w, SECRETS, "orphaned", refer(gone))
    await make(w, SECRETS, "half", refer(gone), refer(stays))
    await make(w, SECRETS, "kept", refer(stays))
    await w.settle()
    await w.down()
    await w.client.delete(CONFIG_MAPS, "gone", "default")
    await w.up()
    await w.advance(1)
    assert await w.names(SECRETS) == {"half", "kept"}
    half = await w.find(SECRETS, "half")
    assert half is not None
    assert [r["name"] for r in half["metadata"]["ownerReferences"]] == ["stays"]


@pytest.mark.parametrize(
    ("policy", "block", "expected"),
    [
        ("Background", True, ({"held"}, set())),
        ("Orphan", True, ({"held", "free"}, set())),
        ("Foreground", True, ({"held"}, {"owner"})),
        ("Foreground", False, ({"held"}, set())),
    ],
)
def test_policies(policy: str, block: bool, expected: Any) -> None:
    """A dependent that a finalizer holds keeps the owner only in the foreground, and only if it blocks."""

    async def run() -> None:
        async with world("garbagecollector") as w:
            owner = await make(w, CONFIG_MAPS, "owner")
            await make(w, SECRETS, "held", refer(owner, block))
            await make(w, SECRETS, "free", refer(owner, block))
            await w.client.patch(SECRETS, "held", {"metadata": {"finalizers": ["example.com/hold"]}}, "default")
            await w.client.delete(CONFIG_MAPS, "owner", "default", propagation_policy=policy)
            await w.advance(1)
            assert (await w.names(SECRETS), await w.names(CONFIG_MAPS) - {"kube-root-ca.crt"}) == expected
            let_go = [{"op": "remove", "path": "/metadata/finalizers"}]
            await w.client.patch(SECRETS, "held", let_go, "default", content_type=JSON_PATCH)
            await w.advance(1)
            assert await w.names(CONFIG_MAPS) - {"kube-root-ca.crt"} == set()
            assert await w.names(SECRETS) == ({"held", "free"} if policy == "Orphan" else set())

    asyncio.run(run())


@collected
async def test_a_circle_of_foreground_deletions_ends(w: World) -> None:
    first = await make(w, CONFIG_MAPS, "first")
    second = await make(w, CONFIG_MAPS, "second", refer(first, True))
    body = {"metadata": {"ownerReferences": [refer(second, True)]}}
    await w.client.patch(CONFIG_MAPS, "first", body, "default")
    await w.settle()
    assert {"first", "second"} <= await w.names(CONFIG_MAPS)
    await w.client.delete(CONFIG_MAPS, "first", "default", propagation_policy="Foreground")
    await w.advance(60)
    assert not {"first", "second"} & await w.names(CONFIG_MAPS)


@collected
async def test_an_owner_waits_for_dependents_of_other_namespaces_too(w: World) -> None:
    """They name it wrongly and go for that; it has to be told."""
    await w.client.create(NAMESPACES, {"metadata": {"name": "other"}})
    owner = await make(w, CONFIG_MAPS, "owner")
    await w.down()
    await make(w, SECRETS, "child", refer(owner, True), space="other")
    await w.client.patch(SECRETS, "child", {"metadata": {"finalizers": ["example.com/hold"]}}, "other")
    await w.client.delete(CONFIG_MAPS, "owner", "default", propagation_policy="Foreground")
    await w.up()
    await w.advance(1)
    let_go = [{"op": "remove", "path": "/metadata/finalizers"}]
    await w.client.patch(SECRETS, "child", let_go, "other", content_type=JSON_PATCH)
    await w.advance(1)
    assert "owner" not in await w.names(CONFIG_MAPS)
