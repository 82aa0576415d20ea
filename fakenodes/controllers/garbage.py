"""The garbage collector: what no owner is left of goes; foreground and orphaning deletions are carried through.

Stands for kube-controller-manager's pkg/controller/garbagecollector. It decides about one object from what
ownergraph.py has seen, and asks the server before it says that an owner is gone that no informer showed to go. In place
of upstream's reading the object anew before each deletion, the deletion is bound to the version that was decided on.
"""

from __future__ import annotations

import asyncio

from msgspec import Struct

from fakenodes.client.base import MERGE_PATCH, STRATEGIC_PATCH, ClientError, Obj
from fakenodes.controllers.base import Controller, Work, service_account
from fakenodes.controllers.ownergraph import (
    FOREGROUND,
    ORPHAN,
    Graph,
    cached_owner,
    coordinates,
    dependents_of,
    finalizers,
    going_foreground,
    item_key,
    references,
    run,
)
from fakenodes.discovery import Resource, discover
from fakenodes.informer import split_key


class Owners(Struct, frozen=True):
    """An object's owner references, sorted by what has become of the owners. `unobserved`: one of the solid ones is on
    the server and in no cache, so that no event will tell of its end."""

    solid: tuple[Obj, ...] = ()
    dangling: tuple[Obj, ...] = ()
    waiting: tuple[Obj, ...] = ()
    unobserved: bool = False


class _OwnerOutOfReachError(Exception):
    """A cluster-scoped object names an owner of a kind that lives in namespaces: no look-up will ever tell."""


def blocks(dependent: Obj, uid: str) -> bool:
    """Whether the dependent keeps that owner from going."""
    return any(r.get("uid") == uid and r.get("blockOwnerDeletion") for r in references(dependent))


def policy_of(obj: Obj) -> str:
    """How an object without owners is deleted: as its finalizers ask."""
    found = finalizers(obj)
    return "Orphan" if ORPHAN in found else "Foreground" if FOREGROUND in found else "Background"


async def reconcile(work: Work) -> float | None:
    """Bring one object to where its owners, or its own deletion, want it."""
    graph: Graph = work.state
    resource, key = graph.find(work.key)
    obj = work.get(resource.gvr, key) if resource is not None else None
    if resource is None or obj is None or not graph.ready:
        return None
    if obj["metadata"].get("deletionTimestamp"):
        if ORPHAN in finalizers(obj):
            await _orphan(work, graph, resource, obj)
        elif FOREGROUND in finalizers(obj):
            await _go_foreground(work, graph, resource, obj)
    elif references(obj):
        await _check_owners(work, graph, resource, obj)
    return None


async def _check_owners(work: Work, graph: Graph, resource: Resource, obj: Obj) -> None:
    try:
        owners = await _classify(work, graph, resource, obj)
    except _OwnerOutOfReachError:
        return
    if owners.dangling or owners.waiting:
        await _act(work, graph, resource, obj, owners)
    if owners.unobserved:
        raise OSError("an owner has not been observed yet")


async def _act(work: Work, graph: Graph, resource: Resource, obj: Obj, owners: Owners) -> None:
    gone = {r["uid"] for r in (*owners.dangling, *owners.waiting)}
    if owners.solid:
        await _drop_references(work, resource, obj, gone)
        return
    policy = policy_of(obj)
    if owners.waiting and (dependents := dependents_of(work.shared, graph, obj["metadata"]["uid"])):
        policy = "Foreground"
        if any(going_foreground(x) for _, x in dependents):
            # A circle of foreground deletions would wait for itself for ever.
            obj = await _unblock(work, resource, obj) or obj
    meta = obj["metadata"]
    # A conflict (a new owner, or another object under the name) comes back, and is looked at as what it is then.
    await work.delete(resource.gvr, obj, policy, version=meta["resourceVersion"])


async def _classify(work: Work, graph: Graph, resource: Resource, obj: Obj) -> Owners:
    """Sort the references; an owner that the cache does not have is asked for. An owner of a kind that nobody knows
    raises, so that the object is left alone and looked at again."""
    sorted_: dict[str, list[Obj]] = {"solid": [], "dangling": [], "waiting": []}
    unobserved = False
    for reference in references(obj):
        owner = None
        if not graph.is_absent(obj, reference):
            owner_resource = await _resource_of(work, graph, reference)
            owner = cached_owner(work.shared, graph, owner_resource, obj, reference)
            if owner is None:
                _tell_other_namespace(work, graph, resource, obj, owner_resource, reference)
                owner = await _ask_owner(work, graph, owner_resource, obj, reference)
                unobserved = unobserved or owner is not None
        sorted_["dangling" if owner is None else "waiting" if going_foreground(owner) else "solid"].append(reference)
    return Owners(tuple(sorted_["solid"]), tuple(sorted_["dangling"]), tuple(sorted_["waiting"]), unobserved)


async def _resource_of(work: Work, graph: Graph, reference: Obj) -> Resource:
    """What the reference's kind is served as: asked anew for a kind that is not known yet. OSError."""
    found = graph.resources.by_kind(reference["apiVersion"], reference["kind"])
    if found is None:
        graph.resources = await discover(work.client)
        found = graph.resources.by_kind(reference["apiVersion"], reference["kind"])
    if found is None:
        raise OSError(f'no matches for kind "{reference["kind"]}" in version "{reference["apiVersion"]}"')
    return found


