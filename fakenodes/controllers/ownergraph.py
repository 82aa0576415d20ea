"""What the garbage collector knows: the resources it follows, and who depends on whom.

Stands for pkg/controller/garbagecollector's graph_builder.go and the discovery half of garbagecollector.go. Every
resource that can be listed, watched and deleted is followed, custom ones too, in the informers that other controllers
share. Instead of upstream's graph of nodes there is one map, owner uid -> dependents; an owner that a reference names
and no informer has shown yet (upstream's virtual node) is no entry of its own: garbage.py asks the server for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict

from msgspec import Struct, field

from fakenodes.client.base import GVR, ClientError, Obj
from fakenodes.controllers.base import Shared
from fakenodes.discovery import Resource, Resources, discover
from fakenodes.informer import Informer, key_of

log = logging.getLogger(__name__)

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
# Events come and go by the thousand and own nothing: upstream's DefaultIgnoredResources.
IGNORED = frozenset({("", "events"), ("events.k8s.io", "events")})
DISCOVERY_SECONDS = 30.0
DEFINITIONS = GVR("apiextensions.k8s.io", "v1", "customresourcedefinitions", namespaced=False)
ABSENT_OWNERS = 500


class Graph(Struct):
    """The resources that are followed, by their part of an item's key; by owner uid, the keys of the dependents; by
    uid, the keys of what waits for its dependents to go; and the latest owners that are gone: identities that were seen
    to go, coordinates that the server knew nothing of.
    """

    resources: Resources = field(default_factory=lambda: Resources((), (), ()))
    followed: dict[str, Resource] = field(default_factory=dict)
    dependents: dict[str, dict[str, None]] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    absent: OrderedDict[str, None] = field(default_factory=OrderedDict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    ready: bool = False

    def is_absent(self, obj: Obj, reference: Obj) -> bool:
        """Whether the owner that obj refers to is known to be gone."""
        space, uid = obj["metadata"].get("namespace", ""), reference["uid"]
        return any(x in self.absent for x in (identity("", uid), identity(space, uid), coordinates(obj, reference)))

    def note_absent(self, owner: str) -> None:
        """What has that identity, or those coordinates, will never be there again."""
        self.absent[owner] = None
        self.absent.move_to_end(owner)
        if len(self.absent) > ABSENT_OWNERS:
            self.absent.popitem(last=False)

    def find(self, key: str) -> tuple[Resource | None, str]:
        """The resource of an item's key, unless it is not followed any more, and the object's own key."""
        name, _, rest = key.partition("|")
        return self.followed.get(name), rest

    def preferred(self, resource: Resource) -> Resource | None:
        """The version that is followed of a resource that a reference names in another."""
        if resource_name(resource.gvr) in self.followed:
            return resource
        wanted = (resource.gvr.group, resource.gvr.resource)
        return next((x for x in self.followed.values() if (x.gvr.group, x.gvr.resource) == wanted), None)


def resource_name(gvr: GVR) -> str:
    """`group/version/resource`."""
    return f"{gvr.group}/{gvr.version}/{gvr.resource}"


def item_key(gvr: GVR, obj: Obj) -> str:
    """What the queue holds: `group/version/resource|namespace/name`."""
    return f"{resource_name(gvr)}|{key_of(obj)}"


def identity(namespace: str, uid: str) -> str:
    """An object for good. With its namespace: an owner in another one than its dependent's never counts."""
    return f"{namespace}|{uid}"


def coordinates(obj: Obj, reference: Obj) -> str:
    """Which owner is meant: a reference may have the uid right and all else wrong."""
    space = obj["metadata"].get("namespace", "")
    return "|".join((space, reference["apiVersion"], reference["kind"], reference["name"], reference["uid"]))


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
        resource_name(x.gvr): x
        for x in graph.resources.preferred
        if {"list", "watch", "delete"} <= x.verbs and (x.gvr.group, x.gvr.resource) not in IGNORED
    }
    for name, resource in list(graph.followed.items()):
        if name not in wanted and f"{resource.gvr.group}/{resource.gvr.version}" not in graph.resources.failed:
            await _forget(shared, graph, resource)
    fresh = [x.gvr for name, x in wanted.items() if name not in graph.followed]
    own = {gvr for gvr in fresh if gvr not in shared.watching.factory}
    for gvr in fresh:
        graph.followed[resource_name(gvr)] = wanted[resource_name(gvr)]
        informer = shared.watching.informer(gvr)
        _connect(shared, graph, gvr, informer)
        informer.start()
    shared.watch(x.gvr for x in graph.followed.values())
    await asyncio.gather(*(_synced(shared, graph, gvr, gvr in own) for gvr in fresh))
    graph.ready = True
    for gvr in fresh:
        for obj in shared.watching.list(gvr):
            if references(obj) or obj["metadata"].get("deletionTimestamp"):
                shared.queue.add(item_key(gvr, obj))


