"""Namespaces that are being deleted lose their content, then themselves.

Stands for kube-controller-manager's namespace controller and its deletion package: pods first, then everything else
that can be deleted, conditions on what is left, the finalizer `kubernetes` last. Looks again sooner than upstream does.
"""

from __future__ import annotations

from collections import Counter

from msgspec import Struct, field

from fakeapi.clock import rfc3339
from fakenodes.client.base import GVR, ClientError, Obj
from fakenodes.client.gvrs import NAMESPACES, PODS
from fakenodes.controllers.base import Controller, Watch, Work, service_account
from fakenodes.discovery import Resources, discover

FINALIZER = "kubernetes"
# Longest wait between two looks at content that does not go.
SLOWEST = 8.0

# type -> (reason, message) while all is well; namespace_deletion's status_condition_utils.go
_FINE = {
    "NamespaceDeletionDiscoveryFailure": ("ResourcesDiscovered", "All resources successfully discovered"),
    "NamespaceDeletionGroupVersionParsingFailure": ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
    "NamespaceDeletionContentFailure": (
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    "NamespaceContentRemaining": ("ContentRemoved", "All content successfully removed"),
    "NamespaceFinalizersRemaining": ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
}


class Content(Struct):
    """What is left of a namespace: instances by resource, objects by finalizer, and what went wrong."""

    remaining: dict[str, int] = field(default_factory=dict)
    finalizers: Counter[str] = field(default_factory=Counter)
    discovery: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def plan_conditions(current: list[Obj], content: Content, now: float) -> list[Obj]:
    """The namespace's conditions for what is left; the same list when they say so already."""
    wrong = {}
    if content.discovery:
        text = "Discovery failed for some groups, {} failing: {}"
        wrong["NamespaceDeletionDiscoveryFailure"] = (
            "DiscoveryFailed",
            text.format(len(content.discovery), ", ".join(content.discovery)),
        )
    if content.errors:
        wrong["NamespaceDeletionContentFailure"] = (
            "ContentDeletionFailed",
            "Failed to delete all resource types, {} remaining: {}".format(
                len(content.errors), ", ".join(sorted(content.errors))
            ),
        )
    if content.remaining:
        parts = [f"{name} has {count} resource instances" for name, count in sorted(content.remaining.items())]
        wrong["NamespaceContentRemaining"] = (
            "SomeResourcesRemain",
            f"Some resources are remaining: {', '.join(parts)}",
        )
    if content.finalizers:
        parts = [f"{name} in {count} resource instances" for name, count in sorted(content.finalizers.items())]
        wrong["NamespaceFinalizersRemaining"] = (
            "SomeFinalizersRemain",
            f"Some content in the namespace has finalizers remaining: {', '.join(parts)}",
        )
    found = list(current)
    for type, fine in _FINE.items():
        reason, message = wrong.get(type, fine)
        found = _set(found, type, "True" if type in wrong else "False", reason, message, now)
    return found


def _set(conditions: list[Obj], type: str, status: str, reason: str, message: str, now: float) -> list[Obj]:
    wanted = {"type": type, "status": status, "lastTransitionTime": rfc3339(now), "reason": reason, "message": message}
    for i, old in enumerate(conditions):
        if old["type"] == type:
            if old["status"] == status and old.get("message") == message and old.get("reason") == reason:
                return conditions
            return [*conditions[:i], wanted, *conditions[i + 1 :]]
    return [*conditions, wanted]


async def reconcile(work: Work) -> float | None:
    """Delete what can be deleted; when nothing is left, finalize."""
    namespace = work.get(NAMESPACES, work.key)
    if namespace is None or not namespace["metadata"].get("deletionTimestamp"):
        work.state.pop(work.key, None)
        return None
    if FINALIZER not in (namespace["spec"].get("finalizers") or ()):
        return None
    content = await _empty(work, work.key)
    status = namespace.get("status") or {}
    conditions = plan_conditions(status.get("conditions") or [], content, work.clock.now())
    if conditions != status.get("conditions") or status.get("phase") != "Terminating":
        changed = {**namespace, "status": {**status, "phase": "Terminating", "conditions": conditions}}
        namespace = await work.update(NAMESPACES, changed, "status")
    if content.remaining or content.discovery or content.errors:
        tries = work.state[work.key] = work.state.get(work.key, 0) + 1
        return float(min(0.1 * 2.0 ** min(tries - 1, 10), SLOWEST))
    work.state.pop(work.key, None)
    left = [x for x in namespace["spec"].get("finalizers") or () if x != FINALIZER]
    spec = {k: v for k, v in namespace["spec"].items() if k != "finalizers"}
    await work.update(NAMESPACES, {**namespace, "spec": {**spec, "finalizers": left} if left else spec}, "finalize")
    return None


async def _empty(work: Work, namespace: str) -> Content:
    """Delete everything once, pods before the rest, and see what is left."""
    found = await discover(work.client)
    content = Content(discovery=list(found.failed))
    await _remove(work, PODS, namespace, content)
    if content.remaining:
        # Other content may be what running pods need to end well.
        return content
    for gvr in _removable(found):
        if gvr != PODS:
            await _remove(work, gvr, namespace, content)
    return content


def _removable(found: Resources) -> list[GVR]:
    return [x.gvr for x in found.preferred if x.gvr.namespaced and {"delete", "list"} <= x.verbs]


async def _remove(work: Work, gvr: GVR, namespace: str, content: Content) -> None:
    try:
        page = await work.client.list(gvr, namespace)
        if not page.items:
            return
        await work.client.delete_collection(gvr, namespace, propagation_policy="Background")
        page = await work.client.list(gvr, namespace)
    except ClientError as error:
        if error.code not in (404, 405):
            content.errors.append(str(error))
        return
    if page.items:
        name = f"{gvr.resource}.{gvr.group}"
        content.remaining[name] = len(page.items)
        for obj in page.items:
            content.finalizers.update(obj["metadata"].get("finalizers") or ())


NAMESPACE = Controller(
    "namespace-controller",
    "namespace",
    service_account("namespace-controller"),
    (Watch(NAMESPACES),),
    reconcile,
    workers=10,
)
