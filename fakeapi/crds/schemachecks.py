"""Checks of a definition's openAPIV3Schema beyond its structure: keywords, list and map types, rules in CEL.

Stands for ValidateCustomResourceDefinitionOpenAPISchema and validateCustomResourceDefinitionValidation in
apiextensions' apis/apiextensions/validation/validation.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from fakeapi import errors
from fakeapi.crds import goform, structure
from fakeapi.crds.fieldpaths import FieldPathError, resolve
from fakeapi.errors import FieldError

if TYPE_CHECKING:
    from fakeapi.cel import compilation

Schema = Mapping[str, Any]

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_AT_ROOT = (
    *("Description", "Type", "Format", "Title", "Maximum", "ExclusiveMaximum", "Minimum", "ExclusiveMinimum"),
    *("MaxLength", "MinLength", "Pattern", "MaxItems", "MinItems", "UniqueItems", "MultipleOf", "Required", "Items"),
    *("Properties", "ExternalDocs", "Example", "XPreserveUnknownFields", "XValidations"),
)
_ENABLED = "at the root of the schema if the status subresource is enabled"
_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_META = ("metadata", "kind", "apiVersion")
_LIST_TYPES = ("atomic", "set", "map")


class At(Struct, frozen=True):
    """Where the walk is. no_defaults: why none may be set. inside_meta: below a resource's metadata, kind, apiVersion.
    uncorrelated: the path within which oldSelf cannot be told, "" for none. rules: what is known of CEL here; None
    where rules are not compiled (inside anyOf and its kin, or a schema that is not structural)."""

    no_defaults: str = ""
    inside_meta: bool = False
    uncorrelated: str = ""
    rules: compilation.Place | None = None


def check(schema: Schema, path: str, *, has_status: bool, known: frozenset[str] = frozenset()) -> list[FieldError]:
    """All that is wrong with a schema. known: rules that were there before, whose cost is not looked at again."""
    found = list(_root(schema, path, has_status))
    if schema.get("nullable"):
        found.append(errors.forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    unfit = structure.unsupported(schema)
    wrong = [] if unfit else structure.check(schema, path) or structure.check_defaults(schema, path)
    found += wrong
    from fakeapi.cel import compilation  # late: the CEL library is 15 MB that most servers never need

    budget = compilation.Budget(known)
    place = None if wrong or unfit else compilation.Place.root(schema, budget)
    plain, rules = _walk(schema, path, At(rules=place), is_root=True)
    found += plain + rules
    if unfit and not found:
        found.append(errors.invalid(path, "", unfit))
    return found + budget.errors(path)


def _root(schema: Schema, path: str, has_status: bool) -> Iterator[FieldError]:
    """With a status subresource the root may say little, so that its parts can be validated alone."""
    if not has_status:
        return
    for name, given, _ in goform.SCHEMA:
        value = schema.get(given)
        if value is None or value is False or value in ("", [], {}):
            continue
        if name == "Type":
            if value != "object":
                text = f'only "object" is allowed as the type {_ENABLED}'
                yield errors.invalid(f"{path}.type", value, text)
                return
        elif name not in _AT_ROOT:
            text = f"only [{' '.join(_AT_ROOT)}] fields are allowed {_ENABLED}"
            yield errors.invalid(path, goform.text(goform.schema(schema)), text)
            return


Found = tuple[list[FieldError], list[FieldError]]


def _walk(s: Schema, path: str, at: At, *, is_root: bool = False) -> Found:
    """(errors of the schema, errors of rules) of a schema and all below."""
    plain, rules = list(_standard(s, path, at)), list[FieldError]()
    for below, inner, there in _children(s, path, at, is_root):
        more, more_rules = _walk(inner, below, there)
        plain += more
        rules += more_rules
    plain += _extensions(s, path)
    validations = s.get("x-kubernetes-validations") or ()
    plain += [
        error for i, rule in enumerate(validations) for error in _rule(s, rule, f"{path}.x-kubernetes-validations[{i}]")
    ]
    if validations and not plain and at.rules is not None:
        rules += at.rules.check(validations, path, at.uncorrelated)
    return plain, rules


_FORBIDDEN = {
    "id": "id is not supported",
    "additionalItems": "additionalItems is not supported",
    "patternProperties": "patternProperties is not supported",
    "definitions": "definitions is not supported",
    "dependencies": "dependencies is not supported",
    "$ref": "$ref is not supported",
}
_SET_WHEN_EMPTY = ("additionalItems", "dependencies", "$ref")


def _standard(s: Schema, path: str, at: At) -> Iterator[FieldError]:
    kind = s.get("type") or ""
    if kind and kind not in _TYPES:
        yield errors.not_supported(f"{path}.type", kind, _TYPES)
    if s.get("default") is not None and at.no_defaults:
        yield errors.forbidden(f"{path}.default", f"must not be set {at.no_defaults}")
    for key, text in _FORBIDDEN.items():
        if s.get(key) is not None and (s[key] not in ("", {}) or key in _SET_WHEN_EMPTY):
            yield errors.forbidden(f"{path}.{key}", text)
    if kind == "null":
        yield errors.forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative")
    if isinstance(s.get("items"), list):
        yield errors.forbidden(f"{path}.items", "items must be a schema object and not an array")
    if at.inside_meta and s.get("x-kubernetes-embedded-resource"):
        yield errors.forbidden(f"{path}.x-kubernetes-embedded-resource", "must not be used inside of resource meta")
    if s.get("uniqueItems"):
        text = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield errors.forbidden(f"{path}.uniqueItems", text)
    additional = s.get("additionalProperties")
    if additional is not None and s.get("properties") and additional is not True:
        yield errors.forbidden(
            f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive"
        )


def _children(s: Schema, path: str, at: At, is_root: bool) -> Iterator[tuple[str, Schema, At]]:
    place = at.rules
    additional = s.get("additionalProperties")
    if isinstance(additional, Mapping):
        there = replace(at, rules=place and place.additional(additional))
        if at.inside_meta:
            there = replace(there, no_defaults="inside additionalProperties applying to object metadata")
        yield f"{path}.additionalProperties", additional, there
    for name, inner in sorted((s.get("properties") or {}).items()):
        there = replace(at, rules=place and place.property(inner, name))
        if s.get("x-kubernetes-map-type") == "atomic":
            there = replace(there, uncorrelated=at.uncorrelated or path)
        if (is_root or s.get("x-kubernetes-embedded-resource")) and name in _META:
            there = replace(there, inside_meta=True, no_defaults=f"in top-level {name}" if is_root else at.no_defaults)
        yield f"{path}.properties[{name}]", inner, there
    bare = replace(at, rules=None)
    if isinstance(s.get("not"), Mapping):
        yield f"{path}.not", s["not"], bare
    for key in ("allOf", "oneOf", "anyOf"):
        for index, inner in enumerate(s.get(key) or ()):
            yield f"{path}.{key}[{index}]", inner, bare
    if isinstance(s.get("items"), Mapping):
        there = replace(at, rules=place and place.items(s["items"]))
        if s.get("x-kubernetes-list-type") != "map":
            there = replace(there, uncorrelated=at.uncorrelated or path)
        yield f"{path}.items", s["items"], there


def _extensions(s: Schema, path: str) -> Iterator[FieldError]:
    kind, map_type, list_type = s.get("type") or "", s.get("x-kubernetes-map-type"), s.get("x-kubernetes-list-type")
    if s.get("x-kubernetes-preserve-unknown-fields") is False:
        yield errors.invalid(f"{path}.x-kubernetes-preserve-unknown-fields", False, "must be true or undefined")
    if map_type is not None:
        if kind != "object":
            yield _wrong_type(path, kind, "must be object if x-kubernetes-map-type is specified")
        if map_type not in ("atomic", "granular"):
            yield errors.not_supported(f"{path}.x-kubernetes-map-type", map_type, ("atomic", "granular"))
    items = s.get("items") if isinstance(s.get("items"), Mapping) else None
    if list_type is not None:
        if kind != "array":
            yield _wrong_type(path, kind, "must be array if x-kubernetes-list-type is specified")
        elif list_type == "set" and items is not None:
            yield from _set_items(items, f"{path}.items")
        if list_type not in _LIST_TYPES:
            yield errors.not_supported(f"{path}.x-kubernetes-list-type", list_type, _LIST_TYPES)
    yield from _list_map(s, items, path)
    if items is not None and list_type in ("set", "map"):
        yield from _list_items(s, items, path)


def _wrong_type(path: str, kind: str, text: str) -> FieldError:
    return errors.invalid(f"{path}.type", kind, text) if kind else errors.required(f"{path}.type", text)


def _set_items(items: Schema, path: str) -> Iterator[FieldError]:
    """A set's items are scalars or atomic as a whole."""
    text = "must be atomic as item of a list with x-kubernetes-list-type=set"
    if items.get("type") == "array" and items.get("x-kubernetes-list-type") not in (None, "atomic"):
        yield errors.invalid(f"{path}.x-kubernetes-list-type", items["x-kubernetes-list-type"], text)
    if items.get("type") == "object" and items.get("x-kubernetes-map-type") != "atomic":
        # Upstream shows the list type where it means the map type.
        yield errors.invalid(f"{path}.x-kubernetes-map-type", items.get("x-kubernetes-list-type"), text)


