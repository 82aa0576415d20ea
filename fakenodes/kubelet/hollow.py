"""All hollow nodes of a process: one pod informer, one queue, a few tasks, however many nodes and pods.

Stands for cmd/kubemark's hollow kubelets. A pod that nothing happens to costs memory only; heartbeats of all nodes are
sent by one task.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct, field

from fakeapi.clock import Clock
from fakenodes.client.base import Client, ClientError
from fakenodes.events import EventRecorder
from fakenodes.informer import InformerFactory
from fakenodes.kubelet import eviction, registration
from fakenodes.kubelet import node as nodes
from fakenodes.kubelet.ailments import Ailments, line
from fakenodes.kubelet.heartbeats import Heartbeats
from fakenodes.kubelet.node import Endpoint, Node
from fakenodes.kubelet.podworker import PODS, Kubelet, PodWorker
from fakenodes.kubelet.registration import event_target
from fakenodes.kubelet.runtime.runtime import Runtime
from fakenodes.kubelet.static import StaticPods, is_mirror
from fakenodes.workqueue import WorkQueue

log = logging.getLogger(__name__)

Obj = dict[str, Any]

WORKERS = 16
REGISTRARS = 8
BUSY = 64  # pods that wait to be looked at, beyond which short-lived statuses are left out
RETRY_SECONDS = 2.0


class Hollow(Struct, frozen=True):
    """One node to run: what is wrong with it, and its static pods as (source, manifest)."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    capacity: Mapping[str, str] = field(default_factory=dict)
    ailments: Ailments = field(default_factory=Ailments)
    static: tuple[tuple[str, Obj], ...] = ()


