"""How the parts of the server that decide about a request look at other objects: the newest state, read only."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

Obj = dict[str, Any]
T = TypeVar("T")


class Reader(Protocol):
    """How a plugin looks at other objects: the newest state, never changed in place."""

    async def get(self, group: str, resource: str, namespace: str, name: str) -> Obj | None:
        """One object or None."""

    async def list(self, group: str, resource: str, namespace: str = "") -> list[Obj]:
        """All objects of a resource (in a namespace)."""

    async def select(self, group: str, resource: str, field: str, value: str) -> builtins.list[Obj]:
        """Those that an exact field selector finds."""

    async def parsed(self, group: str, resource: str, parse: Callable[[Obj], T]) -> Mapping[tuple[str, str], T]:
        """parse(obj) of every object by (namespace, name), in key order. The same mapping as long as nothing has changed;
        parse (a module's function) is called once for each state of an object."""
