"""ObjectMeta: what the server fills in, keeps and checks on every object, whatever its kind.

Stands for apiserver's registry/rest (FillObjectMetaSystemFields, BeforeCreate, BeforeUpdate) and apimachinery's
api/validation/objectmeta.go. Pure: uids and names come from the generator that is handed in.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from typing import Any

from fakeapi import errors, names
from fakeapi.errors import FieldError

Obj = dict[str, Any]
NameRule = Callable[[str, bool], list[str]]

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_LONGEST_BASE = 58
_ORPHAN, _FOREGROUND = "orphan", "foregroundDeletion"
_BARE_FINALIZERS = ("kubernetes", _ORPHAN, _FOREGROUND)
_SYSTEM = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")


def new_uid(rng: random.Random) -> str:
    """A random (version 4) UUID from the injected generator."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def generate_name(base: str, rng: random.Random) -> str:
    """names.SimpleNameGenerator: the base, cut to 58 characters, and five random ones."""
    return base[:_LONGEST_BASE] + "".join(rng.choices(_ALPHABET, k=5))


def fill_on_create(obj: Obj, *, now: str, rng: random.Random) -> None:
    """What a new object gets: uid, creation time, a generated name; what clients may not bring is dropped."""
    wipe_system_fields(obj)
    metadata = obj["metadata"]
    metadata["uid"] = new_uid(rng)
    metadata["creationTimestamp"] = now
    if metadata.get("generateName") and not metadata.get("name"):
        metadata["name"] = generate_name(metadata["generateName"], rng)


def wipe_system_fields(obj: Obj) -> None:
    """WipeObjectMetaSystemFields: what only the server sets."""
    for field in _SYSTEM:
        obj["metadata"].pop(field, None)


def dedup_owners(obj: Obj, warnings: list[str], after_admission: bool = False) -> None:
    """dedupOwnerReferences: equal references are kept once, with a warning that names their uids."""
    owners = obj["metadata"].get("ownerReferences")
    if not owners or len(owners) < 2:
        return
    kept: list[Obj] = []
    repeated: list[str] = []
    for owner in owners:
        if owner in kept:
            repeated.append(owner.get("uid", ""))
        else:
            kept.append(owner)
    if repeated:
        when = " after mutating admission happens" if after_admission else ""
        warnings.append(
            f".metadata.ownerReferences contains duplicate entries{when}; API server dedups owner references in 1.20+,"
            " and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed:"
            f" {', '.join(dict.fromkeys(repeated))}"
        )
        obj["metadata"]["ownerReferences"] = kept


def keep_on_update(new: Obj, old: Obj) -> None:
    """What an update can neither change nor remove."""
    fresh, kept = new["metadata"], old["metadata"]
    if not fresh.get("uid"):
        fresh["uid"] = kept["uid"]
    if kept.get("creationTimestamp"):
        fresh["creationTimestamp"] = kept["creationTimestamp"]
    if kept.get("deletionTimestamp"):
        fresh["deletionTimestamp"] = kept["deletionTimestamp"]
    if "deletionGracePeriodSeconds" in kept and "deletionGracePeriodSeconds" not in fresh:
        fresh["deletionGracePeriodSeconds"] = kept["deletionGracePeriodSeconds"]
    fresh.pop("selfLink", None)


def check(metadata: Obj, namespaced: bool, name: NameRule) -> list[FieldError]:
    """ValidateObjectMetaAccessor."""
    found = _check_names(metadata, name)
    namespace = metadata.get("namespace", "")
    if not namespaced:
        if namespace:
            found.append(errors.forbidden("metadata.namespace", "not allowed on this type"))
    elif not namespace:
        found.append(errors.required("metadata.namespace"))
    else:
        found += [errors.invalid("metadata.namespace", namespace, m) for m in names.is_dns1123_label(namespace)]
    if metadata.get("generation", 0) < 0:
        found.append(errors.invalid("metadata.generation", metadata["generation"], names.NEGATIVE))
    if "labels" in metadata or "annotations" in metadata or "ownerReferences" in metadata:
        found += _check_maps_and_owners(metadata)
    if "finalizers" in metadata:
        found += check_finalizers(metadata["finalizers"])
    if "managedFields" in metadata:
        found += check_managed_fields(metadata["managedFields"])
    return found


def _check_names(metadata: Obj, name: NameRule) -> list[FieldError]:
    found = []
    base = metadata.get("generateName", "")
    if base:
        found += [errors.invalid("metadata.generateName", base, m) for m in name(base, True)]
    if not metadata.get("name"):
        found.append(errors.required("metadata.name", "name or generateName is required"))
    else:
        found += [errors.invalid("metadata.name", metadata["name"], m) for m in name(metadata["name"], False)]
    return found


def _check_maps_and_owners(metadata: Obj) -> list[FieldError]:
    return [
        *names.check_labels("metadata.labels", metadata.get("labels")),
        *names.check_annotations("metadata.annotations", metadata.get("annotations")),
        *check_owners(metadata.get("ownerReferences") or []),
    ]


