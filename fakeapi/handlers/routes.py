"""From a resource request to its handler.

Stands for apiserver's endpoints/installer.go: which paths and methods exist follows from the row's scope, verbs and
subresources. A group that nobody serves is a plain text 404; an unknown version or resource of a served one is a
Status.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from fakeapi import aggregation, errors
from fakeapi.handlers import create, delete, get, list, patch, subresources, update, watch
from fakeapi.handlers.scope import Scope
from fakeapi.request import Answer, Request, RequestInfo
from fakeapi.resources.base import Custom, Resource

if TYPE_CHECKING:
    from fakeapi.app import ApiServer

Handler = Callable[[Scope, Request], Awaitable[Answer]]

HANDLERS: dict[str, Handler] = {
    "create": create.create,
    "get": get.get,
    "list": list.list_,
    "watch": watch.watch,
    "update": update.update,
    "patch": patch.patch,
    "delete": delete.delete,
    "deletecollection": delete.delete_collection,
}
_COLLECTION = frozenset(("create", "list", "deletecollection"))
_NAMED = frozenset(("update", "patch"))
_IN_NAMESPACE = frozenset(("create", "deletecollection"))

NOT_FOUND_TEXT = b"404 page not found\n"


def text_not_found() -> Answer:
    """What Go's mux says of a path that nobody serves."""
    return Answer(404, NOT_FOUND_TEXT, "text/plain; charset=utf-8", {"X-Content-Type-Options": "nosniff"})


async def route(server: ApiServer, request: Request) -> Answer:
    """Answer a resource request. ApiError 404, 405 and whatever the handler raises."""
    info = request.info
    row = server.table.find(info.group, info.version, info.resource)
    if row is None:
        remote = await aggregation.proxy(server, request, info.group, info.version)
        if remote is not None:
            return remote
        if not server.table.has_builtin(info.group) or (info.prefix == "apis" and not info.group):
            return text_not_found()
        raise errors.page_not_found()
    if row.custom is not None:
        refusal = check_custom(row, row.custom, request)
        if refusal is not None:
            return refusal
    check_path(row, info)
    scope = await server.scope(row, info.version)
    if row.custom is not None:
        warn(scope, request)
    if info.subresource:
        return await _subresource(scope, request)
    if row.virtual:
        if info.verb in row.verbs:
            warn(scope, request)
        return await subresources.virtual(scope, request)
    return await _main(scope, request)


def check_custom(row: Resource, custom: Custom, request: Request) -> Answer | None:
    """What apiextensions' handler refuses in its own words, and its warning. ApiError 404, 405."""
    info = request.info
    if bool(info.namespace) != row.namespaced and not (
        row.namespaced and not info.name and info.verb in ("list", "watch")
    ):
        return text_not_found()
    if custom.warning:
        request.warnings.append(custom.warning)
    if info.subresource:
        sub = row.subresource(info.subresource)
        if sub is None:
            raise errors.missing(row.group, row.plural, info.name)
        if info.verb not in sub.verbs:
            raise errors.method_not_supported(row.group, row.plural, info.verb)
    return None


async def _main(scope: Scope, request: Request) -> Answer:
    info = request.info
    verb = info.verb
    whole_cluster = scope.row.namespaced and not info.namespace
    if (
        request.method in ("HEAD", "OPTIONS")
        or (info.special and request.method != "GET" and scope.row.custom is None)
        or verb not in scope.row.verbs
        or (verb in _COLLECTION and info.name)
        or (verb in _NAMED and not info.name)
        or (verb in _IN_NAMESPACE and whole_cluster)
    ):
        raise errors.not_allowed()
    if scope.row.custom is None:
        warn(scope, request)
    return await HANDLERS[verb](scope, request)


def warn(scope: Scope, request: Request) -> None:
    """Tell that the version is deprecated. Upstream tells it of built-in kinds where a method exists, else always."""
    text = scope.row.deprecation(scope.version, scope.server.config.minor)
    if text:
        request.warnings.append(text)


async def _subresource(scope: Scope, request: Request) -> Answer:
    info = request.info
    sub = scope.row.subresource(info.subresource)
    if sub is None:
        raise errors.page_not_found()
    if sub.name != "proxy" and (request.method in ("HEAD", "OPTIONS") or info.verb not in sub.verbs):
        raise errors.not_allowed()
    return await subresources.serve(scope, sub, request, HANDLERS.get(info.verb, get.get))


def check_path(row: Resource, info: RequestInfo) -> None:
    """A path that the installer would not have made. ApiError 404."""
    if info.special and (info.verb != "watch" or info.subresource or row.virtual or "watch" not in row.verbs):
        raise errors.page_not_found()
    tail = len(info.parts)
    if row.namespaced:
        wrong = bool(info.name) and not info.namespace
    else:
        wrong = bool(info.namespace) and row.plural != "namespaces"
    sub = row.subresource(info.subresource) if info.subresource else None
    deep = tail > 3 and not (sub is not None and sub.name == "proxy")
    if wrong or deep or (row.virtual and info.name and not row.subresources and row.verbs == ("create",)):
        raise errors.page_not_found()
