"""A real etcd v3 server as the store, spoken to through its JSON gateway.

Stands for apiserver's pkg/storage/etcd3: a write is a transaction that compares the key's mod revision, a read is a
range, resourceVersion is etcd's revision; keys are upstream's, values JSON. Several servers on one etcd are one
cluster.

One watch over ROOT (a WebSocket to /v3/watch) feeds every listener. A write returns when the watch has brought it back,
so whoever writes through this object finds it in the watch caches; settle() asks etcd for its revision and, when the
watch is behind, for progress. A lost connection is taken up where it broke; if etcd has compacted that revision
meanwhile, listeners are told to start over.

Leaves out: leases (Events keep their own time to live), compaction every five minutes (etcd's --auto-compaction-mode
does it), client certificates.

Before 3.4.25 etcd's progress answer may overtake events (etcd issue 15220), above all while a watch catches up; hence
an answer counts when the next one has come, and none for a second after a connection was taken up behind etcd.
"""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import aiohttp
import orjson

from fakeapi.clock import RealClock
from fakeapi.storage.base import (
    Batch,
    Change,
    Compacted,
    Conflict,
    Entry,
    FutureRevision,
    KeyExists,
    KeyMissing,
    Listener,
    Page,
    Unavailable,
)
from fakeapi.storage.feed import Listeners

ROOT = "/registry/"
# Entries asked for at a time; a list without a limit takes several.
_PAGE = 2_000
_RETRY_SECONDS = 0.2
_PROGRESS = '{"progress_request":{}}'
# Asked again after this long: etcd does not answer while the watch is catching up.
_PROGRESS_SECONDS = 0.1
_CATCH_UP_SECONDS = 1.0

Json = dict[str, Any]


