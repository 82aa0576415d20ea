"""What a watch cache holds and hands out: items, events, and the watchers' bounded queues.

Stands for cacher's store elements, watchCacheEvent and cacheWatcher (which also decides, as here, what an event looks
like through a selector). No sockets and no timers but the wait for the next event.

Bytes are shared: a form's encoding is made once per event, whatever the number of watchers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from typing import Any

import orjson
from msgspec import Struct

from fakeapi import errors
from fakeapi.selectors import EVERYTHING, NO_FIELDS, FieldSelector, LabelSelector
from fakeapi.storage.base import Entry

# Chunks of a stream aim at this many bytes.
CHUNK = 256 * 1024
_METADATA = b'"metadata":{'
_OPEN = {t: f'{{"type":"{t}","object":'.encode() for t in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR")}
_CLOSE = b"}\n"

Obj = dict[str, Any]


def frame(kind: str, body: bytes) -> tuple[bytes, ...]:
    """One event of a stream of JSON, a document a line, in pieces."""
    return _OPEN[kind], body, _CLOSE


class Framing(Struct, frozen=True):
    """How events follow each other. frame: an event's type and object as pieces; status: an error's object."""

    frame: Callable[[str, bytes], tuple[bytes, ...]] = frame
    status: Callable[[Obj], bytes] = orjson.dumps

    def error(self, error: errors.ApiError) -> bytes:
        """The event that ends a stream."""
        return b"".join(self.frame("ERROR", self.status(error.status)))


LINES = Framing()


class Form(Struct, frozen=True):
    """How items are encoded for one kind of client. name: equal for equal encodings (served version, view, options).

    encode(item) gives the object's bytes; encode_first, when given, those of the first event of a stream (a Table with
    its columns). lasting: the bytes depend on the item alone and are kept with it (a Table has ages, so it is not).
    """

    name: Hashable
    encode: Callable[[Item], bytes]
    encode_first: Callable[[Item], bytes] | None = None
    lasting: bool = False
    framing: Framing = LINES


class Item:
    """One object at one revision. Shared and read-only; what selection needs is parsed when first asked for."""

    __slots__ = ("_encoded", "_fields", "_fields_of", "_labels", "_value", "key", "name", "namespace", "revision")

    def __init__(self, entry: Entry, namespace: str, name: str, fields_of: Callable[[Obj], Mapping[str, str]]) -> None:
        self.key = entry.key
        self.namespace = namespace
        self.name = name
        self.revision = entry.revision
        self._value = entry.value
        self._fields_of = fields_of
        self._labels: Mapping[str, str] | None = None
        self._fields: Mapping[str, str] | None = None
        self._encoded: dict[Hashable, bytes] | None = None

    @property
    def raw(self) -> bytes:
        """The stored JSON with metadata.resourceVersion."""
        return splice(self._value, self.revision)

    def load(self) -> Obj:
        """A private copy, parsed, with metadata.resourceVersion."""
        obj: Obj = orjson.loads(self._value)
        obj["metadata"]["resourceVersion"] = str(self.revision)
        return obj

    @property
    def labels(self) -> Mapping[str, str]:
        """metadata.labels."""
        if self._labels is None:
            self._parse()
        return self._labels or {}

    def field(self, name: str) -> str:
        """The value a field selector on `name` compares with; "" when there is none."""
        if name == "metadata.name":
            return self.name
        if name == "metadata.namespace":
            return self.namespace
        if self._fields is None:
            self._parse()
        assert self._fields is not None
        return self._fields.get(name, "")

    def encoded(self, form: Form | None) -> bytes:
        """The object's bytes in that form."""
        if form is None:
            return self.raw
        if not form.lasting:
            return form.encode(self)
        if self._encoded is None:
            self._encoded = {}
        found = self._encoded.get(form.name)
        if found is None:
            found = self._encoded[form.name] = form.encode(self)
        return found

    def moved(self, revision: int) -> Item:
        """The same content under another revision: the last state in a DELETED event."""
        item = Item(Entry(self.key, self._value, revision, 0), self.namespace, self.name, self._fields_of)
        item._labels, item._fields = self._labels, self._fields
        return item

    def _parse(self) -> None:
        obj = orjson.loads(self._value)
        self._labels = obj["metadata"].get("labels") or {}
        self._fields = self._fields_of(obj)


class Predicate(Struct, frozen=True):
    """Which items are selected."""

    labels: LabelSelector = EVERYTHING
    fields: FieldSelector = NO_FIELDS

    @property
    def empty(self) -> bool:
        """Selects everything."""
        return self.labels.empty and self.fields.empty

    def matches(self, item: Item) -> bool:
        """Whether the item is selected."""
        if not all((item.field(t.field) == t.value) is t.equal for t in self.fields.terms):
            return False
        return self.labels.empty or self.labels.matches(item.labels)


class Scope(Struct, frozen=True):
    """What a request's path names: "" for all namespaces, "" for all names."""

    namespace: str = ""
    name: str = ""


