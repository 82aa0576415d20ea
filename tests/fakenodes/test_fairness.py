"""One process holds a whole cluster: nobody in it works at the others' cost."""

from __future__ import annotations

import asyncio

import pytest

from fakeapi.clock import RealClock
from fakenodes.controllers import runner
from fakenodes.kubelet.heartbeats import TURN, Heartbeats


async def sent_before_another_gets_its_turn() -> int:
    """How many heartbeats go out at once when all are late and every answer is there without a pause."""
    sent = 0
    others = asyncio.Event()

    async def send(name: str, what: str) -> float | None:
        nonlocal sent
        sent += 1
        return 0.0 if sent < 1000 else None

    beats = Heartbeats(RealClock(), send)
    beats.plan("node-0", "lease", 0.0)
    task = asyncio.ensure_future(beats.run())
    asyncio.get_running_loop().call_soon(lambda: asyncio.get_running_loop().call_soon(others.set))
    await others.wait()
    task.cancel()
    return sent


def test_late_heartbeats_leave_others_their_turn() -> None:
    assert asyncio.run(sent_before_another_gets_its_turn()) <= 4 * TURN


@pytest.mark.parametrize(
    ("took", "looked_at", "seconds"),
    [
        (10.0, 0, 0.0),  # looked at nothing: slow for another reason
        (10.0, runner.FEW, 0.0),
        (0.0, 1000, 0.0),  # a clock that stands still
        (0.001, 1000, 0.001 * runner.REST_FACTOR),
        (10.0, 100, 100 * runner.REST_EACH),
        (10.0, 100_000, runner.REST_SECONDS),
    ],
)
def test_a_key_rests_by_what_was_looked_at(took: float, looked_at: int, seconds: float) -> None:
    assert runner._rest(took, looked_at) == pytest.approx(seconds)
