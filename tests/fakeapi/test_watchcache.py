"""The watch cache and watch streams on the memory store: reads, selector transitions, ends, bookmarks, indexes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakeapi import watch as watch_module
from fakeapi.errors import ApiError
from fakeapi.paging import ListOptions, decode_options, list_items
from fakeapi.selectors import parse_fields, parse_labels
from fakeapi.storage.memory import MemoryStorage
from fakeapi.watch import open_watch
from fakeapi.watchcache import TooOld, WatchCache
from fakeapi.watchevents import Form, Item, Predicate, Scope, splice

PREFIX = "/registry/pods/"
EMPTY = {"kind": "Pod", "apiVersion": "v1", "metadata": {}, "spec": {"containers": None}, "status": {}}


def pod(name: str, namespace: str = "ns", labels: dict[str, str] | None = None, node: str = "") -> bytes:
    """A stored Pod."""
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if labels:
        metadata["labels"] = labels
    return orjson.dumps({"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": {"nodeName": node}})


def run(test: Callable[[MemoryStorage, WatchCache], Awaitable[None]], history: int = 100, queue: int = 100) -> None:
    """Run a test's coroutine with a started cache of pods."""

    async def main() -> None:
        storage = MemoryStorage()
        cache = WatchCache(
            storage,
            PREFIX,
            namespaced=True,
            fields=lambda obj: {"spec.nodeName": obj["spec"].get("nodeName", "")},
            index="spec.nodeName",
            empty=EMPTY,
            history=history,
            queue=queue,
        )
        await cache.start()
        await asyncio.wait_for(test(storage, cache), 90)
        cache.stop()
        assert cache.watchers == 0

    asyncio.run(main())


def selecting(labels: str = "", fields: str = "") -> Predicate:
    """A predicate from the texts of a query."""
    return Predicate(parse_labels(labels), parse_fields(fields))


def parsed(data: bytes) -> list[tuple[str, str, str]]:
    """(type, name, resourceVersion) of each frame."""
    events = [orjson.loads(line) for line in data.splitlines()]
    return [
        (e["type"], e["object"]["metadata"].get("name", ""), e["object"]["metadata"]["resourceVersion"]) for e in events
    ]


async def put(
    s: MemoryStorage, name: str, *, labels: dict[str, str] | None = None, node: str = "", ns: str = "ns"
) -> int:
    """Create or replace a pod; its new revision."""
    key = f"{PREFIX}{ns}/{name}"
    known = await s.get(key)
    value = pod(name, ns, labels, node)
    entry = await (s.update(key, value, expected=known.revision) if known else s.create(key, value))
    return entry.revision


async def drop(s: MemoryStorage, name: str, ns: str = "ns") -> int:
    """Delete a pod; the delete's revision."""
    return (await s.delete(f"{PREFIX}{ns}/{name}")).revision


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'{"kind":"A","metadata":{"name":"x"},"spec":{"metadata":{}}}', {"name": "x", "resourceVersion": "7"}),
        (b'{"metadata":{},"kind":"A"}', {"resourceVersion": "7"}),
        (b'{"kind":"\\"metadata\\":{","metadata":{"name":"y"}}', {"name": "y", "resourceVersion": "7"}),
    ],
)
def test_splice(value: bytes, expected: dict[str, str]) -> None:
    assert orjson.loads(splice(value, 7))["metadata"] == expected


def test_reads_see_writes_at_once() -> None:
    async def test(s: MemoryStorage, c: WatchCache) -> None:
        rev = await put(s, "a", labels={"x": "1"})
        item = c.get(c.key("ns", "a"))
        assert item is not None
        assert (item.revision, item.namespace, item.name, item.labels) == (rev, "ns", "a", {"x": "1"})
        assert orjson.loads(item.raw) == item.load()
        await put(s, "b", ns="ns-2")
        await put(s, "c", node="n1")
        names = lambda found: [i.name for i in found.items]  # noqa: E731
        assert names(c.list()) == ["b", "a", "c"]
        assert names(c.list("ns")) == ["a", "c"]
        assert names(c.list("ns", selecting("x=1"))) == ["a"]
        assert names(c.list("", selecting(fields="spec.nodeName=n1"))) == ["c"]
        assert names(c.list("", selecting(fields="spec.nodeName="))) == ["b", "a"]
        assert names(c.list("ns", selecting(fields="metadata.name!=a"))) == ["c"]
        assert names(c.list("ns-2", selecting(fields="spec.nodeName=n1"))) == []
        await drop(s, "a")
        assert c.get(c.key("ns", "a")) is None
        assert names(c.list("ns")) == ["c"]

    run(test)