class Event:
    """One write as watchers see it. item is None for a delete, previous is None for a create."""

    __slots__ = ("_encoded", "_gone", "item", "previous", "revision")

    def __init__(self, revision: int, item: Item | None, previous: Item | None) -> None:
        self.revision = revision
        self.item = item
        self.previous = previous
        self._gone: Item | None = None
        self._encoded: dict[Hashable, bytes] | None = None

    @property
    def namespace(self) -> str:
        """The object's namespace."""
        item = self.item or self.previous
        return item.namespace if item is not None else ""

    @property
    def size(self) -> int:
        """Bytes that only this event keeps alive: the content it replaced."""
        return len(self.previous._value) if self.previous is not None else 0

    def seen_through(self, predicate: Predicate) -> str:
        """The event's type for who watches with that predicate; "" when it is none of their business."""
        now = self.item is not None and predicate.matches(self.item)
        before = self.previous is not None and predicate.matches(self.previous)
        if now:
            return "MODIFIED" if before else "ADDED"
        return "DELETED" if before else ""

    def subject(self, kind: str) -> Item:
        """The item to show: for DELETED the old content with the new revision."""
        if kind != "DELETED":
            assert self.item is not None
            return self.item
        if self._gone is None:
            assert self.previous is not None
            self._gone = self.previous.moved(self.revision)
        return self._gone

    def forget_encoded(self) -> None:
        """Let go of shared bytes; the event stays."""
        self._encoded = None

    def encoded(self, kind: str, form: Form | None) -> bytes:
        """The object's bytes, made once for all watchers of a form."""
        name = (kind == "DELETED", form.name if form else None)
        if self._encoded is None:
            self._encoded = {}
        found = self._encoded.get(name)
        if found is None:
            found = self._encoded[name] = self.subject(kind).encoded(form)
        return found


class Watcher:
    """One subscription: a bounded queue of events. `take` what is there, `wait` for more, `stop` in the end."""

    def __init__(
        self,
        scope: Scope,
        predicate: Predicate,
        form: Form | None,
        *,
        since: int,
        queue: int,
        forget: Callable[[], None],
    ) -> None:
        self.scope = scope
        self.predicate = predicate
        self.form = form
        self.since = since
        self.ended = False
        self._queue: deque[tuple[str, Event]] = deque()
        self._limit = queue
        self._initial: Iterator[Item] = iter(())
        self._tail = b""
        self._framing = form.framing if form else LINES
        self._headed = form is None or form.encode_first is None
        self._waiting: asyncio.Future[None] | None = None
        self._forget = forget

    def begin(self, items: Collection[Item]) -> None:
        """Show these first, as ADDED. Meanwhile every one of them may change: a watch of very many would never begin,
        if those changes were too many for it.
        """
        self._initial = iter(items)
        self._limit = max(self._limit, len(items))

    def offer(self, event: Event) -> None:
        """Queue an event if it is selected; a full queue ends the watcher."""
        if self.ended or event.revision <= self.since:
            return
        if self.scope.namespace and event.namespace != self.scope.namespace:
            return
        kind = event.seen_through(self.predicate)
        if not kind:
            return
        if len(self._queue) >= self._limit:
            self.end()
            return
        self._queue.append((kind, event))
        self._wake()

    def end(self, error: errors.ApiError | None = None) -> None:
        """No more events: what is queued is still taken, then the error's Status, if any."""
        if self.ended:
            return
        self.ended = True
        if error is not None:
            self._tail = self._framing.error(error)
        self._forget()
        self._wake()

    stop = end

    def take_initial(self) -> bytes:
        """The next chunk of the initial events; b"" when all have been taken."""
        parts: list[bytes] = []
        size, frame = 0, self._framing.frame
        for item in self._initial:
            if self.predicate.matches(item):
                body = self._body(item)
                parts += frame("ADDED", body)
                size += len(body)
                if size >= CHUNK:
                    break
        return b"".join(parts)

    def take(self) -> bytes:
        """The queued events as one chunk of about CHUNK bytes; b"" when there are none."""
        parts: list[bytes] = []
        size, frame = 0, self._framing.frame
        while self._queue and size < CHUNK:
            kind, event = self._queue.popleft()
            body = event.encoded(kind, self.form) if self._headed else self._body(event.subject(kind))
            parts += frame(kind, body)
            size += len(body)
        if not self._queue and self._tail:
            parts.append(self._tail)
            self._tail = b""
        return b"".join(parts)

    def bookmark(self, item: Item) -> bytes:
        """A BOOKMARK frame around an item made by WatchCache.bookmark."""
        return b"".join(self._framing.frame("BOOKMARK", self._body(item)))

    @property
    def pending(self) -> bool:
        """There is something to take."""
        return bool(self._queue or self._tail)

    async def wait(self, until: float) -> None:
        """Return when there is something to take, when the watcher has ended, or at the loop's time `until`."""
        if self.pending or self.ended:
            return
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        try:
            async with asyncio.timeout_at(until):
                await self._waiting
        except TimeoutError:
            pass
        finally:
            self._waiting = None

    def _body(self, item: Item) -> bytes:
        if self._headed:
            return item.encoded(self.form)
        self._headed = True
        assert self.form is not None
        assert self.form.encode_first is not None
        return self.form.encode_first(item)

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


def splice(value: bytes, revision: int) -> bytes:
    """Stored JSON with `"resourceVersion":"<revision>"` put first into the object's metadata."""
    at = value.index(_METADATA) + len(_METADATA)
    comma = b"" if value[at : at + 1] == b"}" else b","
    return b'%b"resourceVersion":"%d"%b%b' % (value[:at], revision, comma, value[at:])
