"""WebSockets on byte streams, either side, after handshake.py: the frames are wsproto's.

Stands for gorilla/websocket as apiserver's httpstream uses it. Messages are whole when they are handed over; pings are
answered.
"""

from __future__ import annotations

from wsproto import events
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.utilities import LocalProtocolError

from fakeapi.streaming.upgrade import Streams

TEXT, BINARY = 1, 2


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
