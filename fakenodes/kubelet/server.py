"""The kubelets' own API: one TLS listener for all nodes of the process, at /containerLogs, /exec, /attach,
/portForward, /pods, /stats and /healthz.

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
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from fakeapi.clock import Clock
from fakeapi.streaming.upgrade import TAKE, UpgradeProtocol
from fakenodes.kubelet import logs, stats
from fakenodes.kubelet import node as nodes
from fakenodes.kubelet.connections import Connections, Endpoint
from fakenodes.kubelet.hollow import HollowNodes
from fakenodes.kubelet.podstate import Container
from fakenodes.kubelet.podworker import PodWorker
from kubeconfig.certificates import make_ca, sign

FOLLOW_SECONDS = 0.2  # between looks at a container that is followed and has no further line planned


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
        app = _until_cancelled(self._if_it_answers(self._app()))
        config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, ws="none")
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

    def _if_it_answers(self, app: ASGIApp) -> ASGIApp:
        """The kubelet of a node that cannot be talked to hangs up."""

        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            if self._nodes is not None and not await self._nodes.answers(_node(Request(scope))):
                _, writer = scope[TAKE]()
                writer.close()
                return
            await app(scope, receive, send)

        return call

    def _app(self) -> Starlette:
        connections = Connections(self._clock, self._find, self._changed)
        routes = [
            Route("/healthz", self._healthz),
            Route("/pods", self._pods),
            Route("/stats/summary", self._summary),
            Route("/containerLogs/{namespace}/{pod}/{container}", self._logs),
            Route("/exec/{namespace}/{pod}/{container}", Endpoint(connections.exec)),
            Route("/attach/{namespace}/{pod}/{container}", Endpoint(connections.attach)),
            Route("/portForward/{namespace}/{pod}", Endpoint(connections.port_forward)),
        ]
        return Starlette(routes=routes)

    async def _healthz(self, request: Request) -> Response:
        return PlainTextResponse("ok")

    async def _pods(self, request: Request) -> Response:
        items = [w.obj for w in self._asked(request) if w.obj is not None]
        return JSONResponse({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})

    async def _summary(self, request: Request) -> Response:
        """What `kubectl top` is made of: usage by pod and container, as the scripts say."""
        name = _node(request)
        return JSONResponse(stats.summary(name, self._asked(request), self._clock.now()))

    def _asked(self, request: Request) -> list[PodWorker]:
        """The pods of the node that the Host header names; of all nodes where it names none."""
        name = _node(request)
        known = self._nodes is not None and name in self._nodes.kubelets
        return [w for w in self._workers() if not known or w.kubelet.node.name == name]

    def _workers(self) -> list[PodWorker]:
        return list(self._nodes.workers.values()) if self._nodes is not None else []

    def _changed(self, uid: str) -> None:
        if self._nodes is not None:
            self._nodes.look(uid)

    def _find(self, namespace: str, name: str) -> PodWorker | None:
        for worker in self._workers():
            obj = worker.obj
            if obj is not None and obj["metadata"]["name"] == name and obj["metadata"]["namespace"] == namespace:
                return worker
        return None

    async def _logs(self, request: Request) -> Response:
        """GET /containerLogs: 404 for what is not there, 400 with upstream's text for what has no log."""
        namespace, name, wanted = (request.path_params[k] for k in ("namespace", "pod", "container"))
        worker = self._find(namespace, name)
        if worker is None:
            return PlainTextResponse(f'pod "{name}" does not exist\n', 404)
        assert worker.obj is not None
        declared = {
            c["name"]
            for k in ("initContainers", "containers", "ephemeralContainers")
            for c in worker.obj["spec"].get(k) or ()
        }
        if wanted not in declared:
            return PlainTextResponse(f'container "{wanted}" not found in pod "{name}"\n', 404)
        if worker.pod is None:
            text = f'container "{wanted}" in pod "{name}" is waiting to start: ContainerCreating'
            return PlainTextResponse(text, 400)
        container = next(c for c in worker.pod.containers if c.name == wanted)
        try:
            options = logs.parse_options(request.query_params, self._clock.now())
            run = logs.choose_run(worker.pod, container, options.previous)
        except (logs.LogError, ValueError) as error:
            return PlainTextResponse(str(error), 400)
        return StreamingResponse(self._stream(container, run, options), media_type="text/plain")

    async def _stream(self, container: Container, run: logs.Run, options: logs.Options) -> AsyncIterator[bytes]:
        left = options.limit
        now = self._clock.now()
        lines = logs.select(logs.written(container, run, now), options)
        while True:
            text = logs.render(lines, options.timestamps)
            if left is not None:
                text = text[:left]
                left -= len(text)
            if text:
                yield text
            if not options.follow or left == 0 or not _goes_on(container, run):
                return
            seen = now
            due = logs.next_line(container, run, seen)
            await self._clock.sleep(FOLLOW_SECONDS if due is None else max(min(due - seen, FOLLOW_SECONDS), 0.001))
            now = self._clock.now()
            if not _goes_on(container, run) and container.id == run.id:
                run = logs.Run(run.id, run.started, container.finished_at)
            lines = [line for line in logs.written(container, run, now) if line[0] > seen]


def _node(request: Request) -> str:
    return request.headers.get("host", "").rpartition(":")[0]


def _goes_on(container: Container, run: logs.Run) -> bool:
    return run.ended is None and container.running and container.id == run.id


def _until_cancelled(app: ASGIApp) -> ASGIApp:
    """To uvicorn a request that is cancelled is an error, but here it is how requests end when the server does."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await app(scope, receive, send)

    return call


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
