"""What a test controls of a running cluster from its own thread: the time and the nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fakeapi.clock import VirtualClock
from fakeapi.loopthread import LoopThread
from fakeapi.running import Running
from fakenodes.kubelet.hollow import Hollow

if TYPE_CHECKING:
    from fakenodes.kubelet.hollow import HollowNodes


class ClusterClock:
    """The cluster's time. It flows with the machine's unless frozen, and jumps when told."""

    def __init__(self, thread: LoopThread, running: Running) -> None:
        self._thread = thread
        self._running = running

    @property
    def _clock(self) -> VirtualClock:
        clock = self._running.clock
        assert isinstance(clock, VirtualClock)
        return clock

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock.now()

    @property
    def frozen(self) -> bool:
        """Whether only advance() moves it."""
        return not self._clock.flowing

    def freeze(self) -> None:
        """Stand still from now on."""
        self._thread.call(self._clock.freeze)

    def flow(self) -> None:
        """Go on with the machine's clock."""
        self._thread.call(self._clock.flow)

    def advance(
        self, seconds: float | timedelta = 0.0, *, minutes: float = 0.0, hours: float = 0.0, days: float = 0.0
    ) -> None:
        """Let time jump. Every timer on the way runs in its turn; returns when all that follows has been done."""
        first = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
        self._thread.run(self._running.advance(first + 60.0 * minutes + 3600.0 * hours + 86400.0 * days))


class Nodes:
    """The hollow nodes of a cluster; iterating gives their names."""

    def __init__(self, thread: LoopThread, running: Running) -> None:
        self._thread = thread
        self._running = running

    def _hollow(self) -> HollowNodes:
        nodes = self._running.components.nodes
        assert nodes is not None, "the cluster was started without nodes"
        return nodes

    @property
    def names(self) -> list[str]:
        """The nodes' names."""
        return list(self._hollow().kubelets) if self._running.components.nodes is not None else []

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def add(
        self, name: str, *, labels: Mapping[str, str] | None = None, capacity: Mapping[str, str] | None = None
    ) -> None:
        """Bring up one more; returns when it is registered."""

        async def work() -> None:
            nodes = self._hollow()
            nodes.add_node(Hollow(name, labels or {}, capacity or {}))
            await nodes.start_node(name)

        self._thread.run(work())

    def stop(self, name: str) -> None:
        """End the node's kubelet; its containers run on unseen. start() brings it back."""
        self._thread.call(lambda: self._hollow().stop_node(name))

    def pause(self, name: str) -> None:
        """Let the node's kubelet stand still, with all who talk to it, until start()."""
        self._thread.call(lambda: self._hollow().pause_node(name))

    def start(self, name: str) -> None:
        """Let a kubelet that was stopped, paused or crashed come back."""
        self._thread.run(self._hollow().resume_node(name))

    def slow(self, name: str, seconds: float) -> None:
        """Let all that the node's kubelet does come so much later; 0 is as fast as ever."""
        self._thread.call(lambda: self._hollow().slow_node(name, seconds))

    def partition(self, name: str, on: bool = True) -> None:
        """Take the node off the network, or put it back; its kubelet and containers go on meanwhile."""
        self._thread.run(self._hollow().cut_node(name, on))

    def crash(self, name: str) -> None:
        """Cut the node's power: its kubelet falls silent, its containers end. start() brings it back."""
        self._thread.call(lambda: self._hollow().crash_node(name))

    def add_static(self, name: str, manifest: Mapping[str, Any]) -> str:
        """Run a static pod on the node; the name of its mirror pod. The same name again replaces it. ManifestError."""

        def put() -> str:
            return self._hollow().put_static(name, str((manifest.get("metadata") or {}).get("name")), dict(manifest))

        return self._thread.call(put)

    def remove_static(self, name: str, pod: str) -> None:
        """End the node's static pod of that name (the manifest's, without the node's). KeyError."""
        self._thread.call(lambda: self._hollow().remove_static(name, pod))

    def pressure(self, name: str, condition: str = "MemoryPressure", on: bool = True) -> None:
        """Put the node under MemoryPressure, DiskPressure or PIDPressure, which evicts its pods, or relieve it."""
        self._thread.run(self._hollow().set_pressure(name, condition, on))
