"""Resources inside custom objects: their type and metadata.

Stands for apiextensions' apiserver/schema/objectmeta/validation.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fakeapi import errors, meta, names
from fakeapi.errors import FieldError
from fakeapi.schema.decode import DecodeError, decode
from fakeapi.schema.types import Type
from fakeapi.strategies.base import Obj

_MIXED = "may have mixed case, but should otherwise match: "


def check(schema: Mapping[str, Any], value: Any, meta_type: Type, path: str = "") -> list[FieldError]:
    """The type and metadata of embedded resources. meta_type: ObjectMeta's."""
    found: list[FieldError] = []
    if isinstance(value, dict):
        if schema.get("x-kubernetes-embedded-resource"):
            found += _resource(value, meta_type, path)
        properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
        for name in sorted(value):
            if name in properties:
                found += check(properties[name], value[name], meta_type, _at(path, name))
            elif isinstance(additional, Mapping):
                found += check(additional, value[name], meta_type, f"{path}[{name}]")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += check(schema.get("items") or {}, item, meta_type, f"{path}[{index}]")
    return found


def _resource(value: Obj, meta_type: Type, path: str) -> list[FieldError]:
    found = [errors.required(_at(path, key)) for key in ("apiVersion", "kind") if key not in value]
    for key, problem in (("apiVersion", _version), ("kind", _kind)):
        if key in value:
            text = value[key]
            message = (
                "must be a string" if not isinstance(text, str) else problem(text) if text else "must not be empty"
            )
            if message:
                found.append(errors.invalid(_at(path, key), text, message))
    if "metadata" in value:
        try:
            metadata = decode(value["metadata"], meta_type).value
        except DecodeError as error:
            return [*found, errors.invalid(_at(path, "metadata"), value["metadata"], str(error))]
        metadata.setdefault("name", "fakename")
        checked = meta.check(metadata, bool(metadata.get("namespace")), names.name_is_path_segment)
        found += [FieldError(e.reason, _at(path, e.field), e.text, e.detail) for e in checked]
    return found


def _version(text: str) -> str:
    return f"unexpected GroupVersion string: {text}" if text.count("/") > 1 else ""


def _kind(text: str) -> str:
    wrong = names.is_dns1035_label(text.lower())
    return _MIXED + ",".join(wrong) if wrong else ""


def _at(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
