"""The garbage collector: what no owner is left of goes; foreground and orphaning deletions are carried through.

Stands for kube-controller-manager's pkg/controller/garbagecollector. It follows every resource that can be listed,
watched and deleted, custom ones too, in the informers that other controllers share; instead of upstream's graph of
nodes it keeps one map, owner uid -> dependents, and decides about one object from the caches, asking the server before
it says that an owner is gone.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from fakenodes.client.base import GVR, MERGE_PATCH, STRATEGIC_PATCH, ClientError, Obj
from fakenodes.controllers.base import Controller, Shared, Work, service_account
from fakenodes.discovery import Resource, Resources, discover
from fakenodes.informer import Informer, key_of, split_key

log = logging.getLogger(__name__)

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
# Events come and go by the thousand and own nothing: upstream's DefaultIgnoredResources.
IGNORED = frozenset({("", "events"), ("events.k8s.io", "events")})
DISCOVERY_SECONDS = 30.0
DEFINITIONS = GVR("apiextensions.k8s.io", "v1", "customresourcedefinitions", namespaced=False)


@dataclass(slots=True)
class Graph:
    """What the collector knows: the resources it follows and, by owner uid, the keys of the dependents."""

    resources: Resources = field(default_factory=lambda: Resources((), (), ()))
    followed: dict[GVR, Resource] = field(default_factory=dict)
    dependents: dict[str, dict[str, None]] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    ready: bool = False


@dataclass(frozen=True, slots=True)
class Owners:
    """An object's owner references, sorted by what has become of the owners."""

    solid: tuple[Obj, ...] = ()
    dangling: tuple[Obj, ...] = ()
    waiting: tuple[Obj, ...] = ()


def item_key(gvr: GVR, obj: Obj) -> str:
    """What the queue holds: `group/version/resource|namespace/name`."""
    return f"{gvr.group}/{gvr.version}/{gvr.resource}|{key_of(obj)}"


def references(obj: Obj | None) -> list[Obj]:
    """metadata.ownerReferences, never None."""
    found: list[Obj] = (obj or {}).get("metadata", {}).get("ownerReferences") or []
    return found


def finalizers(obj: Obj) -> list[str]:
    """metadata.finalizers, never None."""
    found: list[str] = obj["metadata"].get("finalizers") or []
    return found


def going_foreground(obj: Obj | None) -> bool:
    """Whether the object is being deleted and waits for its dependents."""
    return bool(obj and obj["metadata"].get("deletionTimestamp")) and FOREGROUND in finalizers(obj or {})


def blocks(dependent: Obj, uid: str) -> bool:
    """Whether the dependent keeps that owner from going."""
    return any(r.get("uid") == uid and r.get("blockOwnerDeletion") for r in references(dependent))


def policy_of(obj: Obj) -> str:
    """How an object without owners is deleted: as its finalizers ask."""
    found = finalizers(obj)
    return "Orphan" if ORPHAN in found else "Foreground" if FOREGROUND in found else "Background"


# ---------------------------------------------------------------- following


async def run(shared: Shared) -> None:
    """Follow what the server offers, anew when definitions change and every half minute."""
    graph: Graph = shared.state
    definitions = shared.watching.informer(DEFINITIONS)
    definitions.add_handler(lambda _: graph.wake.set(), lambda _, __: graph.wake.set(), lambda _: graph.wake.set())
    pause = 0.05
    while True:
        graph.wake.clear()
        try:
            await _follow(shared, graph)
            pause = 0.05
        except (ClientError, OSError) as error:
            log.info("garbage collector: discovery: %s", error)
            pause = min(pause * 2, DISCOVERY_SECONDS)
            await shared.clock.sleep(pause)
            continue
        timer = shared.clock.call_later(DISCOVERY_SECONDS, graph.wake.set)
        await graph.wake.wait()
        timer.cancel()
        # A definition is served a moment after it is stored.
        await shared.clock.sleep(0.1)


