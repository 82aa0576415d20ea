"""CSINode: the drivers on a node.

Stands for pkg/registry/storage/csinode and ValidateCSINode*.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, duplicate, invalid, required
from fakeapi.gofmt import GoText, go_value
from fakeapi.names import check, check_non_negative, is_qualified_name, name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, table
from fakeapi.strategies.persistentvolume import check_driver


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
    keys = driver.get("topologyKeys") or []
    for i, key in enumerate(keys):
        if key in keys[:i]:
            found.append(duplicate(f"{at}.topologyKeys", key))
        found += check(f"{at}.topologyKeys", key, is_qualified_name(key))
    return found


def _prepare_create(obj: Obj, ctx: Context) -> None:
    """No keys are null keys, since protobuf in storage cannot tell them apart."""
    for driver in _drivers(obj):
        driver["topologyKeys"] = driver.get("topologyKeys") or None


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    found: list[FieldError] = []
    seen = set()
    for i, driver in enumerate(_drivers(obj)):
        found += _driver(f"spec.drivers[{i}]", driver)
        if driver.get("name") in seen:
            found.append(duplicate(f"spec.drivers[{i}].name", driver.get("name", "")))
        seen.add(driver.get("name"))
    return found


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    found = _validate(new, ctx)
    before = {d.get("name"): d for d in _drivers(old)}
    for driver in _drivers(new):
        known = before.get(driver.get("name"))
        same = ("nodeID", "topologyKeys")
        if known is not None and any((known.get(f) or None) != (driver.get(f) or None) for f in same):
            shown = GoText(go_value({"Name": driver.get("name"), "NodeID": driver.get("nodeID")}))
            found.append(invalid("CSINodeDriver", shown, "field is immutable"))
    return found


STRATEGY = Strategy(
    prepare_create=_prepare_create,
    prepare_update=lambda new, old, ctx: _prepare_create(new, ctx),
    validate=_validate,
    validate_update=_validate_update,
    name=name_is_dns_subdomain,
    printer=table(NAME, column("Drivers", lambda o: len(_drivers(o)), "integer"), AGE),
    delete_returns_object=True,
)
