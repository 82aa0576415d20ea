"""PersistentVolumeClaim: data sources, the spec that stays as it is, sizes that only grow.

Stands for pkg/registry/core/persistentvolumeclaim and ValidatePersistentVolumeClaim*. The protection finalizer is
admission's (StorageObjectInUseProtection), so are default classes.
"""

from __future__ import annotations

import copy
from typing import Any

from fakeapi.errors import FieldError, forbidden, invalid, not_supported
from fakeapi.names import IMMUTABLE, check, check_immutable, is_qualified_name, name_is_dns_subdomain
from fakeapi.quantity import parse
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table
from fakeapi.strategies.limits import check_basic_amount, check_value, is_native
from fakeapi.strategies.podspec.claims import validate_claim_spec
from fakeapi.strategies.podspec.defaults import default_claim_spec
from fakeapi.strategies.podspec.internal import go_diff

CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
_FROZEN = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n"
_RESIZES = (
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
)
_SHORT = (("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP"))


def _default(obj: Obj) -> None:
    obj["spec"] = obj.get("spec") or {}
    default_claim_spec(obj["spec"])
    status = obj["status"] = obj.get("status") or {}
    status["phase"] = status.get("phase") or "Pending"


def _same_sources(spec: Obj) -> None:
    """NormalizeDataSources: dataSource and dataSourceRef say the same, as long as no namespace is meant."""
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and reference is None:
        spec["dataSourceRef"] = dict(source)
    elif reference is not None and source is None and not reference.get("namespace"):
        spec["dataSource"] = {k: v for k, v in reference.items() if k != "namespace"}


def _drop_foreign_reference(spec: Obj) -> None:
    """DropDisabledFields: CrossNamespaceVolumeDataSource is alpha, so that nothing refers into another namespace."""
    if (spec.get("dataSourceRef") or {}).get("namespace"):
        del spec["dataSourceRef"]


def _prepare_create(obj: Obj, ctx: Context) -> None:
    obj["status"] = {"phase": "Pending"}
    _drop_foreign_reference(obj["spec"])
    _same_sources(obj["spec"])


def _prepare_update(new: Obj, old: Obj, ctx: Context) -> None:
    new["status"] = old.get("status") or {}
    _drop_foreign_reference(new["spec"])
    if new["spec"].get("dataSourceRef") is None and old["spec"].get("dataSourceRef") is not None:
        _same_sources(new["spec"])
    _same_sources(new["spec"])


def _prepare_status(new: Obj, old: Obj, ctx: Context) -> None:
    new["spec"] = old["spec"]


def _internal(spec: Obj) -> Obj:
    """The spec as Go's internal struct."""
    resources = spec.get("resources") or {}

    def source(value: Obj | None, *more: str) -> Obj | None:
        if value is None:
            return None
        found = {"APIGroup": value.get("apiGroup"), "Kind": value.get("kind", ""), "Name": value.get("name", "")}
        return found | {m: value.get(m.lower()) for m in more}

    shown: dict[str, Any] = {
        "AccessModes": spec.get("accessModes") or None,
        "Selector": spec.get("selector"),
        "Resources": {"Limits": resources.get("limits"), "Requests": resources.get("requests")},
        "VolumeName": spec.get("volumeName", ""),
        "StorageClassName": spec.get("storageClassName"),
        "VolumeMode": spec.get("volumeMode"),
        "DataSource": source(spec.get("dataSource")),
        "DataSourceRef": source(spec.get("dataSourceRef"), "Namespace"),
        "VolumeAttributesClassName": spec.get("volumeAttributesClassName"),
    }
    return shown


def _size(owner: Obj, *keys: str) -> int:
    for key in keys:
        owner = owner.get(key) or {}
    return parse(owner["storage"]).nano if "storage" in owner else 0


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    found = validate_claim_spec(new["spec"], "spec")
    before, after = copy.deepcopy(old["spec"]), copy.deepcopy(new["spec"])
    if not before.get("volumeName"):
        _put(before, "volumeName", after)
    found += _class_update(new, old, after, before)
    key = "volumeAttributesClassName"
    if (new.get("status") or {}).get("phase") == "Bound":
        requests, kept = ((s.get("resources") or {}).get("requests") or {} for s in (after, before))
        if requests and "storage" in kept:
            requests["storage"] = kept["storage"]
        if after.get(key) is not None:
            _put(after, key, before)
    if after != before:
        found.append(forbidden("spec", _FROZEN + go_diff(_internal(before), _internal(after))))
    old_size, new_size = (_size(o["spec"], "resources", "requests") for o in (old, new))
    if new_size < old_size and new_size <= _size(old.get("status") or {}, "capacity"):
        found.append(forbidden("spec.resources.requests.storage", "field can not be less than status.capacity"))
    found += check_immutable("volumeMode", new["spec"].get("volumeMode"), old["spec"].get("volumeMode"))
    if old["spec"].get(key) is not None and not new["spec"].get(key):
        what = "nil" if new["spec"].get(key) is None else "an empty string"
        found.append(forbidden(f"spec.{key}", f"update from non-nil value to {what} is forbidden"))
    return found


