"""The components of a cluster as one thing to start and stop: controllers, scheduler, hollow nodes, or some of them.

Each is a client of an API server and knows nothing of the others. `clients(user)` says how a component reaches the
server as that user; in one process it is the in-process client, from outside an HTTP one. Several copies elect a
leader.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct, field

from fakeapi.clock import Clock
from fakenodes.client.base import GVR, Client, ClientError
from fakenodes.controllers import CONTROLLERS
from fakenodes.controllers.base import Options
from fakenodes.controllers.runner import Manager, choose
from fakenodes.informer import InformerFactory
from fakenodes.kubelet.faults import Fault, play
from fakenodes.kubelet.hollow import Hollow, HollowNodes
from fakenodes.kubelet.manifests import ManifestPath, follow
from fakenodes.kubelet.node import Endpoint
from fakenodes.kubelet.runtime.runtime import Runtime
from fakenodes.kubelet.server import KubeletServer
from fakenodes.scheduler.profiles import PluginTable
from fakenodes.scheduler.scheduler import Scheduler

log = logging.getLogger(__name__)

SCHEDULER = "system:kube-scheduler"
MANAGER = "system:kube-controller-manager"
NODE_PREFIX = "node-"
_ACCOUNTS = GVR("", "v1", "serviceaccounts")
_POLL = 0.005

Clients = Callable[[str], Client]


class Plan(Struct):
    """What to run: the --controllers selection ("" for none), the scheduler, and how many nodes with which names.

    roster: the nodes one by one, in place of a number. quiet: take over what an earlier run of the components left on
    the server, without a word. endpoint: where the kubelets' own API listens; set by the first start, so that a restart
    finds the port that its Nodes tell of.
    """

    controllers: str = "*"
    scheduler: bool = True
    nodes: int = 3
    node_prefix: str = NODE_PREFIX
    roster: tuple[Hollow, ...] | None = None
    quiet: bool = False
    options: Options = field(default_factory=Options)
    runtime: Runtime | None = None
    endpoint: Endpoint | None = None
    faults: tuple[Fault, ...] = ()
    manifests: tuple[ManifestPath, ...] = ()
    profiles: Mapping[str, PluginTable] | None = None
    seed: int | None = None


class Components:
    """Running components. start() returns when they work, stop() ends them. kubelets: a listener to take over."""

    def __init__(self, clients: Clients, clock: Clock, plan: Plan, kubelets: KubeletServer | None = None) -> None:
        self.plan = plan
        self.manager: Manager | None = None
        self.scheduler: Scheduler | None = None
        self.nodes: HollowNodes | None = None
        self._clients = clients
        self._clock = clock
        self._rng = random.Random(plan.seed)
        self._tasks: list[asyncio.Task[None]] = []
        self._factories: list[InformerFactory] = []
        self.kubelets = kubelets
        self._hollow()

    async def start(self) -> None:
        """Start what the plan names. ValueError for a controller that does not exist."""
        plan = self.plan
        if plan.controllers:
            chosen = choose(CONTROLLERS, plan.controllers)
            self.manager = Manager(chosen, self._clients, self._clock, plan.options, plan.seed)
            await self.manager.start()
        if plan.scheduler:
            self.scheduler = Scheduler(plan.profiles)
            self._run("scheduler", self._run_scheduler())
        if self.nodes is not None:
            assert self.kubelets is not None
            await self.kubelets.start(self.nodes)
            self._run("nodes", self._run_nodes())

    def _hollow(self) -> None:
        plan = self.plan
        roster = plan.roster
        if roster is None:
            roster = tuple(Hollow(f"{plan.node_prefix}{number}") for number in range(plan.nodes))
        if not roster:
            return
        if self.kubelets is None:
            self.kubelets = KubeletServer(self._clock)
            plan.endpoint = self.kubelets.open(plan.endpoint.port if plan.endpoint else 0)
        self.nodes = HollowNodes(
            self._clients, self._clock, rng=self._rng, runtime=plan.runtime, endpoint=plan.endpoint, quiet=plan.quiet
        )
        for hollow in roster:
            self.nodes.add_node(hollow)

    @property
    def drained(self) -> bool:
        """Nothing is left to do before time goes on."""
        parts = (self.manager, self.scheduler, self.nodes)
        return all(part is None or part.drained for part in parts)

    async def ready(self, seconds: float = 30.0) -> None:
        """Wait until nodes are registered and Pods can be created in the default namespace. TimeoutError when it does
        not come to that and no node more has been registered for so many seconds.
        """
        registered, deadline = -1, 0.0
        while not await self._is_ready():
            self.check()
            now, known = self._clock.monotonic(), self._registered()
            if known > registered:
                registered, deadline = known, now + seconds
            if now > deadline:
                raise TimeoutError("the cluster's components did not get ready in time")
            await self._clock.sleep(_POLL)

    def _registered(self) -> int:
        """How many nodes the server has."""
        kubelets = self.nodes.kubelets.values() if self.nodes is not None else ()
        return sum(kubelet.node.obj is not None for kubelet in kubelets)

    async def _is_ready(self) -> bool:
        if self.nodes is not None and self._registered() < len(self.nodes.kubelets):
            return False
        if self.manager is None:
            return True
        try:
            await self._clients(MANAGER).get(_ACCOUNTS, "default", "default")
        except ClientError as error:
            return error.code == 403
        return True

    async def stop(self) -> None:
        """End everything."""
        await self.halt()
        if self.kubelets is not None:
            await self.kubelets.stop()

    async def halt(self) -> None:
        """End everything but the kubelets' listener, which other Components may take over."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.manager is not None:
            await self.manager.stop()
        for factory in self._factories:
            await factory.stop()

    async def wait(self) -> None:
        """Return (or raise) when a component ends by itself, which none should."""
        if self._tasks:
            await asyncio.gather(*self._tasks)

    def _run(self, name: str, work: Awaitable[None]) -> None:
        self._tasks.append(asyncio.ensure_future(work))
        log.debug("started %s", name)

    def check(self) -> None:
        """Raise what a component raised that has ended by itself."""
        for task in self._tasks:
            if task.done():
                task.result()

    def _informers(self) -> InformerFactory:
        """One informer a resource for all components of the process, acting as a user who may list everything they
        read.
        """
        if self.manager is not None:
            return self.manager.informers
        if not self._factories:
            self._factories.append(InformerFactory(self._clients(SCHEDULER), self._clock, self._rng))
        return self._factories[0]

    async def _run_scheduler(self) -> None:
        assert self.scheduler is not None
        await self.scheduler.run(self._clients(SCHEDULER), self._informers(), self._clock, self._rng)

    async def _run_nodes(self) -> None:
        assert self.nodes is not None
        names = list(self.nodes.kubelets)
        beside = [play(self.nodes, fault, self._clock) for fault in self.plan.faults]
        beside += [follow(self.nodes, names, where, self._clock) for where in self.plan.manifests]
        playing = [asyncio.ensure_future(work) for work in beside]
        try:
            await self.nodes.run(self._informers())
        finally:
            for task in playing:
                task.cancel()
            await asyncio.gather(*playing, return_exceptions=True)
