"""One HTTP/1.1 request over a byte stream that somebody else has opened, its answer as it comes.

Stands for Go's http.Transport as the API server uses it towards kubelets and pods: no pool, no redirects.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import h11
from msgspec import Struct

from fakeapi.streaming.upgrade import Streams

Headers = Sequence[tuple[str, str]]
CHUNK = 65536


class Broken(ConnectionError):
    """The other side did not speak HTTP, or stopped in the middle."""


class Reply(Struct, frozen=True):
    """An answer. body must be read to its end or closed; either closes the connection.

    streams: after a 101, the connection, and what was already read of it.
    """

    status: int
    headers: list[tuple[str, str]]
    body: AsyncIterator[bytes]
    streams: Streams | None = None

    def header(self, name: str) -> str:
        """The first value of a header, "" without one."""
        return next((v for k, v in self.headers if k.lower() == name), "")

    async def text(self, limit: int = 50_000) -> str:
        """The (beginning of the) body."""
        found = b""
        async for piece in self.body:
            found += piece
            if len(found) >= limit:
                break
        return found[:limit].decode("utf-8", "replace")


async def exchange(streams: Streams, method: str, target: str, headers: Headers, body: bytes = b"") -> Reply:
    """Send a request, return when the head of its answer is there. Broken, OSError."""
    reader, writer = streams
    connection = h11.Connection(h11.CLIENT)
    upgrade = any(k.lower() == "upgrade" for k, _ in headers)
    found = list(headers)
    if body or method in ("POST", "PUT", "PATCH"):
        found.append(("Content-Length", str(len(body))))
    if not upgrade:
        found.append(("Connection", "close"))
    try:
        data = connection.send(h11.Request(method=method, target=target, headers=found)) or b""
        data += (connection.send(h11.Data(data=body)) or b"") + (connection.send(h11.EndOfMessage()) or b"")
        writer.write(data)
        await writer.drain()
        event = await _head(connection, reader)
        while isinstance(event, h11.InformationalResponse) and event.status_code != 101:
            event = await _head(connection, reader)
    except (h11.ProtocolError, ConnectionError) as error:
        writer.close()
        raise Broken(str(error) or type(error).__name__) from error
    if not isinstance(event, h11.Response | h11.InformationalResponse):
        writer.close()
        raise Broken("EOF")
    got = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in event.headers.raw_items()]
    if event.status_code == 101:
        return Reply(101, got, _nothing(), streams)
    return Reply(event.status_code, got, _body(connection, reader, writer))


async def _head(connection: h11.Connection, reader: asyncio.StreamReader) -> object:
    """The next head, and not a byte beyond it, since what follows may be no HTTP."""
    try:
        connection.receive_data(await reader.readuntil(b"\r\n\r\n"))
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise Broken("EOF") from error
    return connection.next_event()


async def _next(connection: h11.Connection, reader: asyncio.StreamReader) -> object:
    while True:
        event = connection.next_event()
        if event is not h11.NEED_DATA:
            return event
        connection.receive_data(await reader.read(CHUNK))


async def _body(
    connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> AsyncIterator[bytes]:
    try:
        while True:
            event = await _next(connection, reader)
            if not isinstance(event, h11.Data):
                return
            yield bytes(event.data)
    except h11.ProtocolError as error:
        raise Broken(str(error)) from error
    finally:
        writer.close()


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