def _list_map(s: Schema, items: Schema | None, path: str) -> Iterator[FieldError]:
    keys, list_type = s.get("x-kubernetes-list-map-keys") or [], s.get("x-kubernetes-list-type")
    if keys and list_type != "map":
        text = "must be map if x-kubernetes-list-map-keys is non-empty"
        at = f"{path}.x-kubernetes-list-type"
        yield errors.invalid(at, list_type, text) if list_type is not None else errors.required(at, text)
    if list_type != "map":
        return
    at = f"{path}.x-kubernetes-list-map-keys"
    if not keys:
        yield errors.required(at, "must not be empty if x-kubernetes-list-type is map")
    if items is None:
        yield errors.required(f"{path}.items", "must have a schema if x-kubernetes-list-type is map")
    elif items.get("type") != "object":
        text = "must be object if parent array's x-kubernetes-list-type is map"
        yield errors.invalid(f"{path}.items.type", items.get("type", ""), text)
    else:
        seen: set[str] = set()
        for key in keys:
            property_ = (items.get("properties") or {}).get(key)
            if property_ is None:
                yield errors.invalid(at, keys, "entries must all be names of item properties")
            elif property_.get("type") in ("array", "object"):
                text = "must be a scalar type if parent array's x-kubernetes-list-type is map"
                yield errors.invalid(f"{path}.items.properties[{key}].type", items["type"], text)
            if key in seen:
                yield errors.invalid(at, keys, "must not contain duplicate entries")
            seen.add(key)


