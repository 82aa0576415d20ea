"""What the server keeps by itself: IPAddresses of Services, conditions of FlowSchemas and APIServices."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fakeapi.app import ApiServer
from fakeapi.clock import rfc3339
from fakeapi.config import Config
from fakeapi.poststart import Facts
from fakeapi.request import Answer, User
from fakeapi.storage.memory import MemoryStorage
from tests import objects

ADMIN = User("admin", ("system:masters", "system:authenticated"))
ADDRESSES = "/apis/networking.k8s.io/v1/ipaddresses"
SERVICES = "/api/v1/namespaces/default/services"
Call = Callable[..., Awaitable[Any]]


def serve(test: Callable[[Call, ApiServer], Awaitable[None]], minor: int = 36, cidr: str = "10.96.0.0/12") -> None:
    """Run a test against a fresh server; its call() answers the body, once the keepers have nothing left to do."""

    async def run() -> None:
        server = ApiServer(Config(minor=minor, service_cidr=cidr), MemoryStorage())
        await server.start(Facts(now=rfc3339(0), service_cidr=cidr))

        async def call(method: str, path: str, body: Any = None) -> Any:
            headers = {"content-type": "application/merge-patch+json" if method == "PATCH" else "application/json"}
            answer: Answer = await server.call(method, path, headers, json.dumps(body).encode() if body else b"", ADMIN)
            for _ in range(20):
                await asyncio.sleep(0)
            assert all(keeper.drained for keeper in server.keepers)
            assert isinstance(answer.body, bytes)
            return json.loads(answer.body)

        try:
            await test(call, server)
        finally:
            await server.stop()

    asyncio.run(run())


def test_each_cluster_ip_has_a_record() -> None:
    async def test(call: Call, server: ApiServer) -> None:
        async def recorded() -> set[str]:
            items = (await call("GET", ADDRESSES))["items"]
            return {item["metadata"]["name"] for item in items} - {"10.96.0.1"}

        made = await call("POST", SERVICES, objects.make("", "v1", "Service"))
        address = made["spec"]["clusterIP"]
        assert await recorded() == {address}
        found = await call("GET", f"{ADDRESSES}/{address}")
        assert found["spec"]["parentRef"] == {"resource": "services", "namespace": "default", "name": "a"}
        assert found["metadata"]["labels"]["ipaddress.kubernetes.io/ip-family"] == "IPv4"
        headless = objects.make("", "v1", "Service")
        headless["metadata"]["name"] = "b"
        headless["spec"] = {**headless["spec"], "clusterIP": "None"}
        await call("POST", SERVICES, headless)
        assert await recorded() == {address}
        await call("PATCH", f"{SERVICES}/a", {"spec": {"type": "ExternalName", "externalName": "x.y", "clusterIP": ""}})
        assert await recorded() == set()
        await call("PATCH", f"{SERVICES}/a", {"spec": {"type": "ClusterIP", "externalName": None}})
        assert len(await recorded()) == 1
        await call("DELETE", f"{SERVICES}/a")
        assert await recorded() == set()

    serve(test)


def test_minors_without_the_kind_keep_no_records() -> None:
    async def test(call: Call, server: ApiServer) -> None:
        await call("POST", SERVICES, objects.make("", "v1", "Service"))
        assert (await server.storage.list("/registry/ipaddresses/")).entries == []

    serve(test, 32)


def test_service_cidrs_add_to_the_range() -> None:
    async def test(call: Call, server: ApiServer) -> None:
        path = "/apis/networking.k8s.io/v1/servicecidrs"

        async def take(name: str, address: str) -> str:
            spec = {"clusterIP": address, "ports": [{"port": 80}]}
            made = await call("POST", SERVICES, {"metadata": {"name": name}, "spec": spec})
            return str(made.get("message") or made["spec"]["clusterIP"])

        outside = "the provided network does not match the current range"
        assert outside in await take("a", "172.20.0.9")
        await call("POST", path, {"metadata": {"name": "more"}, "spec": {"cidrs": ["172.20.0.0/24"]}})
        assert await take("a", "172.20.0.9") == "172.20.0.9"
        assert "provided IP is already allocated" in await take("b", "172.20.0.9")
        assert "provided network" in await take("b", "172.20.0.0")
        unready = {"conditions": [{"type": "Ready", "status": "False", "reason": "Terminating", "message": ""}]}
        unready["conditions"][0]["lastTransitionTime"] = rfc3339(0)
        await call("PATCH", f"{path}/more/status", {"status": unready})
        assert outside in await take("b", "172.20.0.10")
        await call("DELETE", f"{SERVICES}/a")
        await call("PATCH", f"{path}/more/status", {"status": None})
        # What was given back while the range gave nothing can be had again.
        assert await take("a", "172.20.0.9") == "172.20.0.9"
        await call("DELETE", f"{path}/more")
        assert outside in await take("b", "172.20.0.10")

    serve(test)


def test_a_range_that_is_full_leaves_the_others() -> None:
    async def test(call: Call, server: ApiServer) -> None:
        more = {"metadata": {"name": "more"}, "spec": {"cidrs": ["10.0.1.0/24"]}}
        await call("POST", "/apis/networking.k8s.io/v1/servicecidrs", more)
        found = []
        for number in range(8):
            made = await call("POST", SERVICES, {"metadata": {"name": f"s{number}"}, "spec": {"ports": [{"port": 80}]}})
            found.append(made["spec"]["clusterIP"].rpartition(".")[0])
        # The kubernetes Service has one of the six addresses of the first range.
        assert found == ["10.0.0"] * 5 + ["10.0.1"] * 3

    serve(test, cidr="10.0.0.0/29")


SLICE = {
    "metadata": {"name": "s", "labels": {"kubernetes.io/service-name": "toys"}},
    "addressType": "IPv4",
    "endpoints": [{"addresses": ["10.1.1.1"]}],
    "ports": [{"port": 1}],
}


@pytest.mark.parametrize(
    ("port", "slices", "told"),
    [
        (None, [], ("False", "ServiceNotFound", 'service/toys in "default" is not present')),
        (80, [], ("False", "ServicePortError", 'service/toys in "default" is not listening on port 443')),
        (443, [], ("False", "EndpointsNotFound", 'cannot find endpointslices for service/toys in "default"')),
        (443, [SLICE], ("True", "Passed", "all checks passed")),
    ],
)
def test_an_api_service_tells_whether_it_is_available(
    port: int | None, slices: list[Any], told: tuple[str, ...]
) -> None:
    async def test(call: Call, server: ApiServer) -> None:
        path = "/apis/apiregistration.k8s.io/v1/apiservices"
        made = objects.make("apiregistration.k8s.io", "v1", "APIService")
        await call("POST", path, made)
        if port:
            await call("POST", SERVICES, {"metadata": {"name": "toys"}, "spec": {"ports": [{"port": port}]}})
        for made_slice in slices:
            await call("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", made_slice)
        found = await call("GET", f"{path}/{made['metadata']['name']}")
        (condition,) = found["status"]["conditions"]
        assert tuple(condition[field] for field in ("status", "reason", "message")) == told
        managers = [(e["manager"], e.get("subresource")) for e in found["metadata"]["managedFields"]]
        assert ("kube-apiserver", "status") in managers

    serve(test)


def test_a_flow_schema_tells_whether_its_level_is_there() -> None:
    async def test(call: Call, server: ApiServer) -> None:
        base = "/apis/flowcontrol.apiserver.k8s.io/v1"
        await call(
            "POST",
            f"{base}/flowschemas",
            {"metadata": {"name": "a"}, "spec": {"priorityLevelConfiguration": {"name": "a"}}},
        )
        states = []
        level = objects.make("flowcontrol.apiserver.k8s.io", "v1", "PriorityLevelConfiguration")
        for method, path, body in (("GET", "a", None), ("POST", "", level), ("DELETE", "a", None)):
            await call(method, f"{base}/prioritylevelconfigurations/{path}".rstrip("/"), body)
            (condition,) = (await call("GET", f"{base}/flowschemas/a"))["status"]["conditions"]
            states.append((condition["type"], condition["status"], condition["reason"]))
        assert states == [
            ("Dangling", s, r) for s, r in (("True", "NotFound"), ("False", "Found"), ("True", "NotFound"))
        ]

    serve(test)
