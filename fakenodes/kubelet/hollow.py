"""All hollow nodes of a process: one pod informer, one queue, a few tasks, however many nodes and pods.

Stands for cmd/kubemark's hollow kubelets. A pod that nothing happens to costs memory only; heartbeats of all nodes are
sent by one task.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fakeapi.clock import Clock, rfc3339_micro
from fakenodes.client.base import GVR, Client, ClientError
from fakenodes.events import EventRecorder
from fakenodes.informer import InformerFactory
from fakenodes.kubelet import eviction, termination
from fakenodes.kubelet import node as nodes
from fakenodes.kubelet.node import Endpoint, Node
from fakenodes.kubelet.podworker import PODS, Kubelet, PodWorker
from fakenodes.kubelet.runtime.runtime import Runtime
from fakenodes.scheduler.snapshot import PodInfo
from fakenodes.workqueue import WorkQueue

log = logging.getLogger(__name__)

Obj = dict[str, Any]

NODES = GVR("", "v1", "nodes", namespaced=False)
LEASES = GVR("coordination.k8s.io", "v1", "leases")
WORKERS = 16
REGISTRARS = 8
BUSY = 64  # pods that wait to be looked at, beyond which short-lived statuses are left out
RETRY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Hollow:
    """One node to run. stopped: its kubelet is silent."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    capacity: Mapping[str, str] = field(default_factory=dict)
    stopped: bool = False


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
        self._beats: list[tuple[float, int, str, str]] = []
        self._serial = 0
        self._number = 0
        self._lag = asyncio.Event()
        self.stopped: set[str] = set()

    @property
    def drained(self) -> bool:
        """No pod is to be looked at now, and every event is told."""
        return self._queue.drained and all(k.recorder.drained for k in self.kubelets.values())

    def add_node(self, name: str, labels: Mapping[str, str] | None = None,
                 capacity: Mapping[str, str] | None = None) -> Node:  # fmt: skip
        """A further node, to be registered by start_node() or run()."""
        node = Node(name, self._number, labels or {}, {**nodes.CAPACITY, **(capacity or {})}, self._endpoint)
        self._number += 1
        client = self._client_for(node.user)
        recorder = EventRecorder(client, self._clock, "kubelet", name)
        self._on_node[name] = set()
        self.kubelets[name] = Kubelet(
            node, client, recorder, self._clock, self.runtime, lambda uid: self._neighbours(name, uid)
        )
        return node

    def roster(self) -> tuple[Hollow, ...]:
        """The nodes as they are now, for another HollowNodes to take over."""
        return tuple(
            Hollow(k.node.name, k.node.labels, k.node.capacity, k.node.name in self.stopped)
            for k in self.kubelets.values()
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
            tasks.append(loop.create_task(self._heartbeats(), name="kubelet heartbeats"))
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
                if kubelet.node.name not in self.stopped:
                    await self.start_node(kubelet.node.name, quiet=self._quiet)

        await asyncio.gather(*(registrar(waiting) for _ in range(REGISTRARS)))

    async def start_node(self, name: str, *, quiet: bool = False) -> None:
        """Register the node, with patience, and begin its heartbeats. quiet: one that is there stays as it is."""
        kubelet = self.kubelets[name]
        while True:
            try:
                taken = quiet and await self._take_over(kubelet)
                if not taken:
                    await self._register(kubelet)
                break
            except (ClientError, OSError) as error:
                log.info("node %s: %s", name, error)
                await self._clock.sleep(RETRY_SECONDS)
        self.stopped.discard(name)
        if not taken:
            kubelet.recorder.record(_event_target(name), "Normal", "Starting", "Starting kubelet.")
            message = f"Node {name} status is now: NodeReady"
            kubelet.recorder.record(_event_target(name), "Normal", "NodeReady", message)
        now = self._clock.monotonic()
        self._beat(now + self._rng.uniform(0, nodes.RENEW_SECONDS), name, "lease")
        self._beat(now + self._rng.uniform(0.5, 1.0) * nodes.STATUS_SECONDS, name, "status")

    async def _take_over(self, kubelet: Kubelet) -> bool:
        """Whether the server has the node; it is this kubelet's from now on."""
        try:
            kubelet.node.obj = await kubelet.client.get(NODES, kubelet.node.name)
        except ClientError as error:
            if error.code != 404:
                raise
            return False
        return True

    async def _register(self, kubelet: Kubelet) -> None:
        node, client, now = kubelet.node, kubelet.client, self._clock.now()
        wanted = nodes.node_object(node, now)
        try:
            node.obj = await client.create(NODES, wanted)
        except ClientError as error:
            if error.reason != "AlreadyExists":
                raise
            # It was there before: the kubelet was away and takes its node over again.
            body = {"metadata": {"labels": wanted["metadata"]["labels"]}}
            await client.patch(NODES, node.name, body)
            node.obj = None
        if node.obj is None or (node.obj.get("status") or {}).get("allocatable") != wanted["status"]["allocatable"]:
            node.obj = await client.patch(NODES, node.name, {"status": wanted["status"]}, subresource="status")
        await self._renew(kubelet)

    async def _renew(self, kubelet: Kubelet) -> None:
        node, client = kubelet.node, kubelet.client
        now = self._clock.now()
        if node.lease is None:
            try:
                node.lease = await client.create(LEASES, nodes.lease_object(node, now), nodes.LEASE_NAMESPACE)
                return
            except ClientError as error:
                if error.reason != "AlreadyExists":
                    raise
                node.lease = await client.get(LEASES, node.name, nodes.LEASE_NAMESPACE)
        node.lease["spec"]["renewTime"] = rfc3339_micro(now)
        try:
            node.lease = await client.update(LEASES, node.lease)
        except ClientError as error:
            if error.code not in (404, 409):
                raise
            node.lease = None

    def _beat(self, due: float, name: str, what: str) -> None:
        self._serial += 1
        heapq.heappush(self._beats, (due, self._serial, name, what))
        self._lag.set()

    async def _heartbeats(self) -> None:
        """Send what is due; all nodes take turns."""
        while True:
            now = self._clock.monotonic()
            due, _, name, what = self._beats[0] if self._beats else (None, 0, "", "")
            if due is None or due > now:
                self._lag.clear()
                timer = self._clock.call_later(due - now, self._lag.set) if due is not None else None
                await self._lag.wait()
                if timer is not None:
                    timer.cancel()
                continue
            heapq.heappop(self._beats)
            if name not in self.kubelets or name in self.stopped:
                continue
            kubelet = self.kubelets[name]
            if what == "evict":
                if self._evict(name):
                    self._beat(now + eviction.EVERY_SECONDS, name, what)
                continue
            seconds = nodes.RENEW_SECONDS if what == "lease" else nodes.STATUS_SECONDS
            try:
                if what == "lease":
                    await self._renew(kubelet)
                else:
                    await self.report(name)
            except (ClientError, OSError) as error:
                log.info("heartbeat of node %s: %s", name, error)
                seconds = min(seconds, RETRY_SECONDS)
            self._beat(now + seconds, name, what)

    async def report(self, name: str) -> None:
        """Send the node's status now."""
        kubelet = self.kubelets[name]
        body = nodes.heartbeat(kubelet.node, self._clock.now())
        try:
            kubelet.node.obj = await kubelet.client.patch(NODES, name, body, subresource="status")
        except ClientError as error:
            if error.code != 404:
                raise
            await self._register(kubelet)  # somebody deleted the node: a kubelet comes back

    # Pods

    def _set_pod(self, obj: Obj) -> None:
        name = obj["spec"].get("nodeName")
        kubelet = self.kubelets.get(name) if name else None
        if kubelet is None:
            return
        uid = obj["metadata"]["uid"]
        worker = self.workers.get(uid)
        if worker is None:
            self.workers[uid] = PodWorker(kubelet, obj)
            self._on_node[name].add(uid)
        else:
            before = worker.obj
            worker.obj = obj
            if before is not None and _same_wish(before, obj):
                worker.reflect()
                return  # only what we told ourselves has come back
        if name not in self.stopped:
            self._queue.add(uid)

    def _drop_pod(self, obj: Obj) -> None:
        worker = self.workers.get(obj["metadata"]["uid"])
        if worker is not None:
            worker.obj = None
            self._queue.add(worker.uid)

    def look(self, uid: str) -> None:
        """Something has happened in the pod's containers: look at it again."""
        self._queue.add(uid)

    def _neighbours(self, name: str, uid: str) -> Iterator[PodInfo]:
        for other in self._on_node[name]:
            worker = self.workers[other]
            if other != uid and worker.counts and worker.obj is not None:
                yield PodInfo(worker.obj)

    async def _work(self) -> None:
        while True:
            uid = await self._queue.get()
            if uid is None:
                return
            try:
                await self._look(uid)
            finally:
                self._queue.done(uid)

    async def _look(self, uid: str) -> None:
        worker = self.workers.get(uid)
        if worker is None or worker.kubelet.node.name in self.stopped:
            return
        try:
            wake = await worker.sync(hurried=len(self._queue) > BUSY)
        except (ClientError, OSError) as error:
            log.info("pod %s: %s", uid, error)
            self._queue.add_rate_limited(uid)
            return
        except Exception:
            log.exception("pod %s", uid)
            self._queue.add_rate_limited(uid)
            return
        self._queue.forget(uid)
        if worker.obj is None:
            self.workers.pop(uid, None)
            self._on_node[worker.kubelet.node.name].discard(uid)
        elif wake is not None:
            self._queue.add_after(uid, wake)

    # Faults

    def stop_node(self, name: str) -> None:
        """The node's kubelet falls silent: no heartbeats, no statuses; its containers run on unseen. KeyError."""
        self.stopped.add(self.kubelets[name].node.name)

    def crash_node(self, name: str) -> None:
        """The node loses power: its kubelet falls silent and its containers end. KeyError."""
        self.stop_node(name)
        for worker in self._on(name):
            if worker.pod is not None:
                termination.crash(worker.pod, self._clock.now())

    async def resume_node(self, name: str) -> None:
        """The kubelet is back and catches up. KeyError."""
        await self.start_node(name)
        for uid in self._on_node[name]:
            self._queue.add(uid)

    async def set_pressure(self, name: str, condition: str, on: bool) -> None:
        """Put the node under MemoryPressure, DiskPressure or PIDPressure, or relieve it. KeyError."""
        kubelet = self.kubelets[name]
        _, _, begun, over = eviction.PRESSURES[condition]
        if (condition in kubelet.node.pressures) == on:
            return
        (kubelet.node.pressures.add if on else kubelet.node.pressures.discard)(condition)
        reason = begun if on else over
        kubelet.recorder.record(_event_target(name), "Normal", reason, f"Node {name} status is now: {reason}")
        if name not in self.stopped:
            await self.report(name)
        if on:
            self._beat(self._clock.monotonic(), name, "evict")

    def _on(self, name: str) -> list[PodWorker]:
        return [self.workers[uid] for uid in self._on_node[name]]

    def _evict(self, name: str) -> bool:
        """Evict the next pod, if pressure still asks for it; whether to look again."""
        for condition in sorted(self.kubelets[name].node.pressures):
            victims = eviction.rank(self._on(name), eviction.PRESSURES[condition][0])
            if victims:
                victims[0].evict(eviction.message(victims[0], condition), self._clock.now())
                self._queue.add(victims[0].uid)
        return bool(self.kubelets[name].node.pressures)


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


def _event_target(name: str) -> Obj:
    return {"kind": "Node", "metadata": {"name": name, "uid": name}}


async def run_nodes(
    client_for: Callable[[str], Client],
    informers: InformerFactory,
    clock: Clock,
    count: int,
    name_prefix: str = "node-",
    *,
    rng: random.Random | None = None,
    runtime: Runtime | None = None,
    endpoint: Endpoint | None = None,
    capacity: Mapping[str, str] | None = None,
) -> None:
    """Run `count` hollow nodes until cancelled. client_for: user name to a client that acts as that user."""
    hollow = HollowNodes(client_for, clock, rng=rng, runtime=runtime, endpoint=endpoint)
    for i in range(count):
        hollow.add_node(f"{name_prefix}{i}", capacity=capacity)
    await hollow.run(informers)
