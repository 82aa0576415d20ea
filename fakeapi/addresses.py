"""IPAddresses: one for each cluster IP, made and taken away with its Service.

Stands for what ipallocator writes (pkg/registry/core/service/ipallocator). Which IP a Service has is allocators.py's to
decide; here the record of it follows, and addressrepair.py looks after it. Minors before 1.33 have no such kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from fakeapi import meta
from fakeapi.availability import SERVICES
from fakeapi.clock import rfc3339
from fakeapi.ips import is_ipv6
from fakeapi.keeper import Keeper
from fakeapi.poststart import ip_address
from fakeapi.registry import encode
from fakeapi.storage.base import KeyMissing
from fakeapi.strategies.base import Obj

if TYPE_CHECKING:
    from fakeapi.app import ApiServer

PREFIX = "/registry/ipaddresses/"
GROUP, VERSION, PLURAL = "networking.k8s.io", "v1", "ipaddresses"


class Addresses(Keeper):
    """Keeps the records of one server's Services."""

    def __init__(self, server: ApiServer) -> None:
        serving = server.table.find(GROUP, VERSION, PLURAL) is not None
        super().__init__(server.storage, {SERVICES: ""} if serving else {})
        self._server = server
        self._held: dict[str, set[str]] = {}
        self._holders: dict[str, str] = {}

    def holder(self, address: str) -> str:
        """The key of the Service that has the address, "" for none."""
        return self._holders.get(address, "")

    async def look(self, key: str) -> None:
        """See Keeper."""
        if key == SERVICES:
            await self._look_at_all()
            return
        entry = await self.storage.get(key)
        wanted = cluster_ips(orjson.loads(entry.value)) if entry is not None else set()
        for address in self._held.get(key, set()) - wanted:
            if self._holders.get(address) == key:
                del self._holders[address]
            await self._remove(key, address)
        self._holders |= dict.fromkeys(wanted, key)
        for address in wanted - self._held.get(key, set()):
            await self._record(key, address)
        self._held[key] = wanted
        if entry is None:
            self._held.pop(key, None)

    async def _look_at_all(self) -> None:
        """The start: what is recorded, whether its Service is still there or not."""
        self._held.clear()
        self._holders.clear()
        for entry in (await self.storage.list(PREFIX)).entries:
            self._held.setdefault(holder_of(orjson.loads(entry.value)), set()).add(entry.key.removeprefix(PREFIX))
        services = [entry.key for entry in (await self.storage.list(SERVICES)).entries]
        for key in {*services, *(key for key in self._held if key)}:
            await self.look(key)

    async def _record(self, key: str, address: str) -> None:
        namespace, name = key.removeprefix(SERVICES).split("/", 1)
        obj = ip_address(address, "IPv6" if is_ipv6(address) else "IPv4", namespace, name, self._now)
        obj["metadata"] |= {"uid": meta.new_uid(self._server.rng), "creationTimestamp": self._now}
        found = await self.storage.get(PREFIX + address)
        if found is None:
            await self.storage.create(PREFIX + address, encode(obj))
        elif holder_of(orjson.loads(found.value)) != key:
            await self.storage.update(PREFIX + address, encode(obj), expected=found.revision)

    async def _remove(self, key: str, address: str) -> None:
        """Unless another Service has taken the address in the meantime."""
        found = await self.storage.get(PREFIX + address)
        if found is not None and holder_of(orjson.loads(found.value)) == key:
            try:
                await self.storage.delete(found.key, expected=found.revision)
            except KeyMissing:
                return

    @property
    def _now(self) -> str:
        return rfc3339(self._server.clock.now())


def cluster_ips(service: Obj) -> set[str]:
    """The addresses that a Service holds."""
    return {ip for ip in service["spec"].get("clusterIPs") or () if ip != "None"}


def holder_of(record: Obj) -> str:
    """The key of the Service that an IPAddress belongs to; "" for those of others."""
    parent = record["spec"].get("parentRef") or {}
    if parent.get("resource") != "services" or parent.get("group"):
        return ""
    return f"{SERVICES}{parent.get('namespace', '')}/{parent.get('name', '')}"
