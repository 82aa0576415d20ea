"""A local copy of a resource, kept current by a watch, shared by all who need it in this process.

Stands for client-go's Reflector, DeltaFIFO, SharedIndexInformer and SharedInformerFactory. The watch begins with what
there is (client-go's WatchListClient); a server that does not do that is asked for a list first. Objects that come from
here are shared: read-only by convention. Handlers run on the event loop, one after the other, at the moment of the
event; there is no periodic resync.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable

from msgspec import Struct

from fakeapi.clock import Clock
from fakenodes.client.base import GVR, Client, ClientError, Obj, WatchEvent
from fakenodes.store import IndexFunc, Store

log = logging.getLogger(__name__)

PAGE = 500
WATCH_SECONDS = (300, 600)
BACKOFF = (0.1, 10.0)
# What marks the bookmark at the end of what there was.
INITIAL_EVENTS_END = "k8s.io/initial-events-end"

AddHandler = Callable[[Obj], object]
UpdateHandler = Callable[[Obj, Obj], object]
Objects = list[Obj]


def key_of(obj: Obj) -> str:
    """`namespace/name`, or `name` of a cluster-scoped object."""
    meta = obj["metadata"]
    namespace = meta.get("namespace")
    return f"{namespace}/{meta['name']}" if namespace else str(meta["name"])


def split_key(key: str) -> tuple[str, str]:
    """The inverse of key_of: (namespace, name)."""
    namespace, _, name = key.rpartition("/")
    return namespace, name


class _Handlers(Struct):
    add: AddHandler | None
    update: UpdateHandler | None
    delete: AddHandler | None


Handlers = list[_Handlers]


class Informer:
    """One resource (of one namespace and selector, if given) as it is on the server, and its changes to handlers."""

    def __init__(
        self,
        client: Client,
        gvr: GVR,
        clock: Clock,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        parsed: int = 20_000,
        rng: random.Random | None = None,
    ) -> None:
        self.gvr = gvr
        self.store = Store(parsed)
        self.store.add_index("namespace", _namespace)
        self._client = client
        self._clock = clock
        self._scope = namespace
        self._labels = label_selector
        self._fields = field_selector
        self._rng = rng or random.Random()
        self._handlers: Handlers = []
        self._synced = asyncio.Event()
        self._version = ""
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._stale = True  # what is in the store may be gone: it has to be read anew
        self._streams = True  # the server begins a watch with what there is, until it has refused to
        self.lists_begun = 0
        self.lists = 0  # the number of the latest list that is in the store

    # What consumers ask most, straight from the store.
    def get(self, key: str) -> Obj | None:
        """The object by `namespace/name` or `name`; read-only."""
        return self.store.get(key)

    def list(self, namespace: str = "") -> Objects:
        """All objects, or those of a namespace; read-only."""
        return self.store.by_index("namespace", namespace) if namespace else list(self.store.all())

    def by_index(self, name: str, value: str) -> Objects:
        """The objects that the named index files under value; read-only."""
        return self.store.by_index(name, value)

    def add_index(self, name: str, function: IndexFunc) -> None:
        """Make the store searchable; see Store.add_index."""
        self.store.add_index(name, function)

    def add_handler(
        self, add: AddHandler | None = None, update: UpdateHandler | None = None, delete: AddHandler | None = None
    ) -> None:
        """Be told of add(new), update(old, new), delete(last known); what is there already is added at once."""
        self._handlers.append(_Handlers(add, update, delete))
        if add is not None:
            for obj in self.store.all():
                _call(add, obj)

    @property
    def has_synced(self) -> bool:
        """Whether the first list has arrived."""
        return self._synced.is_set()

    async def synced(self) -> None:
        """Return once the first list is in the store and its adds have been told."""
        await self._synced.wait()

    @property
    def resource_version(self) -> str:
        """Up to where the store has followed the server."""
        return self._version

    def start(self) -> None:
        """Begin, on the running loop; harmless when begun."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"informer {self.gvr.resource}")

    async def stop(self) -> None:
        """End the watch; the store stays as it is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        """Watch for as long as the history holds; from the beginning again when it does not."""
        while True:
            try:
                if self._stale and not self._streams:
                    await self._list()
                await self._watch()
                self._failures = 0
            except _RelistError:
                self._stale = True
                await self._back_off(first_at_once=True)
            except ClientError as error:
                log.info("%s: %s", self.gvr.resource, error)
                if error.code == 422 and self._streams:
                    self._streams = False
                    continue
                self._stale = self._stale or error.code != 429
                if error.code == 404:
                    # A server of another version may not have the resource: there are no objects of it.
                    self._synced.set()
                await self._back_off()
            except OSError as error:
                # An unreachable server may come back as another one (a memory store begins anew), so list then;
                # a stream that merely broke goes on where it was.
                log.info("%s: %s", self.gvr.resource, error)
                self._stale = self._stale or self._failures > 0
                await self._back_off()

    async def _back_off(self, first_at_once: bool = False) -> None:
        self._failures += 1
        if first_at_once and self._failures == 1:
            return
        seconds = min(BACKOFF[0] * 2.0 ** min(self._failures - 1, 20), BACKOFF[1])
        await self._clock.sleep(seconds * (0.5 + self._rng.random()))

    async def _list(self) -> None:
        begun = self._begin()
        seen: set[str] = set()
        token = ""
        while True:
            page = await self._client.list(
                self.gvr,
                self._scope,
                label_selector=self._labels,
                field_selector=self._fields,
                limit=PAGE,
                continue_=token,
            )
            for obj in page.items:
                seen.add(self._take(obj, b""))
            token = page.continue_
            if not token:
                break
        self._complete(begun, seen, page.resource_version)

    async def _watch(self) -> None:
        begun, seen = (self._begin(), set[str]()) if self._stale else (0, None)
        stream = self._client.watch(
            self.gvr,
            self._scope,
            resource_version="" if self._stale else self._version,
            timeout_seconds=self._rng.randint(*WATCH_SECONDS),
            label_selector=self._labels,
            field_selector=self._fields,
            initial_events=self._stale,
        )
        async for event in stream:
            if event.type == "ERROR":
                raise _RelistError(event.object.get("message", ""))
            meta = event.object["metadata"]
            if event.type == "BOOKMARK" and seen is not None:
                if INITIAL_EVENTS_END in meta.get("annotations", ()):
                    self._complete(begun, seen, meta["resourceVersion"])
                    seen = None
                continue
            if seen is None:
                self._failures = 0
                self._version = meta.get("resourceVersion", self._version)
            self._apply(event, set() if seen is None else seen)

    def _begin(self) -> int:
        self.lists_begun += 1
        return self.lists_begun

    def _take(self, obj: Obj, raw: bytes) -> str:
        """Put in what has changed since it was seen last; its key."""
        key = key_of(obj)
        if self.store.version(key) != obj["metadata"].get("resourceVersion") or self.store.uid(key) != _uid(obj):
            self._put(key, obj, raw)
        return key

    def _complete(self, begun: int, seen: set[str], version: str) -> None:
        """All that there is has been seen: the rest is gone."""
        for key in self.store.keys():  # noqa: SIM118 (keys() copies)
            if key not in seen:
                self._delete(key, None)
        self._version = version
        self.lists = begun
        self._stale = False
        self._failures = min(self._failures, 1)  # a stream that goes well up to here need not be waited for longer
        self._synced.set()

    def _apply(self, event: WatchEvent, seen: set[str]) -> None:
        """Follow an event; seen: the objects of which there has been one."""
        if event.type == "BOOKMARK":
            return
        obj = event.object
        if event.type == "DELETED":
            seen.discard(key_of(obj))
            self._delete(key_of(obj), obj)
        else:
            seen.add(self._take(obj, event.raw))

    def _put(self, key: str, obj: Obj, raw: bytes) -> None:
        old = self.store.get(key)
        if old is not None and _uid(old) != _uid(obj):
            # Deleted and made anew while nobody looked: two objects, so two events.
            self._delete(key, None)
            old = None
        if old is not None:
            _share(old, obj)
        self.store.put(key, obj, raw)
        for handlers in self._handlers:
            if old is None:
                if handlers.add is not None:
                    _call(handlers.add, obj)
            elif handlers.update is not None:
                _call(handlers.update, old, obj)

    def _delete(self, key: str, last: Obj | None) -> None:
        old = self.store.get(key)
        if old is None:
            return
        self.store.remove(key)
        for handlers in self._handlers:
            if handlers.delete is not None:
                _call(handlers.delete, last or old)


class InformerFactory:
    """One informer a resource, namespace and selector; start() starts those that are not running yet."""

    def __init__(self, client: Client, clock: Clock, rng: random.Random | None = None) -> None:
        self._client = client
        self._clock = clock
        self._rng = rng
        self._informers: dict[tuple[GVR, str, str, str], Informer] = {}

    def informer(
        self, gvr: GVR, *, namespace: str = "", label_selector: str = "", field_selector: str = ""
    ) -> Informer:
        """The shared informer; made at the first call."""
        key = (gvr, namespace, label_selector, field_selector)
        if key not in self._informers:
            self._informers[key] = Informer(
                self._client,
                gvr,
                self._clock,
                namespace=namespace,
                rng=self._rng,
                label_selector=label_selector,
                field_selector=field_selector,
            )
        return self._informers[key]

    def __contains__(self, gvr: GVR) -> bool:
        """Whether somebody has asked for the resource."""
        return (gvr, "", "", "") in self._informers

    async def start(self) -> None:
        """Start all and return once all have synced."""
        for informer in list(self._informers.values()):
            informer.start()
        for informer in list(self._informers.values()):
            await informer.synced()

    async def drop(self, gvr: GVR) -> None:
        """Stop and forget a resource that the server does not have any more."""
        for key in [x for x in self._informers if x[0] == gvr]:
            await self._informers.pop(key).stop()

    async def stop(self) -> None:
        """Stop all."""
        await asyncio.gather(*(x.stop() for x in self._informers.values()))


class _RelistError(Exception):
    """The history that the watch needs is gone."""


def _share(old: Obj, new: Obj) -> None:
    """Let an object have the parts of the version before it that are equal: some keep both for long, and who compares
    them is told by identity. Both are read-only."""
    for name, value in new.items():
        if isinstance(value, dict) and value == old.get(name):
            new[name] = old[name]


def _uid(obj: Obj) -> str:
    uid: str = obj["metadata"].get("uid", "")
    return uid


def _namespace(obj: Obj) -> Iterable[str]:
    namespace = obj["metadata"].get("namespace")
    return (namespace,) if namespace else ()


def _call(handler: Callable[..., object], *objects: Obj) -> None:
    """A handler's mistake must not end the informer for the others."""
    try:
        handler(*objects)
    except Exception:
        log.exception("informer handler failed")
