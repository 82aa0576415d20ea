"""Parts of a definition as Go prints its internal structs in errors: every field by its Go name, zero values too."""

from __future__ import annotations

from typing import Any

import orjson

from fakeapi.gofmt import GoText
from fakeapi.strategies.base import Obj

# JSONSchemaProps in Go's order: Go name -> (JSON name, kind).
SCHEMA: tuple[tuple[str, str, str], ...] = (
    ("ID", "id", "string"),
    ("Schema", "$schema", "string"),
    ("Ref", "$ref", "pointer"),
    ("Description", "description", "string"),
    ("Type", "type", "string"),
    ("Nullable", "nullable", "bool"),
    ("Format", "format", "string"),
    ("Title", "title", "string"),
    ("Default", "default", "pointer"),
    ("Maximum", "maximum", "pointer"),
    ("ExclusiveMaximum", "exclusiveMaximum", "bool"),
    ("Minimum", "minimum", "pointer"),
    ("ExclusiveMinimum", "exclusiveMinimum", "bool"),
    ("MaxLength", "maxLength", "pointer"),
    ("MinLength", "minLength", "pointer"),
    ("Pattern", "pattern", "string"),
    ("MaxItems", "maxItems", "pointer"),
    ("MinItems", "minItems", "pointer"),
    ("UniqueItems", "uniqueItems", "bool"),
    ("MultipleOf", "multipleOf", "pointer"),
    ("Enum", "enum", "pointer"),
    ("MaxProperties", "maxProperties", "pointer"),
    ("MinProperties", "minProperties", "pointer"),
    ("Required", "required", "pointer"),
    ("Items", "items", "items"),
    ("AllOf", "allOf", "schemas"),
    ("OneOf", "oneOf", "schemas"),
    ("AnyOf", "anyOf", "schemas"),
    ("Not", "not", "schema"),
    ("Properties", "properties", "map"),
    ("AdditionalProperties", "additionalProperties", "or-bool"),
    ("PatternProperties", "patternProperties", "map"),
    ("Dependencies", "dependencies", "pointer"),
    ("AdditionalItems", "additionalItems", "or-bool"),
    ("Definitions", "definitions", "map"),
    ("ExternalDocs", "externalDocs", "pointer"),
    ("Example", "example", "pointer"),
    ("XPreserveUnknownFields", "x-kubernetes-preserve-unknown-fields", "pointer"),
    ("XEmbeddedResource", "x-kubernetes-embedded-resource", "bool"),
    ("XIntOrString", "x-kubernetes-int-or-string", "bool"),
    ("XListMapKeys", "x-kubernetes-list-map-keys", "pointer"),
    ("XListType", "x-kubernetes-list-type", "pointer"),
    ("XMapType", "x-kubernetes-map-type", "pointer"),
    ("XValidations", "x-kubernetes-validations", "rules"),
)
_RULE = (
    ("Rule", "rule", ""),
    ("Message", "message", ""),
    ("MessageExpression", "messageExpression", ""),
    ("Reason", "reason", None),
    ("FieldPath", "fieldPath", ""),
    ("OptionalOldSelf", "optionalOldSelf", None),
)


def schema(given: Any) -> Any:
    """An openAPIV3Schema."""
    if given is None:
        return None
    return {go: _SCHEMA_KINDS[kind](given.get(name)) for go, name, kind in SCHEMA}


def rule(given: Obj) -> Obj:
    """One entry of x-kubernetes-validations."""
    return {go: given.get(name, zero) for go, name, zero in _RULE}


def _or_bool(value: Any) -> Any:
    if value is None:
        return None
    return {"Allows": value is not False, "Schema": schema(value) if isinstance(value, dict) else None}


_SCHEMA_KINDS: dict[str, Any] = {
    "string": lambda v: v or "",
    "bool": bool,
    "pointer": lambda v: v,
    "schema": schema,
    "schemas": lambda v: [schema(s) for s in v] if v else None,
    "items": lambda v: (
        None if v is None else {"Schema": schema(v) if isinstance(v, dict) else None, "JSONSchemas": None}
    ),
    "map": lambda v: {name: schema(s) for name, s in sorted(v.items())} if v else None,
    "or-bool": _or_bool,
    "rules": lambda v: [rule(r) for r in v] if v else None,
}


def versions(given: list[Obj] | None) -> Any:
    """spec.versions, where what all versions share has moved to the spec."""
    if given is None:
        return None
    return [
        {
            "Name": v.get("name", ""),
            "Served": bool(v.get("served")),
            "Storage": bool(v.get("storage")),
            "Deprecated": bool(v.get("deprecated")),
            "DeprecationWarning": v.get("deprecationWarning"),
            "Schema": {"OpenAPIV3Schema": schema(v["schema"].get("openAPIV3Schema"))} if v.get("schema") else None,
            "Subresources": _subresources(v.get("subresources")),
            "AdditionalPrinterColumns": _columns(v.get("additionalPrinterColumns")),
            "SelectableFields": [{"JSONPath": f.get("jsonPath", "")} for f in v.get("selectableFields") or ()] or None,
        }
        for v in given
    ]


def _subresources(given: Any) -> Any:
    if given is None:
        return None
    scale = given.get("scale")
    shown = (
        None
        if scale is None
        else {
            "SpecReplicasPath": scale.get("specReplicasPath", ""),
            "StatusReplicasPath": scale.get("statusReplicasPath", ""),
            "LabelSelectorPath": scale.get("labelSelectorPath"),
        }
    )
    return {"Status": None if given.get("status") is None else {}, "Scale": shown}


_COLUMN = (
    ("Name", "name", ""),
    ("Type", "type", ""),
    ("Format", "format", ""),
    ("Description", "description", ""),
    ("Priority", "priority", 0),
    ("JSONPath", "jsonPath", ""),
)


def _columns(given: Any) -> Any:
    return [{go: c.get(name, zero) for go, name, zero in _COLUMN} for c in given] if given else None


def text(value: Any) -> GoText:
    """The JSON that encoding/json makes of it, with its escapes."""
    plain = orjson.dumps(value).decode()
    return GoText(plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
