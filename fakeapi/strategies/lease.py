"""Lease: durations, transitions, and the strategies of coordinated leader election.

Stands for pkg/registry/coordination/lease and its validation. Without the CoordinatedLeaderElection feature (beta, off)
spec.strategy and preferredHolder are dropped on write.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, invalid
from fakeapi.names import NEGATIVE, name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table

_GATED = ("strategy", "preferredHolder")


def _prepare_create(obj: Obj, ctx: Context) -> None:
    for field in _GATED:
        (obj.get("spec") or {}).pop(field, None)


def _prepare_update(new: Obj, old: Obj, ctx: Context) -> None:
    for field in _GATED:
        if field not in (old.get("spec") or {}):
            (new.get("spec") or {}).pop(field, None)


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    spec = obj.get("spec") or {}
    seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    found = []
    if seconds is not None and seconds <= 0:
        found.append(invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    if transitions is not None and transitions < 0:
        found.append(invalid("spec.leaseTransitions", transitions, NEGATIVE))
    return found


STRATEGY = Strategy(
    bare_finalizers=True,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate=_validate,
    validate_update=lambda new, old, ctx: _validate(new, ctx),
    name=name_is_dns_subdomain,
    printer=table(NAME, column("Holder", path("spec", "holderIdentity")), AGE),
    create_on_update=True,
    unconditional_update=False,
)
