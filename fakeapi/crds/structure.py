"""Whether a schema is structural, and whether its defaults are good.

Stands for apiextensions' apiserver/schema/validation.go, complete.go and defaulting/validation.go.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from fakeapi import errors
from fakeapi.crds import embedded
from fakeapi.errors import FieldError
from fakeapi.schema import definitions, patterns, structural, validation

Schema = Mapping[str, Any]

ROOT, ITEM, FIELD = "at the root", "for specified array items", "for specified object fields"
_EMPTY, _UNDEFINED, _FALSE = (f"must be {what} to be structural" for what in ("empty", "undefined", "false"))
# What stays to the structure and may not stand inside anyOf and its kin: key -> text, in upstream's order.
_NOT_NESTED = {
    "default": _UNDEFINED,
    "title": _EMPTY,
    "description": _EMPTY,
    "nullable": _FALSE,
    "x-kubernetes-preserve-unknown-fields": _FALSE,
    "x-kubernetes-embedded-resource": _FALSE,
    "x-kubernetes-int-or-string": _FALSE,
    "x-kubernetes-list-map-keys": _EMPTY,
    "x-kubernetes-list-type": _UNDEFINED,
    "x-kubernetes-map-type": _UNDEFINED,
    "x-kubernetes-validations": _EMPTY,
}
_META_NAME = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]


def check(schema: Schema, path: str) -> list[FieldError]:
    """ValidateStructural: what keeps the schema from being structural, in the order of the texts."""
    found = [*_invariants(schema, ROOT, path), *_completeness(schema, schema, path, path)]
    return sorted(found, key=str)


# What NewStructural cannot take, in upstream's order.
_UNSUPPORTED = ("id", "$schema", "$ref", "patternProperties", "dependencies", "additionalItems", "definitions")


def unsupported(s: Schema) -> str:
    """Why NewStructural cannot take the schema at all; "" if it can."""
    for key in _UNSUPPORTED:
        if s.get(key) not in (None, "", {}):
            return f"OpenAPIV3Schema '{key.removeprefix('$') if key == '$schema' else key}' is not supported"
    nested = [s.get("not"), *(inner for key in ("allOf", "anyOf", "oneOf") for inner in s.get(key) or ())]
    found = next((text for inner in nested if isinstance(inner, Mapping) and (text := unsupported(inner))), "")
    if found:
        return found
    if s.get("x-kubernetes-preserve-unknown-fields") is False:
        return "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined"
    if isinstance(s.get("items"), list):
        return "OpenAPIV3Schema 'items' must be a schema, but is an array"
    below = [s.get("items"), *(s.get("properties") or {}).values(), s.get("additionalProperties")]
    return next((text for inner in below if isinstance(inner, Mapping) and (text := unsupported(inner))), "")


def _invariants(s: Schema, level: str, path: str) -> Iterator[FieldError]:
    kind = s.get("type") or ""
    embedded = bool(s.get("x-kubernetes-embedded-resource"))
    preserved, int_or_string = (
        bool(s.get("x-kubernetes-preserve-unknown-fields")),
        bool(s.get("x-kubernetes-int-or-string")),
    )
    items, properties, additional = s.get("items"), s.get("properties") or {}, s.get("additionalProperties")
    if kind == "array" and items is None:
        yield errors.required(f"{path}.items", "must be specified")
    if isinstance(items, Mapping):
        yield from _invariants(items, ITEM, f"{path}.items")
    for name, inner in properties.items():
        yield from _invariants(inner, FIELD, f"{path}.properties[{name}]")
    if additional is not None:
        if level == ROOT:
            yield errors.forbidden(f"{path}.additionalProperties", "must not be used at the root")
        if isinstance(additional, Mapping):
            yield from _invariants(additional, FIELD, f"{path}.additionalProperties")
    for key, value in (
        ("x-kubernetes-preserve-unknown-fields", preserved),
        ("x-kubernetes-embedded-resource", embedded),
    ):
        if int_or_string and value:
            yield errors.invalid(f"{path}.{key}", True, "must be false if x-kubernetes-int-or-string is true")
    skip_any = s.get("anyOf") == _INT_OR_STRING
    all_of: list[Schema] = s.get("allOf") or []
    skip_first = bool(all_of) and all_of[0].get("anyOf") == _INT_OR_STRING
    yield from _value_validation(s, skip_any, skip_first, level, path)
    yield from _types(s, kind, embedded, preserved or int_or_string, level, path)
    yield from _meta(s, properties, embedded, level, path)


def _types(s: Schema, kind: str, embedded: bool, open_: bool, level: str, path: str) -> Iterator[FieldError]:
    text = "must be object if x-kubernetes-embedded-resource is true"
    if embedded and kind != "object":
        yield errors.invalid(f"{path}.type", kind, text) if kind else errors.required(f"{path}.type", text)
    elif not kind and not open_:
        yield errors.required(f"{path}.type", f"must not be empty {level}")
    if embedded and s.get("additionalProperties") is not None:
        yield errors.forbidden(
            f"{path}.additionalProperties", "must not be used if x-kubernetes-embedded-resource is set"
        )
    if level == ROOT and kind and kind != "object":
        yield errors.invalid(f"{path}.type", kind, "must be object at the root")


def _meta(s: Schema, properties: Schema, embedded: bool, level: str, path: str) -> Iterator[FieldError]:
    """Fields of a resource's own, if the schema names them."""
    resource = level == ROOT or embedded
    for name in ("kind", "apiVersion"):
        if resource and name in properties and properties[name].get("type") != "string":
            yield errors.invalid(f"{path}.properties[{name}].type", properties[name].get("type", ""), "must be string")
    metadata = properties.get("metadata")
    if metadata is not None:
        at = f"{path}.properties[metadata]"
        if resource and metadata.get("type") != "object":
            yield errors.invalid(f"{at}.type", metadata.get("type", ""), "must be object")
        rest = metadata.keys() - {"type", "properties", "default"}
        if level == ROOT and (rest or not set(metadata.get("properties") or ()) <= {"name", "generateName"}):
            text = "must not specify anything other than name and generateName, but metadata is implicitly specified"
            yield errors.forbidden(at, text)
    if embedded and not s.get("x-kubernetes-preserve-unknown-fields") and not properties:
        text = (
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
        )
        yield errors.required(f"{path}.properties", text)


