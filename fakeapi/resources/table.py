"""The resource table of one server: which rows it serves, found by URL or by kind.

Built-in rows come from the files beside this one, cut to what the served minor has; crd.py adds and removes rows at run
time. Discovery, OpenAPI and RESTMapper-like lookups are views over it, cached by `generation`.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from fakeapi.priority import group_order, version_order
from fakeapi.resources import ROWS
from fakeapi.resources.base import Resource


class Table:
    """Rows that one server serves. `generation` grows with every change."""

    def __init__(self, minor: int, rows: Iterable[Resource] = ()) -> None:
        self.minor = minor
        self.generation = 0
        self._by_plural: dict[tuple[str, str, str], Resource] = {}
        self._by_kind: dict[tuple[str, str, str], Resource] = {}
        self._versions: dict[str, dict[str, list[Resource]]] = {}
        for row in rows:
            self.add(row)

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource at /apis/<group>/<version>/<plural> (group "": /api/<version>/<plural>)."""
        return self._by_plural.get((group, version, plural))

    def by_kind(self, group: str, version: str, kind: str) -> Resource | None:
        """The resource whose objects have this kind (kinds of subresources are not looked at)."""
        return self._by_kind.get((group, version, kind))

    def groups(self) -> list[str]:
        """Served groups, in discovery's order; the core group is ""."""
        return sorted(self._versions, key=group_order)

    def versions(self, group: str) -> list[str]:
        """Served versions of a group, preferred first; empty for a group that is not served."""
        return sorted(self._versions.get(group, ()), key=lambda version: version_order(group, version))

    def has_builtin(self, group: str) -> bool:
        """Whether a resource of the group is a built-in one."""
        return any(row.custom is None for rows in self._versions.get(group, {}).values() for row in rows)

    def resources(self, group: str, version: str) -> list[Resource]:
        """The rows of a group version, by plural."""
        return list(self._versions.get(group, {}).get(version, ()))

    def rows(self) -> Iterator[Resource]:
        """Every row once, by group and plural."""
        for group in self.groups():
            found = {row.plural: row for rows in self._versions[group].values() for row in rows}
            yield from (found[plural] for plural in sorted(found))

    def add(self, row: Resource) -> None:
        """Serve a row in those of its versions that this minor has. A row of the same group and plural is replaced."""
        for version in row.served(self.minor):
            old = self._by_plural.get((row.group, version, row.plural))
            if old is not None:
                self.remove(old)
        for version in row.served(self.minor):
            self._by_plural[row.group, version, row.plural] = row
            self._by_kind[row.group, version, row.kind] = row
            rows = self._versions.setdefault(row.group, {}).setdefault(version, [])
            bisect.insort(rows, row, key=lambda other: other.plural)
        self.generation += 1

    def remove(self, row: Resource) -> None:
        """Stop serving a row. KeyError: it is not in the table."""
        for version in row.served(self.minor):
            del self._by_plural[row.group, version, row.plural]
            if self._by_kind.get((row.group, version, row.kind)) is row:
                del self._by_kind[row.group, version, row.kind]
            rows = self._versions[row.group][version]
            rows.remove(row)
            if not rows:
                del self._versions[row.group][version]
        if not self._versions.get(row.group, True):
            del self._versions[row.group]
        self.generation += 1


def builtin(minor: int) -> Table:
    """The table of a fresh server of Kubernetes 1.<minor>."""
    return Table(minor, (cut for row in ROWS if (cut := for_minor(row, minor)) is not None))


def for_minor(row: Resource, minor: int) -> Resource | None:
    """The row as that minor has it: its versions and subresources; None when it is not served at all.

    A minor that does not serve the storage version of today stores the version it prefers.
    """
    names = tuple(row.served(minor))
    if not names:
        return None
    versions = tuple(v for v in row.versions if row.serves(v.version, minor))
    subresources = tuple(s for s in row.subresources if s.since <= minor)
    stored = row.storage_version if row.storage_version in names else names[0]
    if versions == row.versions and subresources == row.subresources and stored == row.storage_version:
        return row
    return replace(row, versions=versions, subresources=subresources, storage_version=stored)