async def _follow(shared: Shared, graph: Graph) -> None:
    graph.resources = await discover(shared.client)
    wanted = {
        x.gvr: x
        for x in graph.resources.preferred
        if {"list", "watch", "delete"} <= x.verbs and (x.gvr.group, x.gvr.resource) not in IGNORED
    }
    fresh = [gvr for gvr in wanted if gvr not in graph.followed]
    for gvr in [x for x in graph.followed if x not in wanted]:
        if f"{gvr.group}/{gvr.version}" not in graph.resources.failed:
            await _forget(shared, graph, gvr)
    for gvr in fresh:
        graph.followed[gvr] = wanted[gvr]
        informer = shared.watching.informer(gvr)
        _connect(shared, graph, gvr, informer)
        informer.start()
    shared.watch(graph.followed)
    await asyncio.gather(*(_synced(shared, graph, gvr) for gvr in fresh))
    graph.ready = True
    for gvr in fresh:
        for obj in shared.watching.list(gvr):
            if references(obj) or obj["metadata"].get("deletionTimestamp"):
                shared.queue.add(item_key(gvr, obj))


async def _forget(shared: Shared, graph: Graph, gvr: GVR) -> None:
    """A resource that is served no more has no objects: what they owned is looked at."""
    informer = shared.watching.informer(gvr)
    await shared.watching.factory.drop(gvr)
    del graph.followed[gvr]
    for obj in informer.list():
        _relink(graph, item_key(gvr, obj), references(obj), [])
        for key in graph.dependents.get(obj["metadata"]["uid"], ()):
            shared.queue.add(key)


async def _synced(shared: Shared, graph: Graph, gvr: GVR) -> None:
    """Wait for a resource's first list; one that does not come must not hold up the others for ever."""
    waiting = asyncio.ensure_future(shared.watching.informer(gvr).synced())
    timer = shared.clock.call_later(DISCOVERY_SECONDS, waiting.cancel)
    try:
        await asyncio.wait([waiting])
        if waiting.cancelled():
            graph.followed.pop(gvr, None)
            await shared.watching.factory.drop(gvr)
    finally:
        timer.cancel()
        waiting.cancel()


def _connect(shared: Shared, graph: Graph, gvr: GVR, informer: Informer) -> None:
    queue = shared.queue

    def enqueue_dependents(uid: str) -> None:
        for key in graph.dependents.get(uid, ()):
            queue.add(key)

    def changed(old: Obj | None, new: Obj | None) -> None:
        before, after = references(old), references(new)
        obj = new or old
        assert obj is not None
        key, uid = item_key(gvr, obj), obj["metadata"]["uid"]
        if before != after or new is None:
            _relink(graph, key, before, after if new is not None else [])
            if graph.ready:
                for reference in before:
                    _enqueue_waiting_owner(shared, graph, obj, reference)
                if new is not None and after:
                    queue.add(key)
        if new is None:
            enqueue_dependents(uid)
        elif new["metadata"].get("deletionTimestamp"):
            if FOREGROUND in finalizers(new):
                enqueue_dependents(uid)
                queue.add(key)
            elif ORPHAN in finalizers(new):
                queue.add(key)
            if old is not None and not old["metadata"].get("deletionTimestamp"):
                for reference in after:
                    _enqueue_waiting_owner(shared, graph, obj, reference)

    informer.add_handler(lambda new: changed(None, new), changed, lambda old: changed(old, None))


def _relink(graph: Graph, key: str, before: list[Obj], after: list[Obj]) -> None:
    for reference in before:
        found = graph.dependents.get(reference["uid"])
        if found is not None:
            found.pop(key, None)
            if not found:
                del graph.dependents[reference["uid"]]
    for reference in after:
        graph.dependents.setdefault(reference["uid"], {})[key] = None


