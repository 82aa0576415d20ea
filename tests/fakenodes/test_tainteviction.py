"""Evictions by taints on a running cluster: when pods go, and what is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest

from fakenodes.client.base import MERGE_PATCH, ClientError, Obj
from fakenodes.client.gvrs import NODES, PODS
from tests.fakenodes.world import EVENTS, World, world

MARKED, CANCELLED = "Marking for deletion Pod default/p", "Cancelling deletion of Pod default/p"
SECONDS = {"a": 100, "b": 10}


async def taint(w: World, keys: str) -> None:
    taints = [{"key": k, "effect": "NoExecute"} for k in keys]
    await w.client.patch(NODES, "n", {"spec": {"taints": taints}}, content_type=MERGE_PATCH)
    await w.settle()


async def gone(w: World) -> bool:
    found = await w.find(PODS, "p")
    return found is None or bool(found["metadata"].get("deletionTimestamp"))


async def do(w: World, step: str) -> None:
    """`taint ab`: the node has exactly these; `wait 9`; `delete`: the pod goes at once."""
    what, _, how = step.partition(" ")
    if what == "taint":
        await taint(w, how)
    elif what == "wait":
        await w.advance(float(how))
    else:
        with suppress(ClientError):  # a taint may have been sooner
            await w.client.delete(PODS, "p", "default", grace_period_seconds=0)
        await w.settle()


@pytest.mark.parametrize(
    ("steps", "away", "told"),
    [
        (["taint x"], True, [MARKED]),  # that it does not tolerate
        (["taint f", "wait 1000"], False, []),  # that it tolerates for ever
        (["taint a", "wait 99"], False, []),
        (["taint a", "wait 101"], True, [MARKED]),
        (["taint a", "wait 50", "taint ", "wait 100"], False, [CANCELLED]),
        (["taint a", "wait 50", "taint ax"], True, [CANCELLED, MARKED]),
        (["taint a", "wait 50", "taint ab", "wait 20"], False, []),  # a time that is set stays
        (["taint a", "delete"], True, [CANCELLED]),
        (["taint x", "delete"], True, [MARKED]),
        (["taint x", "taint xa"], True, [MARKED]),
    ],
)
def test_when_a_pod_has_to_go(steps: Sequence[str], away: bool, told: list[str]) -> None:
    async def run() -> None:
        async with world("taint-eviction-controller") as w:
            await w.client.create(NODES, {"metadata": {"name": "n"}})
            tolerations: list[Obj] = [
                {"key": k, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": s}
                for k, s in SECONDS.items()
            ]
            tolerations.append({"key": "f", "operator": "Exists"})
            spec = {"nodeName": "n", "tolerations": tolerations, "containers": [{"name": "c", "image": "nginx:1"}]}
            await w.client.create(PODS, {"metadata": {"name": "p"}, "spec": spec}, "default")
            await w.settle()
            for step in steps:
                await do(w, step)
            assert await gone(w) is away
            events = (await w.client.list(EVENTS, "default")).items
            found = [e["message"] for e in events if e["reason"] == "TaintManagerEviction"]
            assert sorted(found) == sorted(told)

    asyncio.run(run())