def check_owners(owners: list[Obj]) -> list[FieldError]:
    """ValidateOwnerReferences: complete, no Event as an owner, at most one controller."""
    found: list[FieldError] = []
    controller = ""
    for owner in owners:
        found += _check_owner("metadata.ownerReferences", owner)
        if owner.get("controller"):
            current = f"{owner.get('kind', '')}/{owner.get('name', '')}"
            if controller:
                text = (
                    f'Only one reference can have Controller set to true. Found "true" in references for {controller}'
                    f" and {current}"
                )
                found.append(errors.invalid("metadata.ownerReferences", owners, text))
            else:
                controller = current
    return found


def _check_owner(path: str, owner: Obj) -> list[FieldError]:
    version = owner.get("apiVersion", "")
    _, _, last = version.rpartition("/")
    found = []
    if not last or version.count("/") > 1:
        found.append(errors.invalid(f"{path}.apiVersion", version, "version must not be empty"))
    found += [
        errors.invalid(f"{path}.{f}", "", "must not be empty") for f in ("kind", "name", "uid") if not owner.get(f)
    ]
    if (version, owner.get("kind")) == ("v1", "Event"):
        found.append(errors.invalid(path, owner, "/v1, Kind=Event is disallowed from being an owner"))
    return found


def check_finalizers(finalizers: list[str]) -> list[FieldError]:
    """ValidateFinalizers."""
    path = "metadata.finalizers"
    found = [errors.invalid(path, f, m) for f in finalizers for m in names.is_qualified_name(f)]
    if _ORPHAN in finalizers and _FOREGROUND in finalizers:
        found.append(errors.invalid(path, finalizers, f"finalizer {_ORPHAN} and {_FOREGROUND} cannot be both set"))
    return found


def check_finalizer_names(metadata: Obj) -> list[FieldError]:
    """validateKubeFinalizerName: what core's ValidateObjectMeta adds to apimachinery's; a bare name must be a known
    one.
    """
    return [
        errors.invalid(
            f"metadata.finalizers[{i}]", name, "name is neither a standard finalizer name nor is it fully qualified"
        )
        for i, name in enumerate(metadata.get("finalizers") or ())
        if "/" not in name and name not in _BARE_FINALIZERS
    ]


def check_managed_fields(entries: list[Obj]) -> list[FieldError]:
    """ValidateManagedFields."""
    found = []
    for i, entry in enumerate(entries):
        path = f"metadata.managedFields[{i}]"
        operation = entry.get("operation", "")
        if not operation:
            found.append(errors.required(f"{path}.operation", "must not be empty"))
        elif operation not in ("Apply", "Update"):
            found.append(errors.not_supported(f"{path}.operation", operation, ("Apply", "Update")))
        if entry.get("fieldsType", "FieldsV1") != "FieldsV1":
            found.append(errors.invalid(f"{path}.fieldsType", entry["fieldsType"], "must be `FieldsV1`"))
        found += check_field_manager(f"{path}.manager", entry.get("manager", ""))
    return found


def check_field_manager(path: str, manager: str) -> list[FieldError]:
    """ValidateFieldManager: at most 128 bytes, printable."""
    if manager.isascii() and manager.isprintable() and len(manager) <= 128:
        return []
    found = []
    if len(manager.encode()) > 128:
        found.append(errors.too_long(path, 128))
    at = 0
    for char in manager:
        if not char.isprintable():
            text = f"invalid character U+{ord(char):04X} (at position {at})"
            found.append(errors.invalid(path, manager, text))
        at += len(char.encode())
    return found


def check_update(new: Obj, old: Obj) -> list[FieldError]:
    """ValidateObjectMetaAccessorUpdate, of two metadata dicts."""
    found: list[FieldError] = []
    if old.get("deletionTimestamp"):
        extra = sorted(set(new.get("finalizers") or ()) - set(old.get("finalizers") or ()))
        if extra:
            listed = ", ".join(f'"{f}"' for f in extra)
            text = (
                "no new finalizers can be added if the object is being deleted, found new finalizers"
                f" []string{{{listed}}}"
            )
            found.append(errors.forbidden("metadata.finalizers", text))
    if new.get("generation", 0) < old.get("generation", 0):
        found.append(errors.invalid("metadata.generation", new.get("generation", 0), "must not be decremented"))
    for field in ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"):
        if new.get(field) != old.get(field):
            found.append(errors.invalid(f"metadata.{field}", new.get(field), names.IMMUTABLE))
    if "labels" in new or "annotations" in new or "ownerReferences" in new:
        found += _check_maps_and_owners(new)
    if "managedFields" in new:
        found += check_managed_fields(new["managedFields"])
    return found


def check_whole_update(new: Obj, old: Obj, namespaced: bool, bare_finalizers: bool = True) -> list[FieldError]:
    """What upstream finds in metadata on update: the generic store looks once, the kind's own strategy once more,
    each time both at the object and at the change; so a bad label is told four times and a changed uid twice."""
    generic = check(new, namespaced, names.name_is_path_segment)
    change = check_update(new, old)
    finalizers = [] if bare_finalizers else check_finalizer_names(new)
    if not generic and not change and not finalizers:
        return []
    own = [e for e in generic if not e.field.startswith("metadata.name")]
    return [*generic, *change, *change, *finalizers, *own, *finalizers]