class EtcdStorage:
    """A Storage; base.py describes the methods. Made by `await EtcdStorage.open(urls)`."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = [u.rstrip("/") for u in urls]
        self._session = aiohttp.ClientSession(json_serialize=lambda x: orjson.dumps(x).decode())
        self._listeners = Listeners()
        # The last revision that listeners know all changes up to; 0 before the watch is there.
        self._seen = 0
        self._progressed = 0
        self._progress_counts_from = 0.0
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._feed: asyncio.Task[None] | None = None
        # Networks keep real time, whatever the components' clock says.
        self._clock = RealClock()

    @classmethod
    async def open(cls, urls: Sequence[str]) -> EtcdStorage:
        """Connect. Raises Unavailable when no server answers."""
        storage = cls(urls)
        try:
            await storage.revision()
            storage._feed = asyncio.create_task(storage._follow(), name="etcd watch")
            await storage._reach(1)
        except BaseException:
            await storage.close()
            raise
        return storage

    async def revision(self) -> int:
        answer = await self._post("kv/range", {"key": _b64(ROOT), "count_only": True})
        return int(answer["header"]["revision"])

    async def get(self, key: str) -> Entry | None:
        answer = await self._post("kv/range", {"key": _b64(key)})
        return _entry(answer["kvs"][0]) if answer.get("kvs") else None

    async def list(self, prefix: str, *, revision: int = 0, after: str = "", limit: int = 0) -> Page:
        entries: list[Entry] = []
        asked = revision
        while True:
            take = min(limit - len(entries), _PAGE) if limit > 0 else _PAGE
            start = entries[-1].key if entries else after
            query = {
                "key": _b64(start + "\0" if start >= prefix else prefix),
                "range_end": _b64(_end(prefix)),
                "limit": str(take),
                "revision": str(asked),
            }
            answer = await self._post("kv/range", query, revision=asked)
            found = [_entry(kv) for kv in answer.get("kvs", ())]
            entries += found
            # Later parts are read at the revision of the first.
            asked = asked or int(answer["header"]["revision"])
            remaining = int(answer.get("count", 0)) - len(found)
            if remaining <= 0 or (limit > 0 and len(entries) >= limit):
                return Page(entries, asked, remaining > 0, max(remaining, 0))

    async def create(self, key: str, value: bytes) -> Entry:
        put = {"request_put": {"key": _b64(key), "value": b64encode(value).decode()}}
        answer = await self._compare(key, 0, [put])
        if not answer.get("succeeded"):
            raise KeyExists(key)
        revision = await self._written(answer)
        return Entry(key, value, revision, revision)

    async def update(self, key: str, value: bytes, *, expected: int) -> Entry:
        read = {"request_range": {"key": _b64(key)}}
        put = {"request_put": {"key": _b64(key), "value": b64encode(value).decode()}}
        answer = await self._compare(key, expected, [read, put])
        before = self._before(key, answer)
        return Entry(key, value, await self._written(answer), before.created)

    async def delete(self, key: str, *, expected: int = 0) -> Entry:
        read = {"request_range": {"key": _b64(key)}}
        remove = {"request_delete_range": {"key": _b64(key)}}
        answer = await self._compare(key, expected or None, [read, remove])
        before = self._before(key, answer)
        return Entry(key, before.value, await self._written(answer), before.created)

    async def watch(self, prefix: str, *, revision: int) -> AsyncIterator[Batch]:
        async with self._connect(prefix, revision + 1) as socket:
            async for message in socket:
                result = _result(message)
                if result.get("canceled"):
                    raise Compacted(int(result.get("compact_revision", 0)))
                if changes := _changes(result):
                    yield changes
        raise Unavailable("the watch was closed by etcd")

    def listen(self, prefix: str, listener: Listener) -> Callable[[], None]:
        return self._listeners.add(prefix, listener)

    async def settle(self) -> int:
        revision = await self.revision()
        await self._progress(revision)
        return revision

    async def compact(self, revision: int) -> None:
        newest = await self.revision()
        await self._post("kv/compaction", {"revision": str(min(revision, newest))}, revision=revision)

    async def close(self) -> None:
        if self._feed is not None:
            self._feed.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._feed
            self._feed = None
        await self._session.close()

    # Requests

    async def _post(self, path: str, body: Json, revision: int = 0) -> Json:
        """One request to the first server that answers. `revision` is what an error about revisions is about."""
        for url in self._urls:
            try:
                async with self._session.post(f"{url}/v3/{path}", json=body) as response:
                    answer: Json = orjson.loads(await response.read())
            except (aiohttp.ClientError, TimeoutError, ValueError) as e:
                failure = f"{url}: {e}"
                continue
            if "error" not in answer:
                return answer
            if "has been compacted" in answer["error"]:
                raise Compacted(revision + 1)
            if "future revision" in answer["error"]:
                raise FutureRevision(await self.revision())
            failure = answer["error"]
        raise Unavailable(failure)

    async def _compare(self, key: str, expected: int | None, operations: Sequence[Json]) -> Json:
        """Run operations if the key is at mod revision `expected` (0: absent, None: any); otherwise read it."""
        assert key.startswith(ROOT), f"{key}: the feed would not bring it back"
        compare: Json = {"key": _b64(key), "target": "MOD", "result": "EQUAL", "mod_revision": str(expected)}
        if expected is None:
            compare = {"key": _b64(key), "target": "MOD", "result": "GREATER", "mod_revision": "0"}
        read = {"request_range": {"key": _b64(key)}}
        return await self._post("kv/txn", {"compare": [compare], "success": [*operations], "failure": [read]})

    @staticmethod
    def _before(key: str, answer: Json) -> Entry:
        """What the key was before a transaction of _compare; raises when it did not go through."""
        kvs = answer["responses"][0]["response_range"].get("kvs")
        if not kvs:
            raise KeyMissing(key)
        if not answer.get("succeeded"):
            raise Conflict(_entry(kvs[0]))
        return _entry(kvs[0])

    async def _written(self, answer: Json) -> int:
        """The write's revision, once the feed has brought it."""
        revision = int(answer["header"]["revision"])
        await self._reach(revision)
        return revision

    # The feed

    @contextlib.asynccontextmanager
    async def _connect(self, prefix: str, start: int) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A watch on the first server that answers."""
        failure: Exception | None = None
        for url in self._urls:
            try:
                socket = await self._session.ws_connect(f"{url}/v3/watch", max_msg_size=0)
            except (aiohttp.ClientError, TimeoutError) as e:
                failure = e
                continue
            # Revision 0 means from now on.
            query = {"key": _b64(prefix), "range_end": _b64(_end(prefix)), "start_revision": str(start)}
            try:
                await socket.send_str(orjson.dumps({"create_request": {**query, "prev_kv": True}}).decode())
                yield socket
            finally:
                await socket.close()
            return
        raise Unavailable(str(failure))

    async def _follow(self) -> None:
        """Feed the listeners until closed."""
        while True:
            try:
                async with self._connect(ROOT, self._seen + 1 if self._seen else 0) as socket:
                    self._socket = socket
                    self._progressed = 0
                    async for message in socket:
                        await self._told(_result(message))
            except (Unavailable, aiohttp.ClientError, ConnectionError, ValueError):
                pass
            finally:
                self._socket = None
            await self._clock.sleep(_RETRY_SECONDS)

    async def _told(self, result: Json) -> None:
        if result.get("canceled"):
            await self._restart()
            raise ConnectionError("watch cancelled")
        changes = _changes(result)
        for change in changes:
            self._listeners.changed(change)
        revision = int(result["header"]["revision"])
        now = asyncio.get_running_loop().time()
        if changes:
            self._advance(changes[-1].revision)
        elif not result.get("created"):
            if now >= self._progress_counts_from:
                self._advance(self._progressed)
                self._progressed = revision
        elif not self._seen:
            # A watch that starts now is never behind.
            self._advance(revision)
        elif revision > self._seen:
            self._progress_counts_from = now + _CATCH_UP_SECONDS

    async def _restart(self) -> None:
        """Changes were missed: give every listener what is there now."""
        revision = await self.revision()
        for prefix in self._listeners.prefixes():
            page = await self.list(prefix, revision=revision)
            self._listeners.replaced(prefix, page.entries, revision)
        self._seen = revision
        self._advance(revision)

    def _advance(self, revision: int) -> None:
        self._seen = max(self._seen, revision)
        for wanted, waiter in self._waiters:
            if wanted <= self._seen and not waiter.done():
                waiter.set_result(None)

    async def _reach(self, revision: int, timeout: float | None = None) -> None:
        if revision <= self._seen:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append((revision, waiter))
        try:
            async with asyncio.timeout(timeout):
                await waiter
        finally:
            self._waiters = [w for w in self._waiters if w[1] is not waiter]

    async def _progress(self, revision: int) -> None:
        while self._seen < revision:
            if self._socket is not None:
                with contextlib.suppress(ConnectionError, aiohttp.ClientError):
                    await self._socket.send_str(_PROGRESS)
                    await self._socket.send_str(_PROGRESS)
            with contextlib.suppress(TimeoutError):
                await self._reach(revision, _PROGRESS_SECONDS)


def _b64(text: str) -> str:
    return b64encode(text.encode()).decode()


def _end(prefix: str) -> str:
    """The first key after every key with that prefix."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def _entry(kv: Mapping[str, str]) -> Entry:
    key = b64decode(kv["key"]).decode()
    return Entry(key, b64decode(kv.get("value", "")), int(kv["mod_revision"]), int(kv["create_revision"]))


def _result(message: aiohttp.WSMessage) -> Json:
    answer: Json = orjson.loads(message.data) if message.type is aiohttp.WSMsgType.TEXT else {}
    if "result" not in answer:
        raise ConnectionError(str(answer.get("error", "watch closed")))
    result: Json = answer["result"]
    return result


def _changes(result: Json) -> Batch:
    found = []
    for event in result.get("events", ()):
        kv = event["kv"]
        before = event.get("prev_kv")
        entry = None if event.get("type") == "DELETE" else _entry(kv)
        key = entry.key if entry is not None else b64decode(kv["key"]).decode()
        found.append(Change(key, int(kv["mod_revision"]), entry, _entry(before) if before else None))
    return found
