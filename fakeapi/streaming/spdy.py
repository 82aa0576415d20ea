"""SPDY/3.1 without any input or output: bytes in, events out, and frames as bytes.

Stands for moby/spdystream, which kubectl and kubelets speak on a connection that was upgraded to SPDY/3.1, or inside
of a WebSocket. Like it, this neither sends nor obeys WINDOW_UPDATE and takes SETTINGS as read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from msgspec import Struct, field

VERSION = 3
SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
FIN = 0x01
PROTOCOL_ERROR, INVALID_STREAM, REFUSED_STREAM, CANCEL = 1, 2, 3, 5
MAX_DATA = 0xFFFF  # bytes in one data frame that we send
MAX_FRAME = 16 * 1024 * 1024

_WORDS = (
    "options", "head", "post", "put", "delete", "trace", "accept", "accept-charset", "accept-encoding",
    "accept-language", "accept-ranges", "age", "allow", "authorization", "cache-control", "connection",
    "content-base", "content-encoding", "content-language", "content-length", "content-location", "content-md5",
    "content-range", "content-type", "date", "etag", "expect", "expires", "from", "host", "if-match",
    "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "last-modified", "location",
    "max-forwards", "pragma", "proxy-authenticate", "proxy-authorization", "range", "referer", "retry-after",
    "server", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "vary", "via", "warning",
    "www-authenticate", "method", "get", "status",
)  # fmt: skip
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritat"
    "ive Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found5"
    "00 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct N"
    "ov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,applic"
    "ation/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf"
    "-8charset=iso-8859-1,utf-,*,enq=0."
)


def _prefixed(word: str) -> bytes:
    return struct.pack(">I", len(word)) + word.encode()


# What both sides' compressors start with (SPDY/3, section 2.6.10.1).
DICTIONARY = (
    b"".join(
        map(
            _prefixed, (*_WORDS, "200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin")
        )
    )
    + _TAIL.encode()
)


class SpdyError(Exception):
    """The other side broke the protocol; the connection cannot go on."""


class Opened(Struct, frozen=True):
    """The other side has opened a stream. fin: it will send nothing on it."""

    stream: int
    headers: dict[str, str]
    fin: bool


class Replied(Struct, frozen=True):
    """The other side has accepted our stream."""

    stream: int
    headers: dict[str, str]
    fin: bool


class Data(Struct, frozen=True):
    """Bytes on a stream; fin: the last ones."""

    stream: int
    data: bytes
    fin: bool


class Reset(Struct, frozen=True):
    """A stream was cut off."""

    stream: int
    status: int


class Ping(Struct, frozen=True):
    """To be answered with these bytes."""

    reply: bytes


class Gone(Struct, frozen=True):
    """The other side takes no further streams."""


Event = Opened | Replied | Data | Reset | Ping | Gone


def _control(kind: int, payload: bytes, flags: int = 0) -> bytes:
    return struct.pack(">HHI", 0x8000 | VERSION, kind, flags << 24 | len(payload)) + payload


class Spdy(Struct):
    """One side of a connection. receive() takes bytes in any pieces; every other method gives bytes to send."""

    client: bool = False
    _next: int = 0
    _rest: bytearray = field(default_factory=bytearray)
    _deflate: zlib._Compress = field(default_factory=lambda: zlib.compressobj(zdict=DICTIONARY))
    _inflate: zlib._Decompress = field(default_factory=lambda: zlib.decompressobj(zdict=DICTIONARY))

    def receive(self, data: bytes) -> list[Event]:
        """What the bytes mean. SpdyError."""
        self._rest += data
        found: list[Event] = []
        while len(self._rest) >= 8:
            first, second = struct.unpack_from(">II", self._rest)
            length = second & 0xFFFFFF
            if length > MAX_FRAME:
                raise SpdyError(f"frame of {length} bytes")
            if len(self._rest) < 8 + length:
                break
            payload = bytes(self._rest[8 : 8 + length])
            del self._rest[: 8 + length]
            flags = second >> 24
            if first & 0x80000000:
                if first >> 16 & 0x7FFF != VERSION:
                    raise SpdyError(f"version {first >> 16 & 0x7FFF}")
                found += self._take_control(first & 0xFFFF, flags, payload)
            else:
                found.append(Data(first, payload, bool(flags & FIN)))
        return found

    def _take_control(self, kind: int, flags: int, payload: bytes) -> list[Event]:
        fin = bool(flags & FIN)
        if kind == PING:
            number = _number(payload)
            ours = bool(number & 1) == self.client
            return [] if ours else [Ping(_control(PING, payload[:4]))]
        if kind == GOAWAY:
            return [Gone()]
        if kind in (SETTINGS, WINDOW_UPDATE):
            return []
        stream = _number(payload) & 0x7FFFFFFF
        if kind == SYN_STREAM:
            return [Opened(stream, self._read_headers(payload[10:]), fin)]
        if kind == SYN_REPLY:
            return [Replied(stream, self._read_headers(payload[4:]), fin)]
        if kind == RST_STREAM:
            return [Reset(stream, _number(payload[4:]))]
        if kind == HEADERS:
            self._read_headers(payload[4:])  # both sides' compressors must see every block
        return []

    def _read_headers(self, block: bytes) -> dict[str, str]:
        try:
            text = self._inflate.decompress(block, MAX_FRAME)
        except zlib.error as error:
            raise SpdyError(f"header block: {error}") from None
        count, at, found = _number(text), 4, {}
        for _ in range(count):
            parts = []
            for _ in range(2):
                size = _number(text[at : at + 4])
                parts.append(text[at + 4 : at + 4 + size].decode("utf-8", "replace"))
                at += 4 + size
            found[parts[0].lower()] = parts[1].replace("\0", ",")
        return found

    def _write_headers(self, headers: Mapping[str, str]) -> bytes:
        text = struct.pack(">I", len(headers))
        for name, value in headers.items():
            text += _prefixed(name.lower()) + struct.pack(">I", len(value.encode())) + value.encode()
        return self._deflate.compress(text) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def open(self, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Open a stream of ours: its number, and the frame."""
        self._next = self._next + 2 if self._next else (1 if self.client else 2)
        return self._next, _control(SYN_STREAM, struct.pack(">IIH", self._next, 0, 0) + self._write_headers(headers))

    def reply(self, stream: int, headers: Mapping[str, str] | None = None) -> bytes:
        """Accept a stream."""
        return _control(SYN_REPLY, struct.pack(">I", stream) + self._write_headers(headers or {}))

    def data(self, stream: int, data: bytes, *, fin: bool = False) -> bytes:
        """Send bytes; fin ends our direction."""
        pieces = [data[i : i + MAX_DATA] for i in range(0, len(data), MAX_DATA)] or ([b""] if fin else [])
        last = len(pieces) - 1
        return b"".join(
            struct.pack(">II", stream, (FIN if fin and i == last else 0) << 24 | len(piece)) + piece
            for i, piece in enumerate(pieces)
        )

    def reset(self, stream: int, status: int = CANCEL) -> bytes:
        """Cut a stream off."""
        return _control(RST_STREAM, struct.pack(">II", stream, status))

    def goaway(self, last: int = 0) -> bytes:
        """Take no further streams."""
        return _control(GOAWAY, struct.pack(">II", last, 0))


def _number(data: bytes) -> int:
    if len(data) < 4:
        raise SpdyError("frame cut short")
    found: int = struct.unpack_from(">I", data)[0]
    return found
