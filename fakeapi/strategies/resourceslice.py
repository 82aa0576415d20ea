"""ResourceSlice: devices that a driver publishes.

Stands for pkg/registry/resource/resourceslice and ValidateResourceSlice*. Counters and taints are taken as they come.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, duplicate, invalid, required, too_many
from fakeapi.names import check, check_immutable, is_dns1123_label, is_dns1123_subdomain, name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table
from fakeapi.strategies.podspec.volumes import check_driver

_PLACES = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")
_ONE = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
_MAX_DEVICES = 128


def _pool(pool: Obj) -> list[FieldError]:
    at, name = "spec.pool", pool.get("name", "")
    found: list[FieldError] = []
    if not name:
        found.append(required(f"{at}.name"))
    else:
        found += [e for part in name.split("/") for e in check(f"{at}.name", part, is_dns1123_subdomain(part))]
    if pool.get("resourceSliceCount", 0) <= 0:
        value = pool.get("resourceSliceCount", 0)
        found.append(invalid(f"{at}.resourceSliceCount", value, "must be greater than zero"))
    if pool.get("generation", 0) < 0:
        text = "must be greater than or equal to zero"
        found.append(invalid(f"{at}.generation", pool["generation"], text))
    return found


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    spec = obj.get("spec") or {}
    found = check_driver("spec.driver", spec.get("driver", "")) + _pool(spec.get("pool") or {})
    given = [p for p in _PLACES if spec.get(p)]
    if not given:
        found.append(required("spec", _ONE))
    elif len(given) > 1:
        shown = ", ".join(f"`{p}`" for p in given)
        found.append(invalid("spec", f"{{{shown}}}", f"{_ONE}, but multiple fields are set"))
    devices = spec.get("devices") or []
    if len(devices) > _MAX_DEVICES:
        found.append(too_many("spec.devices", len(devices), _MAX_DEVICES))
    seen: set[str] = set()
    for i, device in enumerate(devices):
        at, name = f"spec.devices[{i}].name", device.get("name", "")
        found += check(at, name, is_dns1123_label(name)) if name else [required(at)]
        if name in seen:
            found.append(duplicate(at, name))
        seen.add(name)
    return found


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    found = _validate(new, ctx)
    for field in ("nodeName", "driver"):
        found += check_immutable(f"spec.{field}", spec.get(field), before.get(field))
    pools = [(s.get("pool") or {}).get("name") for s in (spec, before)]
    return found + check_immutable("spec.pool.name", *pools)


def _node(obj: Obj) -> str:
    return str(path("spec", "nodeName")(obj) or "<unset>")


STRATEGY = Strategy(
    validate=_validate,
    validate_update=_validate_update,
    name=name_is_dns_subdomain,
    generation=True,
    fields={"spec.nodeName": path("spec", "nodeName"), "spec.driver": path("spec", "driver")},
    printer=table(
        NAME,
        column("Node", _node),
        column("Driver", path("spec", "driver")),
        column("Pool", path("spec", "pool", "name")),
        AGE,
    ),
    delete_returns_object=True,
)
