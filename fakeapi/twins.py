"""Awaitable twins of a Cluster's blocking calls, for `async with`."""

from __future__ import annotations

import asyncio
from typing import Any


class Twin:
    """Awaitable twins of an object's methods: the same calls with the same arguments; attributes are as they are."""

    def __init__(self, twin_of: Any) -> None:
        self._twin_of = twin_of

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._twin_of, name)
        if not callable(found):
            return found

        async def call(*arguments: Any, **options: Any) -> Any:
            return await asyncio.to_thread(found, *arguments, **options)

        return call


class AsyncCluster(Twin):
    """What `async with Cluster() as cluster` gives: await cluster.kubectl("get", "pods")."""

    @property
    def clock(self) -> Twin:
        """await cluster.clock.advance(hours=1)."""
        return Twin(self._twin_of.clock)

    @property
    def nodes(self) -> Twin:
        """await cluster.nodes.stop("node-0")."""
        return Twin(self._twin_of.nodes)

    @property
    def api_client(self) -> Any:
        """The official (blocking) client's ApiClient."""
        return self._twin_of.api_client
