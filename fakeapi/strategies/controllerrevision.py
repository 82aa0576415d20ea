"""ControllerRevisions. Stands for pkg/registry/apps/controllerrevision."""

from __future__ import annotations

from typing import Any

from fakeapi.errors import FieldError, required
from fakeapi.names import check_immutable, check_non_negative, name_is_dns_subdomain
from fakeapi.strategies.base import Column, Context, Printer, Strategy
from fakeapi.strategies.podspec.printing import AGE, NAME, age

Obj = dict[str, Any]


def validate(obj: Obj, ctx: Context) -> list[FieldError]:
    """ValidateControllerRevision."""
    missing = [required("data", "data is mandatory")] if obj.get("data") is None else []
    return missing + check_non_negative("revision", obj.get("revision"))


def validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    """ValidateControllerRevisionUpdate: data never changes."""
    return validate(new, ctx) + check_immutable("data", new.get("data"), old.get("data"))


def _controller(obj: Obj) -> str:
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            group = (owner.get("apiVersion") or "").rpartition("/")[0]
            kind = f"{owner.get('kind', '')}.{group}" if group else owner.get("kind", "")
            return f"{kind.lower()}/{owner.get('name', '')}"
    return "<none>"


def _cells(obj: Obj, now: float) -> list[Any]:
    return [obj["metadata"]["name"], _controller(obj), obj.get("revision") or 0, age(obj, now)]


PRINTER = Printer(
    columns=(
        NAME,
        Column("Controller", description="Controller of the object"),
        Column("Revision", description="Revision indicates the revision of the state represented by Data."),
        AGE,
    ),
    cells=_cells,
)

STRATEGY = Strategy(
    validate=validate,
    validate_update=validate_update,
    name=name_is_dns_subdomain,
    printer=PRINTER,
)
