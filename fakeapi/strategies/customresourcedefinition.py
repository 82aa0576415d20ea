"""CustomResourceDefinition: names, scope, versions; schemas are looked into elsewhere.

Stands for apiextensions-apiserver's registry/customresourcedefinition, the v1 defaults and the object-level half of
apis/apiextensions/validation. Left out: structural schemas, printer columns, conversion webhooks' details.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, duplicate, invalid, not_supported, required
from fakeapi.names import check, is_dns1035_label, is_dns1123_subdomain, name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.webhooks import default_service

_SCOPES = ("Cluster", "Namespaced")
_ONE = "must have exactly one version marked as storage version"
_NAMES = ("plural", "singular", "kind", "listKind")


def _default(obj: Obj) -> None:
    spec = obj["spec"] = obj.get("spec") or {}
    names = spec["names"] = spec.get("names") or {}
    if names.get("kind"):
        if not names.get("singular"):
            names["singular"] = names["kind"].lower()
        if not names.get("listKind"):
            names["listKind"] = names["kind"] + "List"
    conversion = spec.get("conversion")
    if conversion is None:
        conversion = spec["conversion"] = {"strategy": "None"}
    default_service(((conversion.get("webhook") or {}).get("clientConfig") or {}).get("service"))


def _stored(spec: Obj) -> list[str]:
    return [v.get("name", "") for v in spec.get("versions") or () if v.get("storage")]


def _prepare_create(obj: Obj, ctx: Context) -> None:
    stored = _stored(obj["spec"])
    names = {"plural": "", "kind": ""}
    obj["status"] = {"conditions": None, "acceptedNames": names, "storedVersions": stored or None}


def _prepare_update(new: Obj, old: Obj, ctx: Context) -> None:
    status = new["status"] = dict(old.get("status") or {})
    known = list(status.get("storedVersions") or ())
    status["storedVersions"] = known + [v for v in _stored(new["spec"]) if v not in known]


def _prepare_status(new: Obj, old: Obj, ctx: Context) -> None:
    new["spec"] = old["spec"]


def _names(names: Obj) -> list[FieldError]:
    found: list[FieldError] = []
    for field in _NAMES:
        value, at = names.get(field, ""), f"spec.names.{field}"
        if not value:
            found.append(required(at))
            continue
        messages = is_dns1035_label(value.lower())
        if messages:
            found.append(invalid(at, value, ",".join(messages)))
    for field in ("shortNames", "categories"):
        for i, value in enumerate(names.get(field) or ()):
            messages = is_dns1035_label(value)
            if messages:
                found.append(invalid(f"spec.names.{field}[{i}]", value, ",".join(messages)))
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        text = "kind and listKind may not be the same"
        found.append(invalid("spec.names.listKind", names["listKind"], text))
    return found


def _versions(spec: Obj) -> list[FieldError]:
    versions = spec.get("versions")
    found: list[FieldError] = []
    seen: set[str] = set()
    for i, version in enumerate(versions or ()):
        name = version.get("name", "")
        messages = is_dns1035_label(name)
        if messages:
            found.append(invalid(f"spec.versions[{i}].name", name, ",".join(messages)))
        if name in seen:
            found.append(duplicate(f"spec.versions[{i}].name", name))
        seen.add(name)
        if (version.get("schema") or {}).get("openAPIV3Schema") is None:
            at = f"spec.versions[{i}].schema.openAPIV3Schema"
            found.append(required(at, "schemas are required"))
    if len(_stored(spec)) != 1:
        found.append(invalid("spec.versions", versions, _ONE))
    return found


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    spec, name = obj["spec"], obj["metadata"].get("name", "")
    names, group, scope = spec.get("names") or {}, spec.get("group", ""), spec.get("scope", "")
    found: list[FieldError] = []
    if name != f"{names.get('plural', '')}.{group}":
        found.append(invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group'))
    if not group:
        found.append(required("spec.group"))
    elif is_dns1123_subdomain(group):
        found += check("spec.group", group, [",".join(is_dns1123_subdomain(group))])
    elif "." not in group:
        found.append(invalid("spec.group", group, "should be a domain with at least one dot"))
    if not scope:
        found.append(required("spec.scope"))
    elif scope not in _SCOPES:
        found.append(not_supported("spec.scope", scope, _SCOPES))
    found += _versions(spec) + _names(names)
    stored = (obj.get("status") or {}).get("storedVersions")
    if not stored:
        found.append(invalid("status.storedVersions", stored, "must have at least one stored version"))
    return found


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    found = _validate(new, ctx)
    established = any(
        c.get("type") == "Established" and c.get("status") == "True"
        for c in (old.get("status") or {}).get("conditions") or ()
    )
    spec, before = new["spec"], old["spec"]
    fixed = [("group", spec.get("group"), before.get("group"))]
    if established:
        fixed.append(("scope", spec.get("scope"), before.get("scope")))
        fixed.append(("names.kind", spec["names"].get("kind"), before["names"].get("kind")))
    fixed.append(("names.plural", spec["names"].get("plural"), before["names"].get("plural")))
    return found + [invalid(f"spec.{f}", a, "field is immutable") for f, a, b in fixed if a != b]


STRATEGY = Strategy(
    default=_default,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_status=_prepare_status,
    validate=_validate,
    validate_update=_validate_update,
    name=name_is_dns_subdomain,
    generation=True,
    unconditional_update=False,
    delete_returns_object=True,
)
