"""Restores OpenAPI v3 from the JSON Schema rewriting that kubernetes-validate ships.

Decides how one definition looks under components/schemas: null widening and added enums go, references point to
components, special types get upstream's formats. Stands for openapi-gen's output. Enum values are not in the source.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fakeapi.schema import gofacts

_WHOLE = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"format": "int-or-string", "type": "string"},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": "string"},
}
_PREFIX = "#/components/schemas/"


def restore(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """One definition, as served."""
    if name in _WHOLE:
        described = {"description": schema["description"]} if "description" in schema else {}
        return {**described, **_WHOLE[name]}
    found = _node(schema)
    facts = gofacts.fields(name)
    for field, inner in found.get("properties", {}).items():
        if field in ("apiVersion", "kind"):
            inner.pop("enum", None)
        fact = facts.get(field)
        if fact is not None and not fact.pointer:
            _add_default(inner, fact)
    return found


def _add_default(schema: dict[str, Any], fact: gofacts.Fact) -> None:
    """openapi-gen's defaults: the zero value of what Go always encodes, {} for every struct held by value."""
    if "allOf" in schema:
        schema["default"] = {}
    elif not fact.omitempty and schema.get("type") in gofacts.ZERO:
        schema["default"] = gofacts.ZERO[schema["type"]]


def _node(schema: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "type" and isinstance(value, list):
            found[key] = next(k for k in value if k != "null")
        elif key == "properties":
            found[key] = {field: _node(inner) for field, inner in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            found[key] = _node(value)
        elif key == "$ref":
            found[key] = _PREFIX + value.rpartition("/")[2]
        else:
            found[key] = value
    if "$ref" in found and len(found) > 1:
        found["allOf"] = [{"$ref": found.pop("$ref")}]
    return found
