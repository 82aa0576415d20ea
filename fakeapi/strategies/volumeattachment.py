"""VolumeAttachment: a volume that is wanted on a node.

Stands for pkg/registry/storage/volumeattachment and ValidateVolumeAttachment*.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, forbidden, invalid, required
from fakeapi.gofmt import GoText, go_value
from fakeapi.names import check, name_is_dns_subdomain
from fakeapi.strategies.base import Column, Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table
from fakeapi.strategies.persistentvolume import check_driver, check_spec


def _prepare_create(obj: Obj, ctx: Context) -> None:
    obj["status"] = {"attached": False}


def _prepare_update(new: Obj, old: Obj, ctx: Context) -> None:
    new["status"] = old.get("status") or {}


def keep_metadata(new: Obj, old: Obj) -> None:
    """A status update that takes nothing of the metadata but the revision and the managed fields."""
    own = {f: new["metadata"][f] for f in ("resourceVersion", "managedFields") if f in new["metadata"]}
    new["metadata"] = {k: v for k, v in old["metadata"].items() if k != "managedFields"} | own


def _prepare_status(new: Obj, old: Obj, ctx: Context) -> None:
    new["spec"] = old["spec"]
    keep_metadata(new, old)


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    spec = obj.get("spec") or {}
    found = check_driver("spec.attacher", spec.get("attacher", ""))
    source = spec.get("source") or {}
    name, inline = source.get("persistentVolumeName"), source.get("inlineVolumeSpec")
    if name is None and inline is None:
        found.append(required("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName"))
    if name is not None and inline is not None:
        found.append(forbidden("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName"))
    if name is not None:
        if name:
            found += check("spec.source.persistentVolumeName", name, name_is_dns_subdomain(name, False))
        else:
            found.append(required("spec.source.persistentVolumeName", "must specify non empty persistentVolumeName"))
    if inline is not None:
        found += check_spec(inline, "spec.source.inlineVolumeSpec", inline=True)
    node = spec.get("nodeName", "")
    return found + check("spec.nodeName", node, name_is_dns_subdomain(node, False))


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    found = _validate(new, ctx)
    if new.get("spec") != old.get("spec"):
        found.append(invalid("spec", GoText(go_value(new.get("spec"))), "field is immutable"))
    return found


STRATEGY = Strategy(
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_status=_prepare_status,
    validate=_validate,
    validate_update=_validate_update,
    name=name_is_dns_subdomain,
    printer=table(
        NAME,
        (Column("Attacher", format="name", description="Who attaches"), path("spec", "attacher")),
        column("PV", path("spec", "source", "persistentVolumeName")),
        column("Node", path("spec", "nodeName")),
        column("Attached", path("status", "attached", default=False), "boolean"),
        AGE,
    ),
    delete_returns_object=True,
    status_reset=("spec", "metadata"),
)
