"""x-kubernetes-validations of a schema, evaluated on objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fakeapi.errors import FieldError


class Rules:
    """The rules of one schema."""

    @classmethod
    def of(cls, schema: Mapping[str, Any]) -> Rules | None:
        """The rules; None when there are none."""
        return None

    def validate(self, obj: Any, old: Any, prefix: str = "") -> tuple[list[FieldError], list[str]]:
        """Errors and warnings."""
        return [], []
