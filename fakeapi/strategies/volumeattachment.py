"""VolumeAttachment: a volume that is wanted on a node.

Stands for pkg/registry/storage/volumeattachment and ValidateVolumeAttachment*.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, forbidden, invalid, required, too_long
from fakeapi.names import IMMUTABLE, check, name_is_dns_subdomain
from fakeapi.strategies.base import Column, Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table
from fakeapi.strategies.persistentvolume import check_inline_spec
from fakeapi.strategies.podspec.internal import to_go
from fakeapi.strategies.podspec.volumes import check_driver

_MAX_METADATA = 256 * 1024
_MAX_MESSAGE = 1024
_CODES = "must be between 0 and 2147483647, inclusive"


def _prepare_create(obj: Obj, ctx: Context) -> None:
    obj["status"] = {"attached": False}


def _prepare_update(new: Obj, old: Obj, ctx: Context) -> None:
    new["status"] = old.get("status") or {}


def keep_metadata(new: Obj, old: Obj) -> None:
    """A status update that takes nothing of the metadata but the revision and the managed fields."""
    own = {f: new["metadata"][f] for f in ("resourceVersion", "managedFields") if f in new["metadata"]}
    new["metadata"] = {k: v for k, v in old["metadata"].items() if k != "managedFields"} | own


def keep_spec_and_metadata(new: Obj, old: Obj, ctx: Context) -> None:
    """What most status strategies of cluster-scoped kinds do: only the status may change."""
    new["spec"] = old.get("spec") or {}
    keep_metadata(new, old)


_ONE_SOURCE = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"


def _source(source: Obj, at: str) -> list[FieldError]:
    name, inline = source.get("persistentVolumeName"), source.get("inlineVolumeSpec")
    if name is None and inline is None:
        return [required(at, _ONE_SOURCE)]
    if name is not None and inline is not None:
        return [forbidden(at, _ONE_SOURCE)]
    if inline is not None:
        return check_inline_spec(inline, f"{at}.inlineVolumeSpec")
    return [] if name else [required(f"{at}.persistentVolumeName", "must specify non empty persistentVolumeName")]


def _status(status: Obj) -> list[FieldError]:
    """validateVolumeAttachmentStatus; a long message is told of with the metadata's limit."""
    size = sum(len(k.encode()) + len(v.encode()) for k, v in (status.get("attachmentMetadata") or {}).items())
    found = [too_long("status.attachmentMetadata", _MAX_METADATA)] if size > _MAX_METADATA else []
    for field in ("attachError", "detachError"):
        error = status.get(field) or {}
        if len((error.get("message") or "").encode()) > _MAX_MESSAGE:
            found.append(too_long(f"status.{field}.message", _MAX_METADATA))
        if (error.get("errorCode") or 0) < 0:
            found.append(invalid(f"status.{field}.errorCode", error["errorCode"], _CODES))
    return found


def _check(obj: Obj) -> list[FieldError]:
    """ValidateVolumeAttachment."""
    spec = obj.get("spec") or {}
    found = [] if spec.get("attacher") else [required("spec.attacher")]
    found += _source(spec.get("source") or {}, "spec.source")
    node = spec.get("nodeName") or ""
    return found + check("spec.nodeName", node, name_is_dns_subdomain(node, False)) + _status(obj.get("status") or {})


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    """And ValidateVolumeAttachmentV1, which tells of a missing attacher once more."""
    spec = obj.get("spec") or {}
    found = _check(obj) + check_driver("spec.attacher", spec.get("attacher") or "")
    name = (spec.get("source") or {}).get("persistentVolumeName")
    if name is not None:
        found += check("spec.source.persistentVolumeName", name, name_is_dns_subdomain(name, False))
    return found


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    if new.get("spec") == old.get("spec"):
        return _check(new)
    spec = new.get("spec") or {}
    source = spec.get("source") or {}
    inline = source.get("inlineVolumeSpec")
    shown = {
        "Attacher": spec.get("attacher") or "",
        "Source": {
            "PersistentVolumeName": source.get("persistentVolumeName"),
            "InlineVolumeSpec": None if inline is None else to_go("PersistentVolumeSpec", inline),
        },
        "NodeName": spec.get("nodeName") or "",
    }
    return [*_check(new), invalid("spec", shown, IMMUTABLE)]


STRATEGY = Strategy(
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_status=keep_spec_and_metadata,
    validate=_validate,
    validate_update=_validate_update,
    name=name_is_dns_subdomain,
    unconditional_update=False,
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
