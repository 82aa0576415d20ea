"""RuntimeClass: a handler, its overhead, and where its pods go.

Stands for pkg/registry/node/runtimeclass and ValidateRuntimeClass*.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, duplicate
from fakeapi.names import check, check_immutable, check_labels, is_dns1123_label, name_is_dns_subdomain
from fakeapi.strategies import nodelabels
from fakeapi.strategies.base import Column, Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, path, table
from fakeapi.strategies.podspec.internal import go_struct
from fakeapi.strategies.podspec.resources import validate_container_resources
from fakeapi.strategies.podspec.scheduling import validate_tolerations


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    handler = obj.get("handler", "")
    found = check("handler", handler, is_dns1123_label(handler))
    if obj.get("overhead") is not None:
        # Upstream borrows the check of a container's limits, with its path.
        found += validate_container_resources({"limits": obj["overhead"].get("podFixed")}, (), "overhead")
    scheduling = obj.get("scheduling")
    if scheduling is not None:
        found += check_labels("scheduling.nodeSelector", scheduling.get("nodeSelector"))
        found += _tolerations(scheduling.get("tolerations") or [])
    return found


def _tolerations(tolerations: list[Obj]) -> list[FieldError]:
    at = "scheduling.tolerations"
    twice = [(i, t) for i, t in enumerate(tolerations) if t in tolerations[:i]]
    return validate_tolerations(tolerations, at) + [
        duplicate(f"{at}[{i}]", go_struct("Toleration", t)) for i, t in twice
    ]


def _warnings(new: Obj, old: Obj | None, ctx: Context) -> list[str]:
    return nodelabels.of_selector("scheduling.nodeSelector", (new.get("scheduling") or {}).get("nodeSelector"))


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    return check_immutable("handler", new.get("handler", ""), old.get("handler", ""))


STRATEGY = Strategy(
    validate=_validate,
    validate_update=_validate_update,
    warnings=_warnings,
    name=name_is_dns_subdomain,
    printer=table(NAME, (Column("Handler"), path("handler")), AGE),
    create_on_update=True,
    unconditional_update=False,
)