def _enqueue_waiting_owner(shared: Shared, graph: Graph, obj: Obj, reference: Obj) -> None:
    """An owner that waits for its dependents looks again when one of them changes."""
    resource = graph.resources.by_kind(reference["apiVersion"], reference["kind"])
    owner = _cached_owner(shared, graph, resource, obj, reference)
    if resource is not None and owner is not None and going_foreground(owner):
        shared.queue.add(item_key(_preferred(graph, resource).gvr, owner))


def _preferred(graph: Graph, resource: Resource) -> Resource:
    """The version that is followed of a resource that a reference names in another."""
    for gvr, found in graph.followed.items():
        if (gvr.group, gvr.resource) == (resource.gvr.group, resource.gvr.resource):
            return found
    return resource


def _cached_owner(shared: Shared, graph: Graph, resource: Resource | None, obj: Obj, reference: Obj) -> Obj | None:
    """The owner as the caches have it, if it is the very one that the reference means."""
    if resource is None:
        return None
    gvr = _preferred(graph, resource).gvr
    if gvr not in graph.followed:
        return None
    namespace = obj["metadata"].get("namespace", "") if gvr.namespaced else ""
    key = f"{namespace}/{reference['name']}" if namespace else reference["name"]
    owner = shared.watching.get(gvr, key)
    return owner if owner is not None and owner["metadata"].get("uid") == reference["uid"] else None


# ---------------------------------------------------------------- deciding and acting


async def reconcile(work: Work) -> float | None:
    """Bring one object to where its owners, or its own deletion, want it."""
    graph: Graph = work.state
    name, _, key = work.key.partition("|")
    group, version, resource = name.split("/")
    found = next(
        (
            x
            for x in graph.followed.values()
            if (x.gvr.group, x.gvr.version, x.gvr.resource) == (group, version, resource)
        ),
        None,
    )
    obj = work.get(found.gvr, key) if found else None
    if found is None or obj is None or not graph.ready:
        return None
    if obj["metadata"].get("deletionTimestamp"):
        if ORPHAN in finalizers(obj):
            await _orphan(work, graph, found, obj)
        elif FOREGROUND in finalizers(obj):
            await _go_foreground(work, graph, found, obj)
        return None
    if references(obj):
        await _check_owners(work, graph, found, obj)
    return None


def _dependents(work: Work, graph: Graph, uid: str) -> list[tuple[Resource, Obj]]:
    found = []
    for key in graph.dependents.get(uid, ()):
        name, _, rest = key.partition("|")
        group, version, resource = name.split("/")
        for gvr, each in graph.followed.items():
            if (gvr.group, gvr.version, gvr.resource) == (group, version, resource):
                obj = work.get(gvr, rest)
                if obj is not None:
                    found.append((each, obj))
                break
    return found


async def _check_owners(work: Work, graph: Graph, resource: Resource, obj: Obj) -> None:
    owners = await _classify(work, graph, resource, obj)
    if not owners.dangling and not owners.waiting:
        return
    gone = {r["uid"] for r in (*owners.dangling, *owners.waiting)}
    uid = obj["metadata"]["uid"]
    if owners.solid:
        await _drop_references(work, resource, obj, gone)
        return
    if owners.waiting:
        dependents = _dependents(work, graph, uid)
        if dependents:
            # A circle of foreground deletions would wait for itself for ever.
            for each, dependent in dependents:
                if going_foreground(dependent) and blocks(dependent, uid):
                    await _unblock(work, each, dependent)
            await _delete(work, resource, obj, "Foreground")
            return
    await _delete(work, resource, obj, policy_of(obj))


