"""What Pods are told when they are not bound: events and conditions, against a server."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager

import pytest

from fakeapi.clock import RealClock
from fakenodes.client.base import GVR, ClientError
from fakenodes.informer import InformerFactory
from fakenodes.scheduler.framework import SKIP, Code, Status
from fakenodes.scheduler.profiles import profile
from fakenodes.scheduler.scheduler import Scheduler
from tests.fakenodes.scheduling import node
from tests.fakenodes.servers import in_process, make_server

PODS = GVR("", "v1", "pods")
NODES = GVR("", "v1", "nodes", namespaced=False)
ACCOUNTS = GVR("", "v1", "serviceaccounts")
EVENTS = GVR("", "v1", "events")


class Stubborn:
    """Fails at one extension point, with one code."""

    name = "Stubborn"
    events = ()

    def __init__(self, handle, point, code, text="no"):
        self.status = Status(code, (text,), self.name)
        if point == "filter":
            self.filter = lambda state, pod, node: self.status
        elif point == "reserve":
            self.reserve, self.unreserve = lambda state, pod, node: self.status, lambda state, pod, node: None
        else:

            async def refuse(state, pod, node):
                return self.status

            setattr(self, point, refuse)


class Slow:
    """Has something to do before the binding, until it is let go."""

    name = "Slow"
    go = None

    def __init__(self, handle):
        pass

    def pre_flight(self, state, pod, node):
        return None if pod.name == "p" else SKIP

    async def pre_bind(self, state, pod, node):
        await self.go.wait()


def stubborn(*args):
    """A class of its own for each: a profile asks a class once which points it extends."""
    return type("Stubborn", (Stubborn,), {"__init__": lambda self, handle: Stubborn.__init__(self, handle, *args)})


@asynccontextmanager
async def scheduling(*plugins):
    """A client of a server with a node and a scheduler that has these plugins, too."""
    server = await make_server()
    client = in_process(server)
    clock = RealClock()
    scheduler = Scheduler({"default-scheduler": profile(*plugins)})
    work = asyncio.create_task(scheduler.run(client, InformerFactory(client, clock), clock, random.Random(1)))
    try:
        await until(lambda: ready(client))
        await client.create(NODES, node("n"))
        await client.patch(NODES, "n", {"spec": {"taints": None}})
        yield client
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await server.stop()


async def ready(client):
    try:
        await client.create(ACCOUNTS, {"metadata": {"name": "default"}}, "default")
    except ClientError as error:
        return error.code == 409
    return True


async def until(check):
    for _ in range(1000):
        found = await check()
        if found:
            return found
        await RealClock().sleep(0.01)
    raise AssertionError("never")


async def failure(client, name):
    """The PodScheduled condition and the events of a Pod, once it has both."""

    async def look():
        pod = await client.get(PODS, name, "default")
        told = [e["message"] for e in (await client.list(EVENTS, "default")).items if e["reason"] == "FailedScheduling"]
        conditions = [c for c in pod["status"].get("conditions", ()) if c["type"] == "PodScheduled"]
        return (conditions[0], told) if conditions and told else None

    return await until(look)


def plain(name, **meta):
    spec = {"automountServiceAccountToken": False, "containers": [{"name": "c", "image": "i"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **meta}, "spec": spec}


@pytest.mark.parametrize(
    ("point", "code", "reason", "text"),
    [
        ("filter", Code.ERROR, "SchedulerError", 'running "Stubborn" filter plugin: no'),
        ("reserve", Code.ERROR, "SchedulerError", 'running Reserve plugin "Stubborn": no'),
        ("reserve", Code.UNSCHEDULABLE, "Unschedulable", "0/1 nodes are available: 1 no."),
        ("permit", Code.ERROR, "SchedulerError", 'running Permit plugin "Stubborn": no'),
        ("permit", Code.UNRESOLVABLE, "Unschedulable", "0/1 nodes are available: 1 no."),
        ("pre_bind", Code.ERROR, "SchedulerError", 'running PreBind plugin "Stubborn": no'),
        ("pre_bind", Code.UNSCHEDULABLE, "Unschedulable", "no"),
    ],
)
def test_where_it_failed_is_told(point, code, reason, text):
    async def main():
        async with scheduling(stubborn(point, code)) as client:
            await client.create(PODS, plain("p"), "default")
            condition, told = await failure(client, "p")
            assert (condition["reason"], condition["message"]) == (reason, text)
            assert text in told

    asyncio.run(main())


def test_a_long_reason_is_cut_in_the_event_alone():
    async def main():
        text = "x" * 2000
        async with scheduling(stubborn("pre_bind", Code.UNSCHEDULABLE, text)) as client:
            await client.create(PODS, plain("p"), "default")
            condition, (told,) = await failure(client, "p")
            assert condition["message"] == text
            assert told == "x" * 1020 + " ..."

    asyncio.run(main())


def test_a_condition_that_stays_is_not_written_again():
    async def main():
        async with scheduling(stubborn("filter", Code.ERROR)) as client:
            await client.create(PODS, plain("p"), "default")
            await failure(client, "p")
            first = await client.get(PODS, "p", "default")

            async def again():
                events = (await client.list(EVENTS, "default")).items
                return any((e.get("series") or {}).get("count", 0) >= 2 for e in events)

            await until(again)
            assert (await client.get(PODS, "p", "default"))["metadata"]["resourceVersion"] == (
                first["metadata"]["resourceVersion"]
            )

    asyncio.run(main())


def test_the_node_is_told_while_something_is_to_be_done_before_the_binding():
    async def main():
        Slow.go = asyncio.Event()
        async with scheduling(Slow) as client:
            await client.create(PODS, plain("p"), "default")

            async def expected():
                pod = await client.get(PODS, "p", "default")
                return "nodeName" not in pod["spec"] and pod["status"].get("nominatedNodeName") == "n"

            await until(expected)
            Slow.go.set()

            async def bound():
                pod = await client.get(PODS, "p", "default")
                return pod["spec"].get("nodeName") == "n" and "nominatedNodeName" not in pod["status"]

            await until(bound)

    asyncio.run(main())


def test_what_is_deleted_is_not_scheduled():
    async def main():
        async with scheduling() as client:
            made = plain("p", finalizers=["example.com/wait"])
            made["spec"]["schedulerName"] = "default-scheduler"
            made["spec"]["schedulingGates"] = [{"name": "example.com/gate"}]
            await client.create(PODS, made, "default")
            await client.delete(PODS, "p", "default")
            await client.patch(PODS, "p", {"spec": {"schedulingGates": None}}, "default")

            async def told():
                return [e["message"] for e in (await client.list(EVENTS, "default")).items]

            assert await until(told) == ["skip schedule deleting pod: default/p"]
            assert "nodeName" not in (await client.get(PODS, "p", "default"))["spec"]

    asyncio.run(main())
