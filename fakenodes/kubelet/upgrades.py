"""How a connection becomes one of streams: WebSocket or SPDY/3.1, which subprotocol, and what carries SPDY's frames.

Stands for the handshakes of k8s.io/kubelet's cri/streaming (remotecommand, portforward).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from fakeapi.streaming import handshake
from fakeapi.streaming.upgrade import STREAM_PROTOCOL, Streams

BASE64 = "base64.channel.k8s.io"


class Refused(Exception):
    """No upgrade: an HTTP status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


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


def answer(streams: Streams, headers: Sequence[tuple[str, str]]) -> None:
    head = ["HTTP/1.1 101 Switching Protocols", *(f"{k}: {v}" for k, v in headers)]
    streams[1].write(("\r\n".join(head) + "\r\n\r\n").encode("latin-1"))


def spdy_version(headers: Mapping[str, str], known: Sequence[str]) -> str:
    offered = [part.strip() for part in headers.get(STREAM_PROTOCOL, "").split(",") if part.strip()]
    for protocol in known:
        if protocol in offered:
            return protocol
    if not offered:
        return known[-1]
    text = "unable to upgrade: unable to negotiate protocol: client supports"
    raise Refused(403, f"{text} [{' '.join(offered)}], server accepts [{' '.join(known)}]")


def socket_protocol(headers: Mapping[str, str], known: Sequence[str]) -> str:
    offered = handshake.offered(headers)
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
