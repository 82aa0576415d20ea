"""The controllers on a running server whose answers fail and get lost, whose watches stutter, lag and break, and that
die on the way: the end is the same.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from fakeapi.clock import RealClock
from fakenodes.client.base import Client, ClientError, Obj
from fakenodes.client.gvrs import DEPLOYMENTS, ENDPOINTS, JOBS, LEASES, PODS, REPLICA_SETS, SERVICES, STATEFUL_SETS
from fakenodes.client.inprocess import InProcessClient
from fakenodes.client.rest import Answer, Reply
from fakenodes.components import Components, Plan
from fakenodes.controllers import CONTROLLERS
from fakenodes.controllers.runner import Manager
from fakenodes.leases import Elector
from fakenodes.owners import controller_uid
from tests.fakenodes.servers import in_process, make_server

TEMPLATE = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "nginx:1"}]},
}
CONFLICT = b'{"kind":"Status","status":"Failure","code":409,"reason":"Conflict","message":"injected"}'
EXPIRED = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"injected"}}\n'
BROKEN = b'{"kind":"Status","status":"Failure","code":500,"reason":"InternalError","message":"injected"}'


def faulty(inner: InProcessClient, rng: random.Random, share: float) -> Client:
    """The client with a share of its writes refused, broken, or done without anybody hearing of it, and with watches
    that are shaken.
    """

    async def handle(method: str, target: str, headers: Any, body: bytes) -> Reply:
        if "watch=1" in target:
            reply = await inner._handler(method, target, headers, body)
            return (
                reply
                if isinstance(reply.body, bytes)
                else Answer(
                    200, {}, shaken(begun(reply.body, rng, share, "sendInitialEvents=true" in target), rng, share)
                )
            )
        if method == "GET" or "/events" in target or rng.random() >= share:
            return await inner._handler(method, target, headers, body)
        kind = rng.choice(("conflict", "broken", "lost"))
        if kind == "lost":
            await inner._handler(method, target, headers, body)
            raise ConnectionError("the answer was lost")
        return Answer(409 if kind == "conflict" else 500, {}, CONFLICT if kind == "conflict" else BROKEN)

    return InProcessClient(handle, "tester/v1")


async def begun(
    stream: AsyncIterator[bytes], rng: random.Random, share: float, state: bool
) -> AsyncIterator[tuple[bytes, bool]]:
    """The events, and whether each is of the state that a watch may begin with; a share of those watches ends in it. It
    is shaken as a whole: else one of many objects would hardly ever be told to its end.
    """
    left = rng.randrange(20) if state and rng.random() < share else -1
    async for piece in stream:
        for line in piece.splitlines(keepends=True):
            if state and left == 0:
                return
            left -= 1
            yield line, state
            state = state and b'"k8s.io/initial-events-end":"true"' not in line


async def shaken(stream: AsyncIterator[tuple[bytes, bool]], rng: random.Random, share: float) -> AsyncIterator[bytes]:
    """The events of a watch, a share of those after the state twice, late, or lost with all that follow: then the watch
    ends, well or with the news that it must begin anew.
    """
    async for line, state in stream:
        if state or rng.random() >= share:
            yield line
            continue
        kind = rng.choice(("twice", "late", "lost", "expired"))
        if kind == "late":
            await RealClock().sleep(0.02)
        if kind in ("twice", "late"):
            yield line
        if kind == "twice":
            yield line
        if kind == "expired":
            yield EXPIRED
        if kind in ("lost", "expired"):
            return


async def until(check: Any, seconds: float = 120.0) -> None:
    """Wait for a coroutine function to answer True."""
    clock = RealClock()
    end = clock.monotonic() + seconds
    while not await check():
        assert clock.monotonic() < end, "did not converge"
        await clock.sleep(0.02)


async def counts(client: Client) -> Counter[str]:
    """Living pods by their controller's kind."""
    pods = (await client.list(PODS, "default")).items
    return Counter(
        next((o["kind"] for o in p["metadata"].get("ownerReferences") or ()), "")
        for p in pods
        if not p["metadata"].get("deletionTimestamp")
    )


def workload(kind: str, name: str, **spec: Any) -> Obj:
    found = {"selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE, **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": found}


JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "pi"},
    "spec": {
        "completions": 4,
        "parallelism": 2,
        "template": {
            "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox", "command": ["true"]}]}
        },
    },
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
}


