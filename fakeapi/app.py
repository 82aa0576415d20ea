"""The API server: build(config) puts the whole chain together, handle() walks a request down it.

Stands for apiserver's server/config.go (DefaultBuildHandlerChain) and endpoints/installer.go: authenticate →
impersonate → authorize → route → handler; errors become a Status once, here. ApiServer is an ASGI application, and
`call` is the same chain without a socket, entered after authentication, for the components of this process.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fakeapi import admission, asgi, authorization, codec, deadline, discovery, errors, openapi, poststart
from fakeapi.accounts import Accounts, PublicKey
from fakeapi.addresses import Addresses
from fakeapi.addressrepair import AddressRepair
from fakeapi.admission.base import Host, Obj
from fakeapi.allocators import ServiceAllocators
from fakeapi.authentication import Authenticator
from fakeapi.availability import Availability
from fakeapi.clock import Clock, RealClock, rfc3339
from fakeapi.config import Config
from fakeapi.control import Control
from fakeapi.crds.controller import Definitions
from fakeapi.crds.conversion import Webhook
from fakeapi.errors import ApiError
from fakeapi.expiry import Expiry
from fakeapi.handlers import paths, routes
from fakeapi.handlers.compression import compress
from fakeapi.handlers.scope import Scope
from fakeapi.keeper import Keeper
from fakeapi.metrics import Metrics
from fakeapi.reader import CacheReader
from fakeapi.registry import Registry, encode
from fakeapi.request import Answer, Request, User, decode_path, parse, parse_query
from fakeapi.resources.base import Resource
from fakeapi.resources.table import builtin
from fakeapi.schema import decode, definitions
from fakeapi.serviceranges import ServiceRanges
from fakeapi.storage.base import KeyExists, Storage
from fakeapi.streaming.upgrade import TAKE
from fakeapi.tap import Tap
from fakeapi.upkeep import Upkeep
from fakeapi.watchcache import WatchCache

log = logging.getLogger("fakekube")

# The minor whose behaviour strategies have.
STRATEGIES_MINOR = 36


class ApiServer:
    """One API server over one store. `start` before the first request, `stop` in the end."""

    def __init__(
        self,
        config: Config,
        storage: Storage,
        *,
        clock: Clock | None = None,
        tokens: dict[str, User] | None = None,
        account_key: Callable[[], bytes] | None = None,
        checking_keys: Sequence[PublicKey] = (),
    ) -> None:
        self.config = config
        self.storage = storage
        self.clock = clock or RealClock()
        self.rng = random.Random(config.seed)
        self.definitions = definitions.load(config.minor)
        self.table = builtin(config.minor)
        self.discovery = discovery.Views(self.table)
        self.openapi = openapi.Views(
            self.table, f"v1.{config.minor}.2", lambda row, version: row.custom.schema if row.custom else None
        )
        self.registries: dict[tuple[str, str, str], Registry] = {}
        self.scopes: dict[tuple[str, str, str], Scope] = {}
        self.reader = CacheReader(self)
        self.authorizer = authorization.build(config, self.reader)
        self.admission = admission.build(
            Host(config, self.reader, self.authorizer, self.clock, self.table, self.definitions, self.call)
        )
        self.accounts = Accounts(config, self.reader, self.clock, account_key, checking_keys) if account_key else None
        check = self.accounts.authenticate if self.accounts else None
        self.authenticator = Authenticator(tokens or {}, check, config.anonymous_auth)
        self.custom = Definitions(self, Webhook(self.reader, self.rng).ask)
        self.expiry = Expiry(storage, self.clock)
        self.ranges = ServiceRanges(storage, self.table.find("networking.k8s.io", "v1", "servicecidrs"))
        addresses = Addresses(self)
        self.keepers: tuple[Keeper, ...] = (Availability(self), addresses, AddressRepair(self, addresses))
        self.upkeep: Upkeep | None = None
        self.tap: Tap | None = None
        self.control: Control | None = None
        self.metrics = Metrics()
        self.closing = asyncio.Event()
        self.started = self.clock.now()

    # -- life ------------------------------------------------------------------------------------------------------

    async def start(self, facts: poststart.Facts) -> None:
        """Make what exists from the start; what is there already stays as it is."""
        objects = list(poststart.objects(self.table, facts))
        made = [await self.insert(row, obj) for row, obj in objects]
        await self.custom.start()
        await self.expiry.start()
        for keeper in self.keepers:
            await keeper.start()
        self.upkeep = Upkeep(self, facts)
        await self.upkeep.start(objects, revise=not all(made))

    async def insert(self, row: Resource, obj: Obj) -> bool:
        """Store an object that is complete but for uid and creation time; whether it was not there before."""
        from fakeapi import meta

        metadata = obj["metadata"]
        metadata.setdefault("uid", meta.new_uid(self.rng))
        metadata.setdefault("creationTimestamp", rfc3339(self.clock.now()))
        try:
            await self.storage.create(row.key(metadata.get("namespace", ""), metadata["name"]), encode(obj))
        except KeyExists:
            return False
        return True

    async def stop(self) -> None:
        """End every watch and close the store."""
        self.closing.set()
        if self.upkeep is not None:
            await self.upkeep.stop()
        for keeper in self.keepers:
            await keeper.stop()
        await self.expiry.stop()
        self.ranges.stop()
        await self.custom.stop()
        for registry in self.registries.values():
            registry.cache.stop()
        await self.storage.close()

    def expire(self) -> None:
        """The store's contents are about to be swapped: end every watch with 410, also those of kinds that go then."""
        for registry in self.registries.values():
            registry.cache.expire()

    async def restored(self) -> None:
        """The store's contents were swapped: what is derived from them and not a watch cache starts over."""
        for registry in list(self.registries.values()):
            await self._hold(registry)

    async def _hold(self, registry: Registry) -> None:
        """Give the registry what gives out its cluster-wide values, if there are any."""
        make = ALLOCATORS.get((registry.row.group, registry.row.plural))
        if make is not None:
            allocators = make(self.config, self.rng, [item.load() for item in registry.cache.list().items])
            registry.hold(allocators)
            await self.ranges.serve(allocators)

    # -- the parts a handler asks for ------------------------------------------------------------------------------

    async def registry(self, row: Resource) -> Registry:
        """The row's store, made and filled on first use."""
        found = self.registries.get(registry_key(row))
        if found is None or found.row is not row:
            found = await self._make_registry(row)
        return found

    async def _make_registry(self, row: Resource) -> Registry:
        kind_type = self.kind_type(row, row.storage_version)
        strategy = row.strategy
        zero = (
            {"kind": row.kind, "apiVersion": api_version(row.group, row.storage_version)}
            | (decode.zero(kind_type) or {})
            | {"metadata": {}}
        )
        storage = row.custom.storage(self.storage) if row.custom else self.storage
        cache = WatchCache(
            storage,
            row.prefix,
            namespaced=row.namespaced,
            fields=lambda obj: {name: value(obj) for name, value in strategy.fields.items()},
            index="spec.nodeName" if "spec.nodeName" in strategy.fields else "",
            empty=zero,
        )
        old = self.config.minor < STRATEGIES_MINOR and row.storage_group is None
        registry = Registry(row, storage, cache, clock=self.clock, rng=self.rng, kind_type=kind_type, old=old)
        await cache.start()
        await self._hold(registry)
        winner = self.registries.get(registry_key(row))
        if winner is not None and winner.row is row:
            cache.stop()
            return winner
        self.registries[registry_key(row)] = registry
        if row.custom is not None:
            await self._follow_other_versions(row)
        return registry

    async def _follow_other_versions(self, row: Resource) -> None:
        """All versions of a custom resource are followed from the same moment, so that a watch may change versions."""
        for version in self.table.versions(row.group):
            other = self.table.find(row.group, version, row.plural)
            if other is not None and other is not row and other.custom is not None:
                try:
                    await self.registry(other)
                except ApiError as error:
                    log.debug("following %s/%s %s: %s", row.group, version, row.plural, error)

    async def registry_of(self, group: str, plural: str) -> Registry:
        """The store of a resource by name. KeyError: no served version has it."""
        for version in self.table.versions(group):
            row = self.table.find(group, version, plural)
            if row is not None:
                return await self.registry(row)
        raise KeyError((group, plural))

    def kind_type(self, row: Resource, version: str) -> Any:
        """The Type of a row's objects in that version."""
        if row.custom:
            return row.custom.type
        if not row.definition:
            return self.definitions.free(row.kind)
        return self.definitions.type(f"{row.definition}.{version}.{row.kind}")

    def retire(self, row: Resource) -> None:
        """A row is no longer served: let go of its store, end its watches."""
        self.scopes.pop((row.group, row.storage_version, row.plural), None)
        registry = self.registries.pop(registry_key(row), None)
        if registry is not None:
            registry.cache.stop()

    async def scope(self, row: Resource, version: str) -> Scope:
        """What handlers need to serve a row in a version."""
        key = (row.group, version, row.plural)
        found = self.scopes.get(key)
        if found is None or found.row is not row:
            found = self.scopes[key] = Scope(self, row, version, self.kind_type(row, version), await self.registry(row))
        return found

    # -- requests --------------------------------------------------------------------------------------------------

    async def handle(self, request: Request) -> Answer:
        """Authenticate and answer. Never raises."""
        if request.info.error:
            return paths.unreadable(request)
        try:
            deadline.check(request)
            request.user = await self.authenticator.authenticate(request)
        except ApiError as error:
            answer = self.refuse(error, request)
            if self.tap is not None:
                self.tap.refused(request, answer)
            return answer
        return await self.serve(request)

    async def serve(self, request: Request) -> Answer:
        """Everything after authentication, as far as the tap lets it happen. Never raises."""
        return await (self._serve(request) if self.tap is None else self.tap(request, self._serve))

    async def _serve(self, request: Request) -> Answer:
        try:
            await self.authorizer.impersonate(request)
            await self.authorizer.check(request)
            answer = await (routes.route(self, request) if request.info.is_resource else paths.route(self, request))
        except ApiError as error:
            answer = self.refuse(error, request)
        except Exception:
            log.exception("unhandled exception: %s %s", request.method, request.path)
            answer = self.refuse(errors.internal_error("an unexpected error occurred"), request)
        if request.warnings:
            answer.warnings = codec.warning_headers(request.warnings)
        self.metrics.observe(request, answer.status, self.clock.now() - request.now)
        return answer

    def refuse(self, error: ApiError, request: Request) -> Answer:
        """An error as the client reads it."""
        form = codec.error_form(request.headers.get("accept", ""))
        return Answer(error.code, form.encode(error.status), form.media, dict(error.headers))

    async def call(self, method: str, target: str, headers: Mapping[str, str], body: bytes, user: User) -> Answer:
        """A request of a component in this process, as that user. Header names are lower-case."""

        async def read() -> bytes:
            return body

        path, _, query_text = target.partition("?")
        query = parse_query(query_text)
        path = decode_path(path)
        acting = [(k, v) for k, v in headers.items() if k.startswith("impersonate-")]
        info = parse(method, path, query)
        request = Request(method, path, query, headers, read, info, user, now=self.clock.now(), impersonation=acting)
        answer = await self.serve(request)
        if answer.status == 0:
            raise ConnectionResetError("the connection was closed without an answer")
        return answer

    async def __call__(self, scope: Any, receive: asgi.Receive, send: asgi.Send) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            return
        request = asgi.request_of(scope, receive, self.clock.now())
        answer = await compress(request, await self.handle(request))
        if answer.take_over is not None:
            await answer.take_over(scope[TAKE]())
        else:
            await asgi.send_answer(answer, receive, send, scope.get("fakekube.abort", asgi.no_abort))


def _service_allocators(config: Config, rng: random.Random, services: list[Obj]) -> ServiceAllocators:
    allocators = ServiceAllocators(config.service_cidr.split(","), rng=rng)
    allocators.rebuild(services)
    return allocators


# Who gives out the cluster-wide values of a resource.
ALLOCATORS: dict[tuple[str, str], Callable[[Config, random.Random, list[Obj]], ServiceAllocators]] = {
    ("", "services"): _service_allocators,
}


def registry_key(row: Resource) -> tuple[str, str, str]:
    """A store a resource; one a version for custom resources, whose versions are rows of their own."""
    return row.group, row.plural, row.storage_version if row.custom else ""


def api_version(group: str, version: str) -> str:
    """`apps/v1`, `v1`."""
    return f"{group}/{version}" if group else version
