"""ServiceCIDR: ranges for cluster IPs.

Stands for pkg/registry/networking/servicecidr and ValidateServiceCIDR*. Ranges added here do not widen the
allocators'.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, invalid, required
from fakeapi.names import check_cidr, is_ipv6, name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, table

_FAMILIES = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"


def _cidrs(obj: Obj) -> list[str]:
    return list((obj.get("spec") or {}).get("cidrs") or ())


def _prepare_create(obj: Obj, ctx: Context) -> None:
    obj["status"] = {}


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    cidrs = _cidrs(obj)
    if not cidrs:
        return [required("spec.cidrs", "at least one CIDR required")]
    found: list[FieldError] = []
    if len(cidrs) > 2:
        found.append(invalid("spec.cidrs", cidrs, "may only hold up to 2 values"))
    elif len(cidrs) == 2 and len({is_ipv6(c.partition("/")[0]) for c in cidrs}) < 2:
        found.append(invalid("spec.cidrs", cidrs, _FAMILIES))
    return found + [e for i, c in enumerate(cidrs) for e in check_cidr(f"spec.cidrs[{i}]", c)]


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    cidrs, before = _cidrs(new), _cidrs(old)
    if len(before) == 1 and len(cidrs) == 2:  # a second family may be added
        return (
            [] if cidrs[0] == before[0] else [invalid("spec.cidrs[0]", cidrs[0], "field is immutable")]
        ) + _validate(new, ctx)
    return [] if cidrs == before else [invalid("spec.cidrs", cidrs, "field is immutable")]


STRATEGY = Strategy(
    prepare_create=_prepare_create,
    validate=_validate,
    validate_update=_validate_update,
    name=name_is_dns_subdomain,
    printer=table(NAME, column("CIDRs", lambda o: ",".join(_cidrs(o))), AGE),
)