def test_selector_transitions() -> None:
    async def test(s: MemoryStorage, c: WatchCache) -> None:
        start = await s.revision()
        live = c.watch(Scope("ns"), selecting("x=1"), revision=start)
        enters = await put(s, "a", labels={"x": "1"})
        stays = await put(s, "a", labels={"x": "1", "y": "2"})
        leaves = await put(s, "a", labels={"x": "2"})
        await put(s, "a", labels={"x": "3"})
        again = await put(s, "a", labels={"x": "1"})
        gone = await drop(s, "a")
        await put(s, "a", labels={"x": "1"}, ns="other")
        expected = [
            ("ADDED", "a", str(enters)),
            ("MODIFIED", "a", str(stays)),
            ("DELETED", "a", str(leaves)),
            ("ADDED", "a", str(again)),
            ("DELETED", "a", str(gone)),
        ]
        data = live.take()
        assert parsed(data) == expected
        left = orjson.loads(data.splitlines()[2])["object"]["metadata"]
        assert left["labels"] == {"x": "1", "y": "2"}
        # From history the same, byte for byte.
        assert c.watch(Scope("ns"), selecting("x=1"), revision=start).take() == data
        assert parsed(c.watch(Scope("ns"), selecting("x=1"), revision=leaves).take()) == expected[3:]

    run(test)


@pytest.mark.parametrize(
    ("scope", "fields", "expected"),
    [
        (Scope(), "", ["a", "b", "c", "b"]),
        (Scope("ns"), "", ["a", "b", "b"]),
        (Scope("ns", "b"), "", ["b", "b"]),
        (Scope(), "metadata.name=b", ["b", "b"]),
        (Scope("two"), "metadata.name=b", []),
        (Scope(), "metadata.namespace=two", ["c"]),
        (Scope(), "spec.nodeName=n1", ["a", "b"]),
        (Scope("two"), "spec.nodeName=n1", []),
        (Scope(), "spec.nodeName=", ["b", "c", "b"]),
        (Scope(), "spec.nodeName!=n1", ["b", "c", "b"]),
    ],
)
def test_indexes_miss_nothing(scope: Scope, fields: str, expected: list[str]) -> None:
    async def test(s: MemoryStorage, c: WatchCache) -> None:
        start = await s.revision()
        live = c.watch(scope, selecting(fields=fields), revision=start)
        await put(s, "a", node="n1")
        await put(s, "b")
        await put(s, "c", ns="two")
        await put(s, "b", node="n1")
        assert [name for _, name, _ in parsed(live.take())] == expected
        assert [
            name for _, name, _ in parsed(c.watch(scope, selecting(fields=fields), revision=start).take())
        ] == expected
        initial = c.watch(scope, selecting(fields=fields), revision=0, initial=True)
        found = {i.name for i in c.list(scope.namespace, selecting(fields=fields)).items}
        if not scope.name:
            assert {name for _, name, _ in parsed(initial.take_initial())} == found

    run(test)


def test_everything_may_change_while_it_is_shown() -> None:
    async def test(s: MemoryStorage, c: WatchCache) -> None:
        names = [f"p{i}" for i in range(30)]
        for name in names:
            await put(s, name)
        watcher = c.watch(Scope(), revision=0, initial=True)
        changed = [await put(s, name) for name in names]
        assert not watcher.ended
        assert [name for _, name, _ in parsed(watcher.take_initial())] == sorted(names)
        assert [int(revision) for _, _, revision in parsed(watcher.take())] == changed
        for name in [*names, "one more"]:
            await put(s, name)
        assert watcher.ended

    run(test, queue=10)


