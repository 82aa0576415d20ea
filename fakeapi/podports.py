"""How the API server reaches the ports of pods.

A pod's address is nothing that could be dialled: bytes for its ports go through its kubelet's port-forward.
"""

from __future__ import annotations

import asyncio
from typing import Any

from fakeapi.kubelets import Kubelet, Unreachable
from fakeapi.streaming.exchange import Broken
from fakeapi.streaming.handshake import request_headers
from fakeapi.streaming.upgrade import Streams
from fakeapi.streaming.websocket import WebSocket

PORT_PROTOCOL = "v4.channel.k8s.io"


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
