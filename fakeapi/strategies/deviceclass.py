"""DeviceClass: selectors and configurations that claims can name.

Stands for pkg/registry/resource/deviceclass and ValidateDeviceClass*.
"""

from __future__ import annotations

from fakeapi.errors import FieldError
from fakeapi.names import name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import NAME_AND_AGE
from fakeapi.strategies.devices import check_configs, check_selectors


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    spec = obj.get("spec") or {}
    found = check_selectors("spec.selectors", spec.get("selectors") or [])
    return found + check_configs("spec.config", spec.get("config") or [])


STRATEGY = Strategy(
    validate=_validate,
    validate_update=lambda new, old, ctx: _validate(new, ctx),
    name=name_is_dns_subdomain,
    generation=True,
    printer=NAME_AND_AGE,
    delete_returns_object=True,
)
