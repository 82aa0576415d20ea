from __future__ import annotations

import asyncio

import pytest

from fakenodes.client.gvrs import PODS, REPLICA_SETS
from fakenodes.controllers.replicaset import QPS, QPS_BURST
from fakenodes.flowcontrol import TokenBucket
from tests.fakenodes.world import world


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ([(0, 5), (0, 5)], [3, 0]),
        ([(0, 3), (0.5, 2), (1, 2)], [3, 1, 1]),
        ([(0, 1), (100, 9)], [1, 3]),
        ([(0, 3), (0.1, 1), (0.4, 1), (0.5, 1)], [3, 0, 0, 1]),
    ],
)
def test_a_bucket_of_three_with_two_a_second(asked: list[tuple[float, int]], given: list[int]) -> None:
    bucket = TokenBucket(2, 3)
    assert [bucket.take(wanted, at) for at, wanted in asked] == given


def test_pods_that_the_kubelet_refuses_come_at_the_rate_of_upstreams_client() -> None:
    """The one node does not match, and the scheduler is not asked."""

    async def run() -> None:
        async with world("replicaset", nodes=1) as w:
            pod = {
                "nodeName": "node-0",
                "nodeSelector": {"no": "where"},
                "containers": [{"name": "c", "image": "nginx"}],
            }
            labels = {"app": "web"}
            spec = {
                "replicas": 2,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            }
            await w.client.create(REPLICA_SETS, {"metadata": {"name": "web"}, "spec": spec}, "default")
            await w.advance(3)
            pods = (await w.client.list(PODS, "default")).items
            assert {p["status"].get("phase") for p in pods if "phase" in p.get("status", {})} >= {"Failed"}
            assert QPS_BURST < len(pods) <= 2 + QPS_BURST + 3 * QPS

    asyncio.run(run())
