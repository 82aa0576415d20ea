"""What exists from the start comes back when it is deleted, and some of it when it is changed.

Stands for the loops that run inside kube-apiserver: the system namespaces controller, those of the kubernetes Service
with its Endpoints and of the default ServiceCIDR, flow control's ensurer, the writer of cluster authentication info and
the keeper of the identity lease; and for what RBAC's bootstrap reconciles at each start. A loop looks when upstream's
does, every so many seconds, but sleeps while there is nothing to do. Changes are requests of the server's own user, as
upstream's loopback client makes them. Leaves out: the renewal of the identity lease, Endpoints that somebody changed
(two servers on one store know only their own address), default objects of older releases that are to be removed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import orjson
from msgspec import Struct
from msgspec.structs import replace

from fakeapi import poststart
from fakeapi.authorization.escalation import not_covered
from fakeapi.authorization.rbac import GROUP as RBAC
from fakeapi.bootstrap import flowcontrol
from fakeapi.clock import Timer, rfc3339
from fakeapi.loopback import MANAGER, ask
from fakeapi.resources.base import Resource
from fakeapi.storage.base import Change, Entry
from fakeapi.strategies.base import Obj

if TYPE_CHECKING:
    from fakeapi.app import ApiServer

log = logging.getLogger("fakekube")

AUTOUPDATE = "apf.kubernetes.io/autoupdate-spec"
RBAC_AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
# What strconv.ParseBool takes.
_BOOLEANS = dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True) | dict.fromkeys(
    ("0", "f", "F", "FALSE", "false", "False"), False
)

# (what is there, what there should be) -> what it is turned into; None: it stays.
Revise = Callable[[Obj, Obj], Obj | None]


class Loop(Struct, frozen=True):
    """One of upstream's loops: the (group, plural) that it looks after, its period, and who it writes as.

    seconds: 0 for a look at every change, -1 for one look at the start. revise: what it does about changed objects."""

    kinds: frozenset[tuple[str, str]]
    seconds: float
    revise: Revise | None = None
    manager: str = MANAGER


def revise_flow_control(current: Obj, wanted: Obj) -> Obj | None:
    """ensurer.strategy: mandatory objects always get their spec back, suggested ones unless an annotation, or else a
    later generation, says that somebody wants them otherwise; the annotation is kept true to that.
    """
    metadata = current["metadata"]
    given = _BOOLEANS.get(metadata.get("annotations", {}).get(AUTOUPDATE, ""))
    mandatory = metadata["name"] in flowcontrol.MANDATORY
    update = mandatory or (metadata.get("generation") == 1 if given is None else given)
    spec = wanted["spec"] if update else current["spec"]
    if given == update and spec == current["spec"]:
        return None
    annotations = {**metadata.get("annotations", {}), AUTOUPDATE: "true" if update else "false"}
    return {**current, "metadata": {**metadata, "annotations": annotations}, "spec": spec}


def revise_rbac(current: Obj, wanted: Obj) -> Obj | None:
    """reconciliation: rules, subjects, labels and annotations that are missing are added, and nothing is taken away;
    a role or binding whose annotation says so is left alone.
    """
    metadata = current["metadata"]
    if metadata.get("annotations", {}).get(RBAC_AUTOUPDATE) == "false":
        return None
    made = {**current, "metadata": dict(metadata)}
    for key in ("labels", "annotations"):
        made["metadata"][key] = {**wanted["metadata"].get(key, {}), **metadata.get(key, {})}
    if "aggregationRule" in wanted:
        made.setdefault("aggregationRule", wanted["aggregationRule"])
    elif (rules := current.get("rules") or []) != (wanted.get("rules") or []):
        made["rules"] = [*rules, *not_covered(rules, wanted.get("rules") or ())]
    subjects = current.get("subjects") or []
    if absent := [subject for subject in wanted.get("subjects", ()) if subject not in subjects]:
        made["subjects"] = [*subjects, *absent]
    return made if made != current else None


_RBAC = frozenset((RBAC, kind) for kind in ("clusterroles", "clusterrolebindings", "roles", "rolebindings"))
LOOPS = (
    Loop(frozenset({("", "namespaces")}), 60),
    Loop(frozenset({("networking.k8s.io", "servicecidrs"), ("coordination.k8s.io", "leases")}), 10),
    Loop(frozenset({("", "services"), ("", "endpoints"), ("discovery.k8s.io", "endpointslices")}), 10),
    Loop(
        frozenset({(flowcontrol.GROUP, "prioritylevelconfigurations"), (flowcontrol.GROUP, "flowschemas")}),
        60,
        revise_flow_control,
        "api-priority-and-fairness-config-producer-v1",
    ),
    Loop(frozenset({("", "configmaps")}), 0),
    Loop(_RBAC, -1, revise_rbac),
)


class Upkeep:
    """Runs the loops of one server. `start` when what exists from the start is there, `stop` in the end."""

    def __init__(self, server: ApiServer, facts: poststart.Facts) -> None:
        self._server = server
        self._facts = facts
        self._rounds = [_Round(server, loop, self._wanted) for loop in LOOPS]

    def _wanted(self, kinds: frozenset[tuple[str, str]]) -> list[tuple[Resource, Obj]]:
        facts = replace(self._facts, now=rfc3339(self._server.clock.now()))
        found = poststart.objects(self._server.table, facts, {group for group, _ in kinds})
        return [(row, obj) for row, obj in found if (row.group, row.plural) in kinds]

    async def start(self, objects: Sequence[tuple[Resource, Obj]], revise: bool) -> None:
        """objects: what exists from the start; revise: some of it did before, and may have been changed."""
        for round_ in self._rounds:
            round_.start(objects)
            if revise and round_.loop.revise is not None:
                await round_.look()

    async def stop(self) -> None:
        """Look no more."""
        for round_ in self._rounds:
            await round_.stop()


class _Round:
    """A loop at work. A storage.base.Listener: what changes is looked at when the loop comes round."""

    def __init__(
        self, server: ApiServer, loop: Loop, wanted: Callable[[frozenset[tuple[str, str]]], list[tuple[Resource, Obj]]]
    ) -> None:
        self.loop = loop
        self._server = server
        self._wanted = wanted
        self._keys: set[str] = set()
        self._timer: Timer | None = None
        self._task: asyncio.Task[None] | None = None
        self._unlisten: list[Callable[[], None]] = []
        self._began = 0.0
        self._again = False  # something has changed while it was looking

    def start(self, objects: Sequence[tuple[Resource, Obj]]) -> None:
        if self.loop.seconds < 0:
            return
        self._began = self._server.clock.monotonic()
        own = [(row, obj) for row, obj in objects if (row.group, row.plural) in self.loop.kinds]
        self._keys = {row.key(_namespace(obj), obj["metadata"]["name"]) for row, obj in own}
        self._unlisten = [self._server.storage.listen(prefix, self) for prefix in {row.prefix for row, _ in own}]

    async def stop(self) -> None:
        for unlisten in self._unlisten:
            unlisten()
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def changed(self, change: Change) -> None:
        """See Listener."""
        if change.key in self._keys and (change.entry is None or self.loop.revise is not None):
            self._due()

    def replaced(self, entries: Sequence[Entry], revision: int) -> None:
        """See Listener."""
        self._due()

    def _due(self) -> None:
        if self._timer is not None:
            return
        clock, seconds = self._server.clock, self.loop.seconds
        if seconds == 0:
            self._fire()
            return
        self._timer = clock.call_later(seconds - (clock.monotonic() - self._began) % seconds, self._fire)

    def _fire(self) -> None:
        self._timer = None
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self.look(), name="upkeep")
        else:
            self._again = True

    async def look(self) -> None:
        """Make what is missing, revise what is there; what fails is tried again in the next round."""
        self._again = True
        while self._again:
            self._again = False
            await self._look_once()

    async def _look_once(self) -> None:
        for row, wanted in self._wanted(self.loop.kinds):
            namespace, name = _namespace(wanted), wanted["metadata"]["name"]
            entry = await self._server.storage.get(row.key(namespace, name))
            if entry is None:
                await self._make(row, namespace, wanted)
            elif self.loop.revise is not None:
                made = self.loop.revise(orjson.loads(entry.value), wanted)
                if made is not None:
                    made["metadata"].pop("resourceVersion", None)
                    await self._write("PUT", row, namespace, name, made)

    async def _make(self, row: Resource, namespace: str, wanted: Obj) -> None:
        """As at the start, but where a cluster IP has to be taken. Clients may not write all of it: the address of a
        server here is often a loopback one.
        """
        if (await self._server.registry(row)).allocator is not None:
            await self._write("POST", row, namespace, "", wanted)
        else:
            await self._server.insert(row, wanted)

    async def _write(self, method: str, row: Resource, namespace: str, name: str, obj: Obj) -> None:
        resource = row.group, obj["apiVersion"].rpartition("/")[2], row.plural
        body = {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "managedFields"}}
        answer = await ask(self._server, method, resource, namespace, name, body, self.loop.manager)
        if answer.status >= 400 and answer.status != 409 and self.loop.seconds >= 0:
            log.debug("%s %s: %s", method, row.key(namespace, name), answer.body)
            self._due()


def _namespace(obj: Obj) -> str:
    found: str = obj["metadata"].get("namespace", "")
    return found
