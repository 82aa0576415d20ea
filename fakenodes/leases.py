"""Leader election on a Lease: of several that run for it, one leads.

Stands for client-go's tools/leaderelection with its defaults (15 s, 10 s, 2 s). A holder is judged by when this process
last saw the record change, and by how long the record says that it holds, never by the clock of another machine.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from msgspec import Struct

from fakeapi.clock import Clock, rfc3339_micro
from fakenodes.client.base import Client, ClientError, Obj
from fakenodes.client.gvrs import LEASES
from fakenodes.events import EventRecorder

log = logging.getLogger(__name__)

JITTER = 1.2


class Timing(Struct, frozen=True):
    """In seconds: how long a lease holds, how long its holder goes on trying to renew it before it stops working, and
    how often everybody tries. ValueError when two could lead at once.
    """

    lease: float = 15.0
    renew: float = 10.0
    retry: float = 2.0

    def __post_init__(self) -> None:
        if self.lease <= self.renew:
            raise ValueError("leaseDuration must be greater than renewDeadline")
        if self.renew <= self.retry * JITTER:
            raise ValueError("renewDeadline must be greater than retryPeriod*JitterFactor")
        if self.lease < 1:
            raise ValueError("leaseDuration must be at least one second")
        if self.retry <= 0:
            raise ValueError("retryPeriod must be greater than zero")


class Elector:
    """Runs for the Lease `namespace/name` as `identity`; run() leads once and returns when the lead is lost."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        namespace: str,
        name: str,
        identity: str,
        recorder: EventRecorder | None = None,
        timing: Timing | None = None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._recorder = recorder
        self._timing = timing or Timing()
        self._seen: tuple[str, float] = ("", 0.0)
        self.leading = False

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Wait to become the leader, then run `lead` until it ends or the Lease cannot be renewed in time; it is
        cancelled then. Gives the Lease up in the end."""
        while not await self._try():
            await self._clock.sleep(self._timing.retry)
        self.leading = True
        task = asyncio.ensure_future(lead())
        try:
            await self._hold(task)
        finally:
            self.leading = False
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._release()

    async def _hold(self, task: asyncio.Future[None]) -> None:
        """Renew until the work ends, or until renewing has failed for too long."""
        renewed = self._clock.monotonic()
        while not task.done():
            woken = asyncio.Event()
            timer = self._clock.call_later(self._timing.retry, woken.set)
            task.add_done_callback(lambda _, woken=woken: woken.set())  # type: ignore[misc]
            try:
                await woken.wait()
            finally:
                timer.cancel()
            if task.done():
                task.result()
                return
            began = self._clock.monotonic()
            if await self._try_within(renewed + self._timing.renew - began):
                renewed = began
            elif self._clock.monotonic() - renewed >= self._timing.renew:
                log.warning("%s: lost the lease %s", self._identity, self._name)
                return

    async def _try_within(self, seconds: float) -> bool:
        """An answer that does not come must not let the lease run out while the work goes on."""
        attempt = asyncio.ensure_future(self._try())
        timer = self._clock.call_later(seconds, attempt.cancel)
        try:
            await asyncio.wait([attempt])
            return not attempt.cancelled() and attempt.result()
        finally:
            timer.cancel()
            attempt.cancel()

    async def _try(self) -> bool:
        """Take or renew the Lease; False when another holds it or the server does not answer."""
        try:
            return await self._take()
        except (ClientError, OSError) as error:
            log.info("lease %s: %s", self._name, error)
            return False

    async def _take(self) -> bool:
        now = self._clock.now()
        try:
            lease = await self._client.get(LEASES, self._name, self._namespace)
        except ClientError as error:
            if error.code != 404:
                raise
            spec = self._spec({}, now)
            await self._client.create(
                LEASES,
                {
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": {"name": self._name},
                    "spec": spec,
                },
                self._namespace,
            )
            return True
        spec = lease.get("spec") or {}
        version, holder = lease["metadata"]["resourceVersion"], spec.get("holderIdentity", "")
        if version != self._seen[0]:
            self._seen = (version, self._clock.monotonic())
        expired = self._clock.monotonic() - self._seen[1] >= spec.get("leaseDurationSeconds", 0)
        if holder and holder != self._identity and not expired:
            return False
        changed = await self._client.update(LEASES, {**lease, "spec": self._spec(spec, now)})
        self._seen = (changed["metadata"]["resourceVersion"], self._clock.monotonic())
        if holder != self._identity and self._recorder is not None:
            self._recorder.record(changed, "Normal", "LeaderElection", f"{self._identity} became leader")
        return True

    def _spec(self, old: Obj, now: float) -> Obj:
        same = old.get("holderIdentity") == self._identity
        stamp = rfc3339_micro(now)
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._timing.lease),
            "renewTime": stamp,
            "acquireTime": old.get("acquireTime", stamp) if same else stamp,
            "leaseTransitions": old.get("leaseTransitions", 0) + (0 if same or not old else 1),
        }

    async def _release(self) -> None:
        try:
            lease = await self._client.get(LEASES, self._name, self._namespace)
            spec = lease.get("spec") or {}
            if spec.get("holderIdentity") == self._identity:
                stamp = rfc3339_micro(self._clock.now())
                await self._client.update(
                    LEASES,
                    {
                        **lease,
                        "spec": {
                            "holderIdentity": "",
                            "leaseDurationSeconds": 1,
                            "renewTime": stamp,
                            "acquireTime": stamp,
                            "leaseTransitions": spec.get("leaseTransitions", 0),
                        },
                    },
                )
        except (ClientError, OSError) as error:
            log.info("lease %s not released: %s", self._name, error)