def _list_items(s: Schema, items: Schema, path: str) -> Iterator[FieldError]:
    list_type = s["x-kubernetes-list-type"]
    if items.get("nullable"):
        yield errors.forbidden(
            f"{path}.items.nullable", f"cannot be nullable when x-kubernetes-list-type is {list_type}"
        )
    for key in (s.get("x-kubernetes-list-map-keys") or ()) if list_type == "map" else ():
        property_ = (items.get("properties") or {}).get(key)
        if property_ is None:
            continue
        at = f"{path}.items.properties[{key}]"
        this = "this property is in x-kubernetes-list-map-keys, so it"
        if key not in (items.get("required") or ()) and property_.get("default") is None:
            yield errors.required(f"{at}.default", f"{this} must have a default or be a required property")
        if property_.get("nullable"):
            yield errors.forbidden(f"{at}.nullable", f"{this} cannot be nullable")


def _breaks(text: str) -> bool:
    return re.search(r"[\n\r]", text) is not None


def _rule(s: Schema, rule: Schema, path: str) -> Iterator[FieldError]:
    text, message = rule.get("rule") or "", rule.get("message") or ""
    if not text.strip():
        yield errors.required(f"{path}.rule", "rule is not specified")
    elif message and not message.strip():
        yield errors.invalid(f"{path}.message", message, "must be non-empty if specified")
    elif _breaks(message.strip()):
        yield errors.invalid(f"{path}.message", message, "must not contain line breaks")
    elif _breaks(text.strip()) and not message.strip():
        yield errors.required(f"{path}.message", "message must be specified if rule contains line breaks")
    expression = rule.get("messageExpression") or ""
    if expression and not expression.strip():
        yield errors.required(f"{path}.messageExpression", "messageExpression must be non-empty if specified")
    if rule.get("reason") is not None and rule["reason"] not in _REASONS:
        yield errors.not_supported(f"{path}.reason", rule["reason"], _REASONS)
    field = rule.get("fieldPath") or ""
    if field:
        if not field.strip():
            yield errors.invalid(f"{path}.fieldPath", field, "must be non-empty if specified")
        if _breaks(field):
            yield errors.invalid(f"{path}.fieldPath", field, "must not contain line breaks")
        try:
            resolve(field, s)
        except FieldPathError:
            yield errors.invalid(f"{path}.fieldPath", field, "must be a valid path")
