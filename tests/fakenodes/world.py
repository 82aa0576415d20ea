"""A server and some controllers on a clock that stands still: what is to happen later happens when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from msgspec.structs import replace

from fakeapi.clock import VirtualClock
from fakeapi.config import Config
from fakeapi.running import Running
from fakenodes.client.base import GVR, ClientError, Obj
from fakenodes.client.inprocess import InProcessClient
from fakenodes.components import Plan
from fakenodes.controllers.base import Options
from tests.fakenodes.servers import in_process

EVENTS = GVR("", "v1", "events")
T = TypeVar("T")
NEEDED = "serviceaccount"


class World:
    """settle() returns when nothing is left to do now; advance() lets time jump; down() and up() are a crash and a new
    start of the controllers.
    """

    def __init__(self, running: Running) -> None:
        self.running = running
        self.client: InProcessClient = in_process(running.server)

    async def settle(self) -> None:
        await self.running.settle()

    async def advance(self, seconds: float) -> None:
        await self.running.advance(seconds)

    async def reset(self) -> None:
        """As in the beginning, in milliseconds."""
        await self.running.reset()
        await self.settle()
        self.freeze()

    def freeze(self) -> None:
        clock = self.running.clock
        assert isinstance(clock, VirtualClock)
        clock.freeze()

    async def down(self) -> None:
        """The controllers die: no queue, cache or back-off outlives it."""
        await self.running._halt()

    async def up(self) -> None:
        """They start anew on what the server holds."""
        await self.running._resume(self.running._parts())
        await self.settle()

    async def find(self, gvr: GVR, name: str, namespace: str = "default") -> Obj | None:
        """The object, or None when there is none."""
        try:
            return await self.client.get(gvr, name, namespace if gvr.namespaced else "")
        except ClientError as error:
            if error.code != 404:
                raise
            return None

    async def names(self, gvr: GVR, namespace: str = "default") -> set[str]:
        """The names of what there is."""
        return {x["metadata"]["name"] for x in (await self.client.list(gvr, namespace)).items}


async def make_world(
    controllers: str, nodes: int = 0, config: Config | None = None, options: Options | None = None
) -> World:
    """Controllers by their flag, `nodes` with a scheduler when there are any; stop() its `running` in the end."""
    chosen = f"{NEEDED},{controllers}"
    plan = Plan(controllers=chosen, scheduler=nodes > 0, nodes=nodes, options=options or Options(), seed=1)
    found = World(await Running.start(replace(config or Config(), port=0), plan, VirtualClock()))
    found.freeze()
    return found


@asynccontextmanager
async def world(
    controllers: str, nodes: int = 0, config: Config | None = None, options: Options | None = None
) -> AsyncIterator[World]:
    """A World that ends with the block."""
    found = await make_world(controllers, nodes, config, options)
    try:
        yield found
    finally:
        await found.running.stop()


class Looped:
    """A World with a loop of its own, for callers that block: Hypothesis' state machines."""

    def __init__(self, controllers: str, nodes: int = 0) -> None:
        self._runner = asyncio.Runner()
        self.world = self.run(make_world(controllers, nodes))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""
        return self._runner.run(work)

    def close(self) -> None:
        self.run(self.world.running.stop())
        self._runner.close()


_SHARED: dict[tuple[str, int], Looped] = {}


def shared_world(controllers: str, nodes: int = 0) -> Looped:
    """One World a process for those controllers: to be reset before each use, closed when all tests are done."""
    if (controllers, nodes) not in _SHARED:
        _SHARED[controllers, nodes] = Looped(controllers, nodes)
    return _SHARED[controllers, nodes]


def close_worlds() -> None:
    """End the shared ones."""
    while _SHARED:
        _SHARED.popitem()[1].close()
