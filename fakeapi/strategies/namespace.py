"""Namespace: phase, the kubernetes finalizer, the metadata.name label.

Stands for pkg/registry/core/namespace and ValidateNamespace*. That a delete sets phase Terminating and waits for
spec.finalizers is the registry's part.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, invalid
from fakeapi.names import check, is_qualified_name, name_is_dns_label
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table

_LABEL = "kubernetes.io/metadata.name"
STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")


def _default(obj: Obj) -> None:
    name = obj["metadata"].get("name")
    if name:
        obj["metadata"]["labels"] = {**(obj["metadata"].get("labels") or {}), _LABEL: name}


def _prepare_create(obj: Obj, ctx: Context) -> None:
    _default(obj)  # a generated name was not known when defaults were filled in
    spec = obj["spec"] = obj.get("spec") or {}
    finalizers = spec.get("finalizers") or []
    spec["finalizers"] = finalizers if "kubernetes" in finalizers else [*finalizers, "kubernetes"]
    obj["status"] = {"phase": "Active"}


def _prepare_update(new: Obj, old: Obj, ctx: Context) -> None:
    if ctx.subresource != "finalize":
        new["spec"] = old.get("spec") or {}
    new["status"] = old.get("status") or {}


def _prepare_status(new: Obj, old: Obj, ctx: Context) -> None:
    new["spec"] = old.get("spec") or {}


def check_finalizer(path: str, value: str) -> list[FieldError]:
    """validateFinalizerName: a label key, and a standard name or one with a domain."""
    found = check(path, value, is_qualified_name(value))
    if "/" not in value and value not in STANDARD_FINALIZERS:
        found.append(invalid(path, value, "name is neither a standard finalizer name nor is it fully qualified"))
    return found


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    finalizers = (obj.get("spec") or {}).get("finalizers") or ()
    return [e for f in finalizers for e in check_finalizer("spec.finalizers", f)]


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    if ctx.subresource != "finalize":
        return []
    finalizers = (new.get("spec") or {}).get("finalizers") or ()
    return [e for i, f in enumerate(finalizers) for e in check_finalizer(f"spec.finalizers[{i}]", f)]


def _validate_status(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    phase = (new.get("status") or {}).get("phase", "")
    wanted, state = ("Terminating", "not empty") if new["metadata"].get("deletionTimestamp") else ("Active", "empty")
    if phase == wanted:
        return []
    return [invalid("status.Phase", phase, f"may only be '{wanted}' if `deletionTimestamp` is {state}")]


def _begin_delete(obj: Obj, ctx: Context) -> bool:
    """A namespace is emptied before it goes (registry/core/namespace): the first DELETE marks it, later ones wait."""
    if not obj["metadata"].get("deletionTimestamp"):
        obj["metadata"]["deletionTimestamp"] = ctx.now
        obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
        return True
    return bool((obj.get("spec") or {}).get("finalizers"))


def _should_delete(new: Obj, old: Obj) -> bool:
    """ShouldDeleteNamespaceDuringUpdate."""
    return not (new.get("spec") or {}).get("finalizers")


STRATEGY = Strategy(
    default=_default,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_status=_prepare_status,
    validate=_validate,
    validate_update=_validate_update,
    validate_status=_validate_status,
    name=name_is_dns_label,
    fields={"status.phase": path("status", "phase"), "name": lambda o: o["metadata"].get("name", "")},
    printer=table(NAME, column("Status", path("status", "phase")), AGE),
    delete_returns_object=True,
    begin_delete=_begin_delete,
    should_delete=_should_delete,
)