def _value_validation(s: Schema, skip_any: bool, skip_first: bool, level: str, path: str) -> Iterator[FieldError]:
    if not skip_any:
        for index, inner in enumerate(s.get("anyOf") or ()):
            yield from _nested(inner, False, level, f"{path}.anyOf[{index}]")
    for index, inner in enumerate(s.get("allOf") or ()):
        yield from _nested(inner, skip_first and index == 0, level, f"{path}.allOf[{index}]")
    for index, inner in enumerate(s.get("oneOf") or ()):
        yield from _nested(inner, False, level, f"{path}.oneOf[{index}]")
    if s.get("not") is not None:
        yield from _nested(s["not"], False, level, f"{path}.not")
    wrong = patterns.problem(s["pattern"]) if s.get("pattern") else ""
    if wrong:
        yield errors.invalid(f"{path}.pattern", s["pattern"], f"must be a valid regular expression, but isn't: {wrong}")


def _nested(s: Schema, skip_any: bool, level: str, path: str) -> Iterator[FieldError]:
    yield from _value_validation(s, skip_any, False, level, path)
    if isinstance(s.get("items"), Mapping):
        yield from _nested(s["items"], False, level, f"{path}.items")
    properties = s.get("properties") or {}
    for name, inner in properties.items():
        yield from _nested(inner, False, FIELD, f"{path}.properties[{name}]")
    if s.get("type"):
        yield errors.forbidden(f"{path}.type", _EMPTY)
    if s.get("additionalProperties") not in (None, False):
        yield errors.forbidden(f"{path}.additionalProperties", _UNDEFINED)
    for key, text in _NOT_NESTED.items():
        if s.get(key) is not None and s[key] not in ("", False, []):
            yield errors.forbidden(f"{path}.{key}", text)
    if "metadata" in properties:
        yield errors.forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context")


