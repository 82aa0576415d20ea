from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from fakenodes.workqueue import WorkQueue
from tests.fakenodes.servers import ManualClock


def run(body: Callable[[WorkQueue[str], ManualClock], Awaitable[None]]) -> None:
    async def main() -> None:
        clock = ManualClock()
        await body(WorkQueue(clock), clock)

    asyncio.run(main())


def test_a_key_is_there_once_and_never_with_two_workers() -> None:
    async def body(queue: WorkQueue[str], clock: ManualClock) -> None:
        queue.add("a")
        queue.add("a")
        queue.add("b")
        assert len(queue) == 2
        assert await queue.get() == "a"
        queue.add("a")
        assert await queue.get() == "b"
        assert (len(queue), queue.in_flight, queue.drained) == (0, 2, False)
        queue.done("a")
        assert await queue.get() == "a"
        queue.done("a")
        queue.done("b")
        assert queue.drained

    run(body)


def test_of_several_delays_the_earliest_counts() -> None:
    async def body(queue: WorkQueue[str], clock: ManualClock) -> None:
        queue.add_after("a", 10)
        queue.add_after("a", 2)
        queue.add_after("a", 5)
        clock.advance(1.9)
        assert len(queue) == 0
        clock.advance(0.1)
        assert len(queue) == 1
        queue.done(await queue.get() or "")
        clock.advance(20)
        assert len(queue) == 0

    run(body)


def test_back_off_doubles_until_forgotten_and_is_capped() -> None:
    async def body(queue: WorkQueue[str], clock: ManualClock) -> None:
        for delay in (0.005, 0.01, 0.02, 0.04):
            queue.add_rate_limited("a")
            clock.advance(delay * 0.9)
            assert len(queue) == 0
            clock.advance(delay * 0.1)
            assert len(queue) == 1
            queue.done(await queue.get() or "")
        queue.forget("a")
        queue.add_rate_limited("a")
        clock.advance(0.005)
        assert len(queue) == 1
        queue.done(await queue.get() or "")
        for _ in range(40):
            queue.add_rate_limited("b")
            clock.advance(1000)
            queue.done(await queue.get() or "")
        assert queue.requeues("b") == 40

    run(body)


def test_waiting_workers_are_woken_and_told_the_end() -> None:
    async def body(queue: WorkQueue[str], clock: ManualClock) -> None:
        workers = [asyncio.create_task(queue.get()) for _ in range(3)]
        cancelled = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        cancelled.cancel()
        queue.add("a")
        queue.add("b")
        await asyncio.sleep(0)
        queue.shut_down()
        assert await asyncio.gather(*workers) == ["a", "b", None]
        queue.add("c")
        assert await queue.get() is None

    run(body)
