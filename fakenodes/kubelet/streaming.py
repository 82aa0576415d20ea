"""The channels of exec, attach and port-forward, over whatever a client speaks.

Stands for k8s.io/kubelet's cri/streaming (remotecommand, portforward): WebSockets with a channel number before each
message (channel.k8s.io to v5.channel.k8s.io, also in base64), SPDY/3.1 with a stream a channel, and for port-forward
also SPDY inside a WebSocket.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from fakeapi.streaming import spdy, websocket
from fakeapi.streaming.upgrade import STREAM_PROTOCOL, Streams
from fakeapi.streaming.websocket import WebSocket

Obj = Mapping[str, Any]

STDIN, STDOUT, STDERR, ERROR, RESIZE = CHANNELS = ("stdin", "stdout", "stderr", "error", "resize")
CLOSE = 255
BASE64 = "base64.channel.k8s.io"
COMMAND_SOCKETS = ("v5.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io", "channel.k8s.io", BASE64)
COMMAND_SPDY = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
PORT_SOCKETS = ("v4.channel.k8s.io", "v4.base64.channel.k8s.io")
PORT_SPDY = "portforward.k8s.io"
PORT_TUNNEL = "SPDY/3.1+portforward.k8s.io"
WITH_STATUS = ("v4", "v5")  # older versions' error channel carries a plain text, and nothing where all went well


class Refused(Exception):
    """No upgrade: an HTTP status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which channels a client of exec or attach has asked for."""

    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool


class Session(Protocol):
    """An open exec or attach."""

    async def receive(self) -> tuple[str, bytes] | None:
        """The next (channel, data): stdin or resize; empty data ends stdin. None: the client has gone."""

    async def write(self, channel: str, data: bytes) -> None:
        """Send to stdout or stderr. ConnectionError."""

    async def finish(self, status: Obj) -> None:
        """Tell how it ended (a Status) and close."""


class Link(Protocol):
    """Bytes of SPDY in both directions."""

    async def receive(self) -> bytes | None:
        """Some bytes, perhaps none; None at the end."""

    async def send(self, data: bytes) -> None:
        """Send bytes. ConnectionError."""

    def close(self) -> None:
        """Close."""


class Raw:
    """A Link right on the connection."""

    def __init__(self, streams: Streams) -> None:
        self._reader, self._writer = streams

    async def receive(self) -> bytes | None:
        """See Link."""
        try:
            return await self._reader.read(65536) or None
        except ConnectionError:
            return None

    async def send(self, data: bytes) -> None:
        """See Link."""
        self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        """See Link."""
        self._writer.close()


# -- the handshake -----------------------------------------------------------------------------------------------------


def _answer(streams: Streams, headers: Sequence[tuple[str, str]]) -> None:
    head = ["HTTP/1.1 101 Switching Protocols", *(f"{k}: {v}" for k, v in headers)]
    streams[1].write(("\r\n".join(head) + "\r\n\r\n").encode("latin-1"))


def _spdy_version(headers: Mapping[str, str], known: Sequence[str]) -> str:
    offered = [part.strip() for part in headers.get(STREAM_PROTOCOL, "").split(",") if part.strip()]
    for protocol in known:
        if protocol in offered:
            return protocol
    if not offered:
        return known[-1]
    text = "unable to upgrade: unable to negotiate protocol: client supports"
    raise Refused(403, f"{text} [{' '.join(offered)}], server accepts [{' '.join(known)}]")


def _socket_protocol(headers: Mapping[str, str], known: Sequence[str]) -> str:
    offered = websocket.offered(headers)
    for protocol in offered:
        if protocol in known:
            return protocol
    if offered:
        raise Refused(403, f"requested protocol(s) are not supported: [{' '.join(offered)}]; supports {list(known)}")
    return ""


def check(headers: Mapping[str, str]) -> None:
    """Refused unless the request asks for a protocol that is spoken here."""
    upgrade = headers.get("upgrade", "").lower()
    if "upgrade" not in headers.get("connection", "").lower() or not upgrade:
        raise Refused(400, "unable to upgrade: missing upgrade headers in request")
    if upgrade not in ("websocket", "spdy/3.1"):
        raise Refused(400, f"unable to upgrade: {upgrade} is not spoken here")


async def open_session(headers: Mapping[str, str], take: Callable[[], Streams], wanted: Wanted) -> Session:
    """Accept exec or attach. Refused before, ConnectionError after the upgrade."""
    check(headers)
    if websocket.is_websocket(headers):
        protocol = _socket_protocol(headers, COMMAND_SOCKETS)
        streams = take()
        _answer(streams, websocket.answer_headers(headers, protocol))
        session = SocketSession(WebSocket(streams), protocol)
        await session.begin(wanted)
        return session
    version = _spdy_version(headers, COMMAND_SPDY)
    streams = take()
    _answer(streams, (("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), (STREAM_PROTOCOL, version)))
    opened = SpdySession(Raw(streams), version)
    await opened.begin(wanted)
    return opened


# -- exec and attach ---------------------------------------------------------------------------------------------------


def _final(protocol: str, status: Obj) -> bytes:
    if protocol.startswith(WITH_STATUS):
        return orjson.dumps({"metadata": {}, **status})
    return b"" if status["status"] == "Success" else status.get("message", "").encode()


class SocketSession:
    """See Session, in a WebSocket."""

    def __init__(self, socket: WebSocket, protocol: str) -> None:
        self._socket = socket
        self._protocol = protocol
        self._base64 = protocol.endswith(BASE64)

    async def begin(self, wanted: Wanted) -> None:
        """An empty message on the lowest channel tells the client that it is connected."""
        await self.write(STDOUT if wanted.stdout else STDERR if wanted.stderr else ERROR, b"")

    async def receive(self) -> tuple[str, bytes] | None:
        """See Session."""
        while (message := await self._socket.receive()) is not None:
            if not message:
                continue
            number, data = message[0], message[1:]
            if self._base64:
                number -= ord("0")
                with contextlib.suppress(binascii.Error):
                    data = base64.b64decode(data)
            if number == CLOSE and data[:1] == b"\0":
                return STDIN, b""
            if number < len(CHANNELS) and data:
                return CHANNELS[number], data
        return None

    async def write(self, channel: str, data: bytes) -> None:
        """See Session."""
        number = CHANNELS.index(channel)
        if self._base64:
            await self._socket.send(b"%d" % number + base64.b64encode(data), text=True)
        else:
            await self._socket.send(bytes([number]) + data)

    async def finish(self, status: Obj) -> None:
        """See Session."""
        final = _final(self._protocol, status)
        if final:
            await self.write(ERROR, final)
        self._socket.close()


class SpdySession:
    """See Session, in SPDY streams that the client opens."""

    def __init__(self, link: Link, protocol: str) -> None:
        self._link = link
        self._protocol = protocol
        self._spdy = spdy.Spdy()
        self._streams: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._ready: list[tuple[str, bytes]] = []

    async def begin(self, wanted: Wanted) -> None:
        """Wait until the client has opened what it has asked for. ConnectionError."""
        names = {ERROR}
        names |= {n for n in (STDIN, STDOUT) if getattr(wanted, n)}
        if wanted.stderr and not wanted.tty:
            names.add(STDERR)
        if wanted.tty and self._protocol.startswith(("v3", "v4")):
            names.add(RESIZE)
        while not names <= self._streams.keys():
            if not await self._more():
                raise ConnectionResetError("the client went away before it had opened its streams")

    async def _more(self) -> bool:
        data = await self._link.receive()
        if data is None:
            return False
        try:
            events = self._spdy.receive(data)
        except spdy.SpdyError:
            return False
        for event in events:
            if isinstance(event, spdy.Opened):
                name = event.headers.get("streamtype", "")
                self._streams[name], self._names[event.stream] = event.stream, name
                await self._link.send(self._spdy.reply(event.stream))
                if event.fin and name == STDIN:
                    self._ready.append((name, b""))
            elif isinstance(event, spdy.Data):
                name = self._names.get(event.stream, "")
                if event.data and name in (STDIN, RESIZE):
                    self._ready.append((name, event.data))
                if event.fin and name == STDIN:
                    self._ready.append((name, b""))
            elif isinstance(event, spdy.Ping):
                await self._link.send(event.reply)
        return True

    async def receive(self) -> tuple[str, bytes] | None:
        """See Session."""
        while not self._ready:
            if not await self._more():
                return None
        return self._ready.pop(0)

    async def write(self, channel: str, data: bytes) -> None:
        """See Session."""
        if channel in self._streams and data:
            await self._link.send(self._spdy.data(self._streams[channel], data))

    async def finish(self, status: Obj) -> None:
        """See Session."""
        final = _final(self._protocol, status)
        with contextlib.suppress(ConnectionError):
            await self._link.send(self._spdy.data(self._streams[ERROR], final, fin=True))
            for name in (STDOUT, STDERR):
                if name in self._streams:
                    await self._link.send(self._spdy.data(self._streams[name], b"", fin=True))
        self._link.close()


# -- port-forward ------------------------------------------------------------------------------------------------------

Write = Callable[[bytes], Awaitable[None]]
# serve(port, reader, write) carries one connection; ConnectionRefusedError with a text where nothing listens.
ServePort = Callable[[int, asyncio.StreamReader, Write], Awaitable[None]]


async def forward(
    headers: Mapping[str, str], take: Callable[[], Streams], ports: Sequence[int], serve: ServePort
) -> None:
    """Accept port-forward and carry connections until the client goes. Refused."""
    check(headers)
    if not websocket.is_websocket(headers):
        version = _spdy_version(headers, (PORT_SPDY,))
        streams = take()
        _answer(streams, (("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), (STREAM_PROTOCOL, version)))
        await _SpdyForward(Raw(streams), serve).run()
        return
    protocol = _socket_protocol(headers, (PORT_TUNNEL, *PORT_SOCKETS))
    if protocol != PORT_TUNNEL and not ports:
        raise Refused(400, 'query parameter "port" is required')
    streams = take()
    _answer(streams, websocket.answer_headers(headers, protocol))
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
