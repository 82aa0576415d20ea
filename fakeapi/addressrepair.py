"""The relation between cluster IPs and their IPAddresses, put right where somebody has broken it.

Stands for pkg/registry/core/service/ipallocator/controller (RepairIPAddress): records of the allocator that no Service
has are cleaned up when they are written, Services whose records are gone or somebody else's get them back when the loop
comes round. What addresses.py writes with each Service is not broken. Leaves out addresses outside every range, which
cannot be had here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, NamedTuple

import orjson

from fakeapi.addresses import GROUP, PLURAL, PREFIX, VERSION, Addresses, cluster_ips, holder_of
from fakeapi.availability import SERVICES
from fakeapi.clock import Timer, parse_rfc3339
from fakeapi.ips import is_ipv6
from fakeapi.keeper import Keeper
from fakeapi.loopback import ask, warn
from fakeapi.poststart import ip_address
from fakeapi.strategies.base import Obj

if TYPE_CHECKING:
    from fakeapi.app import ApiServer

CONTROLLER = "ipallocator-repair-controller"
REPAIR_SECONDS = 180.0  # kube-apiserver's RepairServicesInterval
GRACE_SECONDS = 60.0  # a Service may still be on its way
MANAGED_BY, FAMILY = "ipaddress.kubernetes.io/managed-by", "ipaddress.kubernetes.io/ip-family"
RESOURCE = (GROUP, VERSION, PLURAL)


class Finding(NamedTuple):
    """What is told of an object in an event, and what is done to the record: "" for nothing."""

    reason: str
    note: str
    repair: str = ""


def of_record(record: Obj, service: Obj | None, age: float) -> Finding | None:
    """syncIPAddress: what is wrong with a record. service: the one it names; age in seconds."""
    metadata, parent = record["metadata"], record["spec"].get("parentRef") or {}
    name = metadata["name"]
    if metadata.get("labels", {}).get(MANAGED_BY) != "ipallocator.k8s.io":
        return None
    if parent.get("group") or parent.get("resource") != "services":
        shown = " ".join(parent.get(key, "") for key in ("group", "resource", "namespace", "name"))
        note = f"IPAddress {name} appears to have been modified, not referencing a Service &{{{shown}}}: cleaning up"
        return Finding("IPAddressNotAllocated", note, "delete")
    whose = f"IPAddress: {name} for Service {parent.get('namespace', '')}/{parent.get('name', '')}"
    if service is None:
        if age <= GRACE_SECONDS:
            return None
        return Finding("IPAddressNotAllocated", f"{whose} appears to have leaked: cleaning up", "delete")
    if name in (service["spec"].get("clusterIPs") or ()):
        return None
    return Finding("IPAddressWrongReference", f"{whose} has a wrong reference; cleaning up", "delete")


def of_service(service: Obj, address: str, record: Obj | None, referenced: Obj | None) -> Finding | None:
    """syncService: what is wrong with the record of one of its addresses. referenced: the Service that it names."""
    metadata = service["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    family = "IPv6" if is_ipv6(address) else "IPv4"
    if record is None:
        note = f"Cluster IP [{family}]: {address} is not allocated; repairing"
        return Finding("ClusterIPNotAllocated", note, "create")
    parent = record["spec"].get("parentRef") or {}
    wrong = f"the ClusterIP [{family}]: {address} for Service {namespace}/{name} has a wrong reference; repairing"
    if parent.get("group") or parent.get("resource") != "services":
        return Finding("ClusterIPNotAllocated", wrong, "recreate")
    if (parent.get("namespace"), parent.get("name")) != (namespace, name):
        if referenced is None:
            return Finding("ClusterIPNotAllocated", wrong, "recreate")
        if address in (referenced["spec"].get("clusterIPs") or ()):
            note = f"Cluster IP [{family}]:{address} was assigned to multiple services; please recreate service"
            return Finding("ClusterIPAlreadyAllocated", note)
    labels = record["metadata"].get("labels", {})
    if (labels.get(FAMILY), labels.get(MANAGED_BY)) != (family, "ipallocator.k8s.io"):
        return Finding("", "", "recreate")
    return None


class AddressRepair(Keeper):
    """Follows the records. held: what the Services have."""

    def __init__(self, server: ApiServer, addresses: Addresses) -> None:
        serving = server.table.find(GROUP, VERSION, PLURAL) is not None
        super().__init__(server.storage, {PREFIX: ""} if serving else {})
        self._server = server
        self._addresses = addresses
        self._timer: Timer | None = None
        self._later: dict[str, Timer] = {}
        self._began = server.clock.monotonic()

    async def stop(self) -> None:
        for timer in (self._timer, *self._later.values()):
            if timer is not None:
                timer.cancel()
        await super().stop()

    async def look(self, key: str) -> None:
        """See Keeper. The prefix stands for the loop's round."""
        if key == PREFIX:
            for finding in [f async for f in self._broken()]:
                await self._repair(*finding)
            return
        record = await self._get(key)
        if record is None or self._addresses.holder(key.removeprefix(PREFIX)) != holder_of(record):
            self._come_round(key)
        if record is None:
            return
        age = self._server.clock.now() - parse_rfc3339(record["metadata"]["creationTimestamp"])
        service = await self._get(holder_of(record)) if holder_of(record) else None
        found = of_record(record, service, age)
        if found is not None:
            await self._repair(record, record["metadata"]["name"], found)
        elif service is None and age <= GRACE_SECONDS and key not in self._later:
            self._later[key] = self._server.clock.call_later(GRACE_SECONDS - age + 1, lambda: self._again(key))

    def _again(self, key: str) -> None:
        self._later.pop(key, None)
        self._enqueue(key)

    def _come_round(self, key: str) -> None:
        """Something that a Service should have may be gone: the next round sees to it."""
        if self._timer is None and self._addresses.holder(key.removeprefix(PREFIX)):
            clock = self._server.clock
            left = REPAIR_SECONDS - (clock.monotonic() - self._began) % REPAIR_SECONDS
            self._timer = clock.call_later(left, self._round)

    def _round(self) -> None:
        self._timer = None
        self._enqueue(PREFIX)

    async def _broken(self) -> AsyncIterator[tuple[Obj, str, Finding]]:
        for entry in (await self.storage.list(SERVICES)).entries:
            service = orjson.loads(entry.value)
            for address in sorted(cluster_ips(service)):
                record = await self._get(PREFIX + address)
                parent = holder_of(record) if record is not None else ""
                found = of_service(service, address, record, await self._get(parent) if parent else None)
                if found is not None:
                    yield service, address, found

    async def _repair(self, about: Obj, address: str, found: Finding) -> None:
        if found.reason:
            action = "IPAddressAllocation" if about["kind"] == "IPAddress" else "ClusterIPAllocation"
            await warn(self._server, about, found.reason, action, found.note, CONTROLLER)
        if found.repair in ("delete", "recreate"):
            await ask(self._server, "DELETE", RESOURCE, "", address)
        if found.repair in ("create", "recreate"):
            metadata = about["metadata"]
            family = "IPv6" if is_ipv6(address) else "IPv4"
            made = ip_address(address, family, metadata["namespace"], metadata["name"], "")
            del made["metadata"]["managedFields"]
            await ask(self._server, "POST", RESOURCE, "", body=made)

    async def _get(self, key: str) -> Obj | None:
        entry = await self.storage.get(key)
        return orjson.loads(entry.value) if entry is not None else None
