"""Who owns an object, and which objects a controller adopts or lets go.

Stands for apimachinery's controller references and kube-controller-manager's ControllerRefManager. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field

from fakeapi.selectors import LabelSelector
from fakenodes.client.base import Obj


def controller_of(obj: Obj) -> Obj | None:
    """The owner reference with controller: true, if any."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            found: Obj = reference
            return found
    return None


def controller_uid(obj: Obj) -> str:
    """The uid of the controlling owner, or ""."""
    reference = controller_of(obj)
    return str(reference["uid"]) if reference else ""


def owned_by(obj: Obj, owner: Obj) -> bool:
    """Whether owner controls obj."""
    uid: str = owner["metadata"]["uid"]
    return controller_uid(obj) == uid


def controller_reference(owner: Obj, api_version: str, kind: str) -> Obj:
    """The reference that a controller writes into what it makes."""
    meta = owner["metadata"]
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def by_controller(obj: Obj) -> Iterable[str]:
    """An index: by the controlling owner's uid, orphans under `orphan/<namespace>`."""
    return (controller_uid(obj) or f"orphan/{obj['metadata'].get('namespace', '')}",)


class Claim(Struct):
    """What claiming comes to: `mine` are owned and stay so."""

    mine: list[Obj] = field(default_factory=list)
    adopt: list[Obj] = field(default_factory=list)
    release: list[Obj] = field(default_factory=list)


def claim(owner: Obj, selector: LabelSelector, candidates: Iterable[Obj]) -> Claim:
    """Sort candidates: those of other owners are nobody's business, those being deleted are neither adopted nor
    released, and an owner that is being deleted does neither."""
    found = Claim()
    going = owner["metadata"].get("deletionTimestamp")
    for obj in candidates:
        meta = obj["metadata"]
        uid = controller_uid(obj)
        matches = selector.matches(meta.get("labels") or {})
        if uid == owner["metadata"]["uid"]:
            if matches:
                found.mine.append(obj)
            elif not going:
                found.release.append(obj)
        elif not uid and matches and not going and not meta.get("deletionTimestamp"):
            found.adopt.append(obj)
    return found


def adoption(owner: Obj, api_version: str, kind: str, obj: Obj) -> Obj:
    """The strategic merge patch that makes owner the controller of obj."""
    return {
        "metadata": {"ownerReferences": [controller_reference(owner, api_version, kind)], "uid": obj["metadata"]["uid"]}
    }


def release(owner: Obj, obj: Obj) -> Obj:
    """The strategic merge patch that takes owner out of obj's references."""
    return {
        "metadata": {
            "ownerReferences": [{"$patch": "delete", "uid": owner["metadata"]["uid"]}],
            "uid": obj["metadata"]["uid"],
        }
    }
