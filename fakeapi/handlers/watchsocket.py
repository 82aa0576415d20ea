"""Watches over WebSockets: each event is a message.

Stands for WatchServer.HandleWS of apiserver's endpoints/handlers/watch.go, on x/net/websocket, whose server wants to be
told an origin. JSON goes in text messages, protobuf in binary ones; what the client sends is not looked at.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping

from fakeapi.request import Answer
from fakeapi.streaming.handshake import answer_headers, offered
from fakeapi.streaming.race import until_one_ends
from fakeapi.streaming.upgrade import Streams
from fakeapi.streaming.websocket import WebSocket

# A stream's chunk as its events.
Split = Callable[[bytes], Iterator[bytes]]


def refusal(headers: Mapping[str, str]) -> Answer | None:
    """What is answered instead of shaking hands: the server can neither do without an origin nor choose among several
    subprotocols.
    """
    origin = headers.get("origin", "")
    if not headers.get("sec-websocket-key"):
        return Answer(400, b"mismatch challenge/response", "")
    if headers.get("sec-websocket-version") != "13":
        return Answer(400, b"missing or bad WebSocket Version", "", {"Sec-WebSocket-Version": "13"})
    if "://" not in origin and not origin.startswith("/"):
        return Answer(403, b"", "")
    return Answer(400, b"", "") if len(offered(headers)) > 1 else None


def serve(headers: Mapping[str, str], stream: AsyncGenerator[bytes, None], split: Split | None) -> Answer:
    """The events of a watch as messages. split: how binary chunks come apart; None: they are lines of text."""
    refused = refusal(headers)
    if refused is not None:
        return refused

    async def carry(streams: Streams) -> None:
        head = [f"{name}: {value}" for name, value in answer_headers(headers, "".join(offered(headers)))]
        streams[1].write("\r\n".join(["HTTP/1.1 101 Switching Protocols", *head, "", ""]).encode())
        socket = WebSocket(streams)
        try:
            await until_one_ends(_send(socket, stream, split), _until_gone(socket))
        finally:
            await stream.aclose()
            socket.close()

    return Answer(101, take_over=carry)


async def _send(socket: WebSocket, stream: AsyncGenerator[bytes, None], split: Split | None) -> None:
    async for chunk in stream:
        for event in split(chunk) if split else chunk.splitlines(keepends=True):
            await socket.send(event, text=split is None)


async def _until_gone(socket: WebSocket) -> None:
    while await socket.receive() is not None:
        pass
