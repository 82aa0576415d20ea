"""Runs controllers: one informer a resource for all of them, a queue and workers for each.

Stands for kube-controller-manager's start-up. `select` is its --controllers flag: `*` is all, `name` adds, `-name`
takes away. Leader election is the caller's: see leases.py.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable

from fakeapi.clock import Clock
from fakenodes.client.base import GVR, Client, ClientError, Obj
from fakenodes.controllers.base import Controller, Options, Shared, Watch, Watching, Work
from fakenodes.events import EventRecorder
from fakenodes.informer import InformerFactory
from fakenodes.workqueue import WorkQueue

log = logging.getLogger(__name__)

MANAGER = "system:kube-controller-manager"
# How soon a key whose own writes have not come back is looked at again.
BEHIND_SECONDS = 0.01
# After a reconcile its key rests for so many times what it took, at most for so long: in all, and an object looked at.
REST_FACTOR, REST_SECONDS, REST_EACH = 20.0, 0.5, 0.001
# Looking at so few objects costs nothing worth a rest.
FEW = 20


def choose(controllers: Iterable[Controller], select: str) -> list[Controller]:
    """The controllers that a --controllers value names. ValueError for a name that is none."""
    found = list(controllers)
    names = {x.name: x.name for x in found} | {x.alias: x.name for x in found}
    parts = [x.strip() for x in select.split(",") if x.strip()]
    for part in parts:
        if part != "*" and part.removeprefix("-") not in names:
            raise ValueError(f'"{part.removeprefix("-")}" is not in the list of known controllers')
    wanted = set(names.values()) if "*" in parts else set()
    wanted |= {names[x] for x in parts if not x.startswith("-") and x != "*"}
    wanted -= {names[x[1:]] for x in parts if x.startswith("-")}
    return [x for x in found if x.name in wanted]


class Manager:
    """Running controllers. `clients(user)` gives the client that acts as that user; start(), then stop()."""

    def __init__(
        self,
        controllers: Iterable[Controller],
        clients: Callable[[str], Client],
        clock: Clock,
        options: Options | None = None,
        seed: int | None = None,
    ) -> None:
        self._controllers = list(controllers)
        self._clients = clients
        self._clock = clock
        self._options = options or Options()
        self._rng = random.Random(seed)
        self._factory = InformerFactory(clients(MANAGER), clock, self._rng)
        self._watching = Watching(self._factory)
        self._running: list[_Running] = []

    @property
    def drained(self) -> bool:
        """Every queue is empty and nothing is being done; delayed keys do not count."""
        return all(x.drained for x in self._running)

    @property
    def informers(self) -> InformerFactory:
        """The shared informers."""
        return self._factory

    async def start(self) -> None:
        """Return once all caches are filled and the workers run."""
        for controller in self._controllers:
            running = _Running(
                controller, self._watching, self._clients(controller.user), self._clock, self._rng, self._options
            )
            self._running.append(running)
            running.connect()
        await self._factory.start()
        for running in self._running:
            running.start()

    async def stop(self) -> None:
        """End workers and informers."""
        await asyncio.gather(*(x.stop() for x in self._running))
        self._running.clear()
        await self._factory.stop()


async def run_controllers(
    clients: Callable[[str], Client],
    clock: Clock,
    select: str = "*",
    controllers: Iterable[Controller] = (),
    options: Options | None = None,
    seed: int | None = None,
) -> Manager:
    """Start the controllers that `select` names and return their manager; stop() it in the end."""
    if not controllers:
        # Here, not above: a descriptor's module imports base.py, and the tuple imports every descriptor.
        from fakenodes.controllers import CONTROLLERS

        controllers = CONTROLLERS
    manager = Manager(choose(controllers, select), clients, clock, options, seed)
    await manager.start()
    return manager


def _rest(took: float, looked_at: int) -> float:
    """How long a key is left alone after a reconcile of so many seconds that looked at so many objects.

    A large ReplicaSet changes with every one of its Pods, and each look at it costs in proportion to all of them:
    without a pause, bringing up N Pods would cost N squared. Small objects, and a clock that stands still, do not wait.
    """
    if looked_at <= FEW:
        return 0.0
    return min(took * REST_FACTOR, looked_at * REST_EACH, REST_SECONDS)


class _Running:
    """One controller at work."""

    def __init__(
        self,
        controller: Controller,
        watching: Watching,
        client: Client,
        clock: Clock,
        rng: random.Random,
        options: Options,
    ) -> None:
        self.controller = controller
        self._clock = clock
        self._queue: WorkQueue[str] = WorkQueue(clock)
        self._recorder = EventRecorder(client, clock, controller.component or controller.name)
        self._shared = Shared(watching, client, clock, self._recorder, self._queue, controller.state(), rng, options)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def drained(self) -> bool:
        return self._queue.drained and self._recorder.drained

    def connect(self) -> None:
        """Index and follow what the controller watches."""
        watched: set[GVR] = set()
        for watch in self.controller.watches:
            informer = self._shared.watching.informer(watch.gvr)
            watched.add(watch.gvr)
            for name, function in watch.indexes.items():
                informer.add_index(name, function)
            if watch.keys is not None:
                self._follow(watch)
        self._shared.watch(watched)

    def _follow(self, watch: Watch) -> None:
        mapper, queue, watching = watch.keys, self._queue, self._shared.watching
        assert mapper is not None

        def changed(old: Obj | None, new: Obj | None) -> None:
            for key in mapper(watching, old, new):
                queue.add(key)

        watching.informer(watch.gvr).add_handler(
            lambda new: changed(None, new), changed, lambda old: changed(old, None)
        )

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        name = self.controller.name
        self._tasks = [loop.create_task(self._work(), name=f"{name} worker") for _ in range(self.controller.workers)]
        if self.controller.run is not None:
            self._tasks.append(loop.create_task(self._background(), name=f"{name} background"))

    async def stop(self) -> None:
        self._queue.shut_down()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._recorder.stop()

    async def _background(self) -> None:
        assert self.controller.run is not None
        try:
            await self.controller.run(self._shared)
        except Exception:
            log.exception("%s: background task failed", self.controller.name)

    async def _work(self) -> None:
        while (key := await self._queue.get()) is not None:
            work = Work(self._shared, key)
            began = self._clock.monotonic()
            try:
                await self._reconcile(key, work)
            finally:
                self._queue.done(key, _rest(self._clock.monotonic() - began, work.looked_at))

    async def _reconcile(self, key: str, work: Work) -> None:
        if not self._shared.caught_up(key):
            self._queue.add_after(key, BEHIND_SECONDS)
            return
        try:
            again = await self.controller.reconcile(work)
        except (ClientError, OSError) as error:
            log.info("%s %s: %s", self.controller.name, key, error)
            self._queue.add_rate_limited(key)
            return
        except Exception:
            log.exception("%s %s failed", self.controller.name, key)
            self._queue.add_rate_limited(key)
            return
        self._queue.forget(key)
        if again is not None:
            self._queue.add_after(key, again)
