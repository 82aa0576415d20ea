"""How the API server reaches kubelets and, through them, pods.

Stands for pkg/kubelet/client (NodeConnectionInfoGetter) and the API server's proxy transport. A kubelet is found by its
Node's addresses and daemonEndpoints; as with kube-apiserver without --kubelet-certificate-authority, its certificate is
not verified. InternalDNS comes first: hollow nodes tell with it where their server really listens. A pod's address is
nothing that could be dialled: bytes for its ports go through its kubelet's port-forward.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from fakeapi import errors
from fakeapi.streaming.exchange import Broken, Headers, Reply, exchange
from fakeapi.streaming.upgrade import Streams
from fakeapi.streaming.websocket import WebSocket, request_headers

Obj = Mapping[str, Any]

PREFERRED = ("InternalDNS", "InternalIP", "Hostname", "ExternalDNS", "ExternalIP")
DEFAULT_PORT = 10250
DIAL_SECONDS = 10.0
PORT_PROTOCOL = "v4.channel.k8s.io"


class Unreachable(OSError):
    """Nobody answers there; the text is Go's."""


class Kubelet(Struct, frozen=True):
    """Where a node's kubelet listens. One listener may serve many nodes, so requests name theirs as the Host."""

    node: str
    host: str
    port: int

    @property
    def netloc(self) -> str:
        """host:port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    async def request(self, method: str, target: str, headers: Headers = (), body: bytes = b"") -> Reply:
        """One request. Unreachable, Broken."""
        streams = await dial(self.host, self.port, tls=True)
        return await exchange(streams, method, target, [("Host", f"{self.node}:{self.port}"), *headers], body)


def kubelet_of(node: Obj) -> Kubelet:
    """The kubelet of a Node. ApiError 500 for one without addresses."""
    status = node.get("status") or {}
    addresses = status.get("addresses") or []
    for wanted in PREFERRED:
        for address in addresses:
            if address.get("type") == wanted and address.get("address"):
                port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port")
                return Kubelet(node["metadata"]["name"], address["address"], port or DEFAULT_PORT)
    known = " ".join(f"{{{a.get('type', '')} {a.get('address', '')}}}" for a in addresses)
    raise errors.plain_500(f"no preferred addresses found; known addresses: [{known}]")


@functools.cache
def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def dial(host: str, port: int, *, tls: bool) -> Streams:
    """Open a connection. Unreachable."""
    where = f"dial tcp {host}:{port}"
    try:
        opening = asyncio.open_connection(host, port, ssl=_tls() if tls else None)
        return await asyncio.wait_for(opening, DIAL_SECONDS)
    except TimeoutError:
        raise Unreachable(f"{where}: i/o timeout") from None
    except ConnectionRefusedError:
        raise Unreachable(f"{where}: connect: connection refused") from None
    except OSError as error:
        raise Unreachable(f"{where}: {error.strerror or error}") from None


async def dial_pod(kubelet: Kubelet, namespace: str, pod: str, port: int, ip: str) -> Streams:
    """A connection to a pod's port through its kubelet, as streams. Unreachable where nothing listens."""
    refused = f"dial tcp {ip}:{port}: connect: connection refused"
    target = f"/portForward/{namespace}/{pod}?port={port}"
    try:
        reply = await kubelet.request("GET", target, request_headers((PORT_PROTOCOL,)))
    except Broken as error:
        raise Unreachable(str(error)) from None
    if reply.streams is None:
        raise Unreachable(f"{refused} ({await reply.text()})")
    socket = WebSocket(reply.streams, client=True)
    forward = _Forward(socket, refused)
    try:
        return await forward.open()
    except ConnectionError:
        socket.close()
        raise Unreachable(refused) from None


class _Forward(asyncio.Transport):
    """One port forwarded in a WebSocket's channels 0 (data) and 1 (errors), as a transport below asyncio's streams."""

    def __init__(self, socket: WebSocket, refused: str) -> None:
        super().__init__()
        self._socket = socket
        self._refused = refused
        self._closing = False
        self._pending: asyncio.Queue[bytes] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._reader = asyncio.StreamReader()
        self._protocol = asyncio.StreamReaderProtocol(self._reader)

    async def open(self) -> Streams:
        """The two directions, once the kubelet has said which port each channel is for. ConnectionError."""
        for _ in range(2):
            if await self._socket.receive() is None:
                raise ConnectionResetError("closed")
        self._protocol.connection_made(self)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._inward()), loop.create_task(self._outward())]
        return self._reader, asyncio.StreamWriter(self, self._protocol, self._reader, loop)

    async def _inward(self) -> None:
        while (message := await self._socket.receive()) is not None:
            if message[:1] == b"\0" and len(message) > 1:
                self._reader.feed_data(message[1:])
            elif message[:1] == b"\1":
                self._reader.set_exception(Unreachable(self._refused))
                return
        self._reader.feed_eof()

    async def _outward(self) -> None:
        while True:
            await self._socket.send(b"\0" + await self._pending.get())

    def write(self, data: Any) -> None:
        self._pending.put_nowait(bytes(data))

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            for task in self._tasks:
                task.cancel()
            self._socket.close()
            self._protocol.connection_lost(None)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default
