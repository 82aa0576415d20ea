"""WebSockets on byte streams, either side: the handshake's arithmetic here, the frames from wsproto.

Stands for gorilla/websocket as apiserver's httpstream uses it. Messages are whole when they are handed over; pings are
answered.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence

from wsproto import events
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.utilities import LocalProtocolError

from fakeapi.streaming.upgrade import Streams

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PROTOCOL = "sec-websocket-protocol"
TEXT, BINARY = 1, 2


def is_websocket(headers: Mapping[str, str]) -> bool:
    """Whether a request (lower-case names) asks for a WebSocket."""
    return headers.get("upgrade", "").lower() == "websocket" and "upgrade" in headers.get("connection", "").lower()


def offered(headers: Mapping[str, str]) -> list[str]:
    """The subprotocols that the client can speak, its favourite first."""
    return [part.strip() for part in headers.get(PROTOCOL, "").split(",") if part.strip()]


def request_headers(protocols: Sequence[str]) -> list[tuple[str, str]]:
    """What a client asks with."""
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    return [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Protocol", ", ".join(protocols)),
    ]


def answer_headers(headers: Mapping[str, str], protocol: str) -> list[tuple[str, str]]:
    """What a server agrees with."""
    digest = hashlib.sha1((headers.get("sec-websocket-key", "") + _GUID).encode()).digest()
    accept = base64.b64encode(digest).decode()
    found = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)]
    return [*found, ("Sec-WebSocket-Protocol", protocol)] if protocol else found


class WebSocket:
    """An open WebSocket. `text` is whether the last message was text."""

    def __init__(self, streams: Streams, *, client: bool = False) -> None:
        self._reader, self._writer = streams
        self._connection = Connection(ConnectionType.CLIENT if client else ConnectionType.SERVER)
        self._ready: list[tuple[bool, bytes]] = []
        self._parts = bytearray()
        self._ended = False
        self.text = False

    async def receive(self) -> bytes | None:
        """The next message, None when the other side has gone."""
        while not self._ready:
            if self._ended:
                return None
            try:
                data = await self._reader.read(65536)
            except ConnectionError:
                data = b""
            self._take_in(data)
        self.text, message = self._ready.pop(0)
        return message

    def _take_in(self, data: bytes) -> None:
        if not data:
            self._ended = True
            return
        self._connection.receive_data(data)
        for event in self._connection.events():
            if isinstance(event, events.Message):
                self._parts += event.data.encode() if isinstance(event.data, str) else event.data
                if event.message_finished:
                    self._ready.append((isinstance(event, events.TextMessage), bytes(self._parts)))
                    self._parts.clear()
            elif isinstance(event, events.Ping):
                self._write(event.response())
            elif isinstance(event, events.CloseConnection):
                if self._connection.state is ConnectionState.REMOTE_CLOSING:
                    self._write(event.response())
                self._ended = True

    def _write(self, event: events.Event) -> None:
        if not self._writer.is_closing():
            self._writer.write(self._connection.send(event))

    async def send(self, message: bytes, *, text: bool = False) -> None:
        """Send one message; ConnectionError when the other side has gone."""
        try:
            data = self._connection.send(events.TextMessage(message.decode()) if text else events.BytesMessage(message))
        except LocalProtocolError as error:
            raise ConnectionResetError(str(error)) from error
        self._writer.write(data)
        await self._writer.drain()

    def close(self, code: int = 1000) -> None:
        """Say goodbye and close."""
        if self._connection.state in (ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING):
            self._write(events.CloseConnection(code))
        if not self._writer.is_closing():
            self._writer.close()
