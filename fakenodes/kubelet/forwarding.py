"""The channels of port-forward, over whatever a client speaks.

Stands for k8s.io/kubelet's cri/streaming/portforward: SPDY/3.1, the same inside a WebSocket, and WebSockets with a pair
of channels a port.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence

from fakeapi.streaming import handshake, spdy
from fakeapi.streaming.upgrade import STREAM_PROTOCOL, Streams
from fakeapi.streaming.websocket import WebSocket
from fakenodes.kubelet.upgrades import BASE64, Link, Raw, Refused, answer, check, socket_protocol, spdy_version

PORT_SOCKETS = ("v4.channel.k8s.io", "v4.base64.channel.k8s.io")
PORT_SPDY = "portforward.k8s.io"
PORT_TUNNEL = "SPDY/3.1+portforward.k8s.io"

Write = Callable[[bytes], Awaitable[None]]
# serve(port, reader, write) carries one connection; ConnectionRefusedError with a text where nothing listens.
ServePort = Callable[[int, asyncio.StreamReader, Write], Awaitable[None]]


async def forward(
    headers: Mapping[str, str], take: Callable[[], Streams], ports: Sequence[int], serve: ServePort
) -> None:
    """Accept port-forward and carry connections until the client goes. Refused."""
    check(headers)
    if not handshake.is_websocket(headers):
        version = spdy_version(headers, (PORT_SPDY,))
        streams = take()
        answer(streams, (("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), (STREAM_PROTOCOL, version)))
        await _SpdyForward(Raw(streams), serve).run()
        return
    protocol = socket_protocol(headers, (PORT_TUNNEL, *PORT_SOCKETS))
    if protocol != PORT_TUNNEL and not ports:
        raise Refused(400, 'query parameter "port" is required')
    streams = take()
    answer(streams, handshake.answer_headers(headers, protocol))
    socket = WebSocket(streams)
    if protocol == PORT_TUNNEL:
        await _SpdyForward(socket, serve).run()
    else:
        await _SocketForward(socket, ports, serve, protocol.endswith(BASE64)).run()


class _SpdyForward:
    """A pair of streams (data and error, with one requestid) a connection."""

    def __init__(self, link: Link, serve: ServePort) -> None:
        self._link = link
        self._serve = serve
        self._spdy = spdy.Spdy()
        self._pairs: dict[str, dict[str, int]] = {}
        self._readers: dict[int, asyncio.StreamReader] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        try:
            while (data := await self._link.receive()) is not None:
                for event in self._spdy.receive(data):
                    await self._take(event)
        except (spdy.SpdyError, ConnectionError):
            pass
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            self._link.close()

    async def _take(self, event: spdy.Event) -> None:
        if isinstance(event, spdy.Opened):
            await self._open(event)
        elif isinstance(event, spdy.Data):
            reader = self._readers.get(event.stream)
            if reader is not None and not reader.at_eof():
                reader.feed_data(event.data)
                if event.fin:
                    reader.feed_eof()
        elif isinstance(event, spdy.Reset):
            task = self._tasks.pop(event.stream, None)
            if task is not None:
                task.cancel()
        elif isinstance(event, spdy.Ping):
            await self._link.send(event.reply)

    async def _open(self, event: spdy.Opened) -> None:
        kind, port = event.headers.get("streamtype", ""), event.headers.get("port", "")
        if kind not in ("data", "error") or not port.isdigit():
            await self._link.send(self._spdy.reset(event.stream, spdy.REFUSED_STREAM))
            return
        request = event.headers.get("requestid", f"{port}")
        await self._link.send(self._spdy.reply(event.stream))
        if kind == "data":
            self._readers[event.stream] = asyncio.StreamReader()
        pair = self._pairs.setdefault(request, {})
        pair[kind] = event.stream
        if len(pair) == 2:
            del self._pairs[request]
            data = pair["data"]
            self._tasks[data] = asyncio.ensure_future(self._carry(int(port), data, pair["error"]))

    async def _carry(self, port: int, data: int, error: int) -> None:
        async def write(piece: bytes) -> None:
            await self._link.send(self._spdy.data(data, piece))

        with contextlib.suppress(ConnectionError):
            problem = await _served(self._serve, port, self._readers[data], write)
            await self._link.send(self._spdy.data(error, problem, fin=True) + self._spdy.data(data, b"", fin=True))
        self._readers.pop(data, None)
        self._tasks.pop(data, None)


async def _served(serve: ServePort, port: int, reader: asyncio.StreamReader, write: Write) -> bytes:
    """Carry a connection; what went wrong, as text."""
    try:
        await serve(port, reader, write)
    except ConnectionRefusedError as refusal:
        return str(refusal).encode()
    return b""


class _SocketForward:
    """One connection a port, for as long as the WebSocket lives: channels 2i for data, 2i + 1 for errors."""

    def __init__(self, socket: WebSocket, ports: Sequence[int], serve: ServePort, encoded: bool) -> None:
        self._socket = socket
        self._ports = ports
        self._serve = serve
        self._base64 = encoded
        self._readers = [asyncio.StreamReader() for _ in ports]

    async def run(self) -> None:
        tasks = []
        try:
            for index, port in enumerate(self._ports):
                for channel in (2 * index, 2 * index + 1):
                    await self._send(channel, struct.pack("<H", port))
            tasks = [asyncio.ensure_future(self._carry(i, port)) for i, port in enumerate(self._ports)]
            while (message := await self._socket.receive()) is not None:
                if not message:
                    continue
                channel, data = message[0], message[1:]
                if self._base64:
                    channel, data = channel - ord("0"), base64.b64decode(data)
                if channel % 2 == 0 and channel // 2 < len(self._readers):
                    self._readers[channel // 2].feed_data(data)
        except (ConnectionError, binascii.Error):
            pass
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._socket.close()

    async def _send(self, channel: int, data: bytes) -> None:
        if self._base64:
            await self._socket.send(b"%d" % channel + base64.b64encode(data), text=True)
        else:
            await self._socket.send(bytes([channel]) + data)

    async def _carry(self, index: int, port: int) -> None:
        async def write(piece: bytes) -> None:
            await self._send(2 * index, piece)

        with contextlib.suppress(ConnectionError):
            problem = await _served(self._serve, port, self._readers[index], write)
            if problem:
                await self._send(2 * index + 1, problem)
            elif len(self._ports) == 1:
                self._socket.close()
