"""A definition's rows in the resource table: one a served version, since versions differ in schema and subresources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fakeapi.crds.conversion import Ask, Converter
from fakeapi.crds.kinds import Kind, Version
from fakeapi.crds.storing import VersionStorage
from fakeapi.resources.base import Resource, Served, Subresource, scale, status
from fakeapi.schema.types import Type
from fakeapi.storage.base import Storage
from fakeapi.strategies import customresource
from fakeapi.strategies.base import Obj

# In the order in which upstream's discovery controller writes them.
VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")


def make(kind: Kind, ask: Ask, retire: Callable[[Resource], None]) -> list[Resource]:
    """The rows of a definition whose names are accepted. retire: called with a row that cannot be converted."""
    converter = Converter(kind, ask)
    return [_row(version, converter, retire) for version in kind.versions.values() if version.spec.get("served")]


def _row(version: Version, converter: Converter, retire: Callable[[Resource], None]) -> Resource:
    kind, names = version.kind, version.kind.names
    row = Resource(
        group=kind.group,
        kind=names["kind"],
        plural=names["plural"],
        singular=names.get("singular", ""),
        list_kind=names.get("listKind", ""),
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        namespaced=kind.namespaced,
        versions=(Served(version.name),),
        storage_version=version.name,
        hashed_version=kind.storage.name,
        storage_key=kind.storage_key,
        verbs=VERBS,
        subresources=_subresources(version),
        custom=CustomVersion(version, converter, lambda: retire(row)),
    )
    return row


def _subresources(version: Version) -> tuple[Subresource, ...]:
    found = []
    if version.has_status:
        found.append(status(version.kind.names["kind"]))
    if version.scale is not None:
        found.append(scale())
    return tuple(found)


class CustomVersion:
    """One version's objects as the server reads and keeps them: resources.base.Custom."""

    def __init__(self, version: Version, converter: Converter, broken: Callable[[], None]) -> None:
        self.version = version
        self.strategy = customresource.strategy(version)
        self._converter = converter
        self._broken = broken

    @property
    def type(self) -> Type:
        """The objects' Type."""
        return self.version.type

    @property
    def schema(self) -> Mapping[str, Any] | None:
        """The openAPIV3Schema to publish."""
        return self.version.schema

    @property
    def warning(self) -> str:
        """What every request is told."""
        return self.version.deprecation_warning

    @property
    def scale(self) -> Mapping[str, str] | None:
        """The scale stanza."""
        return self.version.scale

    @property
    def terminating(self) -> bool:
        """Whether nothing may be created any more."""
        return self.version.kind.terminating

    def read(self, value: Obj) -> list[str]:
        """Prune and normalise; texts of unknown fields. DecodeError."""
        return self.version.read(value)

    def storage(self, inner: Storage) -> Storage:
        """The store, giving and taking this version."""
        return VersionStorage(inner, self.version, self._converter, self._broken)