async def _the_same_end_under_faults_and_restarts(seed: int) -> None:
    rng, clock = random.Random(seed), RealClock()
    server = await make_server()
    client = in_process(server)
    nodes = Components(lambda user: in_process(server, user), clock, Plan(controllers="", nodes=2))
    await nodes.start()

    async def start() -> Manager:
        manager = Manager(CONTROLLERS, lambda user: faulty(in_process(server, user), rng, 0.15), clock, seed=seed)
        await manager.start()
        return manager

    manager = await start()
    try:
        await until(lambda: _there(client))
        await client.create(DEPLOYMENTS, workload("Deployment", "web", replicas=3), "default")
        await client.create(SERVICES, SERVICE, "default")
        await client.create(JOBS, JOB, "default")
        await manager.stop()
        manager = await start()
        await client.patch(
            DEPLOYMENTS,
            "web",
            {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:2"}]}}}},
            "default",
        )
        await manager.stop()
        manager = await start()

        async def used() -> list[Obj]:
            """The ReplicaSets that are to have pods."""
            return [s for s in (await client.list(REPLICA_SETS, "default")).items if s["spec"]["replicas"]]

        async def settled() -> bool:
            status = (await client.get(DEPLOYMENTS, "web", "default")).get("status") or {}
            job = (await client.get(JOBS, "pi", "default")).get("status") or {}
            return (
                status.get("observedGeneration") == 2
                and status.get("updatedReplicas") == 3
                and status.get("replicas") == 3
                and status.get("availableReplicas") == 3
                and job.get("succeeded", 0) >= 4
                and not job.get("uncountedTerminatedPods")
                and [s["spec"]["replicas"] for s in await used()] == [3]
            )

        await until(settled)
        (new,) = await used()

        async def living() -> list[Obj]:
            pods = (await client.list(PODS, "default")).items
            return [
                p
                for p in pods
                if p["metadata"].get("labels", {}).get("app") == "web" and not p["metadata"].get("deletionTimestamp")
            ]

        # A create whose answer was lost may have been made twice: one too many goes again.
        await until(lambda: _are(living, new["metadata"]["uid"], 3))
        assert (await counts(client))["Job"] >= 4
        await until(lambda: _served(client, living))
        await client.delete(DEPLOYMENTS, "web", "default", propagation_policy="Background")
        await until(lambda: _without(client, "ReplicaSet"))
    finally:
        await manager.stop()
        await nodes.stop()
        await server.stop()


async def _are(living: Callable[[], Awaitable[list[Obj]]], uid: str, size: int) -> bool:
    """Whether the pods are so many, of that owner alone."""
    return [controller_uid(p) for p in await living()] == [uid] * size


async def _there(client: Client) -> bool:
    from fakenodes.client.gvrs import SERVICE_ACCOUNTS

    try:
        await client.get(SERVICE_ACCOUNTS, "default", "default")
    except ClientError:
        return False
    return True


async def _served(client: Client, living: Callable[[], Awaitable[list[Obj]]]) -> bool:
    try:
        found = await client.get(ENDPOINTS, "web", "default")
    except ClientError:
        return False
    wanted = {p["status"].get("podIP") for p in await living()}
    return {a["ip"] for s in found.get("subsets") or () for a in s.get("addresses") or ()} == wanted


async def _without(client: Client, kind: str) -> bool:
    """Whether no ReplicaSet is left, and no pod of such an owner."""
    left = (await client.list(REPLICA_SETS, "default")).items
    return not left and not (await counts(client))[kind]


async def _two_electors_never_lead_at_once() -> None:
    server = await make_server()
    client, clock = in_process(server), RealClock()
    leading: list[str] = []
    led: list[str] = []

    async def work(name: str) -> None:
        leading.append(name)
        led.append(name)
        assert len(leading) == 1
        try:
            await clock.sleep(0.05)
        finally:
            leading.remove(name)

    try:
        electors = [Elector(client, clock, "kube-system", "x", name) for name in ("a", "b")]
        async with asyncio.timeout(90):
            await asyncio.gather(*(e.run(lambda name=n: work(name)) for e, n in zip(electors, "ab", strict=True)))  # type: ignore[misc]
        assert sorted(led) == ["a", "b"]
        lease = await client.get(LEASES, "x", "kube-system")
        assert lease["spec"].get("holderIdentity", "") == ""
    finally:
        await server.stop()


async def _a_stateful_set_is_made_in_order_by_whoever_runs() -> None:
    server = await make_server()
    client, clock = in_process(server), RealClock()
    parts = Components(lambda user: in_process(server, user), clock, Plan(nodes=1))
    await parts.start()
    try:
        await parts.ready()
        await client.create(STATEFUL_SETS, workload("StatefulSet", "db", replicas=3, serviceName="db"), "default")

        async def three() -> bool:
            return ((await client.get(STATEFUL_SETS, "db", "default")).get("status") or {}).get("readyReplicas") == 3

        await until(three)
        pods = sorted((await client.list(PODS, "default")).items, key=lambda p: int(p["metadata"]["resourceVersion"]))
        made = sorted(pods, key=lambda p: (p["metadata"]["creationTimestamp"], p["metadata"]["name"]))
        assert [p["metadata"]["name"] for p in made] == ["db-0", "db-1", "db-2"]
    finally:
        await parts.stop()
        await server.stop()


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_end_under_faults_and_restarts(seed: int) -> None:
    asyncio.run(_the_same_end_under_faults_and_restarts(seed))


def test_two_electors_never_lead_at_once() -> None:
    asyncio.run(_two_electors_never_lead_at_once())


def test_a_stateful_set_is_made_in_order() -> None:
    asyncio.run(_a_stateful_set_is_made_in_order_by_whoever_runs())
