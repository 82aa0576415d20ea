"""Adopting and releasing by requests, and finding the owner that a changed object belongs to.

Stands for the client side of kube-controller-manager's ControllerRefManager and its resolveControllerRef functions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from msgspec import Struct

from fakeapi.selectors import LabelSelector
from fakenodes.client.base import GVR, ClientError, Obj
from fakenodes.controllers.base import Mapper, Watching, Work
from fakenodes.informer import key_of
from fakenodes.owners import adoption, claim, controller_of, release

SelectorOf = Callable[[Obj], LabelSelector]


class OwnerKind(Struct, frozen=True):
    """What a controller's owner references say, and where the owner is found."""

    gvr: GVR
    api_version: str
    kind: str


def candidates(work: Work, gvr: GVR, owner: Obj) -> list[Obj]:
    """What the owner has and what it might adopt: the informer of gvr needs the index `controller`."""
    meta = owner["metadata"]
    return [*work.find(gvr, "controller", meta["uid"]), *work.find(gvr, "controller", f"orphan/{meta['namespace']}")]


async def claim_all(work: Work, owner: Obj, owner_kind: OwnerKind, selector: LabelSelector, gvr: GVR) -> list[Obj]:
    """Adopt and release as the selector says; the objects that are the owner's now."""
    found = claim(owner, selector, candidates(work, gvr, owner))
    if found.adopt:
        await _still_there(work, owner, owner_kind)
    adopted = await asyncio.gather(*(_adopt(work, owner, owner_kind, gvr, x) for x in found.adopt))
    await asyncio.gather(*(_release(work, owner, gvr, x) for x in found.release))
    return [*found.mine, *(x for x in adopted if x is not None)]


async def _still_there(work: Work, owner: Obj, owner_kind: OwnerKind) -> None:
    """Nothing is adopted for an owner that only the cache still believes in."""
    meta = owner["metadata"]
    fresh = (await work.client.get(owner_kind.gvr, meta["name"], meta["namespace"]))["metadata"]
    if fresh["uid"] != meta["uid"] or fresh.get("deletionTimestamp"):
        raise OSError(f"{meta['namespace']}/{meta['name']} has just been deleted")


async def _adopt(work: Work, owner: Obj, owner_kind: OwnerKind, gvr: GVR, obj: Obj) -> Obj | None:
    try:
        return await work.patch(gvr, obj, adoption(owner, owner_kind.api_version, owner_kind.kind, obj))
    except ClientError as error:
        if error.code == 404:
            return None
        raise


async def _release(work: Work, owner: Obj, gvr: GVR, obj: Obj) -> None:
    try:
        await work.patch(gvr, obj, release(owner, obj))
    except ClientError as error:
        # Gone, or no longer ours: either way there is nothing to let go of.
        if error.code not in (404, 422):
            raise


def owner_key(watching: Watching, obj: Obj | None, owner_kind: OwnerKind) -> str:
    """The key of the cached owner that controls obj; "" when it is of another kind or another uid."""
    reference = controller_of(obj) if obj else None
    if obj is None or reference is None or reference.get("kind") != owner_kind.kind:
        return ""
    if reference.get("apiVersion", "").split("/")[0] != owner_kind.api_version.split("/")[0]:
        return ""
    key = f"{obj['metadata'].get('namespace', '')}/{reference['name']}"
    return key if watching.informer(owner_kind.gvr).store.uid(key) == reference["uid"] else ""


def to_owner(owner_kind: OwnerKind, selects: Mapper | None = None) -> Mapper:
    """Keys of the owners of a changed object, before and after; an orphan's are those that `selects` says."""

    def keys(watching: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
        found = {owner_key(watching, old, owner_kind), owner_key(watching, new, owner_kind)}
        if new is not None and selects is not None and controller_of(new) is None:
            changed = old is None or old["metadata"].get("labels") != new["metadata"].get("labels")
            if changed or (old is not None and controller_of(old) is not None):
                found.update(selects(watching, old, new))
        return sorted(found - {""})

    return keys


def selecting(gvr: GVR, selector_of: SelectorOf) -> Mapper:
    """The keys of the namespace's owners whose selector matches the object."""

    def keys(watching: Watching, _: Obj | None, new: Obj | None) -> Iterable[str]:
        if new is None:
            return ()
        labels = new["metadata"].get("labels") or {}
        if not labels:
            return ()
        owners = watching.list(gvr, new["metadata"].get("namespace", ""))
        return [key_of(x) for x in owners if selector_of(x).matches(labels)]

    return keys
