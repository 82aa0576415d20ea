"""Who has a turn when many nodes are late."""

from __future__ import annotations

import asyncio

from fakeapi.clock import RealClock
from fakenodes.kubelet.heartbeats import TURN, Heartbeats


def test_late_nodes_send_several_a_turn_and_let_others_work() -> None:
    nodes = 20 * TURN

    async def main() -> tuple[list[str], int]:
        sent: list[str] = []

        async def send(name: str, _: str) -> float | None:
            sent.append(name)
            return None

        beats, turns = Heartbeats(RealClock(), send), 0
        for number in range(nodes):
            beats.plan(f"node-{number}", "lease", 0.0)
        running = asyncio.create_task(beats.run())
        while len(sent) < nodes:
            await asyncio.sleep(0)
            turns += 1
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return sent, turns

    sent, turns = asyncio.run(main())
    assert sent == [f"node-{number}" for number in range(nodes)]
    assert 10 <= turns <= 40


def test_what_a_node_planned_before_it_began_anew_is_void() -> None:
    async def main() -> list[tuple[str, str]]:
        sent: list[tuple[str, str]] = []

        async def send(name: str, what: str) -> float | None:
            sent.append((name, what))
            return None

        beats = Heartbeats(RealClock(), send)
        beats.plan("a", "old", 0.0)
        beats.begin("a")
        beats.plan("a", "new", 0.0)
        beats.plan("b", "other", 0.0)
        running = asyncio.create_task(beats.run())
        while len(sent) < 2:
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return sent

    assert asyncio.run(main()) == [("a", "new"), ("b", "other")]
