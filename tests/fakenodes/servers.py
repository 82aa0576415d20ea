"""Servers for the tests of clients: an ApiServer in this process, reached in-process or over HTTP."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import uvicorn

from fakeapi.app import ApiServer
from fakeapi.clock import rfc3339
from fakeapi.config import Config
from fakeapi.poststart import Facts
from fakeapi.request import Answer, User
from fakeapi.storage.memory import MemoryStorage
from fakenodes.client.base import Client
from fakenodes.client.http import HttpClient, Target
from fakenodes.client.inprocess import InProcessClient


async def make_server() -> ApiServer:
    """A fresh server over memory that allows everything."""
    server = ApiServer(Config(), MemoryStorage())
    await server.start(Facts(now=rfc3339(time.time())))
    return server


def in_process(server: ApiServer, user: str = "system:admin") -> InProcessClient:
    """A client of it as that user."""
    groups = ("system:masters", "system:authenticated")

    async def handler(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        return await server.call(method, target, headers, body, User(user, groups))

    return InProcessClient(handler, "tester/v1 (linux)")


@asynccontextmanager
async def over_http(server: ApiServer) -> AsyncIterator[Client]:
    """A client of it through a socket, as the anonymous user."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    web = uvicorn.Server(uvicorn.Config(server, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
    web.config.setup_event_loop = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(web._serve([listener]))
    while not web.started:
        await asyncio.sleep(0.001)
    client = HttpClient(Target(f"http://127.0.0.1:{listener.getsockname()[1]}", None, {}), "tester/v1 (linux)")
    try:
        yield client
    finally:
        await client.close()
        web.should_exit = web.force_exit = True
        await task
        listener.close()


@asynccontextmanager
async def clients(kind: str) -> AsyncIterator[Client]:
    """A fresh server and a client of it: kind is `inprocess` or `http`."""
    server = await make_server()
    try:
        if kind == "http":
            async with over_http(server) as client:
                yield client
        else:
            yield in_process(server)
    finally:
        await server.stop()


class ManualClock:
    """A clock that moves only by advance(); due callbacks run in order."""

    def __init__(self) -> None:
        self.time = 1_000_000.0
        self._timers: list[tuple[float, int, ManualTimer]] = []

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        done = asyncio.Event()
        self.call_later(seconds, done.set)
        await done.wait()

    def call_later(self, seconds: float, callback: object) -> ManualTimer:
        timer = ManualTimer(callback)
        self._timers.append((self.time + max(seconds, 0.0), len(self._timers), timer))
        return timer

    def advance(self, seconds: float) -> None:
        self.time += seconds
        due = sorted(x for x in self._timers if x[0] <= self.time + 1e-9)
        self._timers = [x for x in self._timers if x[0] > self.time + 1e-9]
        for _, _, timer in due:
            timer.fire()


class ManualTimer:
    """A pending callback of a ManualClock."""

    def __init__(self, callback: object) -> None:
        self.callback = callback

    def __lt__(self, other: object) -> bool:
        return False

    def cancel(self) -> None:
        self.callback = None

    def fire(self) -> None:
        if callable(self.callback):
            self.callback()
