"""CSIStorageCapacity: what a class can still give in a topology.

Stands for pkg/registry/storage/csistoragecapacity and ValidateCSIStorageCapacity*.
"""

from __future__ import annotations

from fakeapi.errors import FieldError
from fakeapi.names import check, check_immutable, check_label_selector, name_is_dns_subdomain
from fakeapi.strategies import nodelabels
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.limits import check_amount


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    name = obj.get("storageClassName", "")
    found = check_label_selector("nodeTopology", obj.get("nodeTopology"))
    found += check("storageClassName", name, name_is_dns_subdomain(name, False))
    return found + (check_amount("capacity", obj["capacity"]) if obj.get("capacity") is not None else [])


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    fixed = ("nodeTopology", "storageClassName")
    return [e for f in fixed for e in check_immutable(f, new.get(f), old.get(f))]


STRATEGY = Strategy(
    validate=_validate,
    validate_update=_validate_update,
    warnings=lambda new, old, ctx: nodelabels.of_label_selector("nodeTopology", new.get("nodeTopology")),
    name=name_is_dns_subdomain,
    unconditional_update=False,
)
