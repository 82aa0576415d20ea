"""IPAddress: a cluster IP and who holds it.

Stands for pkg/registry/networking/ipaddress and ValidateIPAddress*.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, required
from fakeapi.gofmt import go_quote
from fakeapi.names import check, check_immutable, is_dns1123_subdomain, is_path_segment, parse_ip
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, table


def _name(value: str, prefix: bool) -> list[str]:
    ip = parse_ip(value)
    if ip is None:
        return [f"ParseAddr({go_quote(value)}): unable to parse IP"]
    return [] if str(ip) == value else ["must be a canonical format IP address"]


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
    return check_immutable("spec.parentRef", *pair)


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