async def _classify(work: Work, graph: Graph, resource: Resource, obj: Obj) -> Owners:
    """Sort the references; an owner that the cache does not have is asked for. An owner of a kind that nobody knows
    raises, so that the object is left alone and looked at again."""
    sorted_: dict[str, list[Obj]] = {"solid": [], "dangling": [], "waiting": []}
    for reference in references(obj):
        owner_resource = graph.resources.by_kind(reference["apiVersion"], reference["kind"])
        if owner_resource is None:
            graph.resources = await discover(work.client)
            owner_resource = graph.resources.by_kind(reference["apiVersion"], reference["kind"])
            if owner_resource is None:
                raise OSError(f'no matches for kind "{reference["kind"]}" in version "{reference["apiVersion"]}"')
        owner = _cached_owner(work.shared, graph, owner_resource, obj, reference)
        if owner is None:
            owner = await _ask_owner(work, owner_resource, obj, reference)
        if owner is None:
            _tell_other_namespace(work, graph, resource, obj, owner_resource, reference)
        sorted_["dangling" if owner is None else "waiting" if going_foreground(owner) else "solid"].append(reference)
    return Owners(*(tuple(sorted_[x]) for x in ("solid", "dangling", "waiting")))


async def _ask_owner(work: Work, resource: Resource, obj: Obj, reference: Obj) -> Obj | None:
    namespace = obj["metadata"].get("namespace", "")
    if resource.gvr.namespaced and not namespace:
        # A cluster-scoped object cannot have an owner in a namespace: never collected, never found.
        raise OSError(f"cluster-scoped object with owner {reference['kind']} in a namespace")
    try:
        owner = await work.client.get(resource.gvr, reference["name"], namespace if resource.gvr.namespaced else "")
    except ClientError as error:
        if error.code == 404:
            return None
        raise
    return owner if owner["metadata"].get("uid") == reference["uid"] else None


def _tell_other_namespace(
    work: Work, graph: Graph, resource: Resource, obj: Obj, owner_resource: Resource, reference: Obj
) -> None:
    """An owner of that uid that lives in another namespace was never a valid one: say so."""
    gvr = _preferred(graph, owner_resource).gvr
    if gvr not in graph.followed or not gvr.namespaced:
        return
    meta = obj["metadata"]
    informer = work.shared.watching.informer(gvr)
    others = (
        x
        for x in informer.store.keys()  # noqa: SIM118 (not a dict)
        if split_key(x)[1] == reference["name"]
    )
    if any(informer.store.uid(x) == reference["uid"] for x in others):
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


async def _delete(work: Work, resource: Resource, obj: Obj, policy: str) -> None:
    """A conflict (another object has taken the name) comes back, and is looked at as what it is then."""
    await work.delete(resource.gvr, obj, policy)


async def _go_foreground(work: Work, graph: Graph, resource: Resource, obj: Obj) -> None:
    """Go once no dependent blocks; until then see to it that they go."""
    uid = obj["metadata"]["uid"]
    dependents = _dependents(work, graph, uid)
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
    await asyncio.gather(*(_drop_references(work, r, x, {uid}) for r, x in _dependents(work, graph, uid)))
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


async def _unblock(work: Work, resource: Resource, obj: Obj) -> None:
    left = [{**r, "blockOwnerDeletion": False} if r.get("blockOwnerDeletion") else r for r in references(obj)]
    body: Obj = {"metadata": {"ownerReferences": left, "uid": obj["metadata"]["uid"]}}
    await _patch(work, resource, obj, body, left)


async def _patch(work: Work, resource: Resource, obj: Obj, body: Obj, left: list[Obj]) -> None:
    """A strategic patch, or for custom resources, which know none, a merge patch of the version that we have seen."""
    try:
        try:
            await work.patch(resource.gvr, obj, body, STRATEGIC_PATCH)
        except ClientError as error:
            if error.code != 415:
                raise
            meta = obj["metadata"]
            whole = {
                "metadata": {"ownerReferences": left, "resourceVersion": meta["resourceVersion"], "uid": meta["uid"]}
            }
            await work.patch(resource.gvr, obj, whole, MERGE_PATCH)
    except ClientError as error:
        if error.code not in (404, 422):
            raise


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
