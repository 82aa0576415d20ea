"""What the kubelets of this process answer: /containerLogs, /exec, /attach, /portForward, /pods, /stats and /healthz.

Stands for pkg/kubelet/server's handlers. One application for all nodes; a request names its node as the Host.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from fakeapi.clock import Clock
from fakeapi.streaming.upgrade import TAKE
from fakenodes.kubelet import logs, stats
from fakenodes.kubelet.connections import Connections, Endpoint
from fakenodes.kubelet.hollow import HollowNodes
from fakenodes.kubelet.podstate import Container
from fakenodes.kubelet.podworker import PodWorker

FOLLOW_SECONDS = 0.2  # between looks at a container that is followed and has no further line planned


class KubeletApi:
    """The application. nodes(): those that it speaks for now."""

    def __init__(self, clock: Clock, nodes: Callable[[], HollowNodes]) -> None:
        self._clock = clock
        self._hollow = nodes
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
        self._app = Starlette(routes=routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI. The kubelet of a node that cannot be talked to hangs up."""
        if not await self._hollow().answers(_node(Request(scope))):
            _, writer = scope[TAKE]()
            writer.close()
            return
        await self._app(scope, receive, send)

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
        known = name in self._hollow().kubelets
        return [w for w in self._workers() if not known or w.kubelet.node.name == name]

    def _workers(self) -> list[PodWorker]:
        return list(self._hollow().workers.values())

    def _changed(self, uid: str) -> None:
        self._hollow().look(uid)

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
