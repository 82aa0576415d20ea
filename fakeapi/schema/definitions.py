"""The built-in kinds' definitions of one Kubernetes minor, and the Type trees compiled from them.

Reads the JSON Schema rewriting of OpenAPI that the package kubernetes-validate ships (1.25 to 1.37), adds what it lacks
from gofacts (pointers, omitempty, Go's names and order of fields) and undoes what it added (openapi()). Stands for Go's
structs and the generated OpenAPI models. Leaves out paths and parameters: openapi.py makes them from the resources.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
from msgspec.structs import replace

from fakeapi.schema import gofacts
from fakeapi.schema.openapi3 import field_defaults, json_type, restore
from fakeapi.schema.types import Type

MINORS = range(25, 38)

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."

# Definitions that are no structs: Go types which marshal themselves. kind, and Go's name of what the JSON is read into.
_SPECIAL = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": ("quantity", "resource.Quantity"),
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": ("int-or-string", "intstr.IntOrString"),
    "io.k8s.apimachinery.pkg.runtime.RawExtension": ("any", "runtime.RawExtension"),
    _META + "Time": ("time", "v1.Time"),
    _META + "MicroTime": ("micro-time", "v1.MicroTime"),
    _META + "FieldsV1": ("any", "v1.FieldsV1"),
    _META + "Patch": ("any", "v1.Patch"),
    _EXTENSIONS + "JSON": ("any", "v1.JSON"),
    _EXTENSIONS + "JSONSchemaPropsOrArray": ("any", "v1.JSONSchemaPropsOrArray"),
    _EXTENSIONS + "JSONSchemaPropsOrBool": ("any", "v1.JSONSchemaPropsOrBool"),
    _EXTENSIONS + "JSONSchemaPropsOrStringArray": ("any", "v1.JSONSchemaPropsOrStringArray"),
}

_SCALARS = {"string": "string", "boolean": "bool", "number": "float64", "integer": "int64"}

# Kinds that are Go structs (or marshal themselves), which omitempty never leaves out when they are held by value.
_STRUCTS = frozenset({"object", "quantity", "int-or-string", "time", "micro-time", "any"})


class Definitions:
    """All definitions of one minor, by name ("io.k8s.api.core.v1.Pod")."""

    def __init__(self, minor: int, defs: Mapping[str, Mapping[str, Any]]) -> None:
        self.minor = minor
        self._defs = defs
        self._types: dict[str, Type] = {}
        self._fields: dict[str, dict[str, Type]] = {}

    def names(self) -> Iterable[str]:
        """Every definition's name, in the package's (sorted) order."""
        return self._defs.keys()

    def type(self, name: str) -> Type:
        """The Type of a definition as a whole (facts such as merge keys are on the edges inside). KeyError: unknown."""
        found = self._types.get(name)
        if found is None:
            found = self._types[name] = self._compile_definition(name)
        return found

    def free(self, kind: str) -> Type:
        """The Type of a kind without a definition: ObjectMeta, and beside it any field."""
        text = Type("string", go="string")
        fields = {
            "kind": text,
            "apiVersion": text,
            "metadata": replace(self.type(_META + "ObjectMeta"), omitempty=False),
        }
        return Type("object", go=f"v1.{kind}", field_source=lambda: fields, preserve_unknown=True)

    def openapi(self, name: str, *, nested_defaults: bool = False) -> dict[str, Any]:
        """The definition as OpenAPI v3 serves it (components/schemas), a fresh dict. KeyError: unknown.

        nested_defaults: with the defaults of items and map values, as built-in groups' documents have and CRDs' lack.
        """
        return restore(name, self._defs[name], nested_defaults=nested_defaults)

    def by_gvk(self, group: str, version: str, kind: str) -> str | None:
        """The name of the one definition of this kind; None for the unknown and what groups share (DeleteOptions)."""
        return self._gvks.get((group, version, kind))

    @functools.cached_property
    def _gvks(self) -> dict[tuple[str, str, str], str]:
        """Definitions with exactly one GVK own it; ListOptions and its like carry dozens and own none."""
        found = {}
        for name, schema in self._defs.items():
            gvks = schema.get("x-kubernetes-group-version-kind", ())
            if len(gvks) == 1:
                found[(gvks[0]["group"], gvks[0]["version"], gvks[0]["kind"])] = name
        return found

    def _compile_definition(self, name: str) -> Type:
        schema = self._defs[name]
        if name in _SPECIAL:
            kind, go = _SPECIAL[name]
            element = self.type(_EXTENSIONS + "JSONSchemaProps") if "JSONSchemaPropsOr" in name else None
            # What has no schema of its own (RawExtension, JSON) is one field to server-side apply.
            return Type(kind, name, go, map_type="atomic", element=element, schema=schema)
        return Type(
            "object",
            name,
            gofacts.go_name(name),
            field_source=functools.partial(self._fields_of, name),
            required=tuple(schema.get("required", ())),
            map_type=schema.get("x-kubernetes-map-type", "granular"),
            schema=schema,
        )

    def _fields_of(self, name: str) -> dict[str, Type]:
        """Shared by all edges that lead to the definition."""
        found = self._fields.get(name)
        if found is None:
            found = self._fields[name] = self._compile_fields(name)
        return found

    def _compile_fields(self, name: str) -> dict[str, Type]:
        """Fields in Go's order, which is the order they are encoded in; what gofacts does not know comes last."""
        schema = self._defs[name]
        properties = schema.get("properties", {})
        facts = gofacts.fields(name)
        required = schema.get("required", ())
        ordered = [f for f in facts if f in properties] + [f for f in properties if f not in facts]
        return {f: self._compile_edge(properties[f], facts.get(f) or gofacts.guess(f in required)) for f in ordered}

    def _compile_edge(self, schema: Mapping[str, Any], fact: gofacts.Fact) -> Type:
        """The Type of a property, with what only this edge says."""
        base = self._compile_schema(schema, fact.go)
        return replace(
            base,
            go=fact.go or base.go,
            pointer=fact.pointer,
            omitempty=fact.omitzero or (fact.omitempty and (fact.pointer or base.kind not in _STRUCTS)),
            via=fact.via,
            list_type=schema.get("x-kubernetes-list-type", base.list_type),
            map_keys=tuple(schema.get("x-kubernetes-list-map-keys", ())),
            map_type=schema.get("x-kubernetes-map-type", base.map_type),
            patch_strategy=frozenset(filter(None, schema.get("x-kubernetes-patch-strategy", "").split(","))),
            patch_merge_key=schema.get("x-kubernetes-patch-merge-key", ""),
            defaults=self._key_defaults(schema),
            schema=schema,
        )

    def _compile_schema(self, schema: Mapping[str, Any], go: str) -> Type:
        """The Type of a property, an array's items or a map's values; `go`: Go's name for it where known."""
        if "$ref" in schema:
            return self.type(schema["$ref"].rpartition("/")[2])
        kind = json_type(schema)
        if kind == "array":
            element = self._compile_schema(schema["items"], go[2:] if go.startswith("[]") else "")
            return Type("list", go=go or f"[]{element.go}", element=element, schema=schema)
        if kind == "object" and "additionalProperties" in schema:
            element = self._compile_schema(schema["additionalProperties"], go.partition("]")[2])
            return Type("map", go=go or f"map[string]{element.go}", element=element, schema=schema)
        if kind == "string" and schema.get("format") == "byte":
            return Type("bytes", go=go or "[]uint8", schema=schema)
        if kind in _SCALARS:
            return Type(kind, go=go or schema.get("format", "") * (kind == "integer") or _SCALARS[kind], schema=schema)
        return Type("any", go=go or "interface {}", schema=schema)

    def _key_defaults(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Defaults of an associative list's keys, which stand in for keys that an item lacks."""
        keys = schema.get("x-kubernetes-list-map-keys")
        reference = schema.get("items", {}).get("$ref")
        if not keys or not reference:
            return {}
        name = reference.rpartition("/")[2]
        defaults = field_defaults(name, self._defs[name])
        return {k: defaults[k] for k in keys if k in defaults}


@functools.cache
def load(minor: int) -> Definitions:
    """The definitions of Kubernetes 1.<minor>; cached. ValueError: not one of MINORS."""
    if minor not in MINORS:
        raise ValueError(f"Kubernetes 1.{minor} is not supported: choose 1.{MINORS[0]} to 1.{MINORS[-1]}")
    path = _package() / "kubernetes-json-schema" / f"v1.{minor}.0-local" / "_definitions.json"
    return Definitions(minor, orjson.loads(path.read_bytes())["$defs"])


def _package() -> Path:
    """Where kubernetes-validate lives; found, not imported, because importing it pulls in jsonschema."""
    spec = importlib.util.find_spec("kubernetes_validate")
    locations = spec.submodule_search_locations if spec else None
    assert locations, "kubernetes-validate is not installed"
    return Path(locations[0])
