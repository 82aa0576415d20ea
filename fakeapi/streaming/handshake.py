"""The WebSocket handshake, either side: which headers ask for one and which agree (RFC 6455).

The frames after it are websocket.py's. Apart from those, since every request is asked whether it wants a WebSocket, and
few do.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PROTOCOL = "sec-websocket-protocol"


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
