"""The socket side: uvicorn over TLS, with the client's certificate handed to the application.

Stands for apiserver's server/secure_serving.go. uvicorn keeps the TLS peer certificate to itself; a protocol subclass
puts it into the ASGI scope. HTTP/1.1 only.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn

from fakeapi.streaming.upgrade import UpgradeProtocol

IDLE_SECONDS = 120
# How long requests in flight may take when the server ends.
GRACE_SECONDS = 1.0
TICK_SECONDS = 1.0
_POLL = 0.002
BACKLOG = 2048
PEER = "fakekube.peer"
ABORT = "fakekube.abort"


class PeerProtocol(UpgradeProtocol):
    """HTTP over a connection whose client certificate (DER, b"" without one) is in scope["fakekube.peer"].

    scope["fakekube.abort"] closes the connection at once.
    """

    peer: bytes = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self.peer = tls.getpeercert(binary_form=True) or b""
        raw = transport.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[PEER] = self.peer  # type: ignore[literal-required]
        self.scope[ABORT] = self.transport.abort  # type: ignore[literal-required]

    def shutdown(self) -> None:
        """The server ends. An idle client need not say goodbye, which TLS would wait for: it may be blocked."""
        super().shutdown()
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_soon(self.transport.abort)


class _Server(uvicorn.Server):
    """Signals belong to the command line, not to the server: a Cluster runs on a thread of its own.

    It ends as soon as it may: uvicorn's own looks ten times a second whether to, and whether connections are gone.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.end = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        while not self.end.is_set():
            await self.on_tick(0)  # the Date header, in whole seconds
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.end.wait(), TICK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                while state.connections or state.tasks:  # noqa: ASYNC110 (uvicorn keeps sets, and tells nobody)
                    await asyncio.sleep(_POLL)
        ending = list(state.tasks)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)


def tls_context(certificate: Path, key: Path, client_ca: Path | None) -> ssl.SSLContext:
    """A server context that asks for (and does not insist on) a client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def bind(address: str, port: int) -> socket.socket:
    """A listening-to-be socket; port 0 is any free one. OSError when it cannot be had."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


class Serving:
    """One listener on one application."""

    def __init__(self, app: Any, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
        self.sock = sock
        config = uvicorn.Config(
            app,
            http=PeerProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            timeout_keep_alive=IDLE_SECONDS,
            backlog=BACKLOG,
            ssl_context_factory=(lambda _config, _default: tls) if tls is not None else None,
        )
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        port: int = self.sock.getsockname()[1]
        return port

    async def start(self) -> None:
        """Answer requests from now on."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self.sock]))
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise RuntimeError("the server did not start")
            await asyncio.sleep(0)

    async def stop(self) -> None:
        """End it: requests in flight have a second. Streams are ended by the application before this is called."""
        self._server.end.set()
        if self._task is not None:
            await self._task
