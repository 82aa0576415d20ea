"""Work side by side until one part of it ends: the two ways of a connection, a stream and whoever may stop it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def until_one_ends(*parts: Coroutine[Any, Any, Any]) -> None:
    """Run the parts; when one ends, or this is cancelled, the others are cancelled and seen off. What they raise is
    dropped: a connection that breaks is one way of its ending."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
