"""Objects as webhooks and policies see them: in the version that a request or a rule names.

Stands for apiserver's admission.VersionedAttributes and the equivalent-resource registry, within one group.
"""

from __future__ import annotations

from fakeapi import errors
from fakeapi.admission.base import Attributes, Host, Obj
from fakeapi.resources.base import Resource
from fakeapi.schema.decode import DecodeError, decode
from fakeapi.schema.types import Type


class Versions:
    """Conversions between the stored form that admission works on and a served one."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def row(self, attributes: Attributes, version: str = "") -> Resource | None:
        """The resource's row in that version."""
        return self._host.table.find(attributes.group, version or attributes.version, attributes.resource)

    def others(self, attributes: Attributes) -> list[str]:
        """Further versions in which the same objects are served."""
        row = self.row(attributes)
        if row is None or row.custom is not None:
            return []
        return [v for v in row.served(self._host.config.minor) if v != attributes.version]

    def shown(self, obj: Obj | None, attributes: Attributes, version: str = "") -> Obj | None:
        """An object in a served version; what is of another kind (options, reviews) stays as it is."""
        if obj is None:
            return None
        row, version = self.row(attributes, version), version or attributes.version
        if row is None or obj.get("kind") != row.kind or version == row.storage_version or version not in row.convert:
            return obj
        return row.convert[version][1](obj)

    def type_of(self, attributes: Attributes, version: str = "") -> Type:
        """The Type of the resource's objects in a served version."""
        row, version = self.row(attributes, version), version or attributes.version
        assert row is not None
        if row.custom is not None:
            return row.custom.type
        return self._host.definitions.type(f"{row.definition}.{version}.{row.kind}")

    def taken(self, obj: Obj, attributes: Attributes, version: str = "") -> Obj:
        """A changed object of a served version: typed, defaulted and in the stored form. ApiError 500."""
        row, version = self.row(attributes, version), version or attributes.version
        if row is None or obj.get("kind") != row.kind:
            return obj
        try:
            typed: Obj = decode(obj, self.type_of(attributes, version)).value
        except DecodeError as error:
            raise errors.internal_error(str(error)) from None
        typed.setdefault("metadata", {})
        if version != row.storage_version and version in row.convert:
            typed = row.convert[version][0](typed)
        row.strategy.default(typed)
        return typed
