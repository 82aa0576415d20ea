"""A loopback port that leads to a Pod's port by way of its kubelet, for clients that can only dial an address."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from fakeapi.kubelets import Unreachable

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def relayed(dial: Callable[[], Awaitable[Streams]]) -> AsyncIterator[int]:
    """The port, as long as it is needed; one connection. Unreachable, before it is given."""
    there = await dial()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.close()
        await _both_ways((reader, writer), there)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        there[1].close()


async def _both_ways(one: Streams, other: Streams) -> None:
    """Pass on what comes from either side until one of them ends."""
    tasks = [asyncio.ensure_future(_pass(one[0], other[1])), asyncio.ensure_future(_pass(other[0], one[1]))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        one[1].close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, Unreachable):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
