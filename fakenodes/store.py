"""What an informer knows: objects by key, and by the values of named indexes.

Stands for client-go's tools/cache thread_safe_store.go. It holds the server's bytes and the values of the indexes;
parsed objects are made on demand and a bounded number of them is kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator

import orjson
from msgspec import Struct, field

from fakenodes.client.base import Obj

# What an object is found by: zero or more values; `key` is the object's own.
IndexFunc = Callable[[Obj], Iterable[str]]


class _Entry(Struct):
    raw: bytes
    uid: str
    version: str
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)


class Store:
    """The objects by key, and by the values of named indexes. `parsed` bounds how many dicts are kept beside bytes."""

    def __init__(self, parsed: int = 20_000) -> None:
        self._entries: dict[str, _Entry] = {}
        self._indexes: dict[str, tuple[IndexFunc, dict[str, dict[str, None]]]] = {}
        self._parsed: OrderedDict[str, Obj] = OrderedDict()
        self._bound = parsed

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def keys(self) -> list[str]:
        """Every key, in the order in which objects came."""
        return list(self._entries)

    def get(self, key: str) -> Obj | None:
        """The object, parsed (read-only)."""
        found = self._parsed.get(key)
        if found is not None:
            self._parsed.move_to_end(key)
            return found
        entry = self._entries.get(key)
        return None if entry is None else self._keep(key, orjson.loads(entry.raw))

    def all(self) -> Iterator[Obj]:
        """Every object, parsed one at a time."""
        for key in list(self._entries):
            found = self.get(key)
            if found is not None:
                yield found

    def uid(self, key: str) -> str:
        """The object's uid without parsing; "" when it is not there."""
        entry = self._entries.get(key)
        return entry.uid if entry else ""

    def version(self, key: str) -> str:
        """The object's resourceVersion without parsing; "" when it is not there."""
        entry = self._entries.get(key)
        return entry.version if entry else ""

    def add_index(self, name: str, function: IndexFunc) -> None:
        """Index the objects, those already there too; a second index of that name is ignored."""
        if name in self._indexes:
            return
        self._indexes[name] = (function, {})
        for key, entry in self._entries.items():
            self._file(name, key, entry, orjson.loads(entry.raw))

    def index_keys(self, name: str, value: str) -> list[str]:
        """The keys of the objects with that value."""
        return list(self._indexes[name][1].get(value, ()))

    def index_values(self, name: str) -> list[str]:
        """Every value that some object has."""
        return list(self._indexes[name][1])

    def by_index(self, name: str, value: str) -> list[Obj]:
        """The objects with that value, parsed."""
        return [x for x in map(self.get, self.index_keys(name, value)) if x is not None]

    def put(self, key: str, obj: Obj, raw: bytes) -> None:
        """Add or replace; raw is obj's JSON, or b"" for who has none. managedFields are left out: no component reads
        them, and they are more than half of an object.
        """
        self._unfile(key)
        meta = obj["metadata"]
        if meta.pop("managedFields", None) is not None or not raw:
            raw = bytes(memoryview(orjson.dumps(obj)))  # a copy, since orjson's result keeps its larger buffer
        entry = _Entry(raw, meta.get("uid", ""), meta.get("resourceVersion", ""))
        self._entries[key] = entry
        self._keep(key, obj)
        for name in self._indexes:
            self._file(name, key, entry, obj)

    def remove(self, key: str) -> None:
        """Forget; nothing happens when it is not there."""
        self._unfile(key)
        self._entries.pop(key, None)
        self._parsed.pop(key, None)

    def _keep(self, key: str, obj: Obj) -> Obj:
        self._parsed[key] = obj
        self._parsed.move_to_end(key)
        if len(self._parsed) > self._bound:
            self._parsed.popitem(last=False)
        return obj

    def _file(self, name: str, key: str, entry: _Entry, obj: Obj) -> None:
        function, index = self._indexes[name]
        values = tuple(function(obj))
        entry.values[name] = values
        for value in values:
            index.setdefault(value, {})[key] = None

    def _unfile(self, key: str) -> None:
        entry = self._entries.get(key)
        if entry is None:
            return
        for name, values in entry.values.items():
            index = self._indexes[name][1]
            for value in values:
                keys = index.get(value)
                if keys is not None:
                    keys.pop(key, None)
                    if not keys:
                        del index[value]
