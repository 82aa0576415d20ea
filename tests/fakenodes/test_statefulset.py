"""StatefulSets on a running cluster: what is taken from a pod comes back."""

from __future__ import annotations

import asyncio
from typing import Any

from fakenodes.client.base import JSON_PATCH, MERGE_PATCH, Obj
from fakenodes.client.gvrs import CLAIMS, DISRUPTION_BUDGETS, PODS, RESOURCE_QUOTAS, STATEFUL_SETS
from tests.fakenodes.world import EVENTS, World, world

LABELS = {"app": "db"}


def stateful(size: int, **spec: Any) -> Obj:
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "none",
        "resources": {"requests": {"storage": "1Gi"}},
    }
    pod = {"terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "nginx:1"}]}
    return {
        "metadata": {"name": "db"},
        "spec": {
            "replicas": size,
            "serviceName": "db",
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": pod},
            "volumeClaimTemplates": [{"metadata": {"name": "d"}, "spec": claim}],
            **spec,
        },
    }


async def told(w: World, reason: str) -> set[str]:
    return {e["message"] for e in (await w.client.list(EVENTS, "default")).items if e["reason"] == reason}


def test_a_pending_pods_claims_come_back() -> None:
    async def run() -> None:
        async with world("statefulset") as w:
            await w.client.create(STATEFUL_SETS, stateful(1), "default")
            await w.settle()
            before = await w.find(CLAIMS, "d-db-0")
            await w.client.delete(CLAIMS, "d-db-0", "default")
            no_finalizers = {"metadata": {"finalizers": None}}
            await w.client.patch(CLAIMS, "d-db-0", no_finalizers, "default", content_type=MERGE_PATCH)
            assert await w.find(CLAIMS, "d-db-0") is None
            waiting = {"status": {"phase": "Pending", "reason": "again"}}
            await w.client.patch(PODS, "db-0", waiting, "default", content_type=MERGE_PATCH, subresource="status")
            await w.advance(1)
            after = await w.find(CLAIMS, "d-db-0")
            assert before is not None
            assert after is not None
            assert before["metadata"]["uid"] != after["metadata"]["uid"]

    asyncio.run(run())


def test_a_pod_gets_its_name_back_once_it_is_well() -> None:
    async def run() -> None:
        async with world("statefulset,nodelifecycle", nodes=1) as w:
            body = stateful(1)
            del body["spec"]["volumeClaimTemplates"]
            await w.client.create(STATEFUL_SETS, body, "default")
            await w.advance(2)
            path = "/metadata/labels/statefulset.kubernetes.io~1pod-name"
            await w.client.patch(PODS, "db-0", [{"op": "remove", "path": path}], "default", content_type=JSON_PATCH)
            await w.advance(1)
            pod = await w.find(PODS, "db-0")
            assert pod is not None
            assert pod["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] == "db-0"
            assert await told(w, "SuccessfulUpdate") == {"Update Pod db-0 in StatefulSet db successful"}

    asyncio.run(run())


def test_in_parallel_a_failed_pod_holds_nobody_up() -> None:
    async def run() -> None:
        async with world("statefulset") as w:
            body = stateful(2, podManagementPolicy="Parallel")
            body["spec"]["template"]["metadata"]["finalizers"] = ["example.com/hold"]
            await w.client.create(STATEFUL_SETS, body, "default")
            await w.settle()
            failed = {"status": {"phase": "Failed"}}
            await w.client.patch(PODS, "db-0", failed, "default", content_type=MERGE_PATCH, subresource="status")
            await w.client.patch(STATEFUL_SETS, "db", {"spec": {"replicas": 3}}, "default")
            await w.advance(1)
            assert await w.names(PODS) == {"db-0", "db-1", "db-2"}

    asyncio.run(run())


def test_several_budgets_of_a_pod_are_told_of() -> None:
    async def run() -> None:
        async with world("disruption") as w:
            for name in ("a", "b"):
                spec = {"minAvailable": 1, "selector": {"matchLabels": LABELS}}
                await w.client.create(DISRUPTION_BUDGETS, {"metadata": {"name": name}, "spec": spec}, "default")
            spec = {"containers": [{"name": "c", "image": "nginx"}]}
            await w.client.create(PODS, {"metadata": {"name": "p", "labels": LABELS}, "spec": spec}, "default")
            await w.settle()
            text = 'Pod "default"/"p" matches multiple PodDisruptionBudgets.  Chose "a" arbitrarily.'
            assert await told(w, "MultiplePodDisruptionBudgets") == {text}

    asyncio.run(run())


def test_a_pod_that_cannot_be_made_leaves_the_status_true() -> None:
    async def run() -> None:
        async with world("statefulset,resourcequota") as w:
            quota = {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "0"}}}
            await w.client.create(RESOURCE_QUOTAS, quota, "default")
            await w.settle()
            body = stateful(1)
            del body["spec"]["volumeClaimTemplates"]
            await w.client.create(STATEFUL_SETS, body, "default")
            await w.advance(1)
            found = await w.find(STATEFUL_SETS, "db")
            assert found is not None
            assert found["status"]["observedGeneration"] == 1
            assert found["status"]["updateRevision"].startswith("db-")
            why = 'Create Pod db-0 in StatefulSet db failed error: pods "db-0" is forbidden: exceeded quota: q, '
            assert await told(w, "FailedCreate") == {why + "requested: pods=1, used: pods=0, limited: pods=0"}

    asyncio.run(run())
