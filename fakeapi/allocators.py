"""Cluster IPs and node ports: which values Services hold, and how a write takes and gives them back.

Stands for pkg/registry/core/service/storage/alloc.go, ipallocator and portallocator. The state is in memory, made
from the Services that exist. The ranges are serviceranges.py's, IPAddress objects addresses.py's.

Protocol, for the registry (attached with msgspec.structs.replace, as the state belongs to one server):
    allocators = ServiceAllocators(["10.0.0.0/16"], rng=random.Random())
    allocators.rebuild(services)               all that the store has; once, and again after a restore
    done = allocators.allocate(new, old, ctx)  after prepare, before validate; old is None on create. Fills in families,
                                               cluster IPs, node ports and the health check's port, in place.
                                               ApiError 422 (500 when a range is full)
    done(True)                                 the write happened: what the old object held is given back
    done(False)                                it did not, or was a dry run: what was taken is given back
    allocators.release(obj)                    the object is gone

Taking what one's own old object holds is no conflict. With ctx.dry_run nothing is taken, and values in use pass.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable, Iterable, Sequence

from fakeapi import errors
from fakeapi.errors import ApiError, FieldError, invalid
from fakeapi.ips import is_ipv6, parse_ip
from fakeapi.strategies.base import Context, Obj
from fakeapi.strategies.service import check_cluster_ips, is_headless, needs_health_check
from fakeapi.strategies.service_update import needs_node_ports

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ALLOCATED_IP = "provided IP is already allocated"
ALLOCATED_PORT = "provided port is already allocated"
OUTSIDE = "the provided network does not match the current range"
_FULL = "range is full"
_MULTIPLE = "must be 'RequireDualStack' or 'PreferDualStack' when multiple '{}' are specified"


class _Numbers:
    """What of some numbers is taken."""

    used: set[int]

    def take(self, value: int) -> bool:
        """Whether the value was free; it is taken now."""
        if value in self.used:
            return False
        self.used.add(value)
        return True


class Pool(_Numbers):
    """Numbers of one range. The lowest `reserved` ones are handed out only on demand, or when nothing else is left."""

    def __init__(self, first: int, last: int, reserved: int, rng: random.Random, used: set[int] | None = None) -> None:
        self.first, self.last = first, last
        self.used = set() if used is None else used
        self._bands = ((first + reserved, last), (first, first + reserved - 1))
        self._rng = rng

    def __contains__(self, value: int) -> bool:
        return self.first <= value <= self.last

    def next(self) -> int | None:
        """A free value, random in the upper band; None when there is none. It is not taken yet."""
        for low, high in self._bands:
            size = high - low + 1
            start = self._rng.randrange(size) if size > 0 else 0
            for step in range(size):
                value = low + (start + step) % size
                if value not in self.used:
                    return value
        return None


class Ranges(_Numbers):
    """The addresses of one family: several pools, which share what is taken."""

    def __init__(self, networks: Sequence[Network], rng: random.Random) -> None:
        self.used = set()
        self._rng = rng
        self.set(networks)

    def set(self, networks: Sequence[Network]) -> None:
        """Take from these from here on; what is taken stays so."""
        self._pools = [_address_pool(network, self._rng, self.used) for network in networks]

    def __contains__(self, value: int) -> bool:
        return any(value in pool for pool in self._pools)

    def next(self) -> int | None:
        """See Pool: of the first range that has one."""
        return next((value for pool in self._pools if (value := pool.next()) is not None), None)


def _address_pool(network: Network, rng: random.Random, used: set[int]) -> Pool:
    """Without the network's own address and an IPv4 network's broadcast address."""
    last = int(network.broadcast_address) - (1 if network.version == 4 else 0)
    size = min(network.num_addresses, 2**16)
    reserved = min(max(16, size // 16), 256) if size > 16 else 0
    return Pool(int(network.network_address) + 1, last, max(reserved - 1, 0), rng, used)


class _Take:
    """The values of one write: taken at once, given back when it fails."""

    def __init__(self, dry_run: bool) -> None:
        self.dry_run = dry_run
        self.taken: list[tuple[Pool | Ranges, int]] = []

    def take(self, pool: Pool | Ranges, value: int) -> bool:
        if self.dry_run:
            return True
        if not pool.take(value):
            return False
        self.taken.append((pool, value))
        return True

    def next(self, pool: Pool | Ranges) -> int | None:
        value = pool.next()
        if value is not None:
            self.take(pool, value)
        return value

    def undo(self) -> None:
        for pool, value in self.taken:
            pool.used.discard(value)


class ServiceAllocators:
    """The cluster's Service IPs, of each family (the first range's is the default), and its node ports."""

    def __init__(
        self, cidrs: Sequence[str], *, rng: random.Random, node_ports: tuple[int, int] = (30000, 32767)
    ) -> None:
        self.families = [f"IPv{ipaddress.ip_network(c).version}" for c in cidrs]
        self.addresses = {family: Ranges(_networks(cidrs, family), rng) for family in self.families}
        size = node_ports[1] - node_ports[0] + 1
        reserved = min(max(16, size // 32), 128) if size > 16 else 0
        self.ports = Pool(*node_ports, reserved, rng)

    def set_ranges(self, cidrs: Sequence[str]) -> None:
        """Take addresses from these ranges from here on, of the families that the cluster has."""
        for family, ranges in self.addresses.items():
            ranges.set(_networks(cidrs, family))

    def rebuild(self, services: Iterable[Obj]) -> None:
        """Forget everything, then hold what these Services hold."""
        pools: list[Pool | Ranges] = [*self.addresses.values(), self.ports]
        for pool in pools:
            pool.used.clear()
        for obj in services:
            for pool, value in self._held(obj):
                pool.used.add(value)

    def release(self, obj: Obj) -> None:
        """Give back all that a Service held."""
        for pool, value in self._held(obj):
            pool.used.discard(value)

    def allocate(self, new: Obj, old: Obj | None, ctx: Context) -> Callable[[bool], None] | None:
        """See the module's protocol."""
        if ctx.subresource:
            return None
        taking = _Take(ctx.dry_run)
        before = old["spec"] if old else {}
        try:
            self._families(new, before)
            self._take_addresses(new, before, taking)
            self._take_ports(new, before, taking)
            self._take_health_port(new, before, taking)
        except ApiError:
            taking.undo()
            raise

        def done(written: bool) -> None:
            if not written:
                taking.undo()
            elif old is not None and not ctx.dry_run:
                kept = set(self._held(new))
                for pool, value in self._held(old):
                    if (pool, value) not in kept:
                        pool.used.discard(value)

        return done

    def _held(self, obj: Obj) -> list[tuple[Pool | Ranges, int]]:
        spec = obj.get("spec") or {}
        found: list[tuple[Pool | Ranges, int]] = []
        for text in spec.get("clusterIPs") or ():
            ip = parse_ip(text)
            pool = self.addresses.get(f"IPv{ip.version}") if ip else None
            if ip is not None and pool is not None:
                found.append((pool, int(ip)))
        ports = [p.get("nodePort", 0) for p in spec.get("ports") or ()] + [spec.get("healthCheckNodePort", 0)]
        return found + [(self.ports, p) for p in ports if p in self.ports]

    # -- IP families -----------------------------------------------------------------------------------------------

    def _families(self, obj: Obj, before: Obj) -> None:
        """initIPFamilyFields: policy and families follow from each other, from the IPs and from the cluster's."""
        spec = obj["spec"]
        if spec.get("type") == "ExternalName":
            return
        _fail(obj, check_cluster_ips(spec, before.get("clusterIPs") or ()))
        self._from_before(spec, before)
        ips, families = spec.get("clusterIPs") or [], list(spec.get("ipFamilies") or ())
        policy = spec.get("ipFamilyPolicy")
        found: list[FieldError] = []
        if policy in (None, "SingleStack"):
            for field, values in (("clusterIPs", ips), ("ipFamilies", families)):
                if len(values) == 2:
                    found.append(invalid("spec.ipFamilyPolicy", policy, _MULTIPLE.format(field)))
        for i, ip in enumerate(ips):
            if ip == "None":
                break
            family = "IPv6" if is_ipv6(ip) else "IPv4"
            if i >= len(families):
                families.append(family)
                if family not in self.addresses:
                    found.append(invalid(f"spec.clusterIPs[{i}]", ips, f"{family} is not configured on this cluster"))
        _fail(obj, found)
        if is_headless(spec) and not spec.get("selector"):
            self._selectorless(spec, families)
            return
        found = [
            invalid(f"spec.ipFamilies[{i}]", f, "not configured on this cluster")
            for i, f in enumerate(families)
            if f not in self.addresses
        ]
        if policy == "RequireDualStack" and len(self.families) < 2:
            text = "this cluster is not configured for dual-stack services"
            found.append(invalid("spec.ipFamilyPolicy", policy, text))
        _fail(obj, found)
        families = families or self.families[:1]
        if policy in ("PreferDualStack", "RequireDualStack") and len(families) == 1:
            families += [f for f in self.families if f not in families]
        spec["ipFamilyPolicy"] = policy or "SingleStack"
        spec["ipFamilies"] = families

    def _from_before(self, spec: Obj, before: Obj) -> None:
        """On an update, what is not given stays; a change to SingleStack drops the second family and IP."""
        if not before or before.get("type") == "ExternalName":
            return
        if spec.get("ipFamilyPolicy") is None and before.get("ipFamilyPolicy") is not None:
            spec["ipFamilyPolicy"] = before["ipFamilyPolicy"]
        if not spec.get("ipFamilies") and before.get("ipFamilies"):
            spec["ipFamilies"] = list(before["ipFamilies"])
        if spec.get("ipFamilyPolicy") == "SingleStack" and before.get("ipFamilyPolicy") != "SingleStack":
            for field in ("clusterIPs", "ipFamilies"):
                if len(spec.get(field) or ()) == 2 and spec[field] == before.get(field):
                    spec[field] = spec[field][:1]

    def _selectorless(self, spec: Obj, families: list[str]) -> None:
        """Headless without a selector: both families, whatever the cluster has, unless told otherwise."""
        families = families or self.families[:1]
        policy = spec.get("ipFamilyPolicy") or "RequireDualStack"
        if policy != "SingleStack" and len(families) == 1:
            families = [*families, "IPv6" if families[0] == "IPv4" else "IPv4"]
        spec["ipFamilyPolicy"], spec["ipFamilies"] = policy, families

    # -- taking ----------------------------------------------------------------------------------------------------

    def _take_addresses(self, obj: Obj, before: Obj, taking: _Take) -> None:
        spec = obj["spec"]
        if spec.get("type") == "ExternalName" or is_headless(spec):
            return
        held = before.get("clusterIPs") or []
        given: list[str] = list(spec.get("clusterIPs") or ())
        ips: list[str] = []
        for i, family in enumerate(spec.get("ipFamilies") or ()):
            pool = self.addresses[family]
            wanted = given[i] if i < len(given) else ""
            if wanted and wanted in held:
                ips.append(wanted)
            elif wanted:
                self._take_address(obj, pool, wanted, given, taking)
                ips.append(wanted)
            else:
                value = taking.next(pool)
                if value is None:
                    raise errors.internal_error(f"failed to allocate a serviceIP: {_FULL}")
                ips.append(str((ipaddress.IPv4Address if family == "IPv4" else ipaddress.IPv6Address)(value)))
        if ips:
            spec["clusterIP"], spec["clusterIPs"] = ips[0], ips

    def _take_address(self, obj: Obj, pool: Ranges, wanted: str, given: list[str], taking: _Take) -> None:
        ip = parse_ip(wanted)
        assert ip is not None  # check_cluster_ips saw it
        problem = "" if int(ip) in pool else OUTSIDE
        if not problem and not taking.take(pool, int(ip)):
            problem = ALLOCATED_IP
        if problem:
            _fail(obj, [invalid("spec.clusterIPs", given, f"failed to allocate IP {wanted}: {problem}")])

    def _take_ports(self, obj: Obj, before: Obj, taking: _Take) -> None:
        """initNodePorts and updateNodePorts: equal ports of two protocols share a node port."""
        spec = obj["spec"]
        if not needs_node_ports(spec):
            return
        automatic = spec.get("type") == "NodePort" or spec.get("allocateLoadBalancerNodePorts") is not False
        ports = spec.get("ports") or []
        held = {p.get("nodePort", 0) for p in before.get("ports") or ()} - {0}
        by_port: dict[int, int] = {}
        for i, port in enumerate(ports):
            number, wanted = port.get("port", 0), port.get("nodePort", 0)
            if not wanted and not automatic:
                continue
            shared = by_port.get(number, 0) if not before else 0
            if not wanted and not before:
                wanted = shared or next(
                    (p["nodePort"] for p in ports if p.get("port") == number and p.get("nodePort")), 0
                )
            if not wanted:
                wanted = taking.next(self.ports) or 0
                if not wanted:
                    raise errors.internal_error(f"failed to allocate a nodePort: {_FULL}")
            elif wanted not in held and wanted != shared:
                self._take_port(obj, f"spec.ports[{i}].nodePort", wanted, taking)
            port["nodePort"] = wanted
            by_port.setdefault(number, wanted)

    def _take_port(self, obj: Obj, at: str, wanted: int, taking: _Take) -> None:
        if wanted not in self.ports:
            _fail(obj, [invalid(at, wanted, self._outside)])
        if not taking.take(self.ports, wanted):
            _fail(obj, [invalid(at, wanted, ALLOCATED_PORT)])

    def _take_health_port(self, obj: Obj, before: Obj, taking: _Take) -> None:
        spec = obj["spec"]
        if not needs_health_check(spec):
            return
        wanted = spec.get("healthCheckNodePort", 0)
        if wanted and wanted == before.get("healthCheckNodePort", 0):
            return
        if not wanted:
            spec["healthCheckNodePort"] = taking.next(self.ports) or 0
        elif wanted not in self.ports or not taking.take(self.ports, wanted):
            text = ALLOCATED_PORT if wanted in self.ports else self._outside
            raise errors.internal_error(f"failed to allocate requested HealthCheck NodePort {wanted}: {text}")

    @property
    def _outside(self) -> str:
        """What is said of a port outside the range."""
        valid = f"The range of valid ports is {self.ports.first}-{self.ports.last}"
        return f"provided port is not in the valid range. {valid}"


def _networks(cidrs: Iterable[str], family: str) -> list[Network]:
    return [network for c in cidrs if f"IPv{(network := ipaddress.ip_network(c)).version}" == family]


def _fail(obj: Obj, found: list[FieldError]) -> None:
    if found:
        raise errors.invalid_object("", "Service", obj["metadata"].get("name", ""), found)
