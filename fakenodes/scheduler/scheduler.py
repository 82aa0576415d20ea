"""The kube-scheduler: follows nodes and pods, chooses a node for every pod that has none, and binds it there.

Stands for pkg/scheduler's scheduler.go and eventhandlers.go. Leaves out extenders, leader election and pod groups.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fakeapi.clock import Clock, rfc3339
from fakenodes.client.base import GVR, Client, ClientError
from fakenodes.events import SeriesRecorder
from fakenodes.informer import InformerFactory
from fakenodes.scheduler.changes import node_events, pod_events, spec_changed
from fakenodes.scheduler.cycle import Cycle
from fakenodes.scheduler.framework import Code, CycleError, Diagnosis, Event, Handle, NoNodes, State, Status, Unfit
from fakenodes.scheduler.nominator import Nominations
from fakenodes.scheduler.profiles import DEFAULT, PluginTable, profile
from fakenodes.scheduler.queue import Queued, SchedulingQueue
from fakenodes.scheduler.runtime import Profile
from fakenodes.scheduler.snapshot import TERMINAL, Obj, PodInfo, Snapshot

log = logging.getLogger(__name__)

PODS = GVR("", "v1", "pods")
NODES = GVR("", "v1", "nodes", namespaced=False)
NAMESPACES = GVR("", "v1", "namespaces", namespaced=False)
# What plugins look things up in; changes of those with a kind are told to the queue.
LOOKED_UP = (
    (GVR("", "v1", "services"), ""),
    (GVR("", "v1", "replicationcontrollers"), ""),
    (GVR("apps", "v1", "replicasets"), ""),
    (GVR("apps", "v1", "statefulsets"), ""),
    (GVR("policy", "v1", "poddisruptionbudgets"), ""),
    (GVR("", "v1", "persistentvolumeclaims"), "PersistentVolumeClaim"),
    (GVR("", "v1", "persistentvolumes", namespaced=False), "PersistentVolume"),
    (GVR("storage.k8s.io", "v1", "storageclasses", namespaced=False), "StorageClass"),
    (GVR("storage.k8s.io", "v1", "csinodes", namespaced=False), "CSINode"),
)
BINDS_AT_ONCE = 32
NOTE_LIMIT = 1024  # of an event
REJECTIONS = (Code.UNSCHEDULABLE, Code.UNRESOLVABLE)
REJECTING = ("Reserve", "Permit")  # the points that can make a pod unschedulable; after them it is just tried again


class Scheduler:
    """One scheduler with its profiles: plugin tables by schedulerName. percentage: of nodes to score, 0 adapts."""

    def __init__(self, profiles: Mapping[str, PluginTable] | None = None, percentage: int = 0) -> None:
        self._tables = profiles or {DEFAULT: profile()}
        self._percentage = percentage
        self._tasks: set[asyncio.Task[Any]] = set()
        self._nominations = Nominations()
        self._binds = asyncio.Semaphore(BINDS_AT_ONCE)
        self._begun = False
        self.snapshot = Snapshot()

    @property
    def drained(self) -> bool:
        """No pod is ready to be tried and no binding under way."""
        if not self._begun:
            return True
        idle = not self._tasks and not self._queue.places().get("active", 0)
        return idle and all(recorder.drained for recorder in self._recorders.values())

    async def run(self, client: Client, informers: InformerFactory, clock: Clock, rng: random.Random) -> None:
        """Schedule until cancelled. client acts as system:kube-scheduler; the factory need not be started."""
        self._client, self._clock = client, clock
        host = "fakekube"
        self._recorders = {name: SeriesRecorder(client, clock, name, f"{name}-{host}") for name in self._tables}
        listers = {gvr.resource: informers.informer(gvr) for gvr, _ in LOOKED_UP}
        self._cycles = {}
        for name, table in self._tables.items():
            record = self._recorders[name].record
            handle = Handle(self.snapshot, client, clock, rng, listers, record, self._start, self._activate)
            self._cycles[name] = Cycle(Profile(handle, table, name), self._nominations, self._percentage)
        first = next(iter(self._cycles.values())).profile
        hints = {name: plugin for cycle in self._cycles.values() for name, plugin in cycle.profile.hints.items()}
        self._queue = SchedulingQueue(clock, first.sort.sort_key, hints, self._gates)
        self._watch(informers)
        flushing = asyncio.ensure_future(self._queue.run())
        self._begun = True
        try:
            await informers.start()
            await self._loop()
        finally:
            ending = [flushing, *self._tasks]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
            for recorder in self._recorders.values():
                await recorder.stop()

    def _start(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.warning("scheduler: %s", task.exception())

    def _activate(self, pod: PodInfo) -> None:
        self._queue.activate(pod.uid)

    def _gates(self, pod: PodInfo) -> set[str]:
        cycle = self._cycles[pod.spec.get("schedulerName", DEFAULT)]
        return {p.name for p in cycle.profile.pre_enqueue if p.pre_enqueue(pod) is not None}

    # Following the cluster

    def _watch(self, informers: InformerFactory) -> None:
        informers.informer(NAMESPACES).add_handler(
            self._set_namespace, lambda old, new: self._set_namespace(new), self._drop_namespace
        )
        informers.informer(NODES).add_handler(self._add_node, self._update_node, self._delete_node)
        informers.informer(PODS).add_handler(self._add_pod, self._update_pod, self._delete_pod)
        for gvr, kind in LOOKED_UP:
            if kind:
                informers.informer(gvr).add_handler(*self._movers(kind))

    def _movers(self, kind: str) -> tuple[Callable[[Obj], None], Callable[[Obj, Obj], None]]:
        return (
            lambda new: self._queue.move(Event(f"{kind}/Add", None, new)),
            lambda old, new: self._queue.move(Event(f"{kind}/Update", old, new)),
        )

    def _set_namespace(self, obj: Obj) -> None:
        self.snapshot.namespaces[obj["metadata"]["name"]] = obj["metadata"].get("labels") or {}

    def _drop_namespace(self, obj: Obj) -> None:
        self.snapshot.namespaces.pop(obj["metadata"]["name"], None)

    def _add_node(self, obj: Obj) -> None:
        self.snapshot.set_node(obj)
        self._queue.move(Event("Node/Add", None, obj))

    def _update_node(self, old: Obj, new: Obj) -> None:
        kinds = node_events(old, new)
        if not kinds and (old.get("status") or {}).get("images") == (new.get("status") or {}).get("images"):
            return  # a heartbeat: nothing that scheduling reads
        self.snapshot.set_node(new)
        for kind in kinds:
            self._queue.move(Event(kind, old, new))

    def _delete_node(self, obj: Obj) -> None:
        self.snapshot.remove_node(obj["metadata"]["name"])
        self._queue.move(Event("Node/Delete", obj, None))

    def _add_pod(self, obj: Obj) -> None:
        pod = PodInfo(obj)
        if pod.node_name:
            self._set_assigned(pod)
            if not _ended(obj):
                self._queue.move(Event("AssignedPod/Add", None, obj))
        elif self._ours(pod):
            if pod.nominated:
                self._nominations.set(pod, pod.nominated)
            self._queue.add(pod)

    def _update_pod(self, old: Obj, new: Obj) -> None:
        had = bool(old["spec"].get("nodeName"))
        has = bool(new["spec"].get("nodeName"))
        if has and not had:
            self._add_pod(new)
        elif has:
            self._update_assigned(old, new)
        elif not self._ours(PodInfo(new)):
            self._forget(new)
        elif new["metadata"]["uid"] not in self.snapshot.assumed:
            self._update_waiting(PodInfo(old), PodInfo(new))

    def _update_waiting(self, old: PodInfo, new: PodInfo) -> None:
        if old.nominated or new.nominated:  # else a nomination may be here that the API server has not seen yet
            self._nominations.set(new, new.nominated)
        if spec_changed(old.obj, new.obj):
            kinds = pod_events(old.obj, new.obj, "Pod")
            self._queue.update(new, [Event(kind, old.obj, new.obj) for kind in kinds])
        else:
            self._queue.refresh(new)

    def _set_assigned(self, pod: PodInfo) -> None:
        self._queue.delete(pod.uid)
        self._nominations.remove(pod.uid)
        if _ended(pod.obj):
            self.snapshot.remove_pod(pod.uid)
        else:
            self.snapshot.set_pod(pod)

    def _update_assigned(self, old: Obj, new: Obj) -> None:
        if _ended(new):
            if not _ended(old):
                self.snapshot.remove_pod(new["metadata"]["uid"])
                self._queue.move(Event("AssignedPod/Delete", old, None))
            return
        kinds = pod_events(old, new, "AssignedPod")
        if kinds or _marked(old) != _marked(new):
            self.snapshot.set_pod(PodInfo(new))
        for kind in kinds:
            self._queue.move(Event(kind, old, new))

    def _delete_pod(self, obj: Obj) -> None:
        if obj["spec"].get("nodeName"):
            self._nominations.remove(obj["metadata"]["uid"])
            self.snapshot.remove_pod(obj["metadata"]["uid"])
            if not _ended(obj):
                self._queue.move(Event("AssignedPod/Delete", obj, None))
        else:
            self._forget(obj)

    def _forget(self, obj: Obj) -> None:
        uid = obj["metadata"]["uid"]
        self._queue.delete(uid)
        self._nominations.remove(uid)
        if uid in self.snapshot.assumed:
            self.snapshot.remove_pod(uid)

    def _ours(self, pod: PodInfo) -> bool:
        return pod.spec.get("schedulerName", DEFAULT) in self._cycles and not _ended(pod.obj)

    # Scheduling

    async def _loop(self) -> None:
        while True:
            queued = await self._queue.pop()
            if self._skip(queued.pod):
                self._queue.delete(queued.pod.uid)
                continue
            self.schedule_one(queued)
            await self._clock.sleep(0)  # let bindings and watches have their turn

    def _skip(self, pod: PodInfo) -> bool:
        if pod.terminating:
            self._fail(pod, f"skip schedule deleting pod: {pod.key}")
        return pod.terminating or pod.uid in self.snapshot.assumed

    def schedule_one(self, queued: Queued) -> None:
        """Try one pod; what must be told to the API server is done beside."""
        pod = queued.pod
        cycle = self._cycles[pod.spec.get("schedulerName", DEFAULT)]
        state: State = {}
        try:
            chosen = cycle.schedule(state, pod)
        except Unfit as unfit:
            nominated = cycle.post_filter(state, pod, unfit.diagnosis)
            self._queue.rejected(queued, unfit.diagnosis.plugins)
            self._report(pod, "Unschedulable", unfit.diagnosis.message, nominated)
        except NoNodes as error:
            self._queue.rejected(queued, {"NodeResourcesFit"})
            self._report(pod, "Unschedulable", str(error), "")
        except CycleError as error:
            self._queue.failed(queued)
            self._report(pod, "SchedulerError", str(error), "")
        else:
            self._reserve(queued, cycle, state, chosen.node)

    def _reserve(self, queued: Queued, cycle: Cycle, state: State, node: str) -> None:
        pod = queued.pod
        self.snapshot.assume(pod, node)
        self._nominations.remove(pod.uid)
        for plugin in cycle.profile.reserves:
            status = plugin.reserve(state, pod, node)
            if status is not None:
                self._undo(queued, cycle, state, node, ("Reserve", status))
                return
        self._start(self._bind(queued, cycle, state, node))

    async def _bind(self, queued: Queued, cycle: Cycle, state: State, node: str) -> None:
        pod, profile = queued.pod, cycle.profile
        failure = await self._bound(pod, profile, state, node)
        if failure is not None:
            self._undo(queued, cycle, state, node, failure)
            return
        self._queue.delete(pod.uid)
        note = f"Successfully assigned {pod.key} to {node}"
        self._recorders[profile.name].record(pod.obj, None, "Normal", "Scheduled", "Binding", note)
        for told in profile.post_binds:
            told.post_bind(state, pod, node)

    async def _bound(self, pod: PodInfo, profile: Profile, state: State, node: str) -> tuple[str, Status] | None:
        """None when the pod is bound; otherwise the extension point and why not."""
        for permit in profile.permits:
            status = await permit.permit(state, pod, node)
            if status is not None:
                return "Permit", status
        if any(step.pre_flight(state, pod, node) is None for step in profile.pre_flights):
            await self._expect(pod, node)
        for step in profile.pre_binds:
            status = await step.pre_bind(state, pod, node)
            if status is not None:
                return "PreBind", status
        status = None
        for binder in profile.binds:
            async with self._binds:
                status = await binder.bind(state, pod, node)
            if status is None or status.code is not Code.SKIP:
                break
        return None if status is None else ("Bind", status)

    async def _expect(self, pod: PodInfo, node: str) -> None:
        """Tell where the pod will be (NominatedNodeNameForExpectation); the binding takes that away again."""
        if pod.nominated != node:
            await self._patch_status(pod, {"nominatedNodeName": node})
            pod.nominated = node

    def _undo(self, queued: Queued, cycle: Cycle, state: State, node: str, failure: tuple[str, Status]) -> None:
        """The chosen node will not do after all: give everything back and try again later."""
        pod, (point, status) = queued.pod, failure
        for plugin in reversed(cycle.profile.reserves):
            plugin.unreserve(state, pod, node)
        if pod.uid in self.snapshot.assumed:
            self.snapshot.remove_pod(pod.uid)
            self._queue.move(Event("AssignedPod/Delete", pod.obj, None))
        if status.code in REJECTIONS and point in REJECTING:
            self._queue.rejected(queued, {status.plugin})
            self._report(pod, "Unschedulable", Diagnosis(1, {node: status}).message, "")
            return
        self._queue.failed(queued)
        if status.code in REJECTIONS:
            self._report(pod, "Unschedulable", status.message, "")
        else:
            self._report(pod, "SchedulerError", f'running {point} plugin "{status.plugin}": {status.message}', "")

    # Telling

    def _report(self, pod: PodInfo, reason: str, message: str, nominated: str | None) -> None:
        if nominated is not None:
            self._nominations.set(pod, nominated)
        self._fail(pod, message)
        self._start(self._patch(pod, reason, message, nominated))

    def _fail(self, pod: PodInfo, message: str) -> None:
        note = message if len(message) <= NOTE_LIMIT else f"{message[: NOTE_LIMIT - 4]} ..."
        recorder = self._recorders[pod.spec.get("schedulerName", DEFAULT)]
        recorder.record(pod.obj, None, "Warning", "FailedScheduling", "Scheduling", note)

    async def _patch(self, pod: PodInfo, reason: str, message: str, nominated: str | None) -> None:
        condition = self._condition(pod, reason, message)
        status: Obj = {"conditions": [condition]} if condition else {}
        if nominated is not None and nominated != pod.nominated:
            status["nominatedNodeName"] = nominated or None
        if status:
            await self._patch_status(pod, status)

    async def _patch_status(self, pod: PodInfo, status: Obj) -> None:
        try:
            await self._client.patch(PODS, pod.name, {"status": status}, pod.namespace, subresource="status")
        except (ClientError, OSError) as error:
            if not isinstance(error, ClientError) or error.code != 404:
                log.info("status of pod %s: %s", pod.key, error)

    def _condition(self, pod: PodInfo, reason: str, message: str) -> Obj | None:
        """The new PodScheduled condition, or None when the pod has it already."""
        generation = pod.obj["metadata"].get("generation")
        found: Obj = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
        if generation:
            found["observedGeneration"] = generation
        old = next(
            (c for c in (pod.obj.get("status") or {}).get("conditions") or () if c.get("type") == "PodScheduled"), None
        )
        if old is not None and all(old.get(key) == value for key, value in found.items()):
            return None
        now = rfc3339(self._clock.now())
        found["lastProbeTime"] = None
        found["lastTransitionTime"] = old["lastTransitionTime"] if old and old.get("status") == "False" else now
        return found


def _ended(obj: Obj) -> bool:
    return (obj.get("status") or {}).get("phase") in TERMINAL


def _marked(obj: Obj) -> bool:
    return obj["metadata"].get("deletionTimestamp") is not None
