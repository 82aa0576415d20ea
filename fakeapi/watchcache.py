"""One resource's latest state and recent history in memory: what reads are answered from and watches are fed by.

Stands for apiserver's pkg/storage/cacher. A WatchCache listens to the store, so a write is in it when the store's call
returns; it serves all versions and namespaces of its resource. How a caller uses it:

    cache = WatchCache(storage, "/registry/pods/", namespaced=True, fields=fields, index="spec.nodeName", empty=zero)
    await cache.start()                        # load, then follow the store; stop() ends every watch
    key = cache.key("ns", "a")                 # the storage key
    await cache.fresh()                        # consistent read: the store's revision, reached by the cache
    await cache.fresh(1234)                    # not older than 1234; ApiError 504 when it does not come in time
    item = cache.get(key)                      # Item or None: .raw (JSON bytes with resourceVersion), .revision,
                                               # .load() (a private dict), .namespace, .name, .labels
    found = cache.list("ns", predicate, limit=500, after=key)                    # Found: items, revision, more, ...
    found = await cache.list_at(1234, "ns", predicate, limit=500, after=key)     # storage errors pass through
    watcher = cache.watch(Scope("ns"), predicate, revision=1234, form=form)      # see watch.stream

`fields(obj)` gives the values of the kind's field selectors beyond metadata.name and metadata.namespace; `empty` is the
kind's zero object (kind, apiVersion, empty metadata, what Go prints without values), for bookmarks. A Form says how an
object is encoded when it is not the stored version's JSON: another version, Table, PartialObjectMetadata; None is the
stored JSON. paging.list_items and watch.stream build on this and are what a registry calls.

Watches are found through indexes (one object, one value of `index`, one namespace, everything), so that an event costs
nothing to the others. History is the last HISTORY events (upstream's grows and shrinks by age); a watch from before it
gets TooOld. A watcher with more than QUEUE events unread is ended, as upstream closes one that blocks.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import orjson
from msgspec import Struct
from sortedcontainers import SortedList  # type: ignore[import-untyped]

from fakeapi import errors
from fakeapi.storage.base import Change, Entry, Storage
from fakeapi.watchevents import Event, Form, Item, Obj, Predicate, Scope, Watcher
from fakeapi.watchevents import splice as splice

HISTORY = 10_000
# ... or of so many bytes, as long as it has this many events.
HISTORY_BYTES, HISTORY_LEAST = 16 * 1024 * 1024, 1_000
QUEUE = 10_000
# Events whose encoded bytes are kept for watchers that are a little behind.
_ENCODED = 200
# How long a read waits for a revision that has not been seen: blockTimeout in cacher/watch_cache.go.
FRESH_SECONDS = 3.0
# Sorts after every key under a prefix.
_LAST = "\U0010ffff"
_ANY = Predicate()


class TooOld(Exception):
    """watch: the history does not reach back to `revision`; `oldest` is the first that a watch may start from."""

    def __init__(self, revision: int, oldest: int) -> None:
        super().__init__(revision, oldest)
        self.revision = revision
        self.oldest = oldest


class Found(Struct, frozen=True):
    """A part of a list, in key order. more: the limit cut it; remaining: how many keys follow, selected or not."""

    items: list[Item]
    revision: int
    more: bool = False
    remaining: int = 0


class WatchCache:
    """See the module's docstring."""

    def __init__(
        self,
        storage: Storage,
        prefix: str,
        *,
        namespaced: bool,
        fields: Callable[[Obj], Mapping[str, str]] | None = None,
        index: str = "",
        empty: Mapping[str, Any] | None = None,
        history: int = HISTORY,
        queue: int = QUEUE,
    ) -> None:
        assert prefix.endswith("/"), prefix
        self.prefix = prefix
        self.namespaced = namespaced
        self.revision = 0
        # Grows with every change of the contents: what is derived from them is good while this stays the same.
        self.changes = 0
        self._storage = storage
        self._fields_of = fields or (lambda _: {})
        self._index = index
        self._empty = dict(empty or {"kind": "", "apiVersion": "", "metadata": {}})
        self._items: dict[str, Item] = {}
        self._keys: SortedList = SortedList()
        self._indexed: dict[str, set[str]] = {}
        self._history: deque[Event] = deque()
        self._history_limit = history
        self._history_bytes = 0
        self._since = 0
        self._loaded = 0
        self._queue = queue
        self._watchers: dict[tuple[str, str, str], set[Watcher]] = {}
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._unlisten: Callable[[], None] | None = None
        self._early: list[Change] | None = None

    # Life

    async def start(self) -> None:
        """Load the resource and follow the store from there."""
        self._early = []
        self._unlisten = self._storage.listen(self.prefix, self)
        page = await self._storage.list(self.prefix)
        early, self._early = self._early or [], None
        if self.revision <= page.revision:
            self._load(page.entries, page.revision)
        for change in early:
            self.changed(change)

    def stop(self) -> None:
        """Stop following the store and end every watch."""
        if self._unlisten is not None:
            self._unlisten()
            self._unlisten = None
        for watcher in self._all_watchers():
            watcher.end()

    # Reads

    def key(self, namespace: str, name: str) -> str:
        """The storage key of an object; of a list's range when name is empty."""
        return f"{self.prefix}{namespace}/{name}" if self.namespaced and (namespace or name) else self.prefix + name

    def get(self, key: str) -> Item | None:
        """The object's latest state."""
        return self._items.get(key)

    def __len__(self) -> int:
        return len(self._items)

    def item(self, entry: Entry) -> Item:
        """An entry of the store as an Item (the cached one, when it is the same)."""
        known = self._items.get(entry.key)
        if known is not None and known.revision == entry.revision:
            return known
        path = entry.key[len(self.prefix) :]
        namespace, _, name = path.rpartition("/")
        return Item(entry, namespace, name, self._fields_of)

    async def fresh(self, revision: int | None = None) -> int:
        """Wait until the cache is not older than `revision` (None: than the store is now). Gives the cache's revision.
        Raises ApiError 504 when that takes longer than FRESH_SECONDS."""
        if revision is None:
            self.revision = max(self.revision, await self._storage.settle())
            return self.revision
        if revision > self.revision:
            self.revision = max(self.revision, await self._storage.settle())
        if revision > self.revision:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append((revision, waiter))
            try:
                await asyncio.wait_for(waiter, FRESH_SECONDS)
            except TimeoutError:
                raise too_large(revision, self.revision) from None
            finally:
                self._waiters = [w for w in self._waiters if w[1] is not waiter]
        return self.revision

    def list(self, namespace: str = "", predicate: Predicate = _ANY, limit: int = 0, after: str = "") -> Found:
        """The selected items of a namespace ("": all) with key > after, as the cache has them now."""
        narrowed = self._narrow(namespace, predicate)
        if narrowed is not None:
            items = [i for i in narrowed if i.key > after and predicate.matches(i)]
            cut = items[:limit] if limit > 0 else items
            return Found(cut, self.revision, len(cut) < len(items), len(items) - len(cut))
        first, last = self._range(namespace, after)
        keys = self._keys.islice(first, last)
        if predicate.empty:
            taken = min(limit, last - first) if limit > 0 else last - first
            items = [self._items[k] for k in islice(keys, taken)]
            return Found(items, self.revision, taken < last - first, last - first - taken)
        items = []
        for seen, key in enumerate(keys, first + 1):
            item = self._items[key]
            if predicate.matches(item):
                items.append(item)
                if len(items) == limit:
                    return Found(items, self.revision, seen < last, last - seen)
        return Found(items, self.revision)

    async def list_at(
        self,
        revision: int,
        namespace: str = "",
        predicate: Predicate = _ANY,
        limit: int = 0,
        after: str = "",
    ) -> Found:
        """Like list, but as the store was at `revision`. Raises storage.base's Compacted and FutureRevision."""
        prefix = self.key(namespace, "")
        items = []
        chunk = limit if predicate.empty or limit <= 0 else max(limit, 500)
        while True:
            page = await self._storage.list(prefix, revision=revision, after=after, limit=chunk)
            for seen, entry in enumerate(page.entries, 1):
                item = self.item(entry)
                if predicate.matches(item):
                    items.append(item)
                    if len(items) == limit:
                        left = len(page.entries) - seen + page.remaining
                        return Found(items, revision, left > 0, left)
            if not page.more:
                return Found(items, revision)
            after = page.entries[-1].key

    # Watches

    def watch(
        self,
        scope: Scope,
        predicate: Predicate = _ANY,
        *,
        revision: int,
        initial: bool = False,
        form: Form | None = None,
    ) -> Watcher:
        """Subscribe to what changes after `revision`; with initial, to what is there now and changes from now on.
        Raises TooOld. A revision of the future is fine: the watch is silent until then."""
        if not initial and revision < self._since:
            raise TooOld(revision, self._since)
        slot = self._slot(scope, predicate)
        since = self.revision if initial else revision
        watcher = Watcher(
            scope, predicate, form, since=since, queue=self._queue, forget=lambda: self._drop(slot, watcher)
        )
        self._watchers.setdefault(slot, set()).add(watcher)
        if initial:
            watcher.begin(self._scoped(scope, predicate))
        else:
            for event in self._after(revision):
                if slot in self._slots(event):
                    watcher.offer(event)
        return watcher

    def bookmark(self, revision: int, initial_end: bool) -> Item:
        """The object of a bookmark: empty but for its revision and the mark that ends initial events."""
        obj = dict(self._empty)
        obj["metadata"] = {"annotations": {"k8s.io/initial-events-end": "true"}} if initial_end else {}
        return Item(Entry(self.prefix, orjson.dumps(obj), revision, revision), "", "", self._fields_of)

    @property
    def watchers(self) -> int:
        """How many watches are open."""
        return sum(len(w) for w in self._watchers.values())

    # What the store tells (storage.base.Listener)

    def changed(self, change: Change) -> None:
        """A write under the prefix."""
        if self._early is not None:
            self._early.append(change)
            return
        if change.revision <= self._loaded:
            return
        self.changes += 1
        item = self.item(change.entry) if change.entry is not None else None
        event = Event(change.revision, item, self._items.get(change.key))
        self._store(change.key, item)
        self.revision = max(self.revision, change.revision)
        self._history.append(event)
        self._history_bytes += event.size
        while len(self._history) > self._history_limit or self._is_heavy():
            oldest = self._history.popleft()
            self._since = oldest.revision
            self._history_bytes -= oldest.size
        if len(self._history) > _ENCODED:
            self._history[-_ENCODED].forget_encoded()
        for slot in self._slots(event):
            for watcher in tuple(self._watchers.get(slot, ())):
                watcher.offer(event)
        self._reached()

    def _is_heavy(self) -> bool:
        """Whether the history holds more bytes than it should, and enough events to give some up."""
        return self._history_bytes > HISTORY_BYTES and len(self._history) > HISTORY_LEAST

    def replaced(self, entries: Sequence[Entry], revision: int) -> None:
        """The store's contents were swapped: start over, and end every watch."""
        self._early = [] if self._early is not None else None
        self._load(entries, revision)
        self.expire()

    def expire(self) -> None:
        """End every watch as one that is too old."""
        for watcher in self._all_watchers():
            watcher.end(errors.gone("The resourceVersion for the provided watch is too old."))

    # Inside

    def _load(self, entries: Iterable[Entry], revision: int) -> None:
        self.changes += 1
        self._items = {}
        self._indexed = {}
        items = {e.key: self.item(e) for e in entries}
        self._keys = SortedList(items)
        for key, item in items.items():
            self._items[key] = item
            self._index_item(key, None, item)
        self._history.clear()
        self._history_bytes = 0
        self._since = self._loaded = self.revision = revision
        self._reached()

    def _store(self, key: str, item: Item | None) -> None:
        before = self._items.get(key)
        if item is None:
            if before is not None:
                del self._items[key]
                self._keys.remove(key)
        else:
            if before is None:
                self._keys.add(key)
            self._items[key] = item
        self._index_item(key, before, item)

    def _index_item(self, key: str, before: Item | None, item: Item | None) -> None:
        if not self._index:
            return
        old = before.field(self._index) if before is not None else None
        new = item.field(self._index) if item is not None else None
        if old == new:
            return
        if old is not None:
            keys = self._indexed[old]
            keys.discard(key)
            if not keys:
                del self._indexed[old]
        if new is not None:
            self._indexed.setdefault(new, set()).add(key)

    def _reached(self) -> None:
        for revision, waiter in self._waiters:
            if revision <= self.revision and not waiter.done():
                waiter.set_result(None)

    def _range(self, namespace: str, after: str) -> tuple[int, int]:
        """Indices of a namespace's keys that are > after."""
        prefix = self.key(namespace, "")
        first = self._keys.bisect_right(after) if after >= prefix else self._keys.bisect_left(prefix)
        return first, max(first, self._keys.bisect_left(prefix + _LAST))

    def _narrow(self, namespace: str, predicate: Predicate) -> Sequence[Item] | None:
        """The few items an exact field selector leaves, in key order; None when there is no such selector."""
        name = predicate.fields.exact("metadata.name")
        if name is not None and (namespace or not self.namespaced):
            item = self._items.get(self.key(namespace, name))
            return [item] if item is not None else []
        value = predicate.fields.exact(self._index) if self._index else None
        if value is None:
            return None
        prefix = self.key(namespace, "")
        return [self._items[k] for k in sorted(self._indexed.get(value, ())) if k.startswith(prefix)]

    def _scoped(self, scope: Scope, predicate: Predicate) -> Sequence[Item]:
        """Candidates for a watch's initial events, in key order."""
        if scope.name:
            item = self._items.get(self.key(scope.namespace, scope.name))
            return [item] if item is not None else []
        narrowed = self._narrow(scope.namespace, predicate)
        if narrowed is not None:
            return narrowed
        first, last = self._range(scope.namespace, "")
        return [self._items[k] for k in self._keys.islice(first, last)]

    def _slot(self, scope: Scope, predicate: Predicate) -> tuple[str, str, str]:
        """Where a watch is registered: (namespace, name, index value), each "" for any, the most telling one set."""
        name = scope.name or predicate.fields.exact("metadata.name") or ""
        if name:
            return scope.namespace if self.namespaced else "", name, ""
        value = predicate.fields.exact(self._index) if self._index else None
        if value:
            return "", "", value
        namespace = scope.namespace if self.namespaced else ""
        return namespace or predicate.fields.exact("metadata.namespace") or "", "", ""

    def _slots(self, event: Event) -> Iterator[tuple[str, str, str]]:
        """Every place where a watch interested in the event may be registered."""
        subject = event.item or event.previous
        assert subject is not None
        yield "", "", ""
        yield "", subject.name, ""
        if subject.namespace:
            yield subject.namespace, "", ""
            yield subject.namespace, subject.name, ""
        if self._index:
            values = {i.field(self._index) for i in (event.item, event.previous) if i is not None}
            for value in values - {""}:
                yield "", "", value

    def _after(self, revision: int) -> Sequence[Event]:
        """The history's events later than revision, oldest first."""
        found = []
        for event in reversed(self._history):
            if event.revision <= revision:
                break
            found.append(event)
        found.reverse()
        return found

    def _drop(self, slot: tuple[str, str, str], watcher: Watcher) -> None:
        watchers = self._watchers.get(slot)
        if watchers is not None:
            watchers.discard(watcher)
            if not watchers:
                del self._watchers[slot]

    def _all_watchers(self) -> Sequence[Watcher]:
        return [w for watchers in self._watchers.values() for w in watchers]


def too_large(revision: int, current: int) -> errors.ApiError:
    """504: a revision that has not happened (storage.NewTooLargeResourceVersionError)."""
    found = {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }
    error = errors.generic(504, "Timeout", f"Too large resource version: {revision}, current: {current}", found)
    error.headers = {"Retry-After": "1"}
    return error
