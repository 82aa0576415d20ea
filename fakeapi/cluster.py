"""A whole cluster for Python: `with Cluster(nodes=3) as cluster:`.

It runs on its own thread with its own event loop; every method blocks and may be called from any thread. `async with`
gives awaitable twins of the same calls. Nothing of it is on the caller's loop, so blocking clients in a test just work.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from fakeapi.clock import VirtualClock
from fakeapi.config import Config
from fakeapi.loopthread import LoopThread
from fakeapi.control import Snapshot
from fakeapi.running import Running
from fakenodes.components import Plan
from kubeconfig import model

if TYPE_CHECKING:
    from fakenodes.kubelet.runtime.script import Runtime

KUBECTL_SECONDS = 60.0


class KubectlError(AssertionError):
    """kubectl failed; the text says how it was called and what it said."""

    def __init__(self, arguments: Sequence[str], status: int, stdout: str, stderr: str) -> None:
        said = stderr.strip() or stdout.strip() or "(it said nothing)"
        super().__init__(f"kubectl {' '.join(arguments)}\nexit status {status}: {said}")
        self.returncode = status
        self.stdout = stdout
        self.stderr = stderr


class Output(str):
    """What kubectl printed on stdout, with the rest beside it."""

    stderr: str
    returncode: int

    @property
    def stdout(self) -> str:
        """The same text."""
        return str(self)


def make_output(stdout: str, stderr: str, status: int) -> Output:
    """See Output."""
    output = Output(stdout)
    output.stderr = stderr
    output.returncode = status
    return output


class Cluster:
    """A fake Kubernetes cluster. start() or `with`; stop() ends it and leaves nothing behind.

    nodes: how many, or a list of names is not needed: they are node-0, node-1, ... kubernetes: the served version, 1.25
    to 1.37. authorization: modes as --authorization-mode's. data: a directory to keep the state in (default: memory).
    """

    def __init__(
        self,
        nodes: int = 3,
        *,
        kubernetes: str = "1.36",
        authorization: str = "AlwaysAllow",
        enable_admission: Sequence[str] = (),
        disable_admission: Sequence[str] = (),
        controllers: str = "*",
        scheduler: bool = True,
        data: str | os.PathLike[str] | None = None,
        service_cidr: str = "10.96.0.0/12",
        port: int = 0,
        tls_san: Sequence[str] = (),
        seed: int | None = None,
        name: str = "fakekube",
    ) -> None:
        from fakeapi.commands.common import kubernetes_version
        from fakeapi.commands.serve import names

        self.name = name
        self._config = Config(
            port=port,
            data=Path(data) if data is not None else None,
            minor=kubernetes_version(kubernetes),
            authorization=names(authorization),
            enable_admission=frozenset(enable_admission),
            disable_admission=frozenset(disable_admission),
            service_cidr=service_cidr,
            tls_san=tuple(tls_san),
            seed=seed,
        )
        self._plan = Plan(controllers=controllers, scheduler=scheduler, nodes=nodes, seed=seed)
        self._thread: LoopThread | None = None
        self._running: Running | None = None
        self._directory = ""
        self._api_client: Any = None
        self._clock = VirtualClock()

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self) -> Cluster:
        """Bring it up; returns when nodes are registered and Pods can be created. LaunchError, TimeoutError."""
        assert self._thread is None, "the cluster is running"
        self._thread = LoopThread(f"fakekube {self.name}")
        atexit.register(self.stop)
        try:
            self._running = self._thread.run(Running.start(self._config, self._plan, self._clock))
            self._directory = tempfile.mkdtemp(prefix="fakekube-")
            model.write(Path(self.kubeconfig), self._running.launched.kubeconfig(name=self.name))
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End it; harmless when done twice."""
        atexit.unregister(self.stop)
        thread, self._thread = self._thread, None
        if self._api_client is not None:
            self._api_client.rest_client.pool_manager.clear()
            self._api_client.close()
            self._api_client = None
        if thread is not None:
            try:
                if self._running is not None:
                    thread.run(self._running.stop())
            finally:
                thread.close()
                self._running = None
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Cluster:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    async def __aenter__(self) -> AsyncCluster:
        await asyncio.to_thread(self.start)
        return AsyncCluster(self)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await asyncio.to_thread(self.stop)

    @property
    def _live(self) -> tuple[LoopThread, Running]:
        if self._thread is None or self._running is None:
            raise RuntimeError("the cluster is not running: use `with Cluster() as cluster:` or start()")
        return self._thread, self._running

    # -- ways in ---------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """https://127.0.0.1:<port>."""
        return self._live[1].launched.url

    @property
    def kubeconfig(self) -> str:
        """Path of an administrator's kubeconfig file."""
        return os.path.join(self._directory, "kubeconfig")

    @property
    def api_client(self) -> Any:
        """The official client's ApiClient, as administrator: kubernetes.client.CoreV1Api(cluster.api_client)."""
        if self._api_client is None:
            from kubernetes import config

            assert self._live
            self._api_client = config.new_client_from_config(config_file=self.kubeconfig)
        return self._api_client

    def kubectl(self, *arguments: str, input: str | None = None, check: bool = True, timeout: float = KUBECTL_SECONDS) -> Output:
        """Run kubectl against the cluster; what it printed (a str; .stderr and .returncode beside it).

        input is its stdin. KubectlError when it fails, unless check is False. FileNotFoundError without a kubectl."""
        assert self._live
        words = [str(a) for a in arguments]
        environment = {**os.environ, "KUBECONFIG": self.kubeconfig}
        try:
            done = subprocess.run(["kubectl", *words], env=environment, input=input, capture_output=True, text=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired as error:
            raise KubectlError(words, -1, _text(error.stdout), f"not done after {timeout:g} s: {_text(error.stderr)}") from None
        if check and done.returncode:
            raise KubectlError(words, done.returncode, done.stdout, done.stderr)
        return make_output(done.stdout, done.stderr, done.returncode)

    # -- state -----------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The state now, for restore(). SnapshotError for a store that cannot go back."""
        thread, running = self._live
        return thread.call(running.snapshot)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to it. Objects have their resourceVersions of then; every open watch ends with 410."""
        thread, running = self._live
        thread.run(running.restore(snapshot))

    def reset(self) -> None:
        """Go back to the state when the cluster was ready."""
        thread, running = self._live
        thread.run(running.reset())

    @property
    def runtime(self) -> Runtime:
        """What the nodes' containers do: see fakenodes.kubelet.runtime."""
        nodes = self._live[1].components.nodes
        assert nodes is not None, "a cluster without nodes has no runtime"
        return nodes.runtime


def _text(found: bytes | str | None) -> str:
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else found or ""


class AsyncCluster:
    """A Cluster whose methods are awaited: the same calls with the same arguments."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._cluster, name)
        if not callable(found):
            return found

        async def call(*arguments: Any, **options: Any) -> Any:
            return await asyncio.to_thread(found, *arguments, **options)

        return call


Options = Mapping[str, Any]
