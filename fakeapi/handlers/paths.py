"""Everything that is not a resource: discovery, OpenAPI, health, version, metrics.

Stands for apiserver's server/healthz, server/routes and endpoints/discovery. A table path → function; what is not in it
is Go's plain text 404.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from fakeapi import admin, aggregation, codec, discovery, errors, metrics, openapi
from fakeapi.gofmt import go_quote
from fakeapi.handlers import tokens
from fakeapi.handlers.routes import text_not_found
from fakeapi.request import Answer, Request

if TYPE_CHECKING:
    from fakeapi.app import ApiServer

TEXT = "text/plain; charset=utf-8"
HEALTH_CHECKS = (
    "ping",
    "log",
    "etcd",
    "poststarthook/start-apiserver-admission-initializer",
    "poststarthook/generic-apiserver-start-informers",
    "poststarthook/priority-and-fairness-config-consumer",
    "poststarthook/priority-and-fairness-filter",
    "poststarthook/storage-object-count-tracker-hook",
    "poststarthook/start-apiextensions-informers",
    "poststarthook/start-apiextensions-controllers",
    "poststarthook/crd-informer-synced",
    "poststarthook/start-system-namespaces-controller",
    "poststarthook/start-cluster-authentication-info-controller",
    "poststarthook/start-kube-apiserver-identity-lease-controller",
    "poststarthook/start-kube-apiserver-identity-lease-garbage-collector",
    "poststarthook/start-legacy-token-tracking-controller",
    "poststarthook/start-service-ip-repair-controllers",
    "poststarthook/rbac/bootstrap-roles",
    "poststarthook/scheduling/bootstrap-system-priority-classes",
    "poststarthook/priority-and-fairness-config-producer",
    "poststarthook/bootstrap-controller",
    "poststarthook/start-kubernetes-service-cidr-controller",
    "poststarthook/aggregator-reload-proxy-client-cert",
    "poststarthook/start-kube-aggregator-informers",
    "poststarthook/apiservice-status-local-available-controller",
    "poststarthook/apiservice-status-remote-available-controller",
    "poststarthook/apiservice-registration-controller",
    "poststarthook/apiservice-discovery-controller",
    "poststarthook/kube-apiserver-autoregistration",
    "autoregister-completion",
    "poststarthook/apiservice-openapi-controller",
    "poststarthook/apiservice-openapiv3-controller",
)
_READY_ONLY = ("informer-sync", "shutdown")

Page = Callable[["ApiServer", Request], Awaitable[Answer]]


async def route(server: ApiServer, request: Request) -> Answer:
    """Answer a request for a path that is no resource. ApiError 4xx."""
    path = request.path.rstrip("/") or "/"
    parts = path.strip("/").split("/")
    page = PAGES.get(parts[0] if parts[0] in _PREFIXES else path)
    if page is None:
        return text_not_found()
    if parts[0] not in ("healthz", "livez", "readyz", "fakekube") and request.method != "GET":
        raise errors.not_allowed()
    return await page(server, request)


def unreadable(request: Request) -> Answer:
    """What is said before all else to a path that means nothing (responsewriters.InternalError)."""
    text = f"Internal Server Error: {go_quote(request.path)}: failed to create RequestInfo: {request.info.error}\n"
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, entity)
    return Answer(500, text.encode(), TEXT, {"X-Content-Type-Options": "nosniff"})


async def _version(server: ApiServer, request: Request) -> Answer:
    minor = server.config.minor
    found = {
        "major": "1",
        "minor": str(minor),
        "emulationMajor": "1",
        "emulationMinor": str(minor),
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": str(minor - 1),
        "gitVersion": f"v1.{minor}.2",
        "gitCommit": "0000000000000000000000000000000000000000",
        "gitTreeState": "clean",
        "buildDate": "2026-06-09T00:00:00Z",
        "goVersion": "go1.26.3",
        "compiler": "gc",
        "platform": "linux/amd64",
    }
    return Answer(200, codec.PLAIN.encode(found))


async def _health(server: ApiServer, request: Request) -> Answer:
    endpoint, *rest = request.path.strip("/").split("/")
    checks = list(HEALTH_CHECKS)
    if endpoint == "readyz":
        checks[3:3] = _READY_ONLY
    one = "/".join(rest)
    if one:
        return Answer(200, b"ok", TEXT) if one in checks else text_not_found()
    if "verbose" not in request.query:
        return Answer(200, b"ok", TEXT)
    excluded = [name for name in request.query.get("exclude", ()) if name]
    lines = [f"[+]{c} excluded: ok" if c in excluded else f"[+]{c} ok" for c in checks]
    unknown = [f'"{name}"' for name in excluded if name not in checks]
    if unknown:
        lines.append(f"warn: some health checks cannot be excluded: no matches for {','.join(unknown)}")
    return Answer(200, ("\n".join([*lines, f"{endpoint} check passed"]) + "\n").encode(), TEXT)


async def _metrics(server: ApiServer, request: Request) -> Answer:
    objects = {}
    for row in server.table.rows():
        if not row.virtual and row.storage_group is None:
            page = await server.storage.list(f"/registry/{row.storage_key}/", limit=1)
            objects[row.group, row.plural] = len(page.entries) + page.remaining
    text = server.metrics.render(objects, server.started, f"v1.{server.config.minor}.2")
    return Answer(200, text.encode(), metrics.CONTENT_TYPE)


async def _core(server: ApiServer, request: Request) -> Answer:
    """/api and /api/v1."""
    parts = request.path.strip("/").split("/")
    if len(parts) == 1:
        aggregated = _aggregated(server, request, core=True)
        return aggregated or _plain(
            request, discovery.api_versions(f"{server.config.bind_address}:{server.config.port}")
        )
    return _resources(server, request, "", parts[1])


async def _groups(server: ApiServer, request: Request) -> Answer:
    """/apis, /apis/<group> and /apis/<group>/<version>."""
    parts = request.path.strip("/").split("/")
    if len(parts) == 1:
        aggregated = _aggregated(server, request, core=False)
        return aggregated or _plain(request, discovery.api_group_list(server.table))
    if len(parts) > 2 and parts[2] not in server.table.versions(parts[1]):
        remote = await aggregation.proxy(server, request, parts[1], parts[2])
        if remote is not None:
            return remote
    group = discovery.api_group(server.table, parts[1])
    if group is None:
        return text_not_found()
    return _plain(request, group) if len(parts) == 2 else _resources(server, request, parts[1], parts[2])


def _resources(server: ApiServer, request: Request, group: str, version: str) -> Answer:
    found = discovery.api_resource_list(server.table, group, version)
    if found is None:
        if not server.table.has_builtin(group):
            return text_not_found()
        raise errors.page_not_found()
    return _plain(request, found)


def _plain(request: Request, found: dict[str, object]) -> Answer:
    form = codec.negotiate(_without_discovery(request.headers.get("accept", "")))
    if isinstance(form, errors.ApiError):
        raise form
    return Answer(200, form.encode(found), form.media)


def _without_discovery(accept: str) -> str:
    """The Accept header without the clauses for aggregated discovery: groups and versions have only the plain form."""
    kept = [clause for clause in accept.split(",") if "APIGroupDiscoveryList" not in clause]
    return ",".join(kept)


def _aggregated(server: ApiServer, request: Request, core: bool) -> Answer | None:
    version = discovery.aggregated_version(request.headers.get("accept", ""))
    if not version:
        return None
    body, tag = server.discovery.aggregated(core, version)
    headers = {"ETag": tag, "Vary": "Accept"}
    if request.headers.get("if-none-match") == tag:
        return Answer(304, b"", discovery.aggregated_media_type(version), headers)
    return Answer(200, body, discovery.aggregated_media_type(version), headers)


async def _openapi(server: ApiServer, request: Request) -> Answer:
    if request.path.rstrip("/") == "/openapi":
        return text_not_found()
    headers = request.headers
    found = openapi.serve(
        server.openapi,
        request.path,
        headers.get("accept", ""),
        headers.get("if-none-match", ""),
        request.option("hash"),
    )
    return Answer(found.status, found.body, found.headers.pop("Content-Type", ""), found.headers)


async def _root(server: ApiServer, request: Request) -> Answer:
    groups = [g for g in server.table.groups() if g]
    found = ["/.well-known/openid-configuration", "/api", "/api/v1", "/apis"]
    for group in groups:
        found += [f"/apis/{group}", *(f"/apis/{group}/{v}" for v in server.table.versions(group))]
    found += [
        "/healthz",
        *(f"/healthz/{c}" for c in HEALTH_CHECKS),
        "/livez",
        "/metrics",
        "/openapi/v2",
        "/openapi/v3",
        "/openid/v1/jwks",
        "/readyz",
        "/version",
    ]
    return _plain(request, {"paths": sorted(found)})


PAGES: dict[str, Page] = {
    "/": _root,
    "/version": _version,
    "/metrics": _metrics,
    "/.well-known/openid-configuration": tokens.openid_configuration,
    "/openid/v1/jwks": tokens.keys,
    "healthz": _health,
    "livez": _health,
    "readyz": _health,
    "api": _core,
    "apis": _groups,
    "openapi": _openapi,
    "fakekube": admin.page,
}
_PREFIXES = frozenset(k for k in PAGES if not k.startswith("/"))
