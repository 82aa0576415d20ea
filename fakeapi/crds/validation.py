"""The checks of one custom object in upstream's order: schema, embedded metadata, list types, rules in CEL."""

from __future__ import annotations

from fakeapi.crds.kinds import Version
from fakeapi.errors import FieldError
from fakeapi.strategies.base import Obj


class Validator:
    """The checks of a version's objects, compiled when first needed."""

    def __init__(self, version: Version) -> None:
        self._version = version
        self._warnings: list[str] = []

    def create(self, obj: Obj) -> list[FieldError]:
        """A new object."""
        return []

    def update(self, new: Obj, old: Obj) -> list[FieldError]:
        """A change of the main resource."""
        return []

    def update_status(self, new: Obj, old: Obj) -> list[FieldError]:
        """A change of /status."""
        return []

    def take_warnings(self) -> list[str]:
        """What the last check has to say beside errors."""
        found, self._warnings = self._warnings, []
        return found
