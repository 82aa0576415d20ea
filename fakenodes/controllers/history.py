"""ControllerRevisions: the templates that a StatefulSet or DaemonSet has had.

Stands for kube-controller-manager's pkg/controller/history. Pure but for sync().
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence

import orjson

from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import CONTROLLER_REVISIONS
from fakenodes.controllers.base import Work
from fakenodes.hashing import fnv_name
from fakenodes.owners import controller_reference

HASH_LABEL = "controller.kubernetes.io/hash"
REVISION_LABEL = "controller-revision-hash"


def patch_of(owner: Obj) -> Obj:
    """What a revision keeps of its owner: the pod template, as a patch that puts it back."""
    return {"spec": {"template": {**owner["spec"]["template"], "$patch": "replace"}}}


def revision_of(owner: Obj, api_version: str, kind: str, number: int, collisions: int, label: str = HASH_LABEL) -> Obj:
    """A new revision of the owner's template. label: where its hash is kept."""
    data = patch_of(owner)
    # With the kind: a StatefulSet and a DaemonSet may have one name and one template.
    digest = fnv_name(orjson.dumps(data, option=orjson.OPT_SORT_KEYS) + f"{kind}{collisions}".encode())
    meta = owner["metadata"]
    labels = {**((owner["spec"]["template"].get("metadata") or {}).get("labels") or {}), label: digest}
    found: Obj = {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": f"{meta['name']}-{digest}",
            "namespace": meta["namespace"],
            "labels": labels,
            "ownerReferences": [controller_reference(owner, api_version, kind)],
        },
        "data": data,
        "revision": number,
    }
    if meta.get("annotations"):
        found["metadata"]["annotations"] = dict(meta["annotations"])
    return found


def by_number(revisions: Sequence[Obj]) -> list[Obj]:
    """Oldest first."""
    return sorted(
        revisions, key=lambda r: (r["revision"], r["metadata"].get("creationTimestamp", ""), r["metadata"]["name"])
    )


async def sync(work: Work, owner: Obj, revisions: Sequence[Obj], make: Callable[[int], Obj]) -> tuple[Obj, int]:
    """The stored revision with the owner's template (found, renumbered or created), and the collisions counted so far.
    make: a new revision as it is after so many.
    """
    collisions = int((owner.get("status") or {}).get("collisionCount") or 0)
    wanted = make(collisions)
    ordered = by_number(revisions)
    equal = [r for r in ordered if r.get("data") == wanted["data"]]
    if equal and equal[-1] is ordered[-1]:
        return equal[-1], collisions
    number = ordered[-1]["revision"] + 1 if ordered else 1
    if equal:
        return await work.update(CONTROLLER_REVISIONS, {**equal[-1], "revision": number}), collisions
    while True:
        try:
            return await work.create(CONTROLLER_REVISIONS, {**wanted, "revision": number}), collisions
        except ClientError as error:
            if error.reason != "AlreadyExists":
                raise
        meta = wanted["metadata"]
        there = await work.client.get(CONTROLLER_REVISIONS, meta["name"], meta["namespace"])
        if there.get("data") == wanted["data"]:
            return there, collisions
        collisions += 1
        wanted = make(collisions)


def superfluous(revisions: Sequence[Obj], live: Container[str], limit: int, current: str = "") -> list[Obj]:
    """The oldest revisions beyond the limit that are not in use (names in live). current: a DaemonSet's, whose limit
    takes in the old ones that are in use."""
    old = [r for r in by_number(revisions) if r["metadata"]["name"] != current]
    idle = [r for r in old if r["metadata"]["name"] not in live]
    return idle[: max(len(old if current else idle) - limit, 0)]


async def truncate(work: Work, owner: Obj, revisions: Sequence[Obj], live: Container[str], current: str = "") -> None:
    """Delete what is superfluous by revisionHistoryLimit."""
    for each in superfluous(revisions, live, owner["spec"].get("revisionHistoryLimit", 10), current):
        await work.delete(CONTROLLER_REVISIONS, each)
