"""ServiceCIDR: ranges for cluster IPs.

Stands for pkg/registry/networking/servicecidr and ValidateServiceCIDR*.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, invalid, required
from fakeapi.ips import check_cidr, is_ipv6, parse_cidr
from fakeapi.names import IMMUTABLE, name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, table
from fakeapi.strategies.volumeattachment import keep_spec_and_metadata

_FAMILIES = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"


def _cidrs(obj: Obj) -> list[str]:
    return list((obj.get("spec") or {}).get("cidrs") or ())


def _prepare_create(obj: Obj, ctx: Context) -> None:
    obj["status"] = {}


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    cidrs = _cidrs(obj)
    if not cidrs:
        return [required("spec.cidrs", "at least one CIDR required")]
    if len(cidrs) > 2:
        return [invalid("spec.cidrs", {"CIDRs": cidrs}, "may only hold up to 2 values")]
    found = [e for i, c in enumerate(cidrs) for e in check_cidr(f"spec.cidrs[{i}]", c)]
    families = [is_ipv6(c.partition("/")[0]) for c in cidrs if parse_cidr(c) is not None]
    return found + ([invalid("spec.cidrs", cidrs, _FAMILIES)] if families in ([True] * 2, [False] * 2) else [])


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    cidrs, before = _cidrs(new), _cidrs(old)
    if len(cidrs) not in (len(before), len(before) + 1) or len(cidrs) > 2:
        return [invalid("spec.cidrs", cidrs or None, IMMUTABLE)]
    pairs = enumerate(zip(cidrs, before, strict=False))
    found = [invalid(f"spec.cidrs[{i}]", cidr, IMMUTABLE) for i, (cidr, was) in pairs if cidr != was]
    # A second family may be added.
    return found + (_validate(new, ctx) if len(cidrs) > len(before) else [])


STRATEGY = Strategy(
    prepare_create=_prepare_create,
    prepare_status=keep_spec_and_metadata,
    validate=_validate,
    validate_update=_validate_update,
    name=name_is_dns_subdomain,
    printer=table(NAME, column("CIDRs", lambda o: ",".join(_cidrs(o))), AGE),
)