def _completeness(v: Schema, s: Schema | None, at: str, path: str) -> Iterator[FieldError]:
    """What anyOf and its kin speak of must be in the structure."""
    parts = [("not", v["not"])] if v.get("not") is not None else []
    for key in ("allOf", "anyOf", "oneOf"):
        parts += [(f"{key}[{i}]", inner) for i, inner in enumerate(v.get(key) or ())]
    for key, inner in parts:
        yield from _nested_completeness(inner, s, at, f"{path}.{key}")


def _nested_completeness(v: Schema, s: Schema | None, at: str, path: str) -> Iterator[FieldError]:
    if s is None:
        yield errors.required(at, f"because it is defined in {path}")
        return
    yield from _completeness(v, s, at, path)
    if isinstance(v.get("items"), Mapping):
        yield from _nested_completeness(v["items"], s.get("items"), f"{at}.items", f"{path}.items")
    properties = s.get("properties") or {}
    for name, inner in (v.get("properties") or {}).items():
        below, there = f"{at}.properties[{name}]", f"{path}.properties[{name}]"
        if name in properties:
            yield from _nested_completeness(inner, properties[name], below, there)
        else:
            yield errors.required(below, f"because it is defined in {there}")


def check_defaults(schema: Schema, path: str) -> list[FieldError]:
    """ValidateDefaults: every default is pruned and valid by its own schema, and metadata's make good metadata."""
    return list(_defaults({**schema, "x-kubernetes-embedded-resource": True}, path, _Around(schema)))


class _Around(Struct, frozen=True):
    """Where a schema stands in the resource around it (`resource` is that one's schema): the keys that lead there, and
    whether that is in its type or metadata."""

    resource: Schema
    keys: tuple[str | int, ...] = ()
    inside_meta: bool = False

    def below(self, key: str | int, inside_meta: bool = False) -> _Around:
        return _Around(self.resource, (*self.keys, key), self.inside_meta or inside_meta)

    def filled(self, value: Any) -> Any:
        """A resource that has the value there, and nothing else."""
        for key in reversed(self.keys):
            value = [value] if isinstance(key, int) else {key: value}
        return {"apiVersion": "validation/v1", "kind": "Validation", **value}


def _defaults(s: Schema, path: str, around: _Around) -> Iterator[FieldError]:
    embedded_here = bool(s.get("x-kubernetes-embedded-resource"))
    if embedded_here:
        around = _Around(s)
    value = s.get("default")
    if value is not None:
        yield from _default(s, value, f"{path}.default", around)
    if isinstance(s.get("items"), Mapping):
        yield from _defaults(s["items"], f"{path}.items", around.below(0))
    for name, inner in (s.get("properties") or {}).items():
        own = embedded_here and name in ("metadata", "apiVersion", "kind")
        yield from _defaults(inner, f"{path}.properties[{name}]", around.below(name, own))


def _default(s: Schema, value: Any, path: str, around: _Around) -> Iterator[FieldError]:
    meta_type = definitions.load(36).type(_META_NAME)  # the same in every minor
    if around.inside_meta:
        wrong = embedded.check(around.resource, around.filled(value), meta_type)
        if wrong:
            texts = [str(error) for error in wrong]
            told = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
            yield errors.invalid(path, value, f"must result in valid metadata: {told}")
            return
    else:
        unknown: list[str] = []
        structural._prune(copy.deepcopy(value), structural.compile(s), "", unknown)
        if unknown:
            yield errors.invalid(path, value, "must not have unknown fields")
        wrong = embedded.check(s, value, meta_type, path)
        if wrong:
            yield from wrong
            return
    found = validation.validate(validation.compile(s), value, prefix=path)
    yield from found
    from fakeapi.cel.validation import Rules  # late: the CEL library is 15 MB that most servers never need

    rules = Rules.of(s, False) if not found else None
    if rules is not None:
        yield from rules.validate(value, validation.NOTHING, path)[0]
