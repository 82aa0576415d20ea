"""CustomResourceDefinitions: defaults, what a write may change, and the start of a deletion.

Stands for apiextensions' registry/customresourcedefinition and apis/apiextensions/v1/defaults.go. What makes a
definition served, and its conditions, is crds/; checks of the definition are crds/checks.py's.
"""

from __future__ import annotations

from typing import Any

from fakeapi.crds import checks
from fakeapi.crds.lifecycle import FINALIZER, set_condition
from fakeapi.strategies.base import Context, Obj, Strategy


def default(obj: Obj) -> None:
    """SetDefaults_CustomResourceDefinition."""
    spec = obj.setdefault("spec", {})
    names = spec.setdefault("names", {})
    kind = names.get("kind", "")
    if not names.get("singular"):
        names["singular"] = kind.lower()
    if not names.get("listKind") and kind:
        names["listKind"] = kind + "List"
    conversion = spec.setdefault("conversion", {"strategy": "None"})
    service = ((conversion.get("webhook") or {}).get("clientConfig") or {}).get("service")
    if service is not None:
        service.setdefault("port", 443)
    status = obj.setdefault("status", {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}})
    stored = stored_version(obj)
    if not status.get("storedVersions") and stored:
        status["storedVersions"] = [stored]


def stored_version(obj: Obj) -> str:
    """The version that spec says to store; "" for none."""
    found: Any = next((v.get("name") for v in obj["spec"].get("versions") or () if v.get("storage")), "")
    return str(found)


def _prepare_create(obj: Obj, ctx: Context) -> None:
    obj["status"] = {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": None}
    _add_stored(obj)


def _prepare_update(new: Obj, old: Obj, ctx: Context) -> None:
    if "status" in new:
        new["status"] = {**new["status"]}
    _add_stored(new)


def _add_stored(obj: Obj) -> None:
    status, stored = obj["status"], stored_version(obj)
    known = status.get("storedVersions") or []
    if stored and stored not in known:
        status["storedVersions"] = [*known, stored]


def _begin_delete(obj: Obj, ctx: Context) -> bool:
    """The first DELETE marks; the objects go first, then the last finalizer takes the definition away."""
    metadata = obj["metadata"]
    if metadata.get("deletionTimestamp"):
        return False
    metadata["deletionTimestamp"] = ctx.now
    if FINALIZER not in (metadata.get("finalizers") or ()):
        metadata["finalizers"] = [*(metadata.get("finalizers") or ()), FINALIZER]
    text = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
    set_condition(obj["status"], "Terminating", "True", "InstanceDeletionPending", text, ctx.now)
    return True


STRATEGY = Strategy(
    bare_finalizers=True,
    default=default,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate=lambda obj, ctx: checks.create(obj),
    validate_update=lambda new, old, ctx: checks.update(new, old),
    validate_status=lambda new, old, ctx: checks.update_status(new, old),
    warnings=lambda new, old, ctx: checks.warnings(new, old),
    generation=True,
    unconditional_update=False,
    delete_returns_object=True,
    begin_delete=_begin_delete,
)
