"""A whole cluster for Python: `with Cluster(nodes=3) as cluster:`.

It runs on its own thread with its own event loop; every method blocks and may be called from any thread. `async with`
gives awaitable twins of the same calls. Nothing of it is on the caller's loop, so blocking clients in a test just work.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from fakeapi import manifests, waiting
from fakeapi.clock import VirtualClock
from fakeapi.config import Config
from fakeapi.control import Snapshot
from fakeapi.controls import ClusterClock, Nodes
from fakeapi.faults import Faults
from fakeapi.garbage import uncollected
from fakeapi.kubectl import KUBECTL_SECONDS, Output, kubectl
from fakeapi.loopthread import LoopThread
from fakeapi.progress import missing_of
from fakeapi.requestlog import RequestLog
from fakeapi.running import Running
from fakeapi.twins import AsyncCluster
from fakeapi.waiting import Target
from fakenodes.components import Plan
from kubeconfig import model

if TYPE_CHECKING:
    from fakenodes.kubelet.runtime.runtime import Runtime
    from fakenodes.scheduler.profiles import PluginTable

Obj = dict[str, Any]


class WaitTimeout(AssertionError):
    """What was waited for did not come; the text says what is missing."""


class Cluster:
    """A fake Kubernetes cluster. start() or `with`; stop() ends it and leaves nothing behind.

    nodes: how many; they are node-0, node-1, ... kubernetes: the served version, 1.25 to 1.37. authorization: modes as
    --authorization-mode's; RBAC brings Node with it. controllers: as --controllers'.
    scheduler_profiles: plugins by schedulerName (docs/scheduler.md). data: a directory to keep the
    state in (default: memory). name: of the kubeconfig's context.
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
        scheduler_profiles: Mapping[str, PluginTable] | None = None,
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
        self._plan = Plan(
            controllers=controllers, scheduler=scheduler, profiles=scheduler_profiles, nodes=nodes, seed=seed
        )
        self._thread: LoopThread | None = None
        self._running: Running | None = None
        self._directory = ""
        self._api_client: Any = None
        self._making_client = threading.Lock()
        self._clock = VirtualClock()

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self) -> Cluster:
        """Bring it up; returns when nodes are registered and Pods can be created. LaunchError, TimeoutError."""
        assert self._thread is None, "the cluster is running"
        self._thread = LoopThread(f"fakekube {self.name}")
        atexit.register(self.stop)
        try:
            with uncollected():
                self._running = self._thread.run(Running.start(self._config, self._plan, self._clock))
            self._directory = tempfile.mkdtemp(prefix="fakekube-")
            model.write(Path(self.kubeconfig), self._running.launched.kubeconfig(name=self.name))
        except BaseException:
            self.stop()
            raise
        # What there is now stays. Else every full collection walks the schemas and tables again: half a test's time.
        gc.freeze()
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
                gc.unfreeze()
                thread.close()
                self._running = None
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Cluster:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> AsyncCluster:
        await asyncio.to_thread(self.start)
        return AsyncCluster(self)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
        with self._making_client:
            if self._api_client is None:
                from kubernetes import config

                assert self._live
                self._api_client = config.new_client_from_config(config_file=self.kubeconfig)
            return self._api_client

    def kubectl(
        self, *arguments: str, input: str | None = None, check: bool = True, timeout: float = KUBECTL_SECONDS
    ) -> Output:
        """Run kubectl against the cluster; what it printed (a str; .stderr and .returncode beside it).

        input is its stdin. KubectlError when it fails, unless check is False. FileNotFoundError without a kubectl."""
        assert self._live
        return kubectl(self.kubeconfig, arguments, input=input, check=check, timeout=timeout)

    # -- objects ---------------------------------------------------------------------------------------------------

    def apply(self, *sources: str | os.PathLike[str] | Mapping[str, Any], namespace: str = "default") -> list[Obj]:
        """Apply manifests, in order: files, directories, YAML texts (with a line end in them), or objects.

        What the server made of them. ManifestError names the first that it refuses."""
        thread, running = self._live
        objects = [obj for source in sources for obj in manifests.read(_source(source))]
        return thread.run(manifests.apply(running.server, objects, namespace))

    def wait(
        self,
        what: str | Callable[[], object],
        until: str | Callable[[Obj], object] = "",
        *,
        namespace: str = "default",
        selector: str = "",
        timeout: float = 30.0,
    ) -> list[Obj]:
        """Wait until every one of `what` is as it should be, and there is at least one; what was found.

        what: `deployment/web`, `pods`, `jobs.batch/once`, or a function that is asked again after every change.
        until: "" is rolled out, ready, complete or bound, by kind; `exists`; `deleted`; a condition (`Available`,
        `Ready=False`); a field (`status.phase=Running`); or a function of one object. timeout: real seconds;
        WaitTimeout says what is missing. WaitError for what makes no sense."""
        deadline = time.monotonic() + timeout
        thread, running = self._live
        server = running.server
        target = None if callable(what) else thread.call(lambda: waiting.target_of(server, what, namespace, selector))
        while True:
            since = thread.run(server.storage.revision())
            found = thread.run(waiting.look(server, target)) if target else []
            missing = _missing(target, until, found) if target else ("" if what() else "the condition does not hold")  # type: ignore[operator]
            if not missing:
                return found
            left = deadline - time.monotonic()
            if left <= 0:
                lines = thread.run(waiting.lacking(server, target)) if target else []
                raise WaitTimeout("\n  ".join([f"not so after {timeout:g} s: {missing}", *lines]))
            thread.run(waiting.change(server, since, min(left, 0.2 if target is None else left)))

    # -- state -----------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The state now, for restore(). ControlError for a store that cannot go back."""
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

    def settle(self) -> None:
        """Return when the components have nothing left to do at this moment."""
        thread, running = self._live
        thread.run(running.settle())

    # -- what a test controls --------------------------------------------------------------------------------------

    @property
    def clock(self) -> ClusterClock:
        """The cluster's time."""
        return ClusterClock(*self._live)

    @property
    def faults(self) -> Faults:
        """Injected faults: `cluster.faults.add("error", verb="create", resource="pods", code=503, count=2)`."""
        return self._live[1].faults

    @property
    def requests(self) -> RequestLog:
        """Every request since the cluster was ready or reset: `cluster.requests.where(verb="patch")`."""
        return self._live[1].requests

    @property
    def nodes(self) -> Nodes:
        """The hollow nodes."""
        return Nodes(*self._live)

    @property
    def runtime(self) -> Runtime:
        """What the nodes' containers do: `cluster.runtime.image("nginx:*", Script(ready_after=2))`."""
        nodes = self._live[1].components.nodes
        assert nodes is not None, "a cluster without nodes has no runtime"
        return nodes.runtime

    def report(self, requests: int = 30) -> str:
        """Pods, warnings and the latest requests from outside, for somebody who looks for a failure's cause."""
        thread, running = self._live
        lines = thread.run(waiting.report(running.server))
        asked = running.requests.where(outside=True)
        return "\n".join([*lines, f"latest requests of {len(asked)}:", *map(str, asked[-requests:])])


def _missing(target: waiting.Target, until: str | Callable[[Obj], object], found: list[Obj]) -> str:
    if until == "deleted":
        return f"{target} is there" if found else ""
    if not found:
        return f"{target}: there is none"
    test = (
        (lambda o: "" if until(o) else "not as wanted")
        if callable(until)
        else missing_of(target.row.group, target.row.plural, until)
    )
    for obj in found:
        missing = test(obj)
        if missing:
            return f"{Target(target.row, target.namespace, obj['metadata']['name'], '')}: {missing}"
    return ""


def _source(source: str | os.PathLike[str] | Mapping[str, Any]) -> str | Path | Obj:
    if isinstance(source, Mapping):
        return dict(source)
    return source if isinstance(source, str) else Path(source)