def _class_update(new: Obj, old: Obj, after: Obj, before: Obj) -> list[FieldError]:
    """A class may move from the annotation to the field, or be given once; after is made to look as before then."""
    was, now, name = _annotation(old), _annotation(new), new["spec"].get("storageClassName")
    fresh = name is not None and old["spec"].get("storageClassName") is None
    if was is not None and fresh and name == was and now in (None, was):
        after.pop("storageClassName")
        return []
    if fresh and was in (None, name):
        after.pop("storageClassName")
    path = f"metadata.annotations.{CLASS_ANNOTATION}"
    return [] if (now or "") == (was or "") else [invalid(path, now or "", IMMUTABLE)]


def _put(target: Obj, field: str, source: Obj) -> None:
    if field in source:
        target[field] = source[field]
    else:
        target.pop(field, None)


def _annotation(obj: Obj) -> str | None:
    found: str | None = (obj["metadata"].get("annotations") or {}).get(CLASS_ANNOTATION)
    return found


def _validate_status(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    status = new.get("status") or {}
    capacity = status.get("capacity") or {}
    found = [e for n in sorted(capacity) for e in check_basic_amount(f"status.capacity[{n}]", capacity[n])]
    resizes = status.get("allocatedResourceStatuses") or {}
    for name in sorted(resizes):
        found += _resource_key("status.allocatedResourceStatus", name)
        if resizes[name] not in _RESIZES:
            found.append(not_supported("status.allocatedResourceStatus", name, _RESIZES))
    amounts = status.get("allocatedResources") or {}
    for name in sorted(amounts):
        where = f"status.allocatedResources[{name}]"
        wrong = _resource_key("status.allocatedResources", name) or check_basic_amount(where, amounts[name])
        found += wrong or check_value(where, "storage", amounts[name])
    return found


def _resource_key(at: str, name: str) -> list[FieldError]:
    """validatePersistentVolumeClaimResourceKey."""
    found = check(at, name, is_qualified_name(name))
    return found or ([not_supported(at, name, ("storage",))] if is_native(name) and name != "storage" else [])


def class_warning(obj: Obj) -> list[str]:
    """The annotation that storageClassName has replaced, on claims and volumes."""
    if _annotation(obj) is None:
        return []
    text = 'deprecated since v1.8; use "storageClassName" attribute instead'
    return [f"metadata.annotations[{CLASS_ANNOTATION}]: {text}"]


def _warnings(new: Obj, old: Obj | None, ctx: Context) -> list[str]:
    found = class_warning(new)
    resources = new["spec"].get("resources") or {}
    for field in ("requests", "limits"):
        amount = (resources.get(field) or {}).get("storage")
        if amount is not None and parse(amount).nano % 10**9:
            text = f'fractional byte value "{amount}" is invalid, must be an integer'
            found.append(f"spec.resources.{field}[storage]: {text}")
    return found


def access_modes(modes: list[str] | None) -> str:
    """RWO,ROX,... in upstream's order."""
    return ",".join(short for mode, short in _SHORT if mode in (modes or ()))


def storage_class(obj: Obj) -> str:
    """The class of a claim or a volume: the old annotation wins."""
    annotation = _annotation(obj)
    return annotation if annotation is not None else obj["spec"].get("storageClassName") or ""


def _phase(obj: Obj) -> str:
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return str((obj.get("status") or {}).get("phase", ""))


def _bound(show: Any) -> Any:
    return lambda obj: show(obj.get("status") or {}) if obj["spec"].get("volumeName") else ""


STRATEGY = Strategy(
    default=_default,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_status=_prepare_status,
    validate=lambda obj, ctx: validate_claim_spec(obj["spec"], "spec"),
    validate_update=_validate_update,
    validate_status=_validate_status,
    warnings=_warnings,
    name=name_is_dns_subdomain,
    printer=table(
        NAME,
        column("Status", _phase),
        column("Volume", path("spec", "volumeName")),
        column("Capacity", _bound(lambda s: (s.get("capacity") or {}).get("storage", "0"))),
        column("Access Modes", _bound(lambda s: access_modes(s.get("accessModes")))),
        column("StorageClass", storage_class),
        column("VolumeAttributesClass", path("spec", "volumeAttributesClassName", default="<unset>")),
        AGE,
        column("VolumeMode", path("spec", "volumeMode", default="<unset>"), wide=True),
    ),
    delete_returns_object=True,
)
