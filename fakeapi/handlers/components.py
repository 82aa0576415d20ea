"""ComponentStatuses: whether the scheduler, the controller manager and etcd are well. Read, never stored.

Stands for pkg/registry/core/componentstatus. Upstream asks the components' own ports; here a component counts as well
while it holds its leader-election Lease, and the store, which answers this very request, always does.
"""

from __future__ import annotations

from typing import Any

import orjson
from msgspec import Struct

from fakeapi import errors
from fakeapi.clock import parse_rfc3339
from fakeapi.handlers import list as listing
from fakeapi.handlers.scope import Scope, accepted
from fakeapi.request import Answer, Request
from fakeapi.storage.base import Entry
from fakeapi.strategies.base import Obj
from fakeapi.watchevents import Item

# name -> (its Lease in kube-system, the port upstream asks)
COMPONENTS = {
    "controller-manager": ("kube-controller-manager", 10257),
    "scheduler": ("kube-scheduler", 10259),
    "etcd-0": ("", 0),
}


class _Health(Struct, frozen=True):
    name: str
    well: bool
    message: str

    def show(self) -> Obj:
        status = "True" if self.well else "False"
        return {
            "kind": "ComponentStatus",
            "apiVersion": "v1",
            "metadata": {"name": self.name},
            "conditions": [{"type": "Healthy", "status": status, "message": self.message}],
        }


async def serve(scope: Scope, request: Request) -> Answer:
    """One component's status, or all of them. ApiError 404."""
    if request.info.name:
        return await _get(scope, request)
    form = accepted(request)
    options = listing.options_of(scope, request)
    wanted = [name for name in COMPONENTS if options.predicate.matches(_item(name))]
    return listing.shaped(scope, request, [await _status(scope, request, name) for name in wanted], {}, form)


def _item(name: str) -> Item:
    """What selectors see of a component."""
    value = orjson.dumps({"metadata": {"name": name}})
    return Item(Entry(name, value, 0, 0), "", name, lambda obj: {})


async def _get(scope: Scope, request: Request) -> Answer:
    name = request.info.name
    if name not in COMPONENTS:
        raise errors.missing("", "componentstatus", name)
    return scope.answer(orjson.dumps(await _status(scope, request, name)), request)


async def _status(scope: Scope, request: Request, name: str) -> Obj:
    lease, port = COMPONENTS[name]
    if not lease or await _held(scope, request, lease):
        return _Health(name, True, "ok").show()
    refused = f'Get "https://127.0.0.1:{port}/healthz": dial tcp 127.0.0.1:{port}: connect: connection refused'
    return _Health(name, False, refused).show()


async def _held(scope: Scope, request: Request, name: str) -> bool:
    """Whether a Lease in kube-system was renewed in time."""
    leases = await scope.server.registry_of("coordination.k8s.io", "leases")
    entry = await leases.storage.get(leases.cache.key("kube-system", name))
    if entry is None:
        return False
    spec: dict[str, Any] = orjson.loads(entry.value).get("spec") or {}
    renewed: str = spec.get("renewTime") or ""
    return bool(renewed) and parse_rfc3339(renewed) + spec.get("leaseDurationSeconds", 0) >= request.now
