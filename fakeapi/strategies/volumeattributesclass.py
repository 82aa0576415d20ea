"""VolumeAttributesClass: a driver and parameters, both fixed.

Stands for pkg/registry/storage/volumeattributesclass and ValidateVolumeAttributesClass*.
"""

from __future__ import annotations

from fakeapi.errors import FieldError
from fakeapi.names import check_immutable, name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, column, path, table
from fakeapi.strategies.cells import NAME as PLAIN_NAME
from fakeapi.strategies.storageclass import check_parameters, check_provisioner

_FIXED = ("driverName", "parameters")


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    found = check_provisioner("driverName", obj.get("driverName", ""))
    return found + check_parameters("parameters", obj.get("parameters"), needed=True)


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    return [e for f in _FIXED for e in check_immutable(f, new.get(f), old.get(f))] + _validate(new, ctx)


STRATEGY = Strategy(
    validate=_validate,
    validate_update=_validate_update,
    name=name_is_dns_subdomain,
    printer=table(PLAIN_NAME, column("DriverName", path("driverName")), AGE),
    delete_returns_object=True,
)
