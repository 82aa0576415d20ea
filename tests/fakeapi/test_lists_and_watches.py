"""Whatever is written, listed, watched and compacted in whatever order: clients see what a dict would hold.

On every store, through the watch cache: pages are of one revision while writes go on between them; a watch from any
revision tells each later change once and in order, or that it is too late; a list is what the last write left.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from fakeapi.errors import ApiError
from fakeapi.paging import ListOptions, list_items
from fakeapi.storage.base import Compacted, Storage
from fakeapi.watchcache import TooOld, WatchCache
from fakeapi.watchevents import Predicate, Scope, Watcher
from tests.fakeapi.storage_backends import UNHEALTHY, Backend

_NAMES = st.sampled_from(("a", "b", "c", "d"))
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(("put", "put", "put", "drop")), _NAMES),
        st.tuples(st.just("page"), st.integers(1, 3)),
        st.tuples(st.just("resume"), st.integers(0, 12)),
        st.tuples(st.just("take"), st.just(0)),
        st.tuples(st.just("compact"), st.integers(0, 6)),
    ),
    max_size=50,
)
State = dict[str, int]  # name -> the revision it was written at


@dataclass
class Model:
    """Every state there was, by revision, and what changed at each."""

    start: int
    states: dict[int, State] = field(default_factory=dict)
    log: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def now(self) -> State:
        return self.states[max(self.states)]

    def write(self, revision: int, name: str, gone: bool) -> None:
        state = dict(self.now)
        kind = "DELETED" if gone else "MODIFIED" if name in state else "ADDED"
        if gone:
            del state[name]
        else:
            state[name] = revision
        self.states[revision] = state
        self.log.append((revision, kind, name))

    def at(self, revision: int) -> State:
        """The state that a revision shows: that of the newest write up to it."""
        return self.states[max(r for r in self.states if r <= revision)]

    def since(self, revision: int) -> list[tuple[int, str, str]]:
        return [event for event in self.log if event[0] > revision]


class Play:
    """A cache over a store, a client that pages, and clients that watch from some revision on."""

    def __init__(self, storage: Storage, cache: WatchCache, prefix: str, start: int) -> None:
        self.storage, self.cache, self.prefix = storage, cache, prefix
        self.model = Model(start, {start: {}})
        self.compacted = 0
        self.token, self.revision, self.seen = "", 0, {}  # type: str, int, State
        self.watches: list[tuple[int, Watcher, list[tuple[int, str, str]]]] = []

    async def step(self, verb: str, argument: str | int) -> None:
        await getattr(self, verb)(argument)

    async def put(self, name: str) -> None:
        key = f"{self.prefix}ns/{name}"
        value = orjson.dumps({"metadata": {"name": name, "namespace": "ns"}})
        known = self.model.now.get(name)
        entry = await (self.storage.update(key, value, expected=known) if known else self.storage.create(key, value))
        self.model.write(entry.revision, name, gone=False)

    async def drop(self, name: str) -> None:
        if name in self.model.now:
            gone = await self.storage.delete(f"{self.prefix}ns/{name}")
            self.model.write(gone.revision, name, gone=True)

    async def page(self, limit: int) -> None:
        """The next page of a list that goes on whatever is written in between."""
        begun = self.token != ""
        try:
            page = await list_items(self.cache, "ns", ListOptions(limit=limit, continue_=self.token))
        except ApiError as error:
            self._expired(error.code if begun else 0)
            return
        if not begun:
            self.revision, self.seen = page.revision, {}
            assert self.model.at(page.revision) == self.model.now
        found = {item.name: item.revision for item in page.items}
        assert list(found) == sorted(found)
        assert not self.seen or min(found, default="~") > max(self.seen)
        self.seen |= found
        self.token = page.continue_
        if not self.token:
            assert self.seen == self.model.at(self.revision)

    def _expired(self, code: int) -> None:
        """Only what was compacted cannot be gone on with."""
        assert (code, self.revision < self.compacted) == (410, True)
        self.token = ""

    async def resume(self, back: int) -> None:
        """Watch from one of the last revisions on."""
        revision = max(self.model.start, max(self.model.states) - back)
        try:
            watcher = self.cache.watch(Scope("ns"), Predicate(), revision=revision)
        except TooOld:
            assert revision < self.compacted
            return
        self.watches.append((revision, watcher, []))

    async def take(self, _: int = 0) -> None:
        for _, watcher, told in self.watches:
            for line in watcher.take().splitlines():
                event = orjson.loads(line)
                metadata = event["object"]["metadata"]
                told.append((int(metadata["resourceVersion"]), event["type"], metadata["name"]))

    async def compact(self, back: int) -> None:
        revision = max(self.model.states) - back
        try:
            await self.storage.compact(revision)
        except Compacted:
            return  # etcd refuses to compact what is compacted already
        self.compacted = max(self.compacted, revision)

    async def end(self) -> None:
        """Nothing was lost, doubled or told out of order."""
        await self.storage.settle()
        await self.take()
        for revision, watcher, told in self.watches:
            assert told == self.model.since(revision)
            watcher.stop()
        held = (await list_items(self.cache, "ns", ListOptions())).items
        assert {item.name: item.revision for item in held} == self.model.now


@settings(max_examples=50, deadline=None, suppress_health_check=UNHEALTHY)
@given(steps=_STEPS)
def test_any_interleaving_on_every_store(backend: Backend, steps: list[tuple[str, str | int]]) -> None:
    async def test(storage: Storage, prefix: str) -> None:
        cache = WatchCache(storage, prefix, namespaced=True, history=1000, queue=1000)
        await cache.start()
        play = Play(storage, cache, prefix, await storage.revision())
        for verb, argument in steps:
            await play.step(verb, argument)
        await play.end()
        cache.stop()
        await asyncio.sleep(0)

    backend.run(test)
