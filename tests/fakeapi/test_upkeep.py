"""What comes back: objects that exist from the start, in upstream's time, and records of cluster IPs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fakeapi import addressrepair
from fakeapi.app import ApiServer
from fakeapi.clock import VirtualClock
from fakeapi.config import Config
from fakeapi.poststart import Facts
from fakeapi.request import User
from fakeapi.storage.memory import MemoryStorage
from fakeapi.upkeep import revise_flow_control, revise_rbac

ADMIN = User("admin", ("system:masters", "system:authenticated"))
FLOW = "/apis/flowcontrol.apiserver.k8s.io/v1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADDRESSES = "/apis/networking.k8s.io/v1/ipaddresses"
SERVICES = "/api/v1/namespaces/default/services"


class Served:
    """A server whose clock only moves when it is told to."""

    def __init__(self, server: ApiServer, clock: VirtualClock) -> None:
        self.server, self.clock = server, clock

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """(status, body)."""
        headers = {"content-type": "application/merge-patch+json" if method == "PATCH" else "application/json"}
        answer = await self.server.call(method, path, headers, json.dumps(body).encode() if body else b"", ADMIN)
        assert isinstance(answer.body, bytes)
        await self.settled()
        return answer.status, json.loads(answer.body)

    async def settled(self) -> None:
        """Everything that is to be done at this moment has been done."""
        for _ in range(50):
            await asyncio.sleep(0)
        assert all(keeper.drained for keeper in self.server.keepers)

    async def later(self, seconds: float) -> None:
        """Let time pass."""
        await self.clock.advance(seconds, self.settled)


def serve(test: Callable[[Served], Awaitable[None]], storage: MemoryStorage | None = None) -> None:
    """Run a test against a server with a clock that stands still."""

    async def run() -> None:
        clock = VirtualClock()
        server = ApiServer(Config(service_cidr="10.0.0.0/16"), storage or MemoryStorage(), clock=clock)
        clock.freeze()
        await server.start(Facts(now="2026-01-02T03:04:05Z", service_cidr="10.0.0.0/16"))
        try:
            served = Served(server, clock)
            await served.settled()
            await test(served)
        finally:
            await server.stop()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("path", "seconds"),
    [
        ("/api/v1/namespaces/default/services/kubernetes", 10),
        ("/api/v1/namespaces/default/endpoints/kubernetes", 10),
        ("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes", 10),
        ("/apis/networking.k8s.io/v1/servicecidrs/kubernetes", 10),
        (f"{FLOW}/flowschemas/probes", 60),
        (f"{FLOW}/prioritylevelconfigurations/workload-low", 60),
        ("/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication", 0),
    ],
)
def test_what_is_deleted_comes_back(path, seconds):
    async def test(served: Served) -> None:
        _, before = await served.call("GET", path)
        assert (await served.call("DELETE", path))[0] in (200, 202)
        if before["metadata"].get("finalizers"):
            await served.call("PATCH", path, {"metadata": {"finalizers": None}})
        if seconds:
            await served.later(seconds - 1)
            assert (await served.call("GET", path))[0] == 404
            await served.later(1)
        status, after = await served.call("GET", path)
        assert status == 200
        assert after["metadata"]["uid"] != before["metadata"]["uid"]
        assert after.get("spec") == before.get("spec")
        assert {m["manager"] for m in after["metadata"].get("managedFields", ())} <= {
            m["manager"] for m in before["metadata"].get("managedFields", ())
        }

    serve(test)


def test_a_namespace_of_the_system_comes_back_each_minute():
    async def test(served: Served) -> None:
        path = "/api/v1/namespaces/kube-node-lease"
        await served.call("DELETE", path)
        _, going = await served.call("GET", path)
        going["spec"]["finalizers"] = []
        await served.call("PUT", f"{path}/finalize", going)
        assert (await served.call("GET", path))[0] == 404
        await served.later(60)
        assert (await served.call("GET", path))[1]["status"] == {"phase": "Active"}

    serve(test)


def test_system_priority_classes_cannot_be_deleted():
    async def test(served: Served) -> None:
        path = "/apis/scheduling.k8s.io/v1/priorityclasses/system-node-critical"
        status, body = await served.call("DELETE", path)
        assert (status, body["reason"]) == (403, "Forbidden")
        assert body["message"] == (
            'priorityclasses.scheduling.k8s.io "system-node-critical" is forbidden: this is a system priority '
            "class and cannot be deleted"
        )

    serve(test)


def test_flow_control_is_kept_as_it_should_be():
    async def test(served: Served) -> None:
        path, change = f"{FLOW}/flowschemas/probes", {"spec": {"matchingPrecedence": 7}}
        for annotation, expected in (("true", 2), ("false", 7)):
            metadata = {"annotations": {"apf.kubernetes.io/autoupdate-spec": annotation}}
            await served.call("PATCH", path, {"metadata": metadata, **change})
            await served.later(60)
            assert (await served.call("GET", path))[1]["spec"]["matchingPrecedence"] == expected

    serve(test)


def flow(name, spec, annotation=None, generation=1):
    annotations = {"annotations": {"apf.kubernetes.io/autoupdate-spec": annotation}} if annotation else {}
    return {"metadata": {"name": name, "generation": generation, **annotations}, "spec": spec}


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (flow("probes", "own", "true"), None),
        (flow("probes", "other", "true"), ("own", "true")),
        (flow("probes", "other", "1"), ("own", "true")),
        (flow("probes", "other", "false"), None),
        (flow("probes", "other"), ("own", "true")),
        (flow("probes", "other", generation=2), ("other", "false")),
        (flow("probes", "own", "maybe"), ("own", "true")),
        (flow("exempt", "other", "false"), ("own", "true")),
    ],
)
def test_which_flow_control_objects_are_put_right(current, expected):
    made = revise_flow_control(current, {"spec": "own"})
    found = made and (made["spec"], made["metadata"]["annotations"]["apf.kubernetes.io/autoupdate-spec"])
    assert found == expected


def role(*rules, **metadata):
    made = [{"verbs": verbs.split(","), "apiGroups": [""], "resources": [what]} for verbs, what in rules]
    return {"metadata": {"name": "r", **metadata}, "rules": made}


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (role(("get,list", "pods")), None),
        (role(("*", "pods")), None),
        (role(("get", "pods")), [("get", "pods"), ("list", "pods")]),
        (role(("watch", "nodes")), [("watch", "nodes"), ("get", "pods"), ("list", "pods")]),
        (role(annotations={"rbac.authorization.kubernetes.io/autoupdate": "false"}), None),
    ],
)
def test_which_rules_are_added(current, expected):
    made = revise_rbac(current, role(("get,list", "pods")))
    found = [(",".join(rule["verbs"]), rule["resources"][0]) for rule in made["rules"]] if made else None
    # A role that grants more than it should is left as it is.
    assert found == expected or (expected is None and made == {**current, "metadata": made["metadata"]})


def test_roles_are_reconciled_at_the_next_start():
    storage = MemoryStorage()
    path = f"{RBAC}/clusterrolebindings/cluster-admin"

    async def spoil(served: Served) -> None:
        assert (await served.call("PATCH", path, {"subjects": None}))[0] == 200
        assert (await served.call("DELETE", f"{RBAC}/clusterroles/view"))[0] == 200

    async def look(served: Served) -> None:
        assert (await served.call("GET", path))[1]["subjects"][0]["name"] == "system:masters"
        assert (await served.call("GET", f"{RBAC}/clusterroles/view"))[0] == 200

    serve(spoil, storage)
    serve(look, storage)


def test_records_of_cluster_ips_are_repaired():
    async def test(served: Served) -> None:
        _, made = await served.call("POST", SERVICES, {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}})
        address = made["spec"]["clusterIP"]
        await served.call("DELETE", f"{ADDRESSES}/{address}")
        await served.later(179)
        assert (await served.call("GET", f"{ADDRESSES}/{address}"))[0] == 404
        await served.later(1)
        assert (await served.call("GET", f"{ADDRESSES}/{address}"))[1]["spec"]["parentRef"]["name"] == "a"
        _, events = await served.call("GET", "/apis/events.k8s.io/v1/namespaces/default/events")
        told = [(e["reason"], e["action"], e["note"], e["reportingController"]) for e in events["items"]]
        assert told == [
            (
                "ClusterIPNotAllocated",
                "ClusterIPAllocation",
                f"Cluster IP [IPv4]: {address} is not allocated; repairing",
                "ipallocator-repair-controller",
            )
        ]

    serve(test)


def test_leaked_records_are_cleaned_up_after_a_while():
    async def test(served: Served) -> None:
        labels = {
            "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
            "ipaddress.kubernetes.io/ip-family": "IPv4",
        }
        parent = {"parentRef": {"resource": "services", "namespace": "default", "name": "gone"}}
        body = {"metadata": {"name": "10.0.9.9", "labels": labels}, "spec": parent}
        assert (await served.call("POST", ADDRESSES, body))[0] == 201
        await served.later(59)
        assert (await served.call("GET", f"{ADDRESSES}/10.0.9.9"))[0] == 200
        await served.later(3)
        assert (await served.call("GET", f"{ADDRESSES}/10.0.9.9"))[0] == 404

    serve(test)


def record(resource="services", name="a", managed="ipallocator.k8s.io", group="", family="IPv4"):
    labels = {"ipaddress.kubernetes.io/managed-by": managed, "ipaddress.kubernetes.io/ip-family": family}
    parent = {"group": group, "resource": resource, "namespace": "ns", "name": name}
    return {"metadata": {"name": "10.0.0.9", "labels": labels}, "spec": {"parentRef": parent}}


def service(name="a", *addresses):
    return {"metadata": {"namespace": "ns", "name": name}, "spec": {"clusterIPs": list(addresses)}}


HELD, OTHER = service("a", "10.0.0.9"), service("b", "10.0.0.9")


@pytest.mark.parametrize(
    ("held", "referenced", "found"),
    [
        (record(), HELD, None),
        (None, None, ("ClusterIPNotAllocated", "create")),
        (record("gateways", group="example.com"), None, ("ClusterIPNotAllocated", "recreate")),
        (record(name="b"), None, ("ClusterIPNotAllocated", "recreate")),
        (record(name="b"), OTHER, ("ClusterIPAlreadyAllocated", "")),
        (record(name="b"), service("b"), None),
        (record(managed="me"), HELD, ("", "recreate")),
        (record(family="IPv6"), HELD, ("", "recreate")),
    ],
)
def test_what_is_wrong_with_a_service(held, referenced, found):
    made = addressrepair.of_service(HELD, "10.0.0.9", held, referenced)
    assert (made and (made.reason, made.repair)) == found


@pytest.mark.parametrize(
    ("held", "named", "age", "reason"),
    [
        (record(), HELD, 0, None),
        (record(managed="me"), None, 100, None),
        (record("gateways", group="example.com"), None, 0, "IPAddressNotAllocated"),
        (record(), None, 60, None),
        (record(), None, 61, "IPAddressNotAllocated"),
        (record(), service("a", "10.0.0.8"), 0, "IPAddressWrongReference"),
    ],
)
def test_what_is_wrong_with_a_record(held, named, age, reason):
    made = addressrepair.of_record(held, named, age)
    assert (made and made.reason) == reason
