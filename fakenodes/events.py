"""Events that components write about objects, aggregated as upstream does so that a loop does not flood the server.

Stands for client-go's tools/record (EventRecorder: core/v1 events of controllers and kubelets; correlator with spam
filter, aggregation of similar events and counting of equal ones) and tools/events (SeriesRecorder: the scheduler's
events.k8s.io/v1 events with series). Sending never blocks the component; leaves out the half-hourly series heartbeat.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from fakeapi.clock import Clock, rfc3339, rfc3339_micro
from fakenodes.client.base import GVR, Client, ClientError, Obj

log = logging.getLogger(__name__)

EVENTS = GVR("", "v1", "events")
SERIES = GVR("events.k8s.io", "v1", "events")

# client-go's events_cache.go
CACHE = 4096
SPAM_BURST, SPAM_SECONDS = 25, 300.0
SIMILAR, SIMILAR_SECONDS = 10, 600.0
COMBINED = "(combined from similar events): "
PENDING = 1000
SERIES_SECONDS = 360.0
_SERIALS = itertools.count()


def reference(obj: Obj, field_path: str = "") -> Obj:
    """The ObjectReference of an object, without its empty members."""
    meta = obj["metadata"]
    found = {
        "kind": obj.get("kind"),
        "namespace": meta.get("namespace"),
        "name": meta.get("name"),
        "uid": meta.get("uid"),
        "apiVersion": obj.get("apiVersion"),
        "resourceVersion": meta.get("resourceVersion"),
        "fieldPath": field_path,
    }
    return {k: v for k, v in found.items() if v}


class _Sent(Struct):
    name: str
    count: int
    first: str


class _Similar(Struct):
    messages: set[str]
    last: float


class _Bounded(OrderedDict[Any, Any]):
    """The most recently used entries."""

    def touch(self, key: Any, value: Any) -> None:
        self[key] = value
        self.move_to_end(key)
        if len(self) > CACHE:
            self.popitem(last=False)


class _Sink:
    """A queue of requests and the task that sends them in order; what does not fit is dropped, as upstream's is."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: asyncio.Queue[Any] = asyncio.Queue(PENDING)
        self._task: asyncio.Task[None] | None = None
        self._busy = False

    @property
    def drained(self) -> bool:
        """Everything has been sent."""
        return not self._busy and self._queue.empty()

    def put(self, send: Any) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="events")
        try:
            self._queue.put_nowait(send)
        except asyncio.QueueFull:
            log.info("event dropped: the queue is full")

    async def _run(self) -> None:
        while True:
            send = await self._queue.get()
            self._busy = True
            try:
                await send()
            except (ClientError, OSError) as error:
                # A namespace that is going away, or a server that is: upstream logs and forgets likewise.
                log.info("event not recorded: %s", error)
            except Exception:
                log.exception("event not recorded")
            finally:
                self._busy = False
            await self._clock.sleep(0)  # else a long queue would let nobody else work

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None


