"""What a controller is here: a descriptor that says what it watches and how it brings one key to its desired state.

Stands for the shape that every controller of kube-controller-manager repeats: informers feed a work queue, workers take
keys from it. In place of upstream's expectations, each key remembers what its own writes came to, and is not reconciled
again before the informers have seen them: no controller acts on a cache that is behind its own actions.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any

from msgspec import Struct, field

from fakeapi.clock import Clock
from fakenodes.client.base import GVR, STRATEGIC_PATCH, Client, ClientError, Obj
from fakenodes.events import EventRecorder
from fakenodes.informer import Informer, InformerFactory, key_of
from fakenodes.store import IndexFunc
from fakenodes.workqueue import WorkQueue

# Longest that a key waits for its own writes to come back: what is lost by then was lost by the server.
WRITE_SECONDS = 30.0


class Options(Struct, frozen=True):
    """What kube-controller-manager's flags say: --root-ca-file, --cluster-signing-cert-file and -key-file,
    --service-account-private-key-file (all PEM; the last is asked for when it is first needed); and the range of a
    hollow cloud's load balancers ("": no cloud).
    """

    root_ca: str = ""
    signing_certificate: bytes = b""
    signing_key: bytes = b""
    service_account_key: Callable[[], bytes] | None = None
    load_balancers: str = ""


class Watching:
    """The informers as controllers read them. Every object is shared and read-only."""

    def __init__(self, factory: InformerFactory) -> None:
        self.factory = factory

    def informer(self, gvr: GVR) -> Informer:
        """The shared informer."""
        return self.factory.informer(gvr)

    def get(self, gvr: GVR, key: str) -> Obj | None:
        """One object by `namespace/name` or `name`."""
        return self.factory.informer(gvr).get(key)

    def list(self, gvr: GVR, namespace: str = "") -> Collection[Obj]:
        """All objects, or a namespace's."""
        return self.factory.informer(gvr).list(namespace)

    def find(self, gvr: GVR, index: str, value: str) -> Collection[Obj]:
        """The objects that an index files under value."""
        return self.factory.informer(gvr).by_index(index, value)

    def values(self, gvr: GVR, index: str) -> Collection[str]:
        """Every value that an index files objects under."""
        return self.factory.informer(gvr).store.index_values(index)


# (caches, old, new) -> keys to look at: old is None for an add, new for a delete.
Mapper = Callable[[Watching, Obj | None, Obj | None], Iterable[str]]


