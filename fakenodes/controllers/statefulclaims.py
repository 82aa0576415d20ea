"""The claims of a StatefulSet's pods: made before the pod, and owned by what they are to go with.

Stands for the claims' part of kube-controller-manager's stateful_pod_control.go and stateful_set_utils.go
(persistentVolumeClaimRetentionPolicy).
"""

from __future__ import annotations

from collections.abc import Iterable

from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import CLAIMS
from fakenodes.controllers.base import Work
from fakenodes.controllers.statefulplan import ordinal, ordinals
from fakenodes.owners import controller_of, controller_reference


class ClaimError(Exception):
    """A pod cannot have its claims yet."""


def _named(owner: Obj, pod_name: str) -> list[tuple[str, Obj]]:
    """The names of the pod's claims, with their templates."""
    templates = owner["spec"].get("volumeClaimTemplates") or ()
    return [(f"{t['metadata']['name']}-{pod_name}", t) for t in templates]


def _find(work: Work, owner: Obj, name: str) -> Obj | None:
    return work.get(CLAIMS, f"{owner['metadata']['namespace']}/{name}")


def claim_for(owner: Obj, name: str, template: Obj) -> Obj:
    """The claim of a template, with the labels that the set selects by."""
    meta = {"name": name, "namespace": owner["metadata"]["namespace"]}
    labels = {**(template["metadata"].get("labels") or {}), **(owner["spec"]["selector"].get("matchLabels") or {})}
    found: Obj = {**meta, "labels": labels}
    if template["metadata"].get("annotations"):
        found["annotations"] = template["metadata"]["annotations"]
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": found, "spec": template["spec"]}


async def make(work: Work, owner: Obj, pod_name: str) -> None:
    """Create the claims of a pod that are not there; claims of before are taken again. ClaimError."""
    errors = [
        x for name, template in _named(owner, pod_name) if (x := await _make(work, owner, pod_name, name, template))
    ]
    if errors:
        raise ClaimError(errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]")


async def _make(work: Work, owner: Obj, pod_name: str, name: str, template: Obj) -> str:
    """What went wrong."""
    there = _find(work, owner, name)
    if there is not None:
        return f"pvc {name} is being deleted" if there["metadata"].get("deletionTimestamp") else ""
    set_name = owner["metadata"]["name"]
    try:
        await work.create(CLAIMS, claim_for(owner, name, template))
    except ClientError as error:
        if error.reason != "AlreadyExists":
            text = f"Create Claim {name} for Pod {pod_name} in StatefulSet {set_name} failed error: {error}"
            work.event(owner, "Warning", "FailedCreate", text)
        return f"failed to create PVC {name}: {error}"
    text = f"Create Claim {name} Pod {pod_name} in StatefulSet {set_name} success"
    work.event(owner, "Normal", "SuccessfulCreate", text)
    return ""


def stale(work: Work, owner: Obj, pod_name: str) -> bool:
    """Whether a claim is about to go with a pod of that name that was there before: it is not to be used again."""
    if (owner["spec"].get("persistentVolumeClaimRetentionPolicy") or {}).get("whenScaled") != "Delete":
        return False
    claims = [_find(work, owner, name) for name, _ in _named(owner, pod_name)]
    references = [r for c in claims if c is not None for r in c["metadata"].get("ownerReferences") or ()]
    return any(r["kind"] == "Pod" and r["name"] == pod_name for r in references)


def owners_of(owner: Obj, claim: Obj, pod: Obj) -> list[Obj]:
    """The references that the claim of a pod should have: to the set when it is to go with it, to a pod beyond the
    set's size when it is to go with that, and to neither while something else controls it."""
    meta, mine = owner["metadata"], pod["metadata"]
    present = claim["metadata"].get("ownerReferences") or []
    left = [r for r in present if r["uid"] != meta["uid"] and not (r["kind"] == "Pod" and r["name"] == mine["name"])]
    policy = owner["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    if any(r.get("controller") for r in left):
        return left
    if ordinal(owner, pod) not in ordinals(owner) and policy.get("whenScaled") == "Delete":
        return [*left, controller_reference(pod, "v1", "Pod")]
    if policy.get("whenDeleted") == "Delete":
        return [*left, controller_reference(owner, "apps/v1", "StatefulSet")]
    return left


async def retain(work: Work, owner: Obj, pods: Iterable[Obj]) -> None:
    """Have the pods' claims owned by what they are to go with."""
    for pod in pods:
        for name, _ in _named(owner, pod["metadata"]["name"]):
            claim = _find(work, owner, name)
            if claim is not None:
                await _retain(work, owner, claim, pod)


async def _retain(work: Work, owner: Obj, claim: Obj, pod: Obj) -> None:
    meta = claim["metadata"]
    before, after = meta.get("ownerReferences") or [], owners_of(owner, claim, pod)
    other = controller_of(claim)
    if other is not None and other in after and other["uid"] not in (owner["metadata"]["uid"], pod["metadata"]["uid"]):
        text = (
            f"PersistentVolumeClaim {meta['name']} has a conflicting OwnerReference that acts as a manging controller, "
            "the retention policy is ignored for this claim"
        )
        work.event(owner, "Warning", "ConflictingController", text)
    if [r["uid"] for r in before] != [r["uid"] for r in after]:
        rest = {k: v for k, v in meta.items() if k != "ownerReferences"}
        await work.update(CLAIMS, {**claim, "metadata": {**rest, "ownerReferences": after} if after else rest})
