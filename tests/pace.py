"""How much slower this machine is at the moment than one with nothing else to do.

Tests that bound how much work something is multiply by it, and count processor time: a busy neighbour, who takes half
of a core or its caches, then makes no test fail.
"""

from __future__ import annotations

import time
from collections.abc import Callable

# Processor seconds that _work() takes on a quiet machine of the kind that CI has.
QUIET_SECONDS = 0.0105


def _work() -> int:
    """Allocates, looks up, calls: what Python programs do."""
    rows = [{"name": f"pod-{number}", "labels": {"app": str(number % 7)}} for number in range(12_000)]
    return sum(len(row["name"]) for row in rows if row["labels"] == {"app": "3"})


def slower() -> float:
    """At least 1.0."""
    times = []
    for _ in range(5):
        begun = time.thread_time()
        _work()
        times.append(time.thread_time() - begun)
    return max(1.0, sorted(times)[2] / QUIET_SECONDS)


def quiet_seconds(function: Callable[[], object]) -> float:
    """The processor time that it takes in all threads, as if the machine were quiet."""
    before = slower()
    begun = time.process_time()
    function()
    spent = time.process_time() - begun
    return spent / max(before, slower())
