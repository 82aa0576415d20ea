"""How the parts of the server that decide about a request look at other objects: the newest state, read only."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from msgspec import Struct

from fakeapi.selectors import FieldSelector, FieldTerm
from fakeapi.watchcache import WatchCache
from fakeapi.watchevents import Predicate

if TYPE_CHECKING:
    from fakeapi.app import ApiServer

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

    def vacant(self, group: str, resource: str) -> bool:
        """Whether a resource is known to have no objects: nearly free, for what is asked on every request."""

    async def parsed(self, group: str, resource: str, parse: Callable[[Obj], T]) -> Mapping[tuple[str, str], T]:
        """parse(obj) of every object by (namespace, name), in key order. The same mapping as long as nothing has
        changed;
        parse (a module's function) is called once for each state of an object."""


class _Parsed(Struct):
    """What was made of a cache's objects, and at which of its states."""

    cache: WatchCache
    changes: int
    items: dict[tuple[str, str], tuple[int, Any]]
    values: dict[tuple[str, str], Any]


_NOTHING: Mapping[tuple[str, str], Any] = {}


class CacheReader:
    """A Reader over the server's watch caches."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._parsed: dict[tuple[str, str, Callable[[Obj], Any]], _Parsed] = {}

    async def get(self, group: str, resource: str, namespace: str, name: str) -> Obj | None:
        """One object or None."""
        cache = await self._cache(group, resource)
        item = cache.get(cache.key(namespace, name)) if cache else None
        return item.load() if item else None

    async def list(self, group: str, resource: str, namespace: str = "") -> builtins.list[Obj]:
        """All objects (of a namespace)."""
        cache = await self._cache(group, resource)
        return [item.load() for item in cache.list(namespace).items] if cache else []

    async def select(self, group: str, resource: str, field: str, value: str) -> builtins.list[Obj]:
        """Those that an exact field selector finds."""
        cache = await self._cache(group, resource)
        predicate = Predicate(fields=FieldSelector((FieldTerm(field, value),)))
        return [item.load() for item in cache.list("", predicate).items] if cache else []

    def vacant(self, group: str, resource: str) -> bool:
        """Whether a resource is known to have no objects; one that nobody has asked for yet is not known."""
        found = self._server.registries.get((group, resource, ""))
        return found is not None and not len(found.cache)

    async def parsed(self, group: str, resource: str, parse: Callable[[Obj], T]) -> Mapping[tuple[str, str], T]:
        """parse(obj) of every object by (namespace, name): see Reader."""
        cache = await self._cache(group, resource)
        if cache is None:
            return _NOTHING
        known = self._parsed.get((group, resource, parse))
        if known is None or known.cache is not cache or known.changes != cache.changes:
            before = known.items if known is not None and known.cache is cache else {}
            items: dict[tuple[str, str], tuple[int, Any]] = {}
            for item in cache.list().items:
                key = (item.namespace, item.name)
                found = before.get(key)
                items[key] = found if found and found[0] == item.revision else (item.revision, parse(item.load()))
            known = _Parsed(cache, cache.changes, items, {key: value for key, (_, value) in items.items()})
            self._parsed[group, resource, parse] = known
        return known.values

    async def _cache(self, group: str, resource: str) -> WatchCache | None:
        found = self._server.registries.get((group, resource, ""))
        if found is not None:
            return found.cache
        table = self._server.table
        row = next((r for v in table.versions(group) if (r := table.find(group, v, resource))), None)
        return (await self._server.registry(row)).cache if row else None
