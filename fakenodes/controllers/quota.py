"""ResourceQuotas: what a namespace uses of what it may.

Stands for kube-controller-manager's pkg/controller/resourcequota. Admission counts up; this counts anew when the
quota changes, when something that it counts goes, and every five minutes. Resources named `count/<resource>.<group>`
are followed by informers that start when a quota first names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from fakeapi import quota as rules
from fakenodes.client.base import GVR, Obj
from fakenodes.client.gvrs import (
    CLAIMS,
    CONFIG_MAPS,
    PODS,
    REPLICATION_CONTROLLERS,
    RESOURCE_QUOTAS,
    SECRETS,
    SERVICES,
)
from fakenodes.controllers.base import Controller, Watch, Watching, Work, service_account
from fakenodes.controllers.pods import is_terminated
from fakenodes.discovery import discover
from fakenodes.informer import Informer, key_of

RESYNC_SECONDS = 300.0
COUNT = "count/"
MEASURED = (PODS, SERVICES, CLAIMS)
OLD_NAMES = {
    "configmaps": CONFIG_MAPS,
    "secrets": SECRETS,
    "replicationcontrollers": REPLICATION_CONTROLLERS,
    "resourcequotas": RESOURCE_QUOTAS,
}


class State(Struct):
    """Counted resources by `resource.group`, and the informers whose deletions are listened to."""

    counted: dict[str, GVR] = field(default_factory=dict)
    followed: dict[GVR, Informer] = field(default_factory=dict)


def plan(quota: Obj, objects: Mapping[GVR, Iterable[Obj]]) -> Obj:
    """The quota's status for what there is of each resource that it names."""
    hard = quota["spec"].get("hard") or {}
    used = {}
    for gvr, found in objects.items():
        names = rules.matching(gvr.group, gvr.resource, hard)
        total = dict.fromkeys(names, rules.ZERO)
        for obj in found:
            if rules.in_scope(quota, gvr.group, gvr.resource, obj):
                amounts = rules.usage(gvr.group, gvr.resource, obj)
                total = rules.add(total, {n: amounts[n] for n in names if n in amounts})
        used.update(total)
    return {k: v for k, v in (("hard", hard), ("used", rules.written(used))) if v}


def counted_names(hard: Iterable[str]) -> list[str]:
    """`resource.group` of the plain counts among the names."""
    return [name.removeprefix(COUNT) for name in hard if name.startswith(COUNT)]


async def reconcile(work: Work) -> float | None:
    """Write the status when it says something else."""
    quota = work.get(RESOURCE_QUOTAS, work.key)
    if quota is None:
        return None
    space = quota["metadata"]["namespace"]
    hard = quota["spec"].get("hard") or {}
    objects: dict[GVR, Iterable[Obj]] = {
        gvr: work.list(gvr, space) for gvr in MEASURED if rules.matching(gvr.group, gvr.resource, hard)
    }
    for gvr in await _counted(work, hard):
        if gvr not in objects:
            objects[gvr] = (await _follow(work, gvr)).list(space)
    status = plan(quota, objects)
    if status != (quota.get("status") or {}):
        await work.update(RESOURCE_QUOTAS, {**quota, "status": status}, "status")
    return RESYNC_SECONDS


async def _counted(work: Work, hard: Iterable[str]) -> list[GVR]:
    """The resources that are merely counted; those that the server does not have are none."""
    state: State = work.state
    found = [OLD_NAMES[name] for name in hard if name in OLD_NAMES]
    names = counted_names(hard)
    if any(name not in state.counted for name in names):
        resources = await discover(work.client)
        state.counted = {
            f"{r.gvr.resource}.{r.gvr.group}" if r.gvr.group else r.gvr.resource: r.gvr
            for r in resources.preferred
            if r.gvr.namespaced and {"list", "watch"} <= r.verbs
        }
    return found + [state.counted[name] for name in names if name in state.counted]


async def _follow(work: Work, gvr: GVR) -> Informer:
    """The running informer of a resource; what is deleted of it makes its namespace's quotas be counted anew."""
    state: State = work.state
    watching, queue = work.shared.watching, work.shared.queue
    informer = watching.informer(gvr)
    if state.followed.get(gvr) is not informer:
        state.followed[gvr] = informer

        def gone(obj: Obj) -> None:
            for quota in watching.list(RESOURCE_QUOTAS, obj["metadata"]["namespace"]):
                queue.add(key_of(quota))

        informer.add_handler(delete=gone)
        informer.start()
    await informer.synced()
    return informer


def _of_quota(_: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    """New quotas and changed limits; a status is admission's or ours."""
    if new is None or (old is not None and old["spec"] == new["spec"]):
        return ()
    return (key_of(new),)


def _gone(watching: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    """The quotas of a namespace in which something has gone, or uses less."""
    if old is None or (new is not None and not _less(old, new)):
        return ()
    return [key_of(q) for q in watching.list(RESOURCE_QUOTAS, old["metadata"]["namespace"])]


def _less(old: Obj, new: Obj) -> bool:
    """replenishment.go: a pod that has ended, a Service of another type."""
    if "containers" in new["spec"]:
        return is_terminated(new) and not is_terminated(old)
    return bool(old["spec"].get("type") != new["spec"].get("type"))


RESOURCE_QUOTA = Controller(
    "resourcequota-controller",
    "resourcequota",
    service_account("resourcequota-controller"),
    (Watch(RESOURCE_QUOTAS, _of_quota), *(Watch(gvr, _gone) for gvr in MEASURED)),
    reconcile,
    state=State,
)
