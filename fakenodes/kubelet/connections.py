"""The kubelet's /exec, /attach and /portForward: who is asked, and what the container says.

Stands for pkg/kubelet/server (getExec, getAttach, getPortForward) and the container runtime's streaming server.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from fakeapi.clock import Clock
from fakeapi.streaming.upgrade import STREAM_PROTOCOL, TAKE
from fakenodes.kubelet import forwarding, insides, logs, streaming
from fakenodes.kubelet.podstate import Container
from fakenodes.kubelet.podworker import PodWorker
from fakenodes.kubelet.runtime import execution, http, tls, wire
from fakenodes.kubelet.runtime.machine import Files, Machine
from fakenodes.kubelet.runtime.machine import Streams as Terminal
from fakenodes.kubelet.runtime.script import SHELLS
from fakenodes.kubelet.streaming import Session, Wanted
from fakenodes.kubelet.upgrades import Refused, check

Obj = dict[str, Any]
Find = Callable[[str, str], PodWorker | None]

LOOK_SECONDS = 0.1  # between looks at what an attached container has written
REMEMBERED = 1000  # containers and volumes whose written files are kept; the oldest are forgotten first
SUCCESS: Obj = {"status": "Success"}


class Endpoint:
    """A raw ASGI route of one of the three: it may take the connection over."""

    def __init__(self, serve: Callable[[Request, Mapping[str, str]], Awaitable[None]]) -> None:
        self._serve = serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        headers = {k.lower(): v for k, v in request.headers.items()}
        headers[STREAM_PROTOCOL] = ", ".join(request.headers.getlist(STREAM_PROTOCOL))
        try:
            await self._serve(request, headers)
        except Refused as refusal:
            await PlainTextResponse(refusal.text + "\n", refusal.status)(scope, receive, send)
        except ConnectionError:
            return


class Connections:
    """The three routes. find: namespace and name to the pod's worker. changed: a pod is to be looked at again."""

    def __init__(self, clock: Clock, find: Find, changed: Callable[[str], None]) -> None:
        self._clock = clock
        self._find = find
        self._changed = changed
        self._files: dict[str, Files] = {}
        self._volumes: dict[tuple[str, str], dict[str, bytes]] = {}  # written to emptyDirs, by pod and volume

    # -- who is asked

    def _worker(self, request: Request) -> PodWorker:
        namespace, name = request.path_params["namespace"], request.path_params["pod"]
        worker = self._find(namespace, name)
        if worker is None or worker.obj is None:
            raise Refused(404, "pod does not exist")
        return worker

    def _container(self, request: Request) -> tuple[PodWorker, Container]:
        worker, wanted = self._worker(request), request.path_params["container"]
        for container in worker.pod.containers if worker.pod is not None else ():
            if container.name == wanted and container.running:
                return worker, container
        raise Refused(500, f'container not found ("{wanted}")')

    @staticmethod
    def _wanted(request: Request) -> Wanted:
        given = {name: request.query_params.get(name) == "1" for name in ("stdin", "stdout", "stderr", "tty")}
        if not (given["stdin"] or given["stdout"] or given["stderr"]):
            raise Refused(400, "you must specify at least 1 of stdin, stdout, stderr")
        return Wanted(given["stdin"], given["stdout"], given["stderr"] and not given["tty"], given["tty"])

    async def _session(self, request: Request, headers: Mapping[str, str], wanted: Wanted) -> Session:
        return await streaming.open_session(headers, request.scope[TAKE], wanted)

    # -- exec

    async def exec(self, request: Request, headers: Mapping[str, str]) -> None:
        """GET or POST /exec/{namespace}/{pod}/{container}?command=..."""
        check(headers)
        wanted = self._wanted(request)
        argv = request.query_params.getlist("command")
        try:
            worker, container = self._container(request)
        except Refused as refusal:
            if refusal.status != 500 or "v5.channel.k8s.io" not in headers.get("sec-websocket-protocol", ""):
                raise
            session = await self._session(request, headers, wanted)
            await session.finish(_internal(f"unable to upgrade connection: {refusal.text}"))
            return
        session = await self._session(request, headers, wanted)
        await _while_connected(session, wanted, lambda streams: self._run(worker, container, argv, streams, wanted))

    async def _run(
        self, worker: PodWorker, container: Container, argv: list[str], streams: Terminal, wanted: Wanted
    ) -> Obj:
        machine = await self._machine(worker, container, wanted.tty)
        if not argv:
            return _internal("error executing command in container: no command")
        try:
            if wanted.tty and wanted.stdin and argv[0] in SHELLS and len(argv) == 1:
                code = await execution.interact(machine, streams, tty=True)
            else:
                code = await execution.run(machine, argv, streams)
        except execution.NotFound as error:
            words = " ".join(argv)
            text = "OCI runtime exec failed: exec failed: unable to start container process"
            return _internal(
                f'error executing command in container: failed to exec in container: failed to start exec "{words}": '
                f"{text}: {error}"
            )
        return _exit_status(argv, code)

    async def _machine(self, worker: PodWorker, container: Container, tty: bool) -> Machine:
        base, directories = await self._contents(worker, container)
        files = self._files.setdefault(container.id, Files(base))
        if len(self._files) > REMEMBERED:
            del self._files[next(iter(self._files))]
        files.base = base
        files.directories |= directories
        files.shared = self._shared(worker, container)
        variables = await insides.environment(worker, container.spec, tty=tty)
        home = container.spec.get("workingDir") or "/"
        return Machine(container.script, files, variables, variables["HOSTNAME"], self._clock, home)

    def _shared(self, worker: PodWorker, container: Container) -> dict[str, dict[str, bytes]]:
        """What is in the pod's emptyDirs, by where the container mounts them."""
        assert worker.obj is not None
        empty = {v["name"] for v in worker.obj["spec"].get("volumes") or () if "emptyDir" in v}
        found = {}
        for mount in container.spec.get("volumeMounts") or ():
            if mount["name"] in empty and not mount.get("subPath"):
                volume = self._volumes.setdefault((worker.uid, mount["name"]), {})
                found[mount["mountPath"].rstrip("/")] = volume
        while len(self._volumes) > REMEMBERED:
            del self._volumes[next(iter(self._volumes))]
        return found

    @staticmethod
    async def _contents(worker: PodWorker, container: Container) -> tuple[dict[str, bytes], set[str]]:
        """The files and directories that the container came with."""
        found, directories = await insides.files(worker, container.spec)
        return found | {path: text.encode() for path, text in container.script.files.items()}, directories

    # -- attach

    async def attach(self, request: Request, headers: Mapping[str, str]) -> None:
        """GET or POST /attach/{namespace}/{pod}/{container}"""
        check(headers)
        wanted = self._wanted(request)
        worker, container = self._container(request)
        session = await self._session(request, headers, wanted)
        await _while_connected(session, wanted, lambda streams: self._attached(worker, container, streams, wanted))

    async def _attached(self, worker: PodWorker, container: Container, streams: Terminal, wanted: Wanted) -> Obj:
        argv = [*(container.spec.get("command") or ()), *(container.spec.get("args") or ())]
        if wanted.stdin and container.spec.get("stdin") and len(argv) == 1 and argv[0] in SHELLS:
            machine = await self._machine(worker, container, wanted.tty)
            code = await execution.interact(machine, streams, tty=wanted.tty)
            if machine.exited or container.spec.get("stdinOnce"):
                container.script = replace(container.script, exit_code=code)
                container.exits_at = container.due = self._clock.now()
                self._changed(worker.uid)
            return SUCCESS
        run = logs.Run(container.id, container.started_at, None)
        seen = self._clock.now()
        while container.running and container.id == run.id:
            await self._clock.sleep(LOOK_SECONDS)
            now = self._clock.now()
            fresh = [line for line in logs.written(container, run, now) if line[0] > seen]
            if fresh:
                await streams.out(logs.render(fresh, timestamps=False))
            seen = now
        return SUCCESS

    # -- port-forward

    async def port_forward(self, request: Request, headers: Mapping[str, str]) -> None:
        """GET or POST /portForward/{namespace}/{pod}?port=80,443"""
        worker = self._worker(request)
        ports = []
        for value in request.query_params.getlist("port"):
            for part in value.split(","):
                if not part.isdigit() or not 0 < int(part) < 65536:
                    raise Refused(400, f'unable to parse "{part}" as a port')
                ports.append(int(part))

        async def serve(port: int, reader: asyncio.StreamReader, write: forwarding.Write) -> None:
            container = http.listener(worker.pod, port) if worker.pod is not None else None
            if container is None:
                raise ConnectionRefusedError(
                    f"error forwarding port {port} to pod {worker.uid}, uid : failed to execute portforward in network "
                    f"namespace: failed to connect to localhost:{port} inside namespace, IPv4: dial tcp4 "
                    f"127.0.0.1:{port}: connect: connection refused"
                )
            assert worker.pod is not None
            files, _ = await self._contents(worker, container)
            read, put = await tls.accept(lambda: reader.read(65536), write, tls.mounted(files))
            await wire.answer(container.script.serve or http.default(worker.pod, container), port, read, put)

        await forwarding.forward(headers, request.scope[TAKE], ports, serve)


