"""A whole running cluster on the current event loop: API server, components, and their controls.

What Cluster and `fakekube up` run.
"""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from fakeapi.clock import Clock, RealClock
from fakeapi.components import components
from fakeapi.config import Config
from fakeapi.control import Control, gone
from fakeapi.launch import Launched, launch
from fakenodes.components import Components, Plan
from fakenodes.kubelet.hollow import Hollow

_IDLE = 0.001
_LOOK = 0.5


class Parts(Struct, frozen=True):
    """What a snapshot keeps of the components: the nodes that run, and what their containers do."""

    roster: tuple[Hollow, ...]
    runtime: Any


class Running(Control):
    """start() it, stop() it. Everything is to be called on its event loop."""

    def __init__(self, launched: Launched, plan: Plan, clock: Clock) -> None:
        super().__init__(launched.server, clock)
        self.launched = launched
        self.plan = plan
        self.components: Components = components(launched, plan, clock)
        self._restarting: asyncio.Future[None] | None = None

    @classmethod
    async def start(cls, config: Config, plan: Plan, clock: Clock) -> Running:
        """A cluster that is ready for use. LaunchError, TimeoutError, ValueError for a controller that there is not."""
        if plan.nodes and "RBAC" in config.authorization and "Node" not in config.authorization:
            # RBAC gives kubelets nothing (bootstrappolicy/policy.go): no cluster with nodes has it without Node.
            config = replace(config, authorization=("Node", *config.authorization))
        running = cls(await launch(config, clock=clock), plan, clock)
        try:
            await running.components.start()
            await running.components.ready()
            await running.settle()
            running.ready()
        except BaseException:
            await running.stop()
            raise
        return running

    async def stop(self) -> None:
        """End everything."""
        self.faults.clear()
        await gone(self._restarting)
        await self.components.stop()
        await self.launched.stop()

    async def wait(self) -> None:
        """Raise what a component raises that ends by itself, which none should."""
        while True:
            await RealClock().sleep(_LOOK)
            self.components.check()

    @property
    def drained(self) -> bool:
        if self._restarting is not None:
            if not self._restarting.done():
                return False
            self._restarting.result()
        return self.components.drained

    def _parts(self) -> Parts:
        nodes = self.components.nodes
        return Parts(nodes.roster(), nodes.runtime.state()) if nodes is not None else Parts((), None)

    async def _halt(self) -> None:
        if self._restarting is not None and self._restarting.done():
            self._restarting.result()
        await gone(self._restarting)
        await self.components.halt()

    async def _resume(self, parts: Parts) -> None:
        """Begin to start anew. It goes on beside what the caller does next, as a process that comes back would."""
        old = self.components.nodes
        if old is not None:
            old.runtime.set_state(parts.runtime)
            self.plan = replace(self.plan, runtime=old.runtime)
        self.plan = replace(self.plan, roster=parts.roster, quiet=True)
        self.components = components(self.launched, self.plan, self.clock, self.components)
        self._restarting = asyncio.ensure_future(self._restart())

    async def _restart(self) -> None:
        # An idle moment first: the thread that asked for it is told, instead of waiting for this one to let go.
        await RealClock().sleep(_IDLE)
        await self.components.start()
