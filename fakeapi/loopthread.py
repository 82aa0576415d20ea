"""A thread with an event loop of its own, and blocking calls into it.

A Cluster lives on one, so that a test's blocking clients and the server never wait for each other.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import warnings
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for other threads. close() ends it; a daemon, so that it never keeps a process alive."""

    def __init__(self, name: str) -> None:
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()
        self._ready.wait()

    def _main(self) -> None:
        run_to_end(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        self._ready.set()
        await self._end.wait()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it on the loop and wait for what it returns or raises; an interrupt of the caller cancels it."""
        assert self._loop is not None
        assert threading.current_thread() is not self._thread, "a blocking call on the cluster's own thread"
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise RuntimeError("the cluster was closed") from None
        except BaseException:
            future.cancel()
            raise

    def call(self, function: Callable[[], T]) -> T:
        """Run a plain function on the loop and wait for what it returns or raises."""

        async def work() -> T:
            return function()

        return self.run(work())

    def close(self) -> None:
        """End the loop, cancelling what still runs on it; harmless when done twice."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Run it on a new event loop, and close that.

    A connection may still be on its way out then. uvloop warns of it, and where warnings are errors (as in many tests)
    it stops closing there and waits for that connection for ever; so this warning is none here."""
    runner = asyncio.Runner(loop_factory=_factory())
    try:
        return runner.run(work)
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            runner.close()


def _factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
