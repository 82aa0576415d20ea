"""ResourceClaim: devices that are wanted.

Stands for pkg/registry/resource/resourceclaim and ValidateResourceClaim*. The checks of a status are left out.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, invalid
from fakeapi.gofmt import GoText, go_value
from fakeapi.names import name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, table
from fakeapi.strategies.devices import check_claim_spec, claim_to_go, default_spec


def _default(obj: Obj) -> None:
    obj["spec"] = obj.get("spec") or {}
    default_spec(obj["spec"])


def _prepare_create(obj: Obj, ctx: Context) -> None:
    obj["status"] = {}


def _prepare_update(new: Obj, old: Obj, ctx: Context) -> None:
    new["status"] = old.get("status") or {}


def _prepare_status(new: Obj, old: Obj, ctx: Context) -> None:
    new["spec"] = old["spec"]


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    found: list[FieldError] = []
    if new["spec"] != old["spec"]:
        found.append(invalid("spec", GoText(go_value(claim_to_go(new["spec"]))), "field is immutable"))
    return found


def _state(obj: Obj) -> str:
    status = obj.get("status") or {}
    words = []
    if obj["metadata"].get("deletionTimestamp"):
        words.append("deleted")
    if status.get("allocation") is None:
        return ",".join(words) or "pending"
    words.append("allocated")
    words.append("reserved" if status.get("reservedFor") else "")
    return ",".join(w for w in words if w)


STRATEGY = Strategy(
    default=_default,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_status=_prepare_status,
    validate=lambda obj, ctx: check_claim_spec("spec", obj["spec"]),
    validate_update=_validate_update,
    name=name_is_dns_subdomain,
    printer=table(NAME, column("State", _state), AGE),
    delete_returns_object=True,
)
