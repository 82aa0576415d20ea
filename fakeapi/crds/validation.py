"""The checks of one custom object in upstream's order: kind, schema, scale, embedded resources, list types, rules.

Stands for apiextensions' registry/customresource/validator.go and the Validate methods of its strategies. Object
metadata itself is the registry's.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fakeapi import errors
from fakeapi.crds import embedded
from fakeapi.crds.kinds import Version
from fakeapi.errors import FieldError
from fakeapi.schema import validation
from fakeapi.schema.validation import NOTHING
from fakeapi.strategies.base import Obj

if TYPE_CHECKING:
    from fakeapi.cel.validation import Rules

_BLOCKING = frozenset(
    ("FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid")
)
_UNCHECKED = (
    "some validation rules were not checked because the object was invalid;"
    " correct the existing errors to complete validation"
)
_MAX_INT32 = 2**31 - 1


class Validator:
    """The checks of a version's objects, compiled when first needed."""

    def __init__(self, version: Version) -> None:
        self._version = version

    @cached_property
    def _schema(self) -> Mapping[str, Any]:
        return self._version.schema or {}

    @cached_property
    def _check(self) -> validation.Check:
        return validation.compile(self._schema)

    @cached_property
    def _check_status(self) -> validation.Check:
        return validation.compile((self._schema.get("properties") or {}).get("status") or {})

    @cached_property
    def _rules(self) -> Rules | None:
        from fakeapi.cel.validation import Rules  # late: the CEL library is 15 MB that most servers never need

        return Rules.of(self._schema)

    def create(self, obj: Obj) -> list[FieldError]:
        """A new object."""
        wrong = self._kind(obj)
        if wrong:
            return wrong
        found = validation.validate(self._check, obj)
        found += self._scale_spec(obj) + self._scale_status(obj)
        found += embedded.check(self._schema, obj, self._version.kind.meta)
        found += validation.list_types(self._schema, obj)
        return found + self._cel(found, obj, NOTHING, [])

    def update(self, new: Obj, old: Obj, warnings: list[str]) -> list[FieldError]:
        """A change of the main resource. warnings: what was wrong before and has not changed is told there."""
        wrong = self._kind(new)
        if wrong:
            return wrong
        found = validation.validate(self._check, new, old)
        found += self._scale_spec(new) + self._scale_status(new)
        found += embedded.check(self._schema, new, self._version.kind.meta)
        found += self._lists(new, old)
        return found + self._cel(found, new, old, warnings)

    def update_status(self, new: Obj, old: Obj, warnings: list[str]) -> list[FieldError]:
        """A change of /status."""
        wrong = self._kind(new)
        if wrong:
            return wrong
        found = []
        if "status" in new:
            found += validation.validate(self._check_status, new["status"], old.get("status", NOTHING), "status")
        found += self._scale_status(new)
        found += embedded.check(self._schema, new, self._version.kind.meta)
        found += self._lists(new, old)
        return found + self._cel(found, new, old, warnings)

    def _kind(self, obj: Obj) -> list[FieldError]:
        wanted = (("kind", self._version.kind.names["kind"]), ("apiVersion", self._version.api_version))
        return [errors.invalid(key, obj[key], f"must be {value}") for key, value in wanted if obj[key] != value]

    def _lists(self, new: Obj, old: Obj) -> list[FieldError]:
        """Duplicates, unless the old object had some already."""
        found = validation.list_types(self._schema, new)
        return [] if found and validation.list_types(self._schema, old) else found

    def _cel(self, before: list[FieldError], obj: Obj, old: Any, warnings: list[str]) -> list[FieldError]:
        if self._rules is None:
            return []
        if any(error.reason in _BLOCKING for error in before):
            return [errors.invalid("<nil>", None, _UNCHECKED)]
        found, told = self._rules.validate(obj, old)
        warnings += told
        return found

    def _scale_spec(self, obj: Obj) -> list[FieldError]:
        scale = self._version.scale
        return _replicas(obj, scale["specReplicasPath"]) if scale is not None else []

    def _scale_status(self, obj: Obj) -> list[FieldError]:
        scale = self._version.scale
        if scale is None:
            return []
        found = _replicas(obj, scale["statusReplicasPath"])
        path = scale.get("labelSelectorPath")
        if path is not None:
            value, problem = at_path(obj, path)
            if problem or (value is not None and not isinstance(value, str)):
                text = (
                    problem
                    or f"{path} accessor error: {_go_print(value)} is of the type {_go_type(value)}, expected string"
                )
                found.append(errors.invalid(path, "", text))
        return found


def at_path(obj: Obj, path: str) -> tuple[Any, str]:
    """(the value at a simple path such as .spec.replicas, or None; what is in the way)."""
    value: Any = obj
    keys = path.removeprefix(".").split(".")
    for number, key in enumerate(keys):
        if not isinstance(value, dict):
            if value is None:
                return None, ""
            so_far = "." + ".".join(keys[:number])
            return (
                None,
                f"{so_far} accessor error: {_go_print(value)} is of the type {_go_type(value)},"
                " expected map[string]interface{}",
            )
        if key not in value:
            return None, ""
        value = value[key]
    return value, ""


def _go_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    found = {str: "string", int: "int64", float: "float64", list: "[]interface {}", dict: "map[string]interface {}"}
    return found.get(type(value), "<nil>")


def _go_print(value: Any) -> str:
    from fakeapi.gofmt import go_map

    return go_map(value)


def _replicas(obj: Obj, path: str) -> list[FieldError]:
    value, problem = at_path(obj, path)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        problem = f"{path} accessor error: {_go_print(value)} is of the type {_go_type(value)}, expected int64"
    if problem:
        return [errors.invalid(path, 0, problem)]
    if value is not None and value < 0:
        return [errors.invalid(path, value, "should be a non-negative integer")]
    if value is not None and value > _MAX_INT32:
        return [errors.invalid(path, value, f"should be less than or equal to {_MAX_INT32}")]
    return []
