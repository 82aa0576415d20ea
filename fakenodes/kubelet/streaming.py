"""The channels of exec and attach, over whatever a client speaks.

Stands for k8s.io/kubelet's cri/streaming/remotecommand: WebSockets with a channel number before each message
(channel.k8s.io to v5.channel.k8s.io, also in base64), and SPDY/3.1 with a stream a channel.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import orjson
from msgspec import Struct

from fakeapi.streaming import handshake, spdy
from fakeapi.streaming.upgrade import STREAM_PROTOCOL, Streams
from fakeapi.streaming.websocket import WebSocket
from fakenodes.kubelet.upgrades import BASE64, Link, Raw, answer, check, socket_protocol, spdy_version

Obj = Mapping[str, Any]

STDIN, STDOUT, STDERR, ERROR, RESIZE = CHANNELS = ("stdin", "stdout", "stderr", "error", "resize")
CLOSE = 255
COMMAND_SOCKETS = ("v5.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io", "channel.k8s.io", BASE64)
COMMAND_SPDY = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
WITH_STATUS = ("v4", "v5")  # older versions' error channel carries a plain text, and nothing where all went well


class Wanted(Struct, frozen=True):
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


async def open_session(headers: Mapping[str, str], take: Callable[[], Streams], wanted: Wanted) -> Session:
    """Accept exec or attach. Refused before, ConnectionError after the upgrade."""
    check(headers)
    if handshake.is_websocket(headers):
        protocol = socket_protocol(headers, COMMAND_SOCKETS)
        streams = take()
        answer(streams, handshake.answer_headers(headers, protocol))
        session = SocketSession(WebSocket(streams), protocol)
        await session.begin(wanted)
        return session
    version = spdy_version(headers, COMMAND_SPDY)
    streams = take()
    answer(streams, (("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), (STREAM_PROTOCOL, version)))
    opened = SpdySession(Raw(streams), version)
    await opened.begin(wanted)
    return opened


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