async def _ask_owner(work: Work, graph: Graph, resource: Resource, obj: Obj, reference: Obj) -> Obj | None:
    namespace = obj["metadata"].get("namespace", "")
    if resource.gvr.namespaced and not namespace:
        raise _OwnerOutOfReachError
    try:
        owner = await work.client.get(resource.gvr, reference["name"], namespace if resource.gvr.namespaced else "")
    except ClientError as error:
        if error.code != 404:
            raise
        owner = {"metadata": {}}
    if owner["metadata"].get("uid") == reference["uid"]:
        return owner
    graph.note_absent(coordinates(obj, reference))
    return None


def _elsewhere(work: Work, graph: Graph, resource: Resource, reference: Obj) -> bool:
    """Whether an object of that uid lives in another namespace."""
    followed = graph.preferred(resource)
    if followed is None or not followed.gvr.namespaced:
        return False
    store = work.shared.watching.informer(followed.gvr).store
    same_name = (x for x in store.keys() if split_key(x)[1] == reference["name"])  # noqa: SIM118 (not a dict)
    return any(store.uid(x) == reference["uid"] for x in same_name)


def _tell_other_namespace(
    work: Work, graph: Graph, resource: Resource, obj: Obj, owner_resource: Resource, reference: Obj
) -> None:
    """An owner of that uid that lives in another namespace was never a valid one: say so."""
    if not _elsewhere(work, graph, owner_resource, reference):
        return
    meta = obj["metadata"]
    about = {
        "apiVersion": f"{resource.gvr.group}/{resource.gvr.version}".lstrip("/"),
        "kind": resource.kind,
        "metadata": {k: meta[k] for k in ("name", "namespace", "uid") if k in meta},
    }
    space = meta.get("namespace", "")
    work.event(
        about,
        "Warning",
        "OwnerRefInvalidNamespace",
        f"ownerRef [{reference['apiVersion']}/{reference['kind']}, namespace: {space}, "
        f'name: {reference["name"]}, uid: {reference["uid"]}] does not exist in namespace "{space}"',
    )


async def _go_foreground(work: Work, graph: Graph, resource: Resource, obj: Obj) -> None:
    """Go once no dependent blocks; until then see to it that they go."""
    uid = obj["metadata"]["uid"]
    dependents = dependents_of(work.shared, graph, uid)
    blocking = [(r, x) for r, x in dependents if blocks(x, uid)]
    if not blocking:
        await _drop_finalizer(work, resource, obj, FOREGROUND)
        return
    for each, dependent in blocking:
        if not dependent["metadata"].get("deletionTimestamp"):
            work.add_after(item_key(each.gvr, dependent), 0)


async def _orphan(work: Work, graph: Graph, resource: Resource, obj: Obj) -> None:
    """Let go of every dependent, then of the finalizer."""
    uid = obj["metadata"]["uid"]
    await asyncio.gather(*(_drop_references(work, r, x, {uid}) for r, x in dependents_of(work.shared, graph, uid)))
    await _drop_finalizer(work, resource, obj, ORPHAN)


async def _drop_references(work: Work, resource: Resource, obj: Obj, uids: set[str]) -> None:
    body: Obj = {
        "metadata": {
            "ownerReferences": [{"$patch": "delete", "uid": x} for x in sorted(uids)],
            "uid": obj["metadata"]["uid"],
        }
    }
    left = [r for r in references(obj) if r["uid"] not in uids]
    await _patch(work, resource, obj, body, left)


async def _unblock(work: Work, resource: Resource, obj: Obj) -> Obj | None:
    left = [{**r, "blockOwnerDeletion": False} if r.get("blockOwnerDeletion") else r for r in references(obj)]
    body: Obj = {"metadata": {"ownerReferences": left, "uid": obj["metadata"]["uid"]}}
    return await _patch(work, resource, obj, body, left)


async def _patch(work: Work, resource: Resource, obj: Obj, body: Obj, left: list[Obj]) -> Obj | None:
    """A strategic patch, or for custom resources, which know none, a merge patch of the version that we have seen.
    None when the object has gone or is another one.
    """
    try:
        try:
            return await work.patch(resource.gvr, obj, body, STRATEGIC_PATCH)
        except ClientError as error:
            if error.code != 415:
                raise
            meta = obj["metadata"]
            whole = {
                "metadata": {"ownerReferences": left, "resourceVersion": meta["resourceVersion"], "uid": meta["uid"]}
            }
            return await work.patch(resource.gvr, obj, whole, MERGE_PATCH)
    except ClientError as error:
        if error.code not in (404, 422):
            raise
    return None


async def _drop_finalizer(work: Work, resource: Resource, obj: Obj, finalizer: str) -> None:
    meta = obj["metadata"]
    left = [x for x in finalizers(obj) if x != finalizer]
    body = {"metadata": {"resourceVersion": meta["resourceVersion"], "finalizers": left}}
    try:
        await work.patch(resource.gvr, obj, body, MERGE_PATCH)
    except ClientError as error:
        if error.code != 404:
            raise


GARBAGE = Controller(
    "garbage-collector-controller",
    "garbagecollector",
    service_account("generic-garbage-collector"),
    (),
    reconcile,
    state=Graph,
    run=run,
    workers=20,
)
