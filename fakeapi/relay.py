"""A loopback port that leads to a Pod's port by way of its kubelet, for clients that can only dial an address."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from fakeapi.streaming.upgrade import Streams, pipe


@contextlib.asynccontextmanager
async def relayed(dial: Callable[[], Awaitable[Streams]]) -> AsyncIterator[int]:
    """The port, as long as it is needed; one connection. Unreachable, before it is given."""
    there = await dial()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.close()
        await pipe((reader, writer), there)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        there[1].close()