def test_history_and_queue_are_bounded() -> None:
    async def test(s: MemoryStorage, c: WatchCache) -> None:
        start = await s.revision()
        slow = c.watch(Scope(), revision=start)
        revisions = [await put(s, f"p{i}") for i in range(20)]
        assert slow.ended
        assert len(parsed(slow.take())) == 10
        with pytest.raises(TooOld) as caught:
            c.watch(Scope(), revision=start)
        assert caught.value.oldest == revisions[4]
        assert len(parsed(c.watch(Scope(), revision=revisions[4]).take())) <= 15
        assert c.watch(Scope(), revision=revisions[-1] + 50).take() == b""

    run(test, history=15, queue=10)


def test_replace_ends_watches_with_410() -> None:
    async def test(s: MemoryStorage, c: WatchCache) -> None:
        rev = await put(s, "a")
        kept = list(s.entries())
        await drop(s, "a")
        live = c.watch(Scope(), revision=await s.revision())
        s.replace(kept)
        assert live.ended
        (frame,) = [orjson.loads(x) for x in live.take().splitlines()]
        assert (frame["type"], frame["object"]["code"]) == ("ERROR", 410)
        assert [i.revision for i in c.list().items] == [rev]
        assert await c.fresh() > rev + 1
        with pytest.raises(TooOld):
            c.watch(Scope(), revision=rev + 1)

    run(test)


def test_forms_are_made_once_for_all() -> None:
    made: list[int] = []

    def encode(item: Item) -> bytes:
        made.append(item.revision)
        return orjson.dumps({"metadata": {"resourceVersion": str(item.revision)}})

    async def test(s: MemoryStorage, c: WatchCache) -> None:
        start = await s.revision()
        table = Form("table", encode, lambda item: b'{"columns":1,"metadata":{"resourceVersion":"%d"}}' % item.revision)
        watchers = [c.watch(Scope(), revision=start, form=table) for _ in range(3)]
        await put(s, "a")
        second = await put(s, "a")
        chunks = [w.take() for w in watchers]
        assert chunks[0] == chunks[1] == chunks[2]
        assert chunks[0].count(b"columns") == 1
        assert made == [second]

    run(test)


async def stream(c: WatchCache, query: dict[str, str], scope: Scope = Scope("ns")) -> list[dict[str, Any]]:  # noqa: B008
    """All events of a watch request, read to its end."""
    data = b"".join([chunk async for chunk in open_watch(c, scope, decode_options(query | {"watch": "1"}))])
    return [orjson.loads(line) for line in data.splitlines()]


def _short(events: list[dict[str, Any]]) -> list[str]:
    return [f"{e['type']} {e['object']['metadata'].get('name', '')}".strip() for e in events]