class HollowNodes:
    """The nodes `<prefix>0` ... of this process and the pods on them. runtime: what containers do.

    quiet: nodes that the server has already are taken over as they are, without a word of a kubelet that starts.
    """

    def __init__(
        self,
        client_for: Callable[[str], Client],
        clock: Clock,
        *,
        rng: random.Random | None = None,
        runtime: Runtime | None = None,
        endpoint: Endpoint | None = None,
        quiet: bool = False,
    ) -> None:
        self.runtime = runtime or Runtime()
        self._quiet = quiet
        self.kubelets: dict[str, Kubelet] = {}
        self.workers: dict[str, PodWorker] = {}
        self._client_for = client_for
        self._clock = clock
        self._rng = rng or random.Random()
        self._endpoint = endpoint or Endpoint()
        self._queue: WorkQueue[str] = WorkQueue(clock, base=0.05, cap=60.0)
        self._on_node: dict[str, set[str]] = {}
        self._beats = Heartbeats(clock, self._send)
        self._number = 0
        self._unseen: dict[str, dict[str, Obj | None]] = {}
        self._better = asyncio.Event()
        self._static = StaticPods(self._run_worker, self.look)

    @property
    def drained(self) -> bool:
        """No pod is to be looked at now, and every event is told."""
        return self._queue.drained and all(k.recorder.drained for k in self.kubelets.values())

    def add_node(self, hollow: Hollow) -> Node:
        """A further node, to be registered by start_node() or run(). ManifestError."""
        name, ailments = hollow.name, hollow.ailments.copy()
        capacity = {**nodes.CAPACITY, **hollow.capacity}
        node = Node(name, self._number, hollow.labels, capacity, self._endpoint, ailments)
        self._number += 1
        client = line(self._client_for(node.user), ailments)
        recorder = EventRecorder(client, self._clock, "kubelet", name)
        self._on_node[name] = set()
        self.kubelets[name] = Kubelet(
            node, client, recorder, self._clock, self.runtime, lambda uid: self._neighbours(name, uid), self.look
        )
        for source, manifest in hollow.static:
            self._static.put(self.kubelets[name], source, manifest)
        return node

    def roster(self) -> tuple[Hollow, ...]:
        """The nodes as they are now, for another HollowNodes to take over."""
        return tuple(
            Hollow(n.name, n.labels, n.capacity, n.ailments.copy(), self._static.manifests(n.name))
            for n in (kubelet.node for kubelet in self.kubelets.values())
        )

    async def run(self, informers: InformerFactory) -> None:
        """Register the nodes that were added and run their pods until cancelled."""
        pods = informers.informer(PODS)
        tasks: list[asyncio.Task[Any]] = []
        try:
            await self._register_all()
            pods.add_handler(self._set_pod, lambda old, new: self._set_pod(new), self._drop_pod)
            loop = asyncio.get_running_loop()
            tasks = [loop.create_task(self._work(), name="kubelet pods") for _ in range(WORKERS)]
            tasks.append(loop.create_task(self._beats.run(), name="kubelet heartbeats"))
            await informers.start()
            await asyncio.gather(*tasks)
        finally:
            self._queue.shut_down()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for kubelet in self.kubelets.values():
                await kubelet.recorder.stop()

    # Nodes

    async def _register_all(self) -> None:
        waiting = iter(list(self.kubelets.values()))

        async def registrar(some: Iterator[Kubelet]) -> None:
            for kubelet in some:
                if not kubelet.node.ailments.silent:
                    await self.start_node(kubelet.node.name, quiet=self._quiet)

        await asyncio.gather(*(registrar(waiting) for _ in range(REGISTRARS)))

    async def start_node(self, name: str, *, quiet: bool = False) -> None:
        """Register the node, with patience, and begin its heartbeats. quiet: one that is there stays as it is."""
        kubelet = self.kubelets[name]
        taken = False
        while not kubelet.node.ailments.cut:
            try:
                taken = quiet and await registration.take_over(kubelet)
                if not taken:
                    kubelet.recorder.record(event_target(name), "Normal", "Starting", "Starting kubelet.")
                    await registration.register(kubelet)
                break
            except (ClientError, OSError) as error:
                log.info("node %s: %s", name, error)
                await self._clock.sleep(RETRY_SECONDS)
        self._begin_beats(kubelet.node)

    def _begin_beats(self, node: Node) -> None:
        self._beats.begin(node.name)
        self._beats.plan(node.name, "lease", self._rng.uniform(0, nodes.RENEW_SECONDS))
        self._beats.plan(node.name, "status", self._rng.uniform(0.5, 1.0) * nodes.STATUS_SECONDS)
        if node.ailments.pressures:
            self._beats.plan(node.name, "evict", 0.0)

    async def _send(self, name: str, what: str) -> float | None:
        """One heartbeat; seconds until the next of its kind, None for none."""
        kubelet = self.kubelets[name]
        ailments = kubelet.node.ailments
        if ailments.silent:
            return None
        if what == "evict":
            return eviction.EVERY_SECONDS if self._evict(name) else None
        lease = what == "lease"
        seconds = nodes.RENEW_SECONDS if lease else nodes.STATUS_SECONDS
        try:
            await (registration.renew(kubelet) if lease else registration.report(kubelet))
        except (ClientError, OSError) as error:
            log.info("heartbeat of node %s: %s", name, error)
            seconds = min(seconds, RETRY_SECONDS)
        return seconds + ailments.delay

    # Static pods

    def put_static(self, name: str, source: str, manifest: Obj) -> str:
        """Run a static pod on the node, in place of the source's last; the pod's name. KeyError, ManifestError."""
        return self._static.put(self.kubelets[name], source, manifest)

    def remove_static(self, name: str, source: str) -> None:
        """End the source's static pod. KeyError."""
        self._static.remove(self.kubelets[name], source)

    # Pods

    def _set_pod(self, obj: Obj) -> None:
        name = obj["spec"].get("nodeName")
        kubelet = self.kubelets.get(name) if name else None
        if kubelet is None:
            return
        uid = obj["metadata"]["uid"]
        if kubelet.node.ailments.cut:
            self._unseen.setdefault(kubelet.node.name, {})[uid] = obj
            return
        worker = self.workers.get(uid)
        if is_mirror(obj) and worker is None:
            self._static.seen(kubelet, obj)
        elif worker is None:
            self._run_worker(PodWorker(kubelet, obj))
        else:
            before = worker.obj
            worker.obj = obj
            if before is not None and _same_wish(before, obj):
                worker.reflect()
                return  # only what we told ourselves has come back
            self.look(uid)

    def _run_worker(self, worker: PodWorker) -> None:
        self.workers[worker.uid] = worker
        self._on_node[worker.kubelet.node.name].add(worker.uid)
        self.look(worker.uid)

    def _drop_pod(self, obj: Obj) -> None:
        name, uid = obj["spec"].get("nodeName"), obj["metadata"]["uid"]
        kubelet = self.kubelets.get(name) if name else None
        if kubelet is None:
            return
        if kubelet.node.ailments.cut:
            self._unseen.setdefault(kubelet.node.name, {})[uid] = None
            return
        self._drop(uid)
        if is_mirror(obj):
            self._static.dropped(kubelet.node.name, obj)

    def _drop(self, uid: str) -> None:
        worker = self.workers.get(uid)
        if worker is not None:
            worker.obj = None
            self.look(uid)

    def look(self, uid: str) -> None:
        """Something has happened in the pod or its containers: look at it again, as soon as its node does anything."""
        worker = self.workers.get(uid)
        if worker is not None and not worker.kubelet.node.ailments.silent:
            self._queue.add_after(uid, worker.kubelet.node.ailments.delay)

    def _neighbours(self, name: str, uid: str) -> Iterator[PodWorker]:
        return (worker for worker in self._on(name) if worker.uid != uid and worker.counts)

    async def _work(self) -> None:
        while True:
            uid = await self._queue.get()
            if uid is None:
                return
            try:
                await self._look(uid)
            finally:
                self._queue.done(uid)
            await self._clock.sleep(0)  # else a long queue would let nobody else work

    async def _look(self, uid: str) -> None:
        worker = self.workers.get(uid)
        if worker is None or worker.kubelet.node.ailments.silent:
            return
        try:
            wake = await worker.sync(hurried=len(self._queue) > BUSY)
        except (ClientError, OSError) as error:
            log.info("pod %s: %s", uid, error)
            self._queue.add_rate_limited(uid)
            if worker.wake is not None:  # its containers go on, whether the API server hears of it or not
                self._queue.add_after(uid, max(worker.wake - self._clock.now(), 0.001))
            return
        except Exception:
            log.exception("pod %s", uid)
            self._queue.add_rate_limited(uid)
            return
        self._queue.forget(uid)
        if worker.obj is None:
            self.workers.pop(uid, None)
            self._on_node[worker.kubelet.node.name].discard(uid)
            self._static.over(worker)
        elif wake is not None:
            self._queue.add_after(uid, wake + worker.kubelet.node.ailments.delay)

    # Faults

    def stop_node(self, name: str) -> None:
        """The node's kubelet ends: no heartbeats, no statuses; its containers run on unseen. KeyError."""
        self.kubelets[name].node.ailments.stopped = True

    def pause_node(self, name: str) -> None:
        """The kubelet stands still, until resume_node(); who asks it for something waits. KeyError."""
        self.kubelets[name].node.ailments.paused = True

    def crash_node(self, name: str) -> None:
        """The node loses power: its kubelet falls silent and its containers end. KeyError."""
        self.stop_node(name)
        self.kubelets[name].node.boots += 1
        for worker in self._on(name):
            worker.crash(self._clock.now())

    async def resume_node(self, name: str) -> None:
        """The kubelet is back and catches up. KeyError."""
        ailments = self.kubelets[name].node.ailments
        ended, ailments.stopped, ailments.paused = ailments.stopped, False, False
        if ended:
            await self.start_node(name)
        else:
            self._begin_beats(self.kubelets[name].node)
            await self._report(self.kubelets[name])
        self._recover(name)

    async def cut_node(self, name: str, on: bool) -> None:
        """Take the node off the network, or put it back. Its kubelet and containers go on meanwhile. KeyError."""
        kubelet = self.kubelets[name]
        node = kubelet.node
        if node.ailments.cut == on:
            return
        node.ailments.cut = on
        if on:
            return
        if not node.ailments.silent:
            await (self.start_node(name) if node.obj is None else self._report(kubelet))
        missed = self._unseen.pop(name, {})
        for uid, obj in missed.items():
            if obj is not None:
                self._set_pod(obj)
            else:
                self._drop(uid)
        self._recover(name)

    def slow_node(self, name: str, seconds: float) -> None:
        """Let all that the node's kubelet does come so much later; 0 is as fast as ever. KeyError."""
        self.kubelets[name].node.ailments.delay = seconds
        self._recover(name)

    async def set_pressure(self, name: str, condition: str, on: bool) -> None:
        """Put the node under MemoryPressure, DiskPressure or PIDPressure, or relieve it. KeyError."""
        kubelet = self.kubelets[name]
        ailments = kubelet.node.ailments
        pressure = eviction.PRESSURES[condition]
        if (condition in ailments.pressures) == on:
            return
        (ailments.pressures.add if on else ailments.pressures.discard)(condition)
        reason = pressure.begun if on else pressure.over
        kubelet.recorder.record(event_target(name), "Normal", reason, f"Node {name} status is now: {reason}")
        await self._report(kubelet)
        if on and len(ailments.pressures) == 1:
            self._beats.plan(name, "evict", 0.0)

    async def _report(self, kubelet: Kubelet) -> None:
        """Tell of a change at once, if anybody can be told."""
        if kubelet.node.ailments.silent:
            return
        try:
            await registration.report(kubelet)
        except (ClientError, OSError) as error:
            log.info("status of node %s: %s", kubelet.node.name, error)

    async def answers(self, name: str) -> bool:
        """Whether the node's kubelet can be talked to; takes as long as it takes the kubelet to answer."""
        kubelet = self.kubelets.get(name)
        if kubelet is None:
            return True
        ailments = kubelet.node.ailments
        if ailments.delay:
            await self._clock.sleep(ailments.delay)
        while ailments.paused:
            await self._better.wait()
        return not (ailments.stopped or ailments.cut)

    def _recover(self, name: str) -> None:
        """Look at everything again, and let those go on who wait for the node."""
        self._better.set()
        self._better = asyncio.Event()
        for uid in self._on_node[name]:
            self.look(uid)

    def _on(self, name: str) -> list[PodWorker]:
        return [self.workers[uid] for uid in self._on_node[name]]

    def _evict(self, name: str) -> bool:
        """Evict the next pod, if pressure still asks for it; whether to look again."""
        kubelet = self.kubelets[name]
        pressed = next((c for c in eviction.PRESSURES if c in kubelet.node.ailments.pressures), None)
        if pressed is None:
            return False
        resource = eviction.PRESSURES[pressed].resource
        text = f"Attempting to reclaim {resource}"
        kubelet.recorder.record(event_target(name), "Warning", "EvictionThresholdMet", text)
        victims = eviction.rank(self._on(name), resource)
        if victims:
            victims[0].evict(pressed, self._clock.now())
        return True


def _same_wish(old: Obj, new: Obj) -> bool:
    """Has nothing changed that a kubelet acts on? Statuses matter for their readiness gates and foreign conditions."""
    if old["metadata"].get("deletionTimestamp") != new["metadata"].get("deletionTimestamp"):
        return False
    if old["metadata"].get("deletionGracePeriodSeconds") != new["metadata"].get("deletionGracePeriodSeconds"):
        return False
    if old["metadata"].get("generation") != new["metadata"].get("generation") or old["spec"] != new["spec"]:
        return False
    gates = {gate["conditionType"] for gate in new["spec"].get("readinessGates") or ()}
    return not gates or _gates(old, gates) == _gates(new, gates)


def _gates(obj: Obj, names: set[str]) -> dict[str, str]:
    found = (obj.get("status") or {}).get("conditions") or ()
    return {c["type"]: c["status"] for c in found if c["type"] in names}