class _Recorder:
    """What the recorders of both APIs share: events are named at once, and sent one after the other."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._sink = _Sink(clock)
        self._sent = _Bounded()

    @property
    def drained(self) -> bool:
        """Everything has been sent."""
        return self._sink.drained

    async def stop(self) -> None:
        """Drop what is pending and stop."""
        await self._sink.stop()

    def _name(self, name: str, now: float) -> str:
        # Nanoseconds on a real machine; a virtual clock may stand still, and names must differ, those of another
        # recorder's events about an object of that name too.
        return f"{name}.{int(now * 1_000_000) * 1000 + next(_SERIALS) % 1000:x}"


class EventRecorder(_Recorder):
    """Writes core/v1 events of one component. `record` may be called on the event loop only and returns at once."""

    def __init__(self, client: Client, clock: Clock, component: str, host: str = "") -> None:
        super().__init__(client, clock)
        self._component = component
        self._host = host
        self._similar = _Bounded()
        self._tokens = _Bounded()

    def record(
        self,
        obj: Obj,
        type: str,
        reason: str,
        message: str,
        field_path: str = "",
        notes: Mapping[str, str] | None = None,
    ) -> None:
        """Tell an event about obj: type is Normal or Warning. notes: the event's annotations."""
        ref = reference(obj, field_path)
        about = (ref.get("kind"), ref.get("namespace"), ref.get("name"), ref.get("uid"), ref.get("apiVersion"))
        now = self._clock.now()
        group = (*about, type, reason)
        message, combined = self._combine(group, message, now)
        key = (*group, "" if combined else field_path, combined or message)
        stamp = rfc3339(now)
        sent: _Sent | None = self._sent.get(key)
        # What is held back as spam is counted all the same: the next one that passes tells of it.
        allowed = self._allowed(about, now)
        if sent is not None:
            sent.count += 1
            if not allowed:
                return
            patch: Obj = {"count": sent.count, "lastTimestamp": stamp}
            if combined:
                patch["message"] = message
            event = self._event(ref, type, reason, message, sent, stamp)
            self._sink.put(lambda: self._again(event, patch, sent))
            return
        sent = _Sent(self._name(ref["name"], now), 1, stamp)
        self._sent.touch(key, sent)
        if not allowed:
            return
        event = self._event(ref, type, reason, message, sent, stamp)
        if notes:
            event["metadata"]["annotations"] = dict(notes)
        self._sink.put(lambda: self._client.create(EVENTS, event))

    def _allowed(self, about: Any, now: float) -> bool:
        """A bucket of 25 tokens an object, one more every five minutes."""
        tokens: float
        tokens, last = self._tokens.get(about, (float(SPAM_BURST), now))
        tokens = min(float(SPAM_BURST), tokens + (now - last) / SPAM_SECONDS)
        allowed = tokens >= 1.0
        self._tokens.touch(about, (tokens - 1.0 if allowed else tokens, now))
        return allowed

    def _combine(self, group: Any, message: str, now: float) -> tuple[str, str]:
        """The message to send, and a mark shared by the combined ones when more than ten differ within ten minutes."""
        record: _Similar | None = self._similar.get(group)
        if record is None or now - record.last > SIMILAR_SECONDS:
            record = _Similar(set(), now)
        record.messages.add(message)
        record.last = now
        self._similar.touch(group, record)
        if len(record.messages) < SIMILAR:
            return message, ""
        record.messages.pop()
        return COMBINED + message, COMBINED

    def _event(self, ref: Obj, type: str, reason: str, message: str, sent: _Sent, stamp: str) -> Obj:
        source = {"component": self._component, **({"host": self._host} if self._host else {})}
        return {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {"name": sent.name, "namespace": ref.get("namespace") or "default"},
            "involvedObject": ref,
            "reason": reason,
            "message": message,
            "source": source,
            "firstTimestamp": sent.first,
            "lastTimestamp": stamp,
            "count": sent.count,
            "type": type,
            "eventTime": None,
            "reportingComponent": self._component,
            "reportingInstance": self._host,
        }

    async def _again(self, event: Obj, patch: Obj, sent: _Sent) -> None:
        try:
            await self._client.patch(EVENTS, sent.name, patch, event["metadata"]["namespace"])
        except ClientError as error:
            if error.code != 404:
                raise
            await self._client.create(EVENTS, event)


class SeriesRecorder(_Recorder):
    """Writes events.k8s.io/v1 events of one component (the scheduler); repeated ones become a series."""

    def __init__(self, client: Client, clock: Clock, controller: str, instance: str) -> None:
        super().__init__(client, clock)
        self._controller = controller
        self._instance = instance

    def record(self, regarding: Obj, related: Obj | None, type: str, reason: str, action: str, note: str) -> None:
        """Tell that `action` was taken on the object for `reason`; `note` is the text that people read (1 kB)."""
        now = self._clock.now()
        ref = reference(regarding)
        other = reference(related) if related is not None else None
        about = tuple(ref.get(k) for k in ("kind", "namespace", "name", "uid", "apiVersion"))
        key = (about, (other or {}).get("uid"), type, reason, action)
        sent: _Series | None = self._sent.get(key)
        if sent is not None and now - sent.last < SERIES_SECONDS:
            sent.count, sent.last = sent.count + 1, now
            if sent.count == 2:
                series = {"count": 2, "lastObservedTime": rfc3339_micro(now)}
                space = ref.get("namespace") or "default"
                self._sink.put(lambda: self._client.patch(SERIES, sent.name, {"series": series}, space))
            return
        name = self._name(ref["name"], now)
        self._sent.touch(key, _Series(name, 1, now))
        event = {
            "kind": "Event",
            "apiVersion": "events.k8s.io/v1",
            "metadata": {"name": name, "namespace": ref.get("namespace") or "default"},
            "eventTime": rfc3339_micro(now),
            "reportingController": self._controller,
            "reportingInstance": self._instance,
            "action": action,
            "reason": reason,
            "regarding": ref,
            "note": note[:1024],
            "type": type,
            **({"related": other} if other else {}),
        }
        self._sink.put(lambda: self._client.create(SERIES, event))


class _Series(Struct):
    name: str
    count: int
    last: float
