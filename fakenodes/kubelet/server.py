"""Where the kubelets of this process listen: one TLS listener for all of them. What it answers is api.py's.

Stands for pkg/kubelet/server. The API server reaches it through a Node's InternalDNS address and daemonEndpoints. It
listens on the loopback address unless told otherwise and, like a kubelet under an API server without a kubelet CA, asks
nobody who they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.server import ServerState

from fakeapi.clock import Clock
from fakeapi.streaming.upgrade import UpgradeProtocol
from fakenodes.kubelet import node as nodes
from fakenodes.kubelet.hollow import HollowNodes
from kubeconfig.certificates import make_ca, sign

if TYPE_CHECKING:
    from fakenodes.kubelet.api import KubeletApi


class KubeletServer:
    """The listener. open() takes the port, which nodes then advertise; start() begins to answer."""

    def __init__(self, clock: Clock, host: str = "127.0.0.1", name: str = "localhost") -> None:
        self._clock = clock
        self._host = host
        self._name = name
        self._socket: socket.socket | None = None
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        self._nodes: HollowNodes | None = None
        self._api: KubeletApi | None = None

    def open(self, port: int = 0) -> nodes.Endpoint:
        """Take the port (0: any). OSError."""
        self._socket = socket.create_server((self._host, port), backlog=128)
        return nodes.Endpoint(self._name, self._socket.getsockname()[1])

    async def start(self, hollow: HollowNodes) -> None:
        """Answer for these nodes; again, for others from now on."""
        assert self._socket is not None, "open() comes first"
        self._nodes = hollow
        if self._server is not None:
            return  # others have taken the listener over
        loop = asyncio.get_running_loop()
        config = uvicorn.Config(
            self._answer, interface="asgi3", lifespan="off", log_config=None, access_log=False, ws="none"
        )
        config.load()
        self._server = await loop.create_server(
            lambda: UpgradeProtocol(config, self._state, {}, loop), sock=self._socket, ssl=_tls(self._name, self._host)
        )

    async def stop(self) -> None:
        """End requests and close the port, at once."""
        if self._server is not None:
            self._server.close()
        elif self._socket is not None:
            self._socket.close()
        for connection in list(self._state.connections):
            connection.transport.abort()
        ending = list(self._state.tasks)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI. What answers is loaded by the first request: most clusters are never asked."""
        if self._api is None:
            from fakenodes.kubelet.api import KubeletApi

            self._api = KubeletApi(self._clock, self._serving)
        # To uvicorn a request that is cancelled is an error, but here it is how requests end when the server does.
        with contextlib.suppress(asyncio.CancelledError):
            await self._api(scope, receive, send)

    def _serving(self) -> HollowNodes:
        assert self._nodes is not None, "start() comes first"
        return self._nodes


@functools.cache
def _tls(name: str, host: str) -> ssl.SSLContext:
    """A certificate of its own, as kubelets make when they are given none."""
    pair = sign(make_ca("fakekube kubelets"), name, hosts=(name, host))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as directory:
        certificate, key = Path(directory, "crt"), Path(directory, "key")
        certificate.write_bytes(pair.certificate)
        key.write_bytes(pair.key)
        key.chmod(0o600)
        context.load_cert_chain(certificate, key)
    return context
