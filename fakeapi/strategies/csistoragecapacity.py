"""CSIStorageCapacity: what a class can still give in a topology.

Stands for pkg/registry/storage/csistoragecapacity and ValidateCSIStorageCapacity*.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, invalid
from fakeapi.names import NEGATIVE, check, check_immutable, check_label_selector, name_is_dns_subdomain
from fakeapi.quantity import parse
from fakeapi.strategies.base import Context, Obj, Strategy


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    name = obj.get("storageClassName", "")
    found = check_label_selector("nodeTopology", obj.get("nodeTopology"))
    found += check("storageClassName", name, name_is_dns_subdomain(name, False))
    for field in ("capacity", "maximumVolumeSize"):
        amount = obj.get(field)
        if amount is not None and parse(amount).nano < 0:
            found.append(invalid(field, amount, NEGATIVE))
    return found


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    fixed = ("nodeTopology", "storageClassName")
    return _validate(new, ctx) + [e for f in fixed for e in check_immutable(f, new.get(f), old.get(f))]


STRATEGY = Strategy(validate=_validate, validate_update=_validate_update, name=name_is_dns_subdomain)
