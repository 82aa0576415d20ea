"""PriorityClass: a value that never changes, and the system's own classes.

Stands for pkg/registry/scheduling/priorityclass and ValidatePriorityClass*.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, forbidden, not_supported
from fakeapi.names import check_immutable, name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table

SYSTEM = {"system-node-critical": 2000001000, "system-cluster-critical": 2000000000}
_HIGHEST = 1000000000
_POLICIES = ("PreemptLowerPriority", "Never")
_RESERVED = "priority class names with 'system-' prefix are reserved for system use only. error: "


def _default(obj: Obj) -> None:
    if obj.get("preemptionPolicy") is None:
        obj["preemptionPolicy"] = "PreemptLowerPriority"


def _prepare_create(obj: Obj, ctx: Context) -> None:
    obj["metadata"]["generation"] = 1


def _system_problem(name: str, obj: Obj) -> str:
    if name not in SYSTEM:
        return f"{name} is not a known system priority class"
    if obj.get("value", 0) != SYSTEM[name]:
        return f"value of {name} PriorityClass must be {SYSTEM[name]}"
    return f"globalDefault of {name} PriorityClass must be false" if obj.get("globalDefault") else ""


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    name = obj["metadata"].get("name", "")
    found: list[FieldError] = []
    if name.startswith("system-"):
        problem = _system_problem(name, obj)
        if problem:
            found.append(forbidden("metadata.name", _RESERVED + problem))
    elif obj.get("value", 0) > _HIGHEST:
        found.append(forbidden("value", f"maximum allowed value of a user defined priority is {_HIGHEST}"))
    policy = obj.get("preemptionPolicy")
    if policy is not None and policy not in _POLICIES:
        found.append(not_supported("preemptionPolicy", policy, _POLICIES))
    return found


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    found: list[FieldError] = []
    if new.get("value", 0) != old.get("value", 0):
        found.append(forbidden("value", "may not be changed in an update."))
    return found + check_immutable("preemptionPolicy", new.get("preemptionPolicy"), old.get("preemptionPolicy"))


def _undeletable(name: str) -> str:
    return "this is a system priority class and cannot be deleted" if name in SYSTEM else ""


STRATEGY = Strategy(
    default=_default,
    prepare_create=_prepare_create,
    validate=_validate,
    validate_update=_validate_update,
    name=name_is_dns_subdomain,
    undeletable=_undeletable,
    printer=table(
        NAME,
        column("Value", path("value", default=0), "integer"),
        column("Global-Default", path("globalDefault", default=False), "boolean"),
        AGE,
        column("PreemptionPolicy", path("preemptionPolicy")),
    ),
)
