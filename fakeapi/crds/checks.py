"""Checks of a CustomResourceDefinition itself.

Stands for apiextensions' apis/apiextensions/validation/validation.go. Upstream looks at the internal form, where what
all versions have alike (schema, subresources, columns, selectable fields) stands in the spec: so do the fields of
errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fakeapi import errors, names
from fakeapi.crds import conversionchecks, goform, lifecycle, schemachecks
from fakeapi.crds.fieldpaths import FieldPathError, resolve
from fakeapi.errors import FieldError
from fakeapi.schema.formats import recognized
from fakeapi.strategies.base import Obj

_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_MIXED = "may have mixed case, but should otherwise match: "
_SELECTABLE_MAX = 8
_PER_VERSION = {
    "schema": "validation",
    "subresources": "subresources",
    "additionalPrinterColumns": "additionalPrinterColumns",
    "selectableFields": "selectableFields",
}
_LISTS = ("additionalPrinterColumns", "selectableFields")


def create(obj: Obj) -> list[FieldError]:
    """ValidateCustomResourceDefinition."""
    spec = internal(obj["spec"])
    found = [*name_rule(obj), *_spec(spec, frozenset(), loose_bundle=True)]
    return [*found, *_status(obj), *_approval(obj, None), *_preserve(obj["spec"])]


def name_rule(obj: Obj) -> list[FieldError]:
    """The name follows from plural and group."""
    spec, name = obj["spec"], obj["metadata"].get("name", "")
    wanted = f"{(spec.get('names') or {}).get('plural', '')}.{spec.get('group', '')}"
    if not name or name == wanted:
        return []
    return [errors.invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group')]


def update(new: Obj, old: Obj) -> list[FieldError]:
    """ValidateCustomResourceDefinitionUpdate."""
    spec, before = new["spec"], old["spec"]
    known = frozenset(
        r["rule"] for v in before["versions"] for r in _rules((v.get("schema") or {}).get("openAPIV3Schema"))
    )
    loose = not lifecycle.is_true(old, "Established") or conversionchecks.bundle_problem(before) != ""
    found = list(_spec(internal(spec), known, loose_bundle=loose))
    fixed = []
    if lifecycle.is_true(old, "Established"):
        fixed += [("scope", spec.get("scope", ""), before.get("scope", ""))]
        fixed += [("names.kind", spec["names"].get("kind", ""), before["names"].get("kind", ""))]
    fixed += [("group", spec.get("group", ""), before.get("group", ""))]
    fixed += [("names.plural", spec["names"].get("plural", ""), before["names"].get("plural", ""))]
    found += [errors.invalid(f"spec.{key}", now, "field is immutable") for key, now, was in fixed if now != was]
    found += [*_status(new), *_approval(new, old)]
    return found if before.get("preserveUnknownFields") else [*found, *_preserve(spec)]


def update_status(new: Obj, old: Obj) -> list[FieldError]:
    """ValidateUpdateCustomResourceDefinitionStatus."""
    return list(_names((new.get("status") or {}).get("acceptedNames") or {}, "status.acceptedNames"))


def internal(spec: Obj) -> Obj:
    """The spec with what every version has alike moved up."""
    made = dict(spec)
    versions = [dict(v) for v in spec.get("versions") or ()]
    for key, above in _PER_VERSION.items():
        values = [v.get(key) or None if key in _LISTS else v.get(key) for v in versions]
        if values and all(value == values[0] for value in values):
            made[above] = values[0]
            for version in versions:
                version.pop(key, None)
    made["versions"] = versions if spec.get("versions") is not None else None
    return made


def _spec(spec: Obj, known: frozenset[str], *, loose_bundle: bool) -> Iterator[FieldError]:
    yield from _group(spec.get("group") or "")
    yield from _enum("spec.scope", spec.get("scope") or "", ("Cluster", "Namespaced"))
    versions = spec["versions"] or []
    if not (spec.get("validation") or {}).get("openAPIV3Schema"):
        for i, version in enumerate(versions):
            if (version.get("schema") or {}).get("openAPIV3Schema") is None:
                yield errors.required(f"spec.versions[{i}].schema.openAPIV3Schema")
    shared = spec.get("subresources")
    for i, version in enumerate(versions):
        wrong = names.is_dns1035_label(version.get("name") or "")
        if wrong:
            yield errors.invalid(f"spec.versions[{i}].name", version.get("name") or "", ",".join(wrong))
        yield from _version(version, f"spec.versions[{i}]", shared, known)
    given = [v.get("name") for v in versions]
    if len(set(given)) != len(given):
        yield errors.invalid(
            "spec.versions", goform.text(goform.versions(versions)), "must contain unique version names"
        )
    if sum(bool(v.get("storage")) for v in versions) != 1:
        text = "must have exactly one version marked as storage version"
        yield errors.invalid("spec.versions", goform.text(goform.versions(spec["versions"])), text)
    first = (given[0] if given else "") or ""
    wrong = names.is_dns1035_label(first) if first else []
    if wrong:
        yield errors.invalid("spec.version", first, ",".join(wrong))
    wanted = spec.get("names") or {}
    for key in ("plural", "singular", "kind", "listKind"):
        if not wanted.get(key):
            yield errors.required(f"spec.names.{key}")
    yield from _names(wanted, "spec.names")
    has_status = any((v.get("subresources") or {}).get("status") is not None for v in [spec, *versions])
    yield from _schema(spec.get("validation"), "spec.validation", has_status, known)
    yield from _subresources(shared, "spec.subresources")
    yield from _columns(spec.get("additionalPrinterColumns"), "spec.additionalPrinterColumns")
    if spec.get("selectableFields"):
        yield from _selectable(
            spec["selectableFields"],
            spec.get("validation"),
            "spec.selectableFields",
            "may only be set when validations.schema is included",
        )
    yield from conversionchecks.check(spec.get("conversion") or {}, "spec.conversion", loose_bundle=loose_bundle)


def _group(group: str) -> Iterator[FieldError]:
    if not group:
        yield errors.required("spec.group")
    elif wrong := names.is_dns1123_subdomain(group):
        yield errors.invalid("spec.group", group, ",".join(wrong))
    elif "." not in group:
        yield errors.invalid("spec.group", group, "should be a domain with at least one dot")


def _enum(path: str, value: str, accepted: tuple[str, ...]) -> Iterator[FieldError]:
    if not value:
        yield errors.required(path)
    elif value not in accepted:
        yield errors.not_supported(path, value, accepted)


def _version(version: Obj, path: str, shared: Any, known: frozenset[str]) -> Iterator[FieldError]:
    for text in _deprecation(version):
        yield errors.invalid(f"{path}.deprecationWarning", version.get("deprecationWarning"), text)
    subresources = version.get("subresources")
    has_status = ((subresources if subresources is not None else shared) or {}).get("status") is not None
    yield from _schema(version.get("schema"), f"{path}.schema", has_status, known)
    yield from _subresources(subresources, f"{path}.subresources")
    yield from _columns(version.get("additionalPrinterColumns"), f"{path}.additionalPrinterColumns")
    if version.get("selectableFields"):
        yield from _selectable(
            version["selectableFields"],
            version.get("schema"),
            f"{path}.selectableFields",
            "may only be set when `version.schema.openAPIV3Schema` is not included",
        )


def _deprecation(version: Obj) -> Iterator[str]:
    text = version.get("deprecationWarning")
    if text is None:
        return
    if not version.get("deprecated"):
        yield "can only be set for deprecated versions"
        return
    if len(text.encode()) > 256:
        yield "must be <= 256 characters long"
    if not text:
        yield "must not be an empty string"
    for index, ch in enumerate(text):
        if not ch.isprintable():
            at = len(text[:index].encode())
            yield f"must only contain printable UTF-8 characters; non-printable character found at index {at}"
            return


def _schema(given: Any, path: str, has_status: bool, known: frozenset[str]) -> Iterator[FieldError]:
    schema = (given or {}).get("openAPIV3Schema")
    if schema is not None:
        yield from schemachecks.check(schema, f"{path}.openAPIV3Schema", has_status=has_status, known=known)


def _names(given: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for key, mixed in (("plural", ""), ("singular", ""), ("kind", _MIXED), ("listKind", _MIXED)):
        value = given.get(key) or ""
        wrong = names.is_dns1035_label(value.lower() if mixed else value) if value else []
        if wrong:
            yield errors.invalid(f"{path}.{key}", value, mixed + ",".join(wrong))
    yield from _labels(given.get("shortNames"), f"{path}.shortNames")
    if given.get("kind") and given["kind"] == given.get("listKind"):
        yield errors.invalid(f"{path}.listKind", given["listKind"], "kind and listKind may not be the same")
    yield from _labels(given.get("categories"), f"{path}.categories")


def _labels(given: Iterable[str] | None, path: str) -> Iterator[FieldError]:
    for index, value in enumerate(given or ()):
        wrong = names.is_dns1035_label(value)
        if wrong:
            yield errors.invalid(f"{path}[{index}]", value, ",".join(wrong))


def _subresources(given: Any, path: str) -> Iterator[FieldError]:
    scale = (given or {}).get("scale")
    if scale is None:
        return
    for key, root in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        text, at = scale.get(key) or "", f"{path}.scale.{key}"
        if not text:
            yield errors.required(at)
        elif not text.startswith("."):
            yield errors.invalid(at, text, "must be a simple json path starting with .")
        elif not text.startswith(root):
            yield errors.invalid(at, text, f"should be a json path under {root[:-1]}")
    selector = scale.get("labelSelectorPath")
    if selector:
        at = f"{path}.scale.labelSelectorPath"
        if not selector.startswith("."):
            yield errors.invalid(at, selector, "must be a simple json path starting with .")
        elif not selector.startswith((".spec.", ".status.")):
            yield errors.invalid(at, selector, "should be a json path under either .spec or .status")


def _columns(given: Any, path: str) -> Iterator[FieldError]:
    for index, column in enumerate(given or ()):
        at = f"{path}[{index}]"
        if not column.get("name"):
            yield errors.required(f"{at}.name")
        kind, form, json_path = column.get("type") or "", column.get("format") or "", column.get("jsonPath") or ""
        one_of = f"must be one of {','.join(_COLUMN_TYPES)}"
        if not kind:
            yield errors.required(f"{at}.type", one_of)
        elif kind not in _COLUMN_TYPES:
            yield errors.invalid(f"{at}.type", kind, one_of)
        if form and form not in _COLUMN_FORMATS:
            yield errors.invalid(f"{at}.format", form, f"must be one of {','.join(_COLUMN_FORMATS)}")
        if not json_path:
            yield errors.required(f"{at}.JSONPath")
        elif not json_path.startswith("."):
            yield errors.invalid(f"{at}.JSONPath", json_path, "must be a simple json path starting with .")


def _selectable(
    given: list[Obj], validation: Mapping[str, Any] | None, path: str, without: str
) -> Iterator[FieldError]:
    """without: what is said where there is no schema."""
    schema = (validation or {}).get("openAPIV3Schema")
    if schema is None:
        yield errors.invalid(path, "", without)
        return
    seen: set[str] = set()
    for index, entry in enumerate(given):
        at, text = f"{path}[{index}].jsonPath", entry.get("jsonPath") or ""
        if not text:
            yield errors.required(at)
            continue
        try:
            shown, found = resolve(text, schema, arrays=False)
        except FieldPathError as error:
            yield errors.invalid(at, text, f"is an invalid path: {error}")
            continue
        if re.split(r"[.\[]", shown)[0] == "metadata":
            yield errors.invalid(at, text, "must not point to fields in metadata")
        if found.get("type") not in ("string", "boolean", "integer"):
            kinds = (
                "must point to a field of type string, boolean or integer."
                " Enum string fields and strings with formats are allowed."
            )
            yield errors.invalid(at, text, kinds)
        if shown in seen:
            yield errors.duplicate(at, text)
        seen.add(shown)
    if len(seen) > _SELECTABLE_MAX:
        yield errors.too_many(path, len(seen), _SELECTABLE_MAX)


def _status(obj: Obj) -> Iterator[FieldError]:
    status, versions = obj.get("status") or {}, obj["spec"].get("versions") or []
    yield from _names(status.get("acceptedNames") or {}, "status.acceptedNames")
    stored = status.get("storedVersions")
    path = "status.storedVersions"
    if not stored:
        yield errors.invalid(path, stored, "must have at least one stored version")
        return
    for version in versions:
        if version.get("storage") and version.get("name") not in stored:
            yield errors.invalid(path, stored, f"must have the storage version {version.get('name')}")
    known = {version.get("name") for version in versions}
    for index, name in enumerate(stored):
        if name not in known:
            text = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions"
                f" until a storage migration ensures no data remains persisted in {name} and removes {name}"
                " from status.storedVersions"
            )
            yield errors.invalid(f"{path}[{index}]", name, text)


def _approval(new: Obj, old: Obj | None) -> Iterator[FieldError]:
    """Groups of Kubernetes' own need a review; an update that does not touch its state is let pass."""
    found = lifecycle.approval(new)
    if found is None or found[1] in ("ApprovedAnnotation", "UnapprovedAnnotation"):
        return
    before = lifecycle.approval(old) if old is not None else None
    if before is not None and before[1] == found[1]:
        return
    path = f"metadata.annotations[{lifecycle.APPROVED}]"
    if found[1] == "MissingAnnotation":
        yield errors.required(path, found[2])
    else:
        yield errors.invalid(path, new["metadata"]["annotations"][lifecycle.APPROVED], found[2])