def itself(_: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    """The changed object's own key."""
    obj = new or old
    return (key_of(obj),) if obj else ()


class Watch(Struct, frozen=True):
    """A resource that a controller follows: which keys a change concerns, and the indexes it looks things up by."""

    gvr: GVR
    keys: Mapper | None = itself
    indexes: Mapping[str, IndexFunc] = field(default_factory=dict)


class _Written(Struct):
    """A write that the cache has to show before the key is looked at again."""

    gvr: GVR
    key: str
    uid: str
    version: int
    lists: int
    deleted: bool


class Work:
    """What one reconcile has in hand: its key, the caches, and requests whose effects are waited for."""

    def __init__(self, shared: Shared, key: str) -> None:
        self.key = key
        self.shared = shared
        self.client = shared.client
        self.clock = shared.clock
        self.recorder = shared.recorder
        self.state = shared.state
        self.rng = shared.rng
        self.options = shared.options
        self.looked_at = 0  # how many objects find() and list() have given

    def get(self, gvr: GVR, key: str) -> Obj | None:
        """A cached object."""
        return self.shared.watching.get(gvr, key)

    def list(self, gvr: GVR, namespace: str = "") -> Iterable[Obj]:
        """Cached objects."""
        return self._looked(self.shared.watching.list(gvr, namespace))

    def find(self, gvr: GVR, index: str, value: str) -> Iterable[Obj]:
        """Cached objects by an index."""
        return self._looked(self.shared.watching.find(gvr, index, value))

    def _looked(self, found: Collection[Obj]) -> Iterable[Obj]:
        self.looked_at += len(found)
        return found

    async def create(self, gvr: GVR, obj: Obj, namespace: str = "") -> Obj:
        """Create; the key waits until the cache has it."""
        return self._wrote(gvr, await self.client.create(gvr, obj, namespace))

    async def update(self, gvr: GVR, obj: Obj, subresource: str = "") -> Obj:
        """Replace; the key waits until the cache has it."""
        return self._wrote(gvr, await self.client.update(gvr, obj, subresource=subresource))

    async def patch(
        self, gvr: GVR, obj: Obj, body: Any, content_type: str = STRATEGIC_PATCH, subresource: str = ""
    ) -> Obj:
        """Patch obj; the key waits until the cache has the result."""
        meta = obj["metadata"]
        found = await self.client.patch(
            gvr, meta["name"], body, meta.get("namespace", ""), content_type=content_type, subresource=subresource
        )
        return self._wrote(gvr, found)

    async def delete(
        self, gvr: GVR, obj: Obj, propagation_policy: str = "", grace: int | None = None, version: str = ""
    ) -> bool:
        """Delete exactly this object, and if it is given only as this version of it; False when it was gone. The key
        waits until the cache has seen it going.
        """
        meta = obj["metadata"]
        try:
            await self.client.delete(
                gvr,
                meta["name"],
                meta.get("namespace", ""),
                uid=meta["uid"],
                resource_version=version,
                propagation_policy=propagation_policy,
                grace_period_seconds=grace,
            )
        except ClientError as error:
            if error.code == 404:
                return False
            raise
        self.shared.remember(self.key, _Written(gvr, key_of(obj), meta["uid"], 0, 0, True))
        return True

    def event(self, obj: Obj, type: str, reason: str, message: str) -> None:
        """Record an event about obj."""
        self.recorder.record(obj, type, reason, message)

    def add_after(self, key: str, seconds: float) -> None:
        """Look at a key of this controller later."""
        self.shared.queue.add_after(key, seconds)

    def _wrote(self, gvr: GVR, obj: Obj) -> Obj:
        version = obj.get("metadata", {}).get("resourceVersion", "")
        if version.isdigit():
            written = _Written(
                gvr,
                key_of(obj),
                obj["metadata"].get("uid", ""),
                int(version),
                self.shared.watching.informer(gvr).lists_begun,
                False,
            )
            self.shared.remember(self.key, written)
        return obj


class Shared:
    """What the workers of one running controller share."""

    def __init__(
        self,
        watching: Watching,
        client: Client,
        clock: Clock,
        recorder: EventRecorder,
        queue: WorkQueue[str],
        state: Any,
        rng: random.Random,
        options: Options,
    ) -> None:
        self.watching = watching
        self.client = client
        self.clock = clock
        self.recorder = recorder
        self.queue = queue
        self.state = state
        self.rng = rng
        self.options = options
        self._written: dict[str, tuple[float, list[_Written]]] = {}
        self._watched: frozenset[GVR] = frozenset()

    def watch(self, gvrs: Iterable[GVR]) -> None:
        """Which resources have an informer: writes to others cannot be waited for."""
        self._watched = frozenset(gvrs)

    def remember(self, key: str, written: _Written) -> None:
        """Hold the key back until the cache shows the write."""
        if written.gvr in self._watched:
            self._written.setdefault(key, (self.clock.monotonic(), []))[1].append(written)

    def caught_up(self, key: str) -> bool:
        """Whether the caches show everything that was written for the key."""
        found = self._written.get(key)
        if found is None:
            return True
        since, writes = found
        writes[:] = [x for x in writes if not self._seen(x)]
        if writes and self.clock.monotonic() - since < WRITE_SECONDS:
            return False
        del self._written[key]
        return True

    def _seen(self, written: _Written) -> bool:
        informer = self.watching.informer(written.gvr)
        if not written.deleted:
            return informer.lists > written.lists or int(informer.resource_version or 0) >= written.version
        if informer.store.uid(written.key) != written.uid:
            return True
        obj = informer.get(written.key)
        return obj is None or bool(obj["metadata"].get("deletionTimestamp"))


Reconcile = Callable[[Work], Awaitable[float | None]]
Background = Callable[[Shared], Awaitable[None]]


class Controller(Struct, frozen=True):
    """One controller, by upstream's name and the alias that it had before 1.28.

    `reconcile` returns after how many seconds to look at the key again, or None; what it raises (ClientError, OSError)
    makes the key come back with back-off. `component` is whom its events come from, by default the name. `state` makes
    what its reconciles share; `run` is a task beside the workers, for what no event tells.
    """

    name: str
    alias: str
    user: str
    watches: tuple[Watch, ...]
    reconcile: Reconcile
    component: str = ""
    state: Callable[[], Any] = dict
    run: Background | None = None
    workers: int = 5


def service_account(name: str) -> str:
    """The user that upstream runs a controller as."""
    return f"system:serviceaccount:kube-system:{name}"
