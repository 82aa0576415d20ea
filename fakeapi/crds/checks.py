"""Checks of a CustomResourceDefinition itself.

Stands for apiextensions' apis/apiextensions/validation/validation.go.
"""

from __future__ import annotations

from fakeapi.errors import FieldError
from fakeapi.strategies.base import Obj


def create(obj: Obj) -> list[FieldError]:
    """ValidateCustomResourceDefinition."""
    return []


def update(new: Obj, old: Obj) -> list[FieldError]:
    """ValidateCustomResourceDefinitionUpdate."""
    return []


def update_status(new: Obj, old: Obj) -> list[FieldError]:
    """ValidateUpdateCustomResourceDefinitionStatus."""
    return []


def warnings(new: Obj, old: Obj | None) -> list[str]:
    """WarningsOnCreate, WarningsOnUpdate."""
    return []
