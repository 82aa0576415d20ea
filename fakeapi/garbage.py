"""When Python looks for garbage, and when that would only cost time."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

# Objects are trees of dicts, which go with their last reference; cycles are a few tasks and exceptions. Python's own
# thresholds (700, 10, 10) make it walk every object of a large cluster again and again to find those.
THRESHOLDS = (50_000, 20, 100)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Do not look meanwhile. What is made while a program is loaded stays: looking through it is a tenth of a start."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
