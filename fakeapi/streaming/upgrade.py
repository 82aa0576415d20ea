"""HTTP/1.1 on uvicorn whose connections an application can take over, for WebSockets and SPDY.

Stands for Go's http.Hijacker. The application finds scope["fakekube.take"], sends its own 101 on the streams that it
returns, and ends when the connection has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fakeapi.streaming.race import until_one_ends

TAKE = "fakekube.take"
STREAM_PROTOCOL = "x-stream-protocol-version"  # clients repeat it, one line for each version that they speak

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Take = Callable[[], Streams]


class UpgradeProtocol(HttpToolsProtocol):
    """Puts take() into the scope of every request. What a client sends after its request to upgrade is kept for it."""

    _early: bytearray | None = None

    def data_received(self, data: bytes) -> None:
        if self._early is not None:
            self._early += data
            return
        try:
            self._unset_keepalive_if_required()
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._early = bytearray(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            message = "Invalid HTTP request received."
            self.logger.warning(message)
            self.send_400_response(message)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[TAKE] = self.take  # type: ignore[literal-required]

    def on_response_complete(self) -> None:
        if self._early is not None:  # the upgrade was refused, and the parser cannot go on
            self.transport.close()
        super().on_response_complete()

    def take(self) -> Streams:
        """The connection's two directions; HTTP is over on it."""
        self.connections.discard(self)
        self.cycle.disconnected = True  # nobody waits for an answer from uvicorn
        self.cycle.message_event.set()
        reader = asyncio.StreamReader(loop=self.loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=self.loop)
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        if self._early:
            reader.feed_data(bytes(self._early))
        self.flow.resume_reading()
        return reader, asyncio.StreamWriter(self.transport, protocol, reader, self.loop)


async def pipe(one: Streams, other: Streams) -> None:
    """Carry bytes both ways until either side ends, then close both."""
    try:
        await until_one_ends(_carry(one[0], other[1]), _carry(other[0], one[1]))
    finally:
        for _, writer in (one, other):
            writer.close()


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        target.write(data)
        await target.drain()