def test_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    # So that the last bookmark comes soon, and long before the deadline of 2 s that ends each stream.
    monkeypatch.setattr(watch_module, "LAST_BOOKMARK_SECONDS", 1.9)
    monkeypatch.setattr("fakeapi.watchcache.FRESH_SECONDS", 0.05)
    brief = {"timeoutSeconds": "2"}
    marks = {"allowWatchBookmarks": "true"}
    initial = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    no_initial = {"sendInitialEvents": "false", "resourceVersionMatch": "NotOlderThan"}

    async def test(s: MemoryStorage, c: WatchCache) -> None:
        first = await put(s, "a")
        await put(s, "b")
        later = str(first)
        cases: list[tuple[dict[str, str], list[str]]] = [
            ({}, ["ADDED a", "ADDED b"]),
            ({"resourceVersion": "0"}, ["ADDED a", "ADDED b"]),
            ({"resourceVersion": later}, ["ADDED b"]),
            (marks, ["ADDED a", "ADDED b", "BOOKMARK", "BOOKMARK"]),
            (initial, ["ADDED a", "ADDED b"]),
            (initial | marks | {"resourceVersion": later}, ["ADDED a", "ADDED b", "BOOKMARK", "BOOKMARK"]),
            (no_initial | marks, ["BOOKMARK"]),
            (no_initial | {"resourceVersion": "0"}, []),
            (no_initial | {"resourceVersion": later}, ["ADDED b"]),
            ({"resourceVersion": "1", "labelSelector": "x=1"}, []),
            (initial | {"resourceVersion": "999999"}, ["ERROR"]),
        ]
        found = await asyncio.gather(*(stream(c, brief | query) for query, _ in cases))
        assert [_short(events) for events in found] == [expected for _, expected in cases]
        end, mark = found[3][2:]
        assert end["object"] == EMPTY | {
            "metadata": {"annotations": {"k8s.io/initial-events-end": "true"}, "resourceVersion": str(c.revision)}
        }
        assert mark["object"]["metadata"] == {"resourceVersion": str(c.revision)}
        assert found[-1][0]["object"]["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"

    run(test)


def test_stream_errors_and_ends() -> None:
    async def test(s: MemoryStorage, c: WatchCache) -> None:
        for i in range(30):
            await put(s, f"p{i}")
        (error,) = await stream(c, {"resourceVersion": "2"})
        assert error["type"] == "ERROR"
        assert error["object"]["code"] == 410
        assert error["object"]["message"].startswith("too old resource version: 2 (")
        with pytest.raises(ApiError) as caught:
            open_watch(c, Scope(), ListOptions(resource_version="abc", watch=True))
        assert caught.value.code == 500
        reading = asyncio.create_task(stream(c, {"resourceVersion": str(c.revision)}))
        while not c.watchers:
            await asyncio.sleep(0)
        await put(s, "last")
        c.stop()
        assert _short(await reading) == ["ADDED last"]

    run(test, history=10)


# Whatever happens, a client that lists, watches, reconnects and pages sees what a dict would hold.

_OPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "put", "drop", "take", "relist", "reconnect"]),
        st.sampled_from(["a", "b", "c-d", "c"]),
        st.sampled_from([{}, {"x": "1"}, {"x": "2"}]),
        st.sampled_from(["", "n1", "n2"]),
    ),
    max_size=60,
)


class Client:
    """An informer: a dict kept by list and watch."""

    def __init__(self, cache: WatchCache, query: dict[str, str]) -> None:
        self.cache = cache
        self.options = decode_options(query)
        self.known: dict[str, str] = {}
        self.revision = 0

    async def relist(self) -> None:
        self.known = {}
        token = ""
        while True:
            page = await list_items(
                self.cache,
                "ns",
                ListOptions(limit=2, continue_=token, labels=self.options.labels, fields=self.options.fields),
            )
            for item in page.items:
                assert item.name not in self.known
                self.known[item.name] = str(item.revision)
            token = page.continue_
            if not token:
                break
        self.connect(page.revision)

    def connect(self, revision: int) -> None:
        self.revision = revision
        self.watcher = self.cache.watch(Scope("ns"), self.options.predicate, revision=revision)

    def take(self) -> None:
        for kind, name, revision in parsed(self.watcher.take()):
            assert int(revision) > self.revision
            self.revision = int(revision)
            assert (name in self.known) == (kind != "ADDED")
            if kind == "DELETED":
                del self.known[name]
            else:
                self.known[name] = revision


@settings(max_examples=150, deadline=None)
@given(
    ops=_OPS,
    query=st.sampled_from(
        [{}, {"labelSelector": "x=1"}, {"fieldSelector": "spec.nodeName=n1"}, {"fieldSelector": "metadata.name!=a"}]
    ),
)
def test_any_interleaving(ops: list[tuple[str, str, dict[str, str], str]], query: dict[str, str]) -> None:
    async def test(s: MemoryStorage, c: WatchCache) -> None:
        client = Client(c, query)
        await client.relist()
        for verb, name, labels, node in ops:
            if verb == "put":
                await put(s, name, labels=labels, node=node)
            elif verb == "drop" and c.get(c.key("ns", name)):
                await drop(s, name)
            elif verb == "take":
                client.take()
            elif verb == "relist":
                await client.relist()
            elif verb == "reconnect":
                client.connect(client.revision)
        client.take()
        held = {i.name: str(i.revision) for i in map(c.item, s.entries()) if client.options.predicate.matches(i)}
        assert client.known == held

    run(test, history=1000, queue=1000)
