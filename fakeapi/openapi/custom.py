"""OpenAPI definitions of a custom kind and its list, made from a CustomResourceDefinition's schema.

Stands for apiextensions' controller/openapi/builder. Leaves out value validations' unfolding for v2: a v2 document only
says which fields there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fakeapi.openapi.paths import META
from fakeapi.resources.base import Resource

_API_VERSION = (
    "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized"
    " schemas to the latest internal value, and may reject unrecognized values. More info:"
    " https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources"
)
_KIND = (
    "Kind is a string value representing the REST resource this object represents. Servers may infer this from the"
    " endpoint the client submits requests to. Cannot be updated. In CamelCase. More info:"
    " https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds"
)
_CONVENTIONS = "More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
_TYPE_META = {
    "apiVersion": {"description": _API_VERSION, "type": "string"},
    "kind": {"description": _KIND, "type": "string"},
}
_COMPONENTS = "#/components/schemas/"

# What a structural schema may say of a value and OpenAPI v2 documents leave out.
_VALIDATIONS = frozenset(
    (
        *("allOf", "anyOf", "oneOf", "not", "nullable", "enum", "format", "pattern", "required", "maximum", "minimum"),
        *("exclusiveMaximum", "exclusiveMinimum", "multipleOf", "maxLength", "minLength", "maxItems", "minItems"),
        *("uniqueItems", "maxProperties", "minProperties", "x-kubernetes-validations"),
    )
)


def definition_name(group: str, version: str, kind: str) -> str:
    """The name of a custom kind: the group's labels backwards, then version and kind."""
    return ".".join((*reversed(group.split(".")), version, kind))


def definitions(row: Resource, version: str, schema: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """The kind's and its list's components/schemas, by name. schema: the version's openAPIV3Schema, None for none."""
    kind = definition_name(row.group, version, row.kind)
    made: dict[str, Any] = {"type": "object"}
    if schema is not None:
        schema = _unfolded(schema)
        metadata = _referring("ObjectMeta", f"Standard object's metadata. {_CONVENTIONS}#metadata")
        properties = {**schema.get("properties", {}), **_TYPE_META, "metadata": metadata}
        made = {**schema, "properties": dict(sorted(properties.items()))}
    made["x-kubernetes-group-version-kind"] = _gvk(row, version, row.kind)
    listed = {
        "description": f"{row.list_kind} is a list of {row.kind}",
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": _TYPE_META["apiVersion"],
            "items": {
                "description": f"List of {row.plural}. {_CONVENTIONS}",
                "type": "array",
                "items": {"$ref": _COMPONENTS + kind},
            },
            "kind": _TYPE_META["kind"],
            "metadata": _referring("ListMeta", f"Standard list metadata. {_CONVENTIONS}#types-kinds"),
        },
        "x-kubernetes-group-version-kind": _gvk(row, version, row.list_kind),
    }
    return {kind: made, definition_name(row.group, version, row.list_kind): listed}


def _unfolded(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A structural schema with what its x-kubernetes-int-or-string stands for spelled out."""
    made = dict(schema)
    if made.get("properties"):
        made["properties"] = {name: _unfolded(inner) for name, inner in made["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(made.get(key), Mapping):
            made[key] = _unfolded(made[key])
    if (
        made.get("x-kubernetes-int-or-string")
        and "anyOf" not in made
        and not any("anyOf" in part for part in made.get("allOf", ()))
    ):
        made["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    return made


def without_validations(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A custom kind's schema as OpenAPI v2 has it: what is open or ambiguous has no type, so that clients accept it."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        kept = ("description", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-group-version-kind")
        return {key: schema[key] for key in kept if key in schema}
    if schema.get("x-kubernetes-int-or-string"):
        return {key: schema[key] for key in ("description", "x-kubernetes-int-or-string") if key in schema}
    if schema.get("nullable"):
        return {"description": schema["description"]} if "description" in schema else {}
    made: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            made[key] = {name: without_validations(inner) for name, inner in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, Mapping):
            made[key] = without_validations(value)
        elif key not in _VALIDATIONS or (key == "allOf" and _is_reference(value)):
            made[key] = value
    if "required" in schema:
        made["required"] = schema["required"]
    return made


def _is_reference(parts: list[Mapping[str, Any]]) -> bool:
    return len(parts) == 1 and "$ref" in parts[0]


def _referring(meta: str, description: str) -> dict[str, Any]:
    return {"description": description, "allOf": [{"$ref": f"{_COMPONENTS}{META}{meta}"}]}


def _gvk(row: Resource, version: str, kind: str) -> list[dict[str, str]]:
    return [{"group": row.group, "kind": kind, "version": version}]
