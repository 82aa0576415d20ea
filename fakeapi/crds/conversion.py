"""Objects of a custom kind from one version into another: by renaming, or by asking the definition's webhook.

Stands for apiextensions' apiserver/conversion.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fakeapi.crds.kinds import Kind, Version
from fakeapi.strategies.base import Obj

# Ask a conversion webhook: (kind, objects, desired apiVersion) -> converted objects. ApiError 500.
Ask = Callable[[Kind, list[Obj], str], Awaitable[list[Obj]]]


class Converter:
    """Converts the objects of one kind."""

    def __init__(self, kind: Kind, ask: Ask) -> None:
        self._kind = kind
        self._ask = ask

    async def convert(self, objects: list[Obj], to: Version) -> list[Obj]:
        """The objects in that version; may change the ones given. ApiError 500: the webhook does not do its work."""
        wanted = to.api_version
        if all(obj["apiVersion"] == wanted for obj in objects):
            return objects
        if self._kind.converts_by_webhook:
            return await self._ask(self._kind, objects, wanted)
        for obj in objects:
            obj["apiVersion"] = wanted
        return objects


async def ask_nobody(kind: Kind, objects: list[Obj], wanted: str) -> list[Any]:
    """For kinds without a webhook."""
    raise AssertionError("no webhook converts this kind")
