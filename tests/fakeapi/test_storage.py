"""One suite over every backend: what base.py promises."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakeapi.storage.base import (
    Change,
    Compacted,
    Conflict,
    Entry,
    FutureRevision,
    KeyExists,
    KeyMissing,
    Storage,
    StorageError,
)
from fakeapi.storage.memory import MemoryStorage
from fakeapi.storage.sqlite import FILE, SqliteStorage, StoreInUse
from tests.fakeapi.storage_backends import UNHEALTHY, Backend


class Recorder:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.resets: list[tuple[Sequence[Entry], int]] = []

    def changed(self, change: Change) -> None:
        self.changes.append(change)

    def replaced(self, entries: Sequence[Entry], revision: int) -> None:
        self.resets.append((entries, revision))


def test_a_key_lives_and_dies(backend: Backend) -> None:
    async def test(s: Storage, p: str) -> None:
        before = await s.revision()
        a = await s.create(p + "a", b"1")
        assert (a.revision, a.created) == (before + 1, before + 1)
        b = await s.update(p + "a", b"2", expected=a.revision)
        assert (b.value, b.revision, b.created) == (b"2", a.revision + 1, a.revision)
        assert await s.get(p + "a") == b
        gone = await s.delete(p + "a", expected=b.revision)
        assert gone == Entry(p + "a", b"2", b.revision + 1, a.revision)
        assert await s.get(p + "a") is None
        assert await s.revision() == gone.revision

    backend.run(test)


def test_compare_and_swap(backend: Backend) -> None:
    async def test(s: Storage, p: str) -> None:
        a = await s.create(p + "a", b"1")
        with pytest.raises(KeyExists):
            await s.create(p + "a", b"2")
        b = await s.update(p + "a", b"2", expected=a.revision)
        for write in (s.update(p + "a", b"3", expected=a.revision), s.delete(p + "a", expected=a.revision)):
            with pytest.raises(Conflict) as caught:
                await write
            assert caught.value.current == b
        for missing in (s.update(p + "x", b"3", expected=7), s.delete(p + "x"), s.delete(p + "x", expected=7)):
            with pytest.raises(KeyMissing):
                await missing
        await s.delete(p + "a")
        assert await s.revision() == b.revision + 1

    backend.run(test)


def test_lists_are_ordered_by_bytes_and_cut(backend: Backend) -> None:
    async def test(s: Storage, p: str) -> None:
        names = ["a/b", "a-b/x", "a.b/x", "z", "b/1", "b/10", "b/2", "ab/é"]
        for name in names:
            await s.create(p + name, name.encode())
        keys = sorted((p + n for n in names), key=str.encode)
        whole = await s.list(p)
        assert [e.key for e in whole.entries] == keys
        assert (whole.more, whole.remaining, whole.revision) == (False, 0, await s.revision())
        page = await s.list(p, limit=3)
        assert ([e.key for e in page.entries], page.more, page.remaining) == (keys[:3], True, 5)
        page = await s.list(p, after=keys[4], limit=3)
        assert ([e.key for e in page.entries], page.more, page.remaining) == (keys[5:], False, 0)
        assert [e.key for e in (await s.list(p + "b/")).entries] == [p + "b/1", p + "b/10", p + "b/2"]
        assert (await s.list(p + "none/")).entries == []

    backend.run(test)


def test_lists_at_an_older_revision(backend: Backend) -> None:
    async def test(s: Storage, p: str) -> None:
        a = await s.create(p + "a", b"1")
        b = await s.create(p + "b", b"1")
        await s.create(p + "c", b"1")
        then = await s.revision()
        await s.update(p + "a", b"2", expected=a.revision)
        await s.delete(p + "b")
        await s.create(p + "b", b"new")
        await s.create(p + "aa", b"1")
        await s.delete(p + "c")
        page = await s.list(p, revision=then)
        assert ([e.value for e in page.entries], page.revision) == ([b"1", b"1", b"1"], then)
        page = await s.list(p, revision=then, limit=1)
        assert (page.entries, page.more, page.remaining) == ([a], True, 2)
        page = await s.list(p, revision=then, limit=1, after=p + "a")
        assert (page.entries, page.more, page.remaining) == ([b], True, 1)
        with pytest.raises(FutureRevision):
            await s.list(p, revision=await s.revision() + 1000)

    backend.run(test)


def test_compaction(backend: Backend) -> None:
    async def test(s: Storage, p: str) -> None:
        a = await s.create(p + "a", b"1")
        b = await s.update(p + "a", b"2", expected=a.revision)
        c = await s.update(p + "a", b"3", expected=b.revision)
        await s.compact(b.revision)
        assert (await s.list(p, revision=b.revision)).entries == [b]
        assert (await s.list(p)).entries == [c]
        with pytest.raises(Compacted):
            await s.list(p, revision=a.revision)
        with pytest.raises(Compacted):
            async for _ in s.watch(p, revision=a.revision - 1):
                pass

    backend.run(test)


async def _watched(s: Storage, prefix: str, revision: int, count: int) -> list[Change]:
    found: list[Change] = []
    async for batch in s.watch(prefix, revision=revision):
        found += batch
        if len(found) >= count:
            break
    return found


def test_watches_from_a_revision(backend: Backend) -> None:
    async def test(s: Storage, p: str) -> None:
        a = await s.create(p + "a", b"1")
        reader = asyncio.create_task(_watched(s, p, a.revision, 3))
        b = await s.update(p + "a", b"2", expected=a.revision)
        await s.create(p[:-1] + "-other/x", b"")
        await asyncio.sleep(0)
        gone = await s.delete(p + "a")
        c = await s.create(p + "c", b"3")
        found = await reader
        assert [(x.key, x.revision, x.entry) for x in found] == [
            (p + "a", b.revision, b),
            (p + "a", gone.revision, None),
            (p + "c", c.revision, c),
        ]
        assert [x.previous.value if x.previous else None for x in found] == [b"1", b"2", None]

    backend.run(test)


def test_listeners_know_when_a_write_returns(backend: Backend) -> None:
    async def test(s: Storage, p: str) -> None:
        told = Recorder()
        stop = s.listen(p, told)
        a = await s.create(p + "n/a", b"1")
        assert [x.entry for x in told.changes] == [a]
        await s.create(p[:-1] + "x/a", b"1")
        await s.delete(p + "n/a")
        assert [x.entry for x in told.changes] == [a, None]
        assert await s.settle() == await s.revision()
        stop()
        await s.create(p + "n/b", b"1")
        assert len(told.changes) == 2

    backend.run(test)


def test_two_servers_on_one_etcd(etcd_url: str, tmp_path: Path) -> None:
    backend = Backend("etcd", tmp_path, etcd_url)

    async def test(one: Storage, p: str) -> None:
        async with backend.opened() as other:
            told = Recorder()
            other.listen(p, told)
            for i in range(20):
                a = await one.create(f"{p}{i}", b"1")
                assert await other.settle() >= a.revision
                assert told.changes[-1].entry == a
            # Writes elsewhere move the revision on, with nothing to tell.
            async with aiohttp.ClientSession() as http, http.post(etcd_url + "/v3/kv/put", json={"key": "L3g="}) as put:
                assert put.status == 200
            assert await other.settle() == await one.revision()

    backend.run(test)


def test_sqlite_survives_kill(tmp_path: Path) -> None:
    """Every write that was answered is there after kill -9, and the revision goes on."""
    script = (
        "import asyncio, sys\n"
        "from fakeapi.storage.sqlite import SqliteStorage\n"
        "async def main():\n"
        "    s = SqliteStorage(sys.argv[1])\n"
        "    for i in range(1_000_000):\n"
        "        e = await s.create(f'/registry/x/{i}', b'v%d' % i)\n"
        "        print(e.revision, flush=True)\n"
        "asyncio.run(main())\n"
    )
    path = tmp_path / FILE
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        answered = [int(process.stdout.readline()) for _ in range(200)]
        with pytest.raises(StoreInUse):
            SqliteStorage(path)
        process.send_signal(signal.SIGKILL)
        answered += [int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]

    async def check() -> None:
        s = SqliteStorage(path)
        found = {e.revision for e in (await s.list("/registry/x/")).entries}
        assert set(answered) <= found
        assert await s.revision() >= answered[-1]
        with pytest.raises(Compacted):
            await s.list("/registry/x/", revision=answered[0])
        await s.close()

    asyncio.run(check())


@pytest.mark.parametrize("name", ["memory", "sqlite"])
def test_replace_keeps_revisions_and_goes_on(name: str, tmp_path: Path) -> None:
    backend = Backend(name, tmp_path, "")

    async def test(s: Storage, p: str) -> None:
        assert isinstance(s, MemoryStorage)
        a = await s.create(p + "a", b"1")
        kept = list(s.entries())
        await s.delete(p + "a")
        await s.create(p + "b", b"1")
        told = Recorder()
        s.listen(p, told)
        before = await s.revision()
        s.replace(kept)
        assert await s.revision() > before
        assert (await s.list(p)).entries == [a]
        assert told.resets == [([a], await s.revision())]
        with pytest.raises(Compacted):
            await s.list(p, revision=before)
        if name == "sqlite":
            await s.close()
            async with backend.opened() as again:
                assert (await again.list(p)).entries == [a]
                assert await again.revision() > before

    backend.run(test)


def test_memory_history_is_bounded() -> None:
    async def main() -> None:
        s = MemoryStorage(history=10)
        for i in range(30):
            await s.create(f"/x/{i:02}", b"")
        newest = await s.revision()
        assert len((await s.list("/x/", revision=newest - 10)).entries) == 20
        with pytest.raises(Compacted):
            await s.list("/x/", revision=newest - 11)

    asyncio.run(main())


# Random histories against a dict

_KEYS = st.sampled_from(["a", "b", "b/c", "b-c", "d"])
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), _KEYS),
        st.tuples(st.just("update"), _KEYS),
        st.tuples(st.just("delete"), _KEYS),
        st.tuples(st.just("page"), st.integers(1, 3)),
        st.tuples(st.just("compact"), st.integers(0, 5)),
    ),
    max_size=40,
)


class Model:
    """What a store must be: every state it ever had, by revision."""

    def __init__(self, revision: int) -> None:
        self.states: dict[int, dict[str, Entry]] = {revision: {}}
        self.revision = revision
        self.compacted = 0

    @property
    def now(self) -> dict[str, Entry]:
        return self.states[self.revision]

    def put(self, revision: int, key: str, entry: Entry | None) -> None:
        assert revision == self.revision + 1
        state = dict(self.now)
        if entry is None:
            del state[key]
        else:
            state[key] = entry
        self.states[revision] = state
        self.revision = revision


async def _pages(s: Storage, p: str, revision: int, limit: int) -> list[Entry]:
    found: list[Entry] = []
    after = ""
    while True:
        page = await s.list(p, revision=revision, after=after, limit=limit)
        found += page.entries
        assert page.more == (page.remaining > 0)
        if not page.more:
            return found
        after = page.entries[-1].key


async def _step(s: Storage, p: str, model: Model, verb: str, argument: str | int, value: bytes) -> None:
    key = f"{p}{argument}"
    known = model.now.get(key)
    try:
        if verb == "create":
            made = await s.create(key, value)
            assert known is None
            assert made == Entry(key, value, model.revision + 1, model.revision + 1)
            model.put(made.revision, key, made)
        elif verb == "update":
            made = await s.update(key, value, expected=known.revision if known else 1)
            assert known is not None
            assert made == Entry(key, value, model.revision + 1, known.created)
            model.put(made.revision, key, made)
        elif verb == "delete":
            gone = await s.delete(key)
            assert known is not None
            assert gone == Entry(key, known.value, model.revision + 1, known.created)
            model.put(gone.revision, key, None)
        elif verb == "compact":
            model.compacted = max(model.compacted, model.revision - int(argument))
            await s.compact(model.revision - int(argument))
        else:
            for revision in [r for r in model.states if r >= model.compacted][-4:]:
                expected = [model.states[revision][k] for k in sorted(model.states[revision])]
                assert await _pages(s, p, revision, int(argument)) == expected
    except KeyExists:
        assert known is not None
    except KeyMissing:
        assert known is None
    except Compacted:
        # etcd refuses to compact what is compacted already.
        assert verb == "compact"


async def _history(s: Storage, p: str, steps: list[tuple[str, str | int]]) -> None:
    start = await s.revision()
    model = Model(start)
    told = Recorder()
    stop = s.listen(p, told)
    for i, (verb, argument) in enumerate(steps):
        await _step(s, p, model, verb, argument, str(i).encode())
    stop()
    # No change lost, doubled or out of order, whoever is told.
    writes = sorted(model.states)[1:]
    assert [c.revision for c in told.changes] == writes
    for change in told.changes:
        assert change.entry == model.states[change.revision].get(change.key)
    since = max(model.compacted, start)
    expected = [c for c in told.changes if c.revision > since]
    if expected:
        seen = await _watched(s, p, since, len(expected))
        assert [(c.key, c.revision, c.entry) for c in seen] == [(c.key, c.revision, c.entry) for c in expected]
    assert (await s.list(p)).entries == [model.now[k] for k in sorted(model.now)]


@settings(max_examples=60, deadline=None, suppress_health_check=UNHEALTHY)
@given(steps=_STEPS)
def test_any_history(backend: Backend, steps: list[tuple[str, str | int]]) -> None:
    backend.run(lambda s, p: _history(s, p, steps))


def test_errors_are_storage_errors() -> None:
    assert all(issubclass(e, StorageError) for e in (KeyExists, KeyMissing, Conflict, Compacted, FutureRevision))