def _preserve(spec: Obj) -> Iterator[FieldError]:
    if spec.get("preserveUnknownFields"):
        text = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        yield errors.invalid("spec.preserveUnknownFields", True, text)


def warnings(new: Obj, old: Obj | None) -> list[str]:
    """WarningsOnCreate, WarningsOnUpdate: formats nobody knows; only what is new."""
    before = _warnings(old) if old is not None else []
    return [text for text in _warnings(new) if text not in before]


def _warnings(definition: Obj) -> list[str]:
    spec = internal(definition["spec"])
    schemas = [
        (part or {}).get("openAPIV3Schema")
        for part in (spec.get("validation"), *(v.get("schema") for v in spec["versions"] or ()))
    ]
    found = []
    for schema in (part for whole in schemas if whole for part in walk(whole)):
        form = schema.get("format") or ""
        if form and not recognized(form, schema.get("type") or ""):
            found.append(f'unrecognized format "{form}"')
    return found


def walk(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The schema and every one inside it."""
    yield schema
    below = [schema.get("items"), schema.get("additionalProperties"), schema.get("not")]
    for key in ("allOf", "anyOf", "oneOf"):
        below += schema.get(key) or ()
    below += (schema.get("properties") or {}).values()
    for inner in below:
        if isinstance(inner, Mapping):
            yield from walk(inner)


def _rules(schema: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    for part in walk(schema) if schema else ():
        yield from part.get("x-kubernetes-validations") or ()
