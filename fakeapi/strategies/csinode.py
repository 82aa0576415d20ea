"""CSINode: the drivers on a node.

Stands for pkg/registry/storage/csinode and ValidateCSINode*.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, duplicate, invalid, required
from fakeapi.names import IMMUTABLE, check, check_non_negative, is_qualified_name, name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, table
from fakeapi.strategies.podspec.volumes import check_driver


def _drivers(obj: Obj) -> list[Obj]:
    return list((obj.get("spec") or {}).get("drivers") or ())


def _driver(at: str, driver: Obj) -> list[FieldError]:
    found = check_driver(f"{at}.name", driver.get("name", ""))
    node = driver.get("nodeID", "")
    if not node:
        found.append(required(f"{at}.nodeID"))
    elif len(node) > 256:
        found.append(invalid(f"{at}.nodeID", node, "must be 256 characters or less"))
    found += check_non_negative(f"{at}.allocatable.count", (driver.get("allocatable") or {}).get("count"))
    return found


def _topology_keys(at: str, keys: list[str]) -> list[FieldError]:
    """Upstream's path is the driver's."""
    found: list[FieldError] = []
    for i, key in enumerate(keys):
        if not key:
            found.append(required(at))
        if key in keys[:i]:
            found.append(duplicate(at, key))
        found += check(at, key, is_qualified_name(key))
    return found


def _prepare_create(obj: Obj, ctx: Context) -> None:
    """No keys are null keys, since protobuf in storage cannot tell them apart."""
    for driver in _drivers(obj):
        driver["topologyKeys"] = driver.get("topologyKeys") or None


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    found: list[FieldError] = []
    seen = set()
    for i, driver in enumerate(_drivers(obj)):
        at, name = f"spec.drivers[{i}]", driver.get("name") or ""
        found += _driver(at, driver)
        if name in seen:
            found.append(duplicate(f"{at}.name", name))
        seen.add(name)
        found += _topology_keys(at, driver.get("topologyKeys") or [])
    return found


def _internal(driver: Obj) -> Obj:
    """A driver as Go's internal struct, without what may change."""
    names = {"Name": driver.get("name") or "", "NodeID": driver.get("nodeID") or ""}
    return names | {"TopologyKeys": driver.get("topologyKeys") or None, "Allocatable": None}


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    pairs = [(_internal(driver), _internal(was)) for was in _drivers(old) for driver in _drivers(new)]
    changed = [driver for driver, was in pairs if driver["Name"] == was["Name"] and driver != was]
    return _validate(new, ctx) + [invalid("spec.drivers", driver, IMMUTABLE) for driver in changed]


STRATEGY = Strategy(
    prepare_create=_prepare_create,
    prepare_update=lambda new, old, ctx: _prepare_create(new, ctx),
    validate=_validate,
    validate_update=_validate_update,
    name=name_is_dns_subdomain,
    unconditional_update=False,
    printer=table(NAME, column("Drivers", lambda o: len(_drivers(o)), "integer"), AGE),
    delete_returns_object=True,
)