async def _while_connected(session: Session, wanted: Wanted, work: Callable[[Terminal], Awaitable[Obj]]) -> None:
    """Do the work with the session's streams, and tell how it ended; stop when the client goes away."""
    typed: asyncio.Queue[bytes] = asyncio.Queue()
    ended = False

    async def read() -> bytes:
        nonlocal ended
        if ended or not wanted.stdin:
            return b""
        data = await typed.get()
        ended = not data
        return data

    async def out(data: bytes) -> None:
        if wanted.stdout:
            await session.write(streaming.STDOUT, data.replace(b"\n", b"\r\n") if wanted.tty else data)

    async def err(data: bytes) -> None:
        if wanted.tty:
            await out(data)
        elif wanted.stderr:
            await session.write(streaming.STDERR, data)

    async def listen() -> None:
        while (message := await session.receive()) is not None:
            if message[0] == streaming.STDIN:
                typed.put_nowait(message[1])

    async def run() -> None:
        await session.finish(await work(Terminal(read, out, err)))

    tasks = [asyncio.ensure_future(run()), asyncio.ensure_future(listen())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for found in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(found, Exception) and not isinstance(found, ConnectionError):
                with contextlib.suppress(ConnectionError):
                    await session.finish(_internal(f"{type(found).__name__}: {found}"))


def _exit_status(argv: list[str], code: int) -> Obj:
    if not code:
        return SUCCESS
    failed = f"error executing command [{' '.join(argv)}], exit code {code}"
    return {
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: {failed}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _internal(text: str) -> Obj:
    message = f"Internal error occurred: {text}"
    return {"status": "Failure", "message": message, "reason": "InternalError", "code": 500,
            "details": {"causes": [{"message": text}]}}  # fmt: skip
