"""Hollow nodes and the scheduler against an API server in this process: what clients see of a pod's life."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import time

import aiohttp
import pytest

from fakeapi.clock import RealClock, VirtualClock
from fakeapi.config import Config
from fakeapi.launch import launch
from fakeapi.request import User
from fakenodes.client.base import GVR, ClientError
from fakenodes.client.inprocess import InProcessClient
from fakenodes.informer import InformerFactory
from fakenodes.kubelet.hollow import Hollow, HollowNodes
from fakenodes.kubelet.runtime.script import Script
from fakenodes.kubelet.server import KubeletServer
from fakenodes.scheduler.scheduler import Scheduler

PODS, NODES = GVR("", "v1", "pods"), GVR("", "v1", "nodes", namespaced=False)
LEASES, EVENTS = GVR("coordination.k8s.io", "v1", "leases"), GVR("", "v1", "events")


class Cluster:
    """A server with nodes and a scheduler; `admin` is a client of it."""

    def __init__(self, server):
        self.server = server
        self.admin = self.client("admin", "system:masters")

    def client(self, name, *groups, agent="test/v1"):
        user = User(name, (*groups, "system:authenticated"))

        async def handle(method, target, headers, body):
            return await self.server.call(method, target, headers, body, user)

        return InProcessClient(handle, agent)

    async def until(self, look, seconds=90):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(ClientError):
                found = await look()
                if found:
                    return found
            await asyncio.sleep(0.002)
        raise TimeoutError

    async def pod(self, name, **spec):
        container = {"name": "c", "image": "nginx:1", **spec.pop("container", {})}
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {"automountServiceAccountToken": False, "containers": [container], **spec},
        }
        return await self.admin.create(PODS, body, "default")

    async def phase(self, name, *phases):
        async def look():
            found = await self.admin.get(PODS, name, "default")
            return found if found["status"].get("phase") in phases else None

        return await self.until(look)

    async def gone(self, name):
        async def look():
            try:
                await self.admin.get(PODS, name, "default")
            except ClientError as error:
                return error.code == 404

        return await self.until(look)


@contextlib.asynccontextmanager
async def cluster(count=2, script=None, clock=None):
    launched = await launch(Config(port=0, disable_admission=frozenset({"ServiceAccount", "TaintNodesByCondition"})))
    made, clock = Cluster(launched.server), clock or RealClock()
    scheduler, kubelets = Scheduler(), KubeletServer(clock)
    hollow = HollowNodes(
        lambda user: made.client(user, "system:nodes", agent="kubelet/v1.36.2"),
        clock,
        rng=random.Random(1),
        endpoint=kubelets.open(),
    )
    if script:
        hollow.runtime.image("*", script)
    for number in range(count):
        hollow.add_node(Hollow(f"node-{number}"))
    await kubelets.start(hollow)
    brain = made.client("system:kube-scheduler", "system:masters", agent="kube-scheduler/v1.36.2")
    tasks = [
        asyncio.create_task(scheduler.run(brain, InformerFactory(brain, clock), clock, random.Random(1))),
        asyncio.create_task(hollow.run(InformerFactory(made.admin, clock))),
    ]

    async def ready():
        found = (await made.admin.list(NODES)).items
        return len(found) == count and all((n.get("status") or {}).get("allocatable") for n in found)

    try:
        await made.until(ready)
        made.hollow, made.endpoint = hollow, kubelets
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await kubelets.stop()
        await launched.stop()


def run(test):
    """Each test has an event loop to itself."""
    asyncio.run(test())


def test_a_pod_gets_ready_and_goes_again():
    async def scenario():
        async with cluster() as c:
            await c.pod("p")
            found = await c.phase("p", "Running")
            status = found["status"]
            assert {x["type"]: x["status"] for x in status["conditions"]} == dict.fromkeys(
                ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"), "True"
            )
            assert status["podIP"] == status["podIPs"][0]["ip"]
            assert status["observedGeneration"] == 1

            async def told():
                reasons = {
                    e["reason"]
                    for e in (await c.admin.list(EVENTS, "default")).items
                    if e["involvedObject"]["name"] == "p"
                }
                return reasons >= {"Pulling", "Pulled", "Created", "Started"}

            await c.until(told)
            await c.admin.delete(PODS, "p", "default")
            await c.gone("p")

    run(scenario)


def test_what_runs_is_killed_when_its_pod_is_gone_at_once():
    async def scenario():
        async with cluster(1) as c:
            await c.pod("p")
            await c.phase("p", "Running")
            await c.admin.delete(PODS, "p", "default", grace_period_seconds=0)

            async def told():
                events = (await c.admin.list(EVENTS, "default")).items
                return [e["message"] for e in events if e["reason"] == "Killing"]

            assert await c.until(told) == ["Stopping container c"]

    run(scenario)


def test_nodes_register_with_leases():
    async def scenario():
        async with cluster() as c:
            node = await c.admin.get(NODES, "node-1")
            ready = next(x for x in node["status"]["conditions"] if x["type"] == "Ready")
            assert (ready["status"], ready["reason"], ready["message"]) == (
                "True",
                "KubeletReady",
                "kubelet is posting ready status",
            )
            lease = await c.until(lambda: c.admin.get(LEASES, "node-1", "kube-node-lease"))
            assert lease["metadata"]["ownerReferences"][0]["uid"] == node["metadata"]["uid"]
            assert lease["spec"]["holderIdentity"] == "node-1"

    run(scenario)


@pytest.mark.parametrize(
    ("spec", "reason", "message"),
    [
        (
            {"container": {"resources": {"requests": {"cpu": "33"}}}},
            "OutOfcpu",
            "Node didn't have enough resource: cpu, requested: 33000, used: 0, capacity: 32000",
        ),
        (
            {"nodeSelector": {"a": "b"}},
            "NodeAffinity",
            "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
        ),
    ],
)
def test_a_node_refuses_what_it_cannot_take(spec, reason, message):
    async def scenario():
        async with cluster(1) as c:
            await c.pod("p", nodeName="node-0", **spec)
            found = (await c.phase("p", "Failed"))["status"]
            assert (found["reason"], found["message"]) == (reason, f"Pod was rejected: {message}")
            assert not found.get("conditions")

            async def told():
                return [e["message"] for e in (await c.admin.list(EVENTS, "default")).items if e["reason"] == reason]

            assert await c.until(told) == [message]

    run(scenario)


def test_jobs_containers_end():
    async def scenario():
        async with cluster(1) as c:
            await c.pod("ok", restartPolicy="Never", container={"command": ["true"]})
            await c.pod("no", restartPolicy="Never", container={"command": ["sh", "-c", "exit 3"]})
            assert (await c.phase("ok", "Succeeded", "Failed"))["status"]["phase"] == "Succeeded"
            found = await c.phase("no", "Succeeded", "Failed")
            assert found["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3

    run(scenario)


def test_a_pod_that_does_not_fit_waits_until_there_is_room():
    async def scenario():
        async with cluster(1) as c:
            await c.pod("big", container={"resources": {"requests": {"cpu": "30"}}})
            await c.phase("big", "Running")
            await c.pod("p", container={"resources": {"requests": {"cpu": "30"}}})

            async def refused():
                found = (await c.admin.get(PODS, "p", "default"))["status"].get("conditions") or [{}]
                return found[0].get("reason") == "Unschedulable"

            await c.until(refused)
            await c.admin.delete(PODS, "big", "default")
            await c.phase("p", "Running")

    run(scenario)


def test_logs_are_served_over_tls():
    script = Script(logs=((0.0, "one"), (0.0, "two"), (60.0, "three")), run_seconds=61)

    async def told():
        for _ in range(20):
            await asyncio.sleep(0)

    async def scenario():
        clock = VirtualClock()
        async with cluster(1, script, clock) as c:
            await c.pod("p", restartPolicy="Never")
            node = await c.admin.get(NODES, "node-0")
            port = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"]
            await c.phase("p", "Running")
            insecure = ssl.create_default_context()
            insecure.check_hostname, insecure.verify_mode = False, ssl.CERT_NONE
            base = f"https://127.0.0.1:{port}/containerLogs/default"
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=insecure)) as session:

                async def get(path):
                    async with session.get(base + path) as answer:
                        return answer.status, await answer.text()

                assert await get("/p/c") == (200, "one\ntwo\n")
                assert await get("/p/c?tailLines=1") == (200, "two\n")
                following = asyncio.create_task(get("/p/c?follow=true"))
                await clock.advance(70, told)
                assert await following == (200, "one\ntwo\nthree\n")
                assert await get("/p/c?previous=true") == (
                    400,
                    'previous terminated container "c" in pod "p" not found',
                )
                assert (await get("/p/x"))[0] == 404
                stamped = await get("/p/c?timestamps=true&limitBytes=34")
                assert stamped[1][:4].isdigit()
                assert len(stamped[1]) == 34

    run(scenario)


def test_a_node_that_was_labelled_later_takes_what_asks_for_the_label():
    async def scenario():
        async with cluster(1) as c:
            await c.admin.patch(NODES, "node-0", {"metadata": {"labels": {"disk": "ssd"}}})
            await c.pod("p", nodeSelector={"disk": "ssd"})
            assert (await c.phase("p", "Running", "Failed"))["status"]["phase"] == "Running"

    run(scenario)
