"""How a deletion goes on: options, preconditions, grace periods and the finalizers that a propagation policy adds.

Stands for apiserver's registry/rest/delete.go and the garbage collection half of registry/generic/registry/store.go.
Pure:
objects are changed in place, the registry writes them.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from fakeapi import errors
from fakeapi.clock import parse_rfc3339, rfc3339
from fakeapi.strategies.base import Obj

Graceful = Callable[[Obj, int | None], int | None]


class DeleteOptions(Struct, frozen=True):
    """metav1.DeleteOptions as far as the store cares. grace: seconds or None; policy: "", Orphan, Background,
    Foreground. cascade: asked for with orphanDependents: false, which is answered with 202 while the object is there.
    """

    grace: int | None = None
    policy: str = ""
    uid: str | None = None
    resource_version: str | None = None
    dry_run: bool = False
    cascade: bool = False


def check_preconditions(old: Obj, options: DeleteOptions, group: str, kind: str) -> None:
    """The uid and resourceVersion that a delete insists on. ApiError 409."""
    metadata = old["metadata"]
    checks = (
        ("UID", options.uid, metadata["uid"], "The object might have been deleted and then recreated"),
        (
            "ResourceVersion",
            options.resource_version,
            metadata["resourceVersion"],
            "The object might have been modified",
        ),
    )
    for what, given, found, hint in checks:
        if given is not None and given != found:
            text = f"the {what} in the precondition ({given}) does not match the {what} in record ({found}). {hint}"
            raise errors.conflict(group, kind, metadata["name"], text)


def begin_grace(new: Obj, options: DeleteOptions, graceful: Graceful | None, now: float) -> tuple[bool, bool]:
    """(a deletion is pending already, the object is now marked for a graceful one): rest.BeforeDelete.

    graceful(obj, seconds): the kind's grace period, None for at once; now: seconds since the epoch."""
    if graceful is None:
        return False, False
    metadata = new["metadata"]
    wanted = 1 if options.grace is not None and options.grace < 0 else options.grace
    if not metadata.get("deletionTimestamp"):
        grace = graceful(new, wanted)
        if grace is None:
            return False, False
        metadata["deletionTimestamp"] = rfc3339(now + grace)
        metadata["deletionGracePeriodSeconds"] = grace
        if metadata.get("generation"):
            metadata["generation"] += 1
        return False, True
    current = metadata.get("deletionGracePeriodSeconds") or 0
    if not current:
        return False, False
    if wanted is None or wanted >= current:
        return True, False
    until = parse_rfc3339(metadata["deletionTimestamp"]) - current + wanted
    if until < now:
        until, wanted = now, 1 if wanted else 0
    metadata["deletionTimestamp"] = rfc3339(until)
    metadata["deletionGracePeriodSeconds"] = wanted
    return False, True


def mark_now(new: Obj, now: float) -> None:
    """markAsDeleting: finalizers hold the object, its grace period is over."""
    metadata = new["metadata"]
    if not metadata.get("deletionTimestamp") and metadata.get("generation"):
        metadata["generation"] += 1
    if not metadata.get("deletionTimestamp") or parse_rfc3339(metadata["deletionTimestamp"]) > now:
        metadata["deletionTimestamp"] = rfc3339(now)
    metadata["deletionGracePeriodSeconds"] = 0


def deletion_finalizers(metadata: Obj, options: DeleteOptions, default: str) -> list[str]:
    """deletionFinalizersForGarbageCollection: the finalizers after the propagation policy has had its say."""
    given = metadata.get("finalizers") or []
    plain = [f for f in given if f not in ("orphan", "foregroundDeletion")]
    if options.policy == "Orphan" or (
        not options.policy and ("orphan" in given or ("foregroundDeletion" not in given and default == "Orphan"))
    ):
        return [*plain, "orphan"]
    if options.policy == "Foreground" or (not options.policy and "foregroundDeletion" in given):
        return [*plain, "foregroundDeletion"]
    return plain


def set_finalizers(metadata: Obj, values: list[str]) -> None:
    """Set them, or leave the field out when there are none."""
    if values:
        metadata["finalizers"] = values
    else:
        metadata.pop("finalizers", None)
