"""IPAddress: a cluster IP and who holds it.

Stands for pkg/registry/networking/ipaddress and ValidateIPAddress*.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, invalid, required
from fakeapi.ips import check_ip
from fakeapi.names import IMMUTABLE, check, is_dns1123_subdomain, is_path_segment
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, table

_REFERENCE = ("group", "resource", "namespace", "name")


def _name(value: str, prefix: bool) -> list[str]:
    return [error.detail for error in check_ip("", value)]


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    reference, at = (obj.get("spec") or {}).get("parentRef"), "spec.parentRef"
    if reference is None:
        return [required(at)]
    found: list[FieldError] = []
    if reference.get("group"):
        found += check(f"{at}.group", reference["group"], is_dns1123_subdomain(reference["group"]))
    for field in ("resource", "name"):
        value = reference.get(field, "")
        found += check(f"{at}.{field}", value, is_path_segment(value)) if value else [required(f"{at}.{field}")]
    namespace = reference.get("namespace")
    return found + (check(f"{at}.namespace", namespace, is_path_segment(namespace)) if namespace else [])


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    pair = [(o.get("spec") or {}).get("parentRef") for o in (new, old)]
    if pair[0] == pair[1]:
        return []
    shown = None if pair[0] is None else {f.title(): pair[0].get(f) or "" for f in _REFERENCE}
    return [invalid("spec.parentRef", shown, IMMUTABLE)]


def _parent(obj: Obj) -> str:
    reference = (obj.get("spec") or {}).get("parentRef")
    if reference is None:
        return "<none>"
    resource = ".".join(x for x in (reference.get("resource"), reference.get("group")) if x).lower()
    return "/".join(x for x in (resource, reference.get("namespace"), reference.get("name")) if x)


STRATEGY = Strategy(
    validate=_validate,
    validate_update=_validate_update,
    name=_name,
    printer=table(NAME, column("ParentRef", _parent), AGE),
)
