"""Large answers are sent compressed to clients that take it so.

Stands for APIResponseCompression of apiserver's handlers/responsewriters (deferredResponseWriter): gzip at level 1 from
128 KiB on. Watches, logs and proxied answers are never compressed.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator

from msgspec.structs import replace

from fakeapi import codec
from fakeapi.request import Answer, Request

THRESHOLD = 128 * 1024
_LEVEL = 1
# wbits of zlib for gzip's framing.
_GZIP = 31
_MEDIA = (*codec.MEDIA_TYPES, f"{codec.JSON};")
_HEADERS = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}


def accepted(request: Request) -> bool:
    """Whether the client asks for gzip, and the request is one whose answers are compressed."""
    if request.method != "GET" or request.info.verb not in ("get", "list") or not request.info.is_resource:
        return False
    encodings = request.headers.get("accept-encoding", "").split(",")
    return any(encoding.split(";")[0].strip() == "gzip" for encoding in encodings)


async def compress(request: Request, answer: Answer) -> Answer:
    """The answer, compressed where the client takes it and it is large; a stream is large when its first piece is."""
    if answer.take_over is not None or not answer.content_type.startswith(_MEDIA) or not accepted(request):
        return answer
    body = answer.body
    headers = {**answer.headers, **_HEADERS}
    if isinstance(body, bytes):
        if len(body) < THRESHOLD:
            return answer
        return replace(answer, body=gzip.compress(body, _LEVEL, mtime=0), headers=headers)
    first = await anext(body, b"")
    if len(first) < THRESHOLD:
        return replace(answer, body=_again(first, body))
    return replace(answer, body=_zipped(first, body), headers=headers)


async def _again(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


async def _zipped(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
    async for piece in _again(first, rest):
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()
