"""Between ASGI and the server's own Request and Answer.

A body is read when a handler asks for it, and no further than what any handler takes; a stream ends when its client
goes away, and breaks the connection off when its source fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fakeapi.request import Answer, Request, parse, parse_query
from fakeapi.streaming.upgrade import STREAM_PROTOCOL

Send = Callable[[Any], Awaitable[None]]
Receive = Callable[[], Awaitable[Any]]

# What is read of a body: a little more than handlers take, so that they see that it is too large.
MOST_BYTES = 4 * 1024 * 1024
_STANDARD_HEADERS = ((b"cache-control", b"no-cache, private"),)


def request_of(scope: Any, receive: Receive, now: float) -> Request:
    """The Request of an ASGI connection. now: seconds since the epoch."""
    query = parse_query(scope["query_string"].decode("latin-1"))
    path: str = scope["path"]
    method: str = scope["method"]
    pairs = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"]]
    headers = dict(pairs)
    if STREAM_PROTOCOL in headers:
        headers[STREAM_PROTOCOL] = ", ".join(v for k, v in pairs if k == STREAM_PROTOCOL)
    return Request(
        method,
        path,
        query,
        headers,
        _reader(receive),
        parse(method, path, query),
        peer=scope.get("fakekube.peer", b""),
        now=now,
        outside=True,
        impersonation=[(k, v) for k, v in pairs if k.startswith("impersonate-")],
    )


def _reader(receive: Receive) -> Callable[[], Awaitable[bytes]]:
    body: bytes | None = None

    async def read() -> bytes:
        nonlocal body
        if body is None:
            message = await receive()
            body = message.get("body", b"")
            if message.get("more_body"):
                parts, size = [body], len(body)
                while message.get("more_body") and size <= MOST_BYTES:
                    message = await receive()
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                body = b"".join(parts)
        return body

    return read


def no_abort() -> None:
    """A server that cannot close connections just leaves them without an answer."""


async def send_answer(answer: Answer, receive: Receive, send: Send, abort: Callable[[], None]) -> None:
    """An Answer over ASGI; a stream ends when the client goes away, and breaks off when its source does."""
    if answer.status == 0:
        abort()
        await _until_disconnect(receive)
        return
    headers = [(b"content-type", answer.content_type.encode())] if answer.content_type else []
    headers += _STANDARD_HEADERS
    headers += [(k.lower().encode(), v.encode("latin-1", "replace")) for k, v in answer.headers.items()]
    headers += [(b"warning", w.encode("latin-1", "replace")) for w in answer.warnings]
    body = answer.body
    if isinstance(body, bytes):
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    pump = asyncio.ensure_future(_pump(body, send))
    gone = asyncio.ensure_future(_until_disconnect(receive))
    try:
        await asyncio.wait((pump, gone), return_when=asyncio.FIRST_COMPLETED)
        if pump.done() and pump.exception() is not None:
            abort()
            await gone
    finally:
        for task in (pump, gone):
            task.cancel()
        await asyncio.gather(pump, gone, return_exceptions=True)


async def _pump(body: AsyncIterator[bytes], send: Send) -> None:
    async for chunk in body:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
