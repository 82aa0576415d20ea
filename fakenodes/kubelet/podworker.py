"""One pod on one node: what its kubelet tells the API server as the pod lives and ends.

Stands for pkg/kubelet/pod_workers.go and the sync half of status_manager.go. The worker holds a pod's state and does
nothing by itself: HollowNodes calls sync() when the pod changes or its time has come, never twice at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from fakeapi.clock import Clock, parse_rfc3339
from fakenodes.client.base import GVR, STRATEGIC_PATCH, Client, ClientError
from fakenodes.events import EventRecorder
from fakenodes.kubelet import eviction, lifecycle, podstate, preemption, reboot, references, resize, status, termination
from fakenodes.kubelet.admission import Refusal, refusals, shortage
from fakenodes.kubelet.critical import is_critical
from fakenodes.kubelet.node import Node
from fakenodes.kubelet.runtime import http
from fakenodes.kubelet.runtime.runtime import Runtime
from fakenodes.scheduler.snapshot import PodInfo

log = logging.getLogger(__name__)

Obj = dict[str, Any]

PODS = GVR("", "v1", "pods")
NODES = GVR("", "v1", "nodes", namespaced=False)
REFERRED = {"configmap": GVR("", "v1", "configmaps"), "secret": GVR("", "v1", "secrets")}
ROOM_SECONDS = 1.0  # between looks whether pods that a critical one takes the place of have ended
RESIZE_SECONDS = 10.0  # between looks whether a resize that waits has become possible
TERMINAL = ("Succeeded", "Failed")


class Kubelet(Struct):
    """What the workers of one node share. neighbours: those of the node's other living pods that it has taken; look:
    have a worker look at its pod again."""

    node: Node
    client: Client
    recorder: EventRecorder
    clock: Clock
    runtime: Runtime
    neighbours: Callable[[str], Iterable[PodWorker]]
    look: Callable[[str], None]


class PodWorker:
    """One pod. `obj` is the newest version seen, None once the API server has it no more."""

    __slots__ = ("_checked", "_renumbered", "_told", "_victims", "kubelet", "obj", "pod", "refused", "uid", "wake")

    def __init__(self, kubelet: Kubelet, obj: Obj) -> None:
        self.kubelet = kubelet
        self.obj: Obj | None = obj
        self.uid: str = obj["metadata"]["uid"]
        self.pod: podstate.Pod | None = None
        self.refused: tuple[str, str] | None = None
        self.wake: float | None = None  # when containers go on, told or not
        self._victims: list[PodWorker] = []  # those that are to make room for it
        self._told: Obj = {}  # the status as the API server last answered
        self._checked = False
        self._renumbered = False  # the address that its status shows is not its own any more

    @property
    def counts(self) -> bool:
        """Does the pod take room on its node?"""
        return self.pod is not None and not self.pod.finished

    @property
    def shown(self) -> Obj | None:
        """The pod on the API server that shows the status."""
        return self.obj

    def forget(self) -> None:
        """What was told is not there any more."""
        self._told = {}

    async def sync(self, hurried: bool = False) -> float | None:
        """Bring the API server up to date; seconds until the next look, None when only a change calls for one.

        hurried: leave out the status that is about to change anyway. Raises ClientError and OSError.
        """
        obj, clock = self.obj, self.kubelet.clock
        if obj is None:
            self._vanished()
            return None
        now = clock.now()
        if self.pod is None:
            if not await self._admit(obj, now):
                return ROOM_SECONDS if self._victims else None
            assert self.pod is not None
            if not hurried and not self.pod.ending:
                await self._tell(obj, now)
        pod = self.pod
        if pod.obj is not obj:
            podstate.adopt(pod, obj, self.kubelet.runtime)
        if not pod.ending and not pod.finished:
            await self._resize(pod, obj, now)
        if obj["metadata"].get("deletionTimestamp"):
            self._terminate(pod, obj, now)
        missing = await self._missing(obj) if not pod.ending and not pod.finished else frozenset()
        world = podstate.World(self.kubelet.node.images, missing, self._address(obj, pod))
        self.wake = wake = lifecycle.advance(pod, world, now)
        self._record(obj, [*world.happened, *resize.complete(pod)])
        for serve, request in world.asked:
            await http.ask(serve, request)
        await self._tell(obj, now)
        if pod.finished and obj["metadata"].get("deletionTimestamp"):
            await self._delete(obj)
        if pod.pending is not None and pod.pending[0] == "Deferred":
            wake = min(now + RESIZE_SECONDS, wake or now + RESIZE_SECONDS)
        return None if wake is None else max(wake - clock.now(), 0.0)

    def reflect(self) -> None:
        """Nothing is to be done for the newest version: forget what it makes superfluous, the one before it and the
        status that it shows."""
        assert self.obj is not None
        if self.pod is not None:
            self.pod.obj = self.obj
        if self._told == self.obj.get("status"):
            self._told = {}

    def evict(self, condition: str, now: float) -> None:
        """End the pod because its node is under pressure."""
        message, notes = eviction.message(self, condition), eviction.notes(self, condition)
        self._end(podstate.EVICTED, message, now, eviction.GRACE_SECONDS, notes)

    def crash(self, now: float) -> None:
        """The pod's node has lost power."""
        if self.pod is not None:
            reboot.crash(self.pod, now)
            self.kubelet.node.release(self.uid)
            self._renumbered = True

    def _end(self, reason: str, message: str, now: float, grace: float, notes: Mapping[str, str] | None = None) -> None:
        assert self.pod is not None
        assert self.obj is not None
        termination.stop(self.pod, reason, message, now, grace)
        self.kubelet.recorder.record(self.obj, "Warning", reason, message, notes=notes)
        self.kubelet.look(self.uid)

    def _vanished(self) -> None:
        """Deleted without waiting for us: whatever ran is killed."""
        self.kubelet.node.release(self.uid)
        if self.pod is not None and not self.pod.finished:
            world = podstate.World(self.kubelet.node.images)
            termination.cut_off(self.pod, world)
            self._record(dict(self.pod.obj), world.happened)

    async def _admit(self, obj: Obj, now: float) -> bool:
        """Take the pod, or refuse it, or leave it alone because it has ended before we knew it."""
        found = obj.get("status") or {}
        if found.get("phase") in TERMINAL or self.refused:
            if obj["metadata"].get("deletionTimestamp"):
                await self._delete(obj)
            return False
        if not found.get("startTime") and not obj["metadata"].get("deletionTimestamp"):
            if self._victims:  # they are gone for it: it is not looked at once more
                self._victims = [v for v in self._victims if v.counts and v.obj is not None]
            else:
                self.refused = await self._refusal(obj, now)
            if self._victims:
                return False
        if self.refused:
            reason, message = self.refused
            self.kubelet.recorder.record(obj, "Warning", reason, message)
            await self._patch(status.rejected(obj, reason, message, found, now))
            return False
        since = parse_rfc3339(found["startTime"]) if found.get("startTime") else now
        self.pod = podstate.new_pod(obj, self.kubelet.runtime, since)
        return True

    async def _refusal(self, obj: Obj, now: float) -> tuple[str, str] | None:
        """Why the node does not take the pod. Our copy of the node may be old, so a no is checked against a new one."""
        node = self.kubelet.node
        if (pressed := eviction.refusal(obj, node.ailments.pressures)) is not None:
            return pressed
        if node.obj is None or not refusals(obj, node.obj, self._neighbours()):
            return None
        node.obj = await self.kubelet.client.get(NODES, node.name)
        found = refusals(obj, node.obj, self._neighbours())
        if found and is_critical(obj):
            return self._make_room(obj, found, now)
        return (found[0].reason, found[0].message) if found else None

    def _make_room(self, obj: Obj, found: list[Refusal], now: float) -> tuple[str, str] | None:
        """Why a critical pod is refused all the same; if only room is lacking, begin to end others
        (preemption.go's CriticalPodAdmissionHandler)."""
        for refusal in found:
            if not refusal.lacking:
                return refusal.reason, refusal.message
        others = {w.uid: w for w in self.kubelet.neighbours(self.uid) if w.pod is not None}
        there = [PodInfo(w.obj) for w in others.values() if w.obj is not None]
        try:
            chosen = preemption.victims(PodInfo(obj), there, {r.resource: r.lacking for r in found})
        except preemption.NoVictimsError as error:
            text = f"preemption: error finding a set of pods to preempt: {error}"
            return "UnexpectedAdmissionError", (
                f"Unexpected error while attempting to recover from admission failure: {text}"
            )
        self._victims = [others[victim.uid] for victim in chosen]
        for victim in self._victims:
            assert victim.pod is not None
            victim._end(podstate.PREEMPTED, preemption.MESSAGE, now, termination.grace_of(victim.pod))
        return None

    def _neighbours(self) -> Iterator[PodInfo]:
        return (PodInfo(w.obj) for w in self.kubelet.neighbours(self.uid) if w.obj is not None)

    def _terminate(self, pod: podstate.Pod, obj: Obj, now: float) -> None:
        if not pod.finished:
            grace = obj["metadata"].get("deletionGracePeriodSeconds")
            if pod.ending == podstate.COMPLETED or not pod.ending or grace is not None:
                termination.stop(pod, podstate.DELETED, "", now, grace)

    async def _resize(self, pod: podstate.Pod, obj: Obj, now: float) -> None:
        """Give containers what a resize asks for, if the node has it."""
        node = self.kubelet.node
        if not resize.resized(pod) or node.obj is None:
            pod.pending = None
            return
        self._record(obj, resize.allocate(pod, shortage(obj, node.obj, self._neighbours())))
        if pod.resizing:
            await self._tell(obj, now)
            resize.actuate(pod)

    def _record(self, obj: Obj, happened: Iterable[podstate.Happened]) -> None:
        for found in happened:
            self.kubelet.recorder.record(obj, found.type, found.reason, found.message, found.field_path)

    async def _missing(self, obj: Obj) -> frozenset[references.Ref]:
        """Which references of the pod lead nowhere; not asked again once its containers have started."""
        if self._checked:
            return frozenset()
        found: set[references.Ref] = set()
        wanted = references.references(obj)
        for kind, name in sorted({ref[:2] for ref in wanted}):
            there: Obj | None = None
            try:
                there = await self.kubelet.client.get(REFERRED[kind], name, obj["metadata"]["namespace"])
            except ClientError as error:
                if error.code != 404:
                    raise
            found |= references.lacking(wanted, kind, name, there)
        self._checked = not found
        return frozenset(found)

    async def _tell(self, obj: Obj, now: float) -> None:
        assert self.pod is not None
        shown = self.shown
        if shown is None:
            return
        old = self._told or shown.get("status") or {}
        node = self.kubelet.node
        address = self._address(obj, self.pod) if self.pod.sandbox else old.get("podIP", "")
        foreign = shown.get("status") or {}
        if self._told:  # conditions of others may have come since
            own = {c["type"]: c for c in old.get("conditions") or ()}
            others = [c for c in foreign.get("conditions") or () if c["type"] not in status.CONDITIONS]
            old = {**old, "conditions": [c for t, c in own.items() if t in status.CONDITIONS] + others}
        await self._patch(status.build(self.pod, old, (node.host_ip, address), now))

    def _address(self, obj: Obj, pod: podstate.Pod) -> str:
        """The pod's IP once it has a sandbox."""
        node = self.kubelet.node
        if obj["spec"].get("hostNetwork"):
            return node.host_ip
        known: str = "" if self._renumbered else ((self.shown or {}).get("status") or {}).get("podIP", "")
        return known or node.pod_ip(self.uid)

    async def _patch(self, wanted: Obj) -> None:
        shown = self.shown
        if shown is None:
            return
        meta = shown["metadata"]
        body = status.patch(self._told or shown.get("status") or {}, wanted, meta["uid"])
        if body is None:
            return
        try:
            answer = await self.kubelet.client.patch(
                PODS, meta["name"], body, meta["namespace"], content_type=STRATEGIC_PATCH, subresource="status"
            )
        except ClientError as error:
            if error.code not in (404, 409):
                raise
            return  # gone, or another pod of that name by now
        self._told = answer.get("status") or {}

    async def _delete(self, obj: Obj) -> None:
        meta = obj["metadata"]
        try:
            await self.kubelet.client.delete(
                PODS, meta["name"], meta["namespace"], uid=self.uid, grace_period_seconds=0
            )
        except ClientError as error:
            if error.code not in (404, 409):
                raise
        self.kubelet.node.release(self.uid)
