"""One watch request as a stream of bytes: initial events, changes, bookmarks, the error at its end.

Stands for apiserver's endpoints/handlers/watch.go and the timing of cacher/cache_watcher.go. Frames are the form's
(JSON, one a line, or protobuf); what has queued up is sent in one chunk. Timeouts are of HTTP and therefore on real
time, whatever the clock of the components.

Leaves out: CBOR streams. WebSockets are handlers/watchsocket.py's.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing

from fakeapi import errors
from fakeapi.clock import RealClock
from fakeapi.paging import ListOptions, parse_revision
from fakeapi.watchcache import TooOld, WatchCache
from fakeapi.watchevents import LINES, Form, Scope, Watcher

# --min-request-timeout: a watch without timeoutSeconds lasts one to two of these.
MIN_REQUEST_SECONDS = 1800
BOOKMARK_SECONDS = 60.0
# A watch that will time out gets its last bookmark this long before.
LAST_BOOKMARK_SECONDS = 2.0


def open_watch(
    cache: WatchCache, scope: Scope, options: ListOptions, form: Form | None = None, rng: random.Random | None = None
) -> AsyncGenerator[bytes, None]:
    """The chunks that answer a watch. scope: the path's namespace and name. Raises ApiError (500) at once for a
    resourceVersion that is no number; everything later is an ERROR event. Close the iterator to unsubscribe."""
    revision = parse_revision(options.resource_version)
    timeout = float(options.timeout_seconds or 0) or MIN_REQUEST_SECONDS * (1 + (rng or random).random())
    return _stream(cache, scope, options, form, revision, timeout)


async def _stream(
    cache: WatchCache, scope: Scope, options: ListOptions, form: Form | None, revision: int, timeout: float
) -> AsyncGenerator[bytes, None]:
    deadline = asyncio.get_running_loop().time() + timeout
    try:
        watcher = await _subscribe(cache, scope, options, form, revision)
    except errors.ApiError as e:
        yield (form.framing if form else LINES).error(e)
        return
    try:
        async with aclosing(_chunks(cache, watcher, options, deadline)) as chunks:
            async for chunk in chunks:
                yield chunk
    finally:
        watcher.stop()


async def _subscribe(
    cache: WatchCache, scope: Scope, options: ListOptions, form: Form | None, revision: int
) -> Watcher:
    """Begin with the state or after a revision, as Cacher.Watch decides from sendInitialEvents and resourceVersion."""
    initial = options.send_initial_events
    if initial:
        await cache.fresh(revision if options.resource_version else None)
    elif options.resource_version == "" and initial is not None:
        revision = await cache.fresh()
    elif revision == 0 and initial is not None:
        revision = cache.revision
    try:
        return cache.watch(
            scope, options.predicate, revision=revision, initial=bool(initial) or revision == 0, form=form
        )
    except TooOld as e:
        raise errors.gone(f"too old resource version: {e.revision} ({e.oldest})") from None


async def _chunks(
    cache: WatchCache, watcher: Watcher, options: ListOptions, deadline: float
) -> AsyncGenerator[bytes, None]:
    now = asyncio.get_running_loop().time
    while chunk := watcher.take_initial():
        yield chunk
        await RealClock().sleep(0)  # a client in this process takes everything without a pause
        if now() >= deadline:
            return
    if options.send_initial_events and options.bookmarks:
        yield watcher.bookmark(cache.bookmark(watcher.since, initial_end=True))
    bookmark = _next_bookmark(now(), deadline) if options.bookmarks else deadline
    while now() < deadline:
        if chunk := watcher.take():
            yield chunk
        elif watcher.ended:
            return
        elif now() >= bookmark:
            bookmark = _next_bookmark(now(), deadline)
            revision = await cache.fresh()
            if not watcher.pending:
                yield watcher.bookmark(cache.bookmark(max(revision, watcher.since), initial_end=False))
        else:
            await watcher.wait(min(bookmark, deadline))


def _next_bookmark(now: float, deadline: float) -> float:
    """When the next bookmark is due; the deadline when none is (cacheWatcher.nextBookmarkTime)."""
    due = min(now + BOOKMARK_SECONDS, deadline - LAST_BOOKMARK_SECONDS)
    return due if due > now else deadline