async def _forget(shared: Shared, graph: Graph, resource: Resource) -> None:
    """A resource that is served no more has no objects: what they owned is looked at."""
    gvr = resource.gvr
    informer = shared.watching.informer(gvr)
    await shared.watching.factory.drop(gvr)
    del graph.followed[resource_name(gvr)]
    for obj in informer.list():
        _relink(graph, item_key(gvr, obj), references(obj), [])
        for key in graph.dependents.get(obj["metadata"]["uid"], ()):
            shared.queue.add(key)


async def _synced(shared: Shared, graph: Graph, gvr: GVR, own: bool) -> None:
    """Wait for a resource's first list; one that does not come must not hold up the others for ever. It is forgotten
    then, unless other controllers follow it too (own: they do not)."""
    waiting = asyncio.ensure_future(shared.watching.informer(gvr).synced())
    timer = shared.clock.call_later(DISCOVERY_SECONDS, waiting.cancel)
    try:
        await asyncio.wait([waiting])
        if waiting.cancelled() and own:
            graph.followed.pop(resource_name(gvr), None)
            await shared.watching.factory.drop(gvr)
    finally:
        timer.cancel()
        waiting.cancel()


def _connect(shared: Shared, graph: Graph, gvr: GVR, informer: Informer) -> None:
    queue = shared.queue

    def enqueue_dependents(uid: str) -> None:
        for key in graph.dependents.get(uid, ()):
            queue.add(key)

    def enqueue_waiting(owners: list[Obj]) -> None:
        """An owner that waits for its dependents looks again when one of them changes, wherever it lives."""
        for reference in owners:
            waiting = graph.waiting.get(reference["uid"])
            if waiting is not None:
                queue.add(waiting)

    def changed(old: Obj | None, new: Obj | None) -> None:
        before, after = references(old), references(new)
        obj = new or old
        assert obj is not None
        key, uid = item_key(gvr, obj), obj["metadata"]["uid"]
        if before != after or new is None:
            _relink(graph, key, before, after if new is not None else [])
            if graph.ready:
                enqueue_waiting(before)
                if new is not None and after:
                    queue.add(key)
        if going_foreground(new):
            graph.waiting[uid] = key
        else:
            graph.waiting.pop(uid, None)
        if old is None:
            graph.absent.pop(identity(obj["metadata"].get("namespace", ""), uid), None)
        if new is None:
            if uid in graph.dependents:
                # Asking would need the kind, which may go with the last of its objects.
                graph.note_absent(identity(obj["metadata"].get("namespace", ""), uid))
            enqueue_dependents(uid)
        elif new["metadata"].get("deletionTimestamp"):
            if FOREGROUND in finalizers(new):
                enqueue_dependents(uid)
                queue.add(key)
            elif ORPHAN in finalizers(new):
                queue.add(key)
            if old is not None and not old["metadata"].get("deletionTimestamp"):
                enqueue_waiting(after)

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


# ---------------------------------------------------------------- looking up


def cached_owner(shared: Shared, graph: Graph, resource: Resource | None, obj: Obj, reference: Obj) -> Obj | None:
    """The owner as the caches have it, if it is the very one that the reference means."""
    followed = graph.preferred(resource) if resource is not None else None
    if followed is None:
        return None
    namespace = obj["metadata"].get("namespace", "") if followed.gvr.namespaced else ""
    key = f"{namespace}/{reference['name']}" if namespace else reference["name"]
    owner = shared.watching.get(followed.gvr, key)
    return owner if owner is not None and owner["metadata"].get("uid") == reference["uid"] else None


def dependents_of(shared: Shared, graph: Graph, uid: str) -> list[tuple[Resource, Obj]]:
    """The cached objects that name an owner of that uid, with their resources."""
    found = []
    for key in graph.dependents.get(uid, ()):
        resource, rest = graph.find(key)
        obj = shared.watching.get(resource.gvr, rest) if resource is not None else None
        if resource is not None and obj is not None:
            found.append((resource, obj))
    return found
