"""DeviceClass: selectors and configurations that claims can name.

Stands for pkg/registry/resource/deviceclass and ValidateDeviceClass*.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, invalid
from fakeapi.names import name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import NAME_AND_AGE
from fakeapi.strategies.devicerules import check_slice
from fakeapi.strategies.devices import check_config, check_selectors
from fakeapi.strategies.limits import is_extended


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    spec = obj.get("spec") or {}
    found = check_selectors("spec.selectors", spec.get("selectors") or [])
    found += check_slice("spec.config", spec.get("config") or [], check_config)
    name = spec.get("extendedResourceName")
    if name is not None and not is_extended(name):
        found.append(invalid("spec.extendedResourceName", name, "must be a valid extended resource name"))
    return found


STRATEGY = Strategy(
    validate=_validate,
    validate_update=lambda new, old, ctx: _validate(new, ctx),
    name=name_is_dns_subdomain,
    generation=True,
    printer=NAME_AND_AGE,
    delete_returns_object=True,
)
