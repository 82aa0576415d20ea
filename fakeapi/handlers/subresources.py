"""Paths below an object, and resources that are not stored: who answers them.

Stands for the storage maps of pkg/registry/*/rest (one entry a `resource/subresource`). One row a subresource.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable

from fakeapi import errors
from fakeapi.handlers import binding, components, reviews, scale, tokens
from fakeapi.handlers.scope import Scope
from fakeapi.request import Answer, Request
from fakeapi.resources.base import Subresource

Handler = Callable[[Scope, Request], Awaitable[Answer]]


def _late(module: str, name: str) -> Handler:
    """A handler whose module is loaded by its first request: HTTP and WebSocket clients come with it."""

    async def handle(scope: Scope, request: Request) -> Answer:
        handler: Handler = getattr(importlib.import_module(f"fakeapi.handlers.{module}"), name)
        return await handler(scope, request)

    return handle


# (group, plural, subresource) -> handler, for those whose body is not the object itself.
HANDLERS: dict[tuple[str, str, str], Handler] = {
    ("", "pods", "binding"): binding.bind,
    ("", "pods", "eviction"): binding.evict,
    ("", "pods", "log"): _late("connect", "log"),
    ("", "pods", "exec"): _late("connect", "exec_"),
    ("", "pods", "attach"): _late("connect", "attach"),
    ("", "pods", "portforward"): _late("connect", "port_forward"),
    ("", "pods", "proxy"): _late("proxy", "pod"),
    ("", "services", "proxy"): _late("proxy", "service"),
    ("", "nodes", "proxy"): _late("proxy", "node"),
    ("", "serviceaccounts", "token"): tokens.create,
}
VIRTUAL: dict[tuple[str, str], Handler] = {
    ("", "bindings"): binding.bind,
    ("", "componentstatuses"): components.serve,
    ("metrics.k8s.io", "nodes"): _late("usage", "nodes"),
    ("metrics.k8s.io", "pods"): _late("usage", "pods"),
    **reviews.HANDLERS,
}


async def serve(scope: Scope, sub: Subresource, request: Request, whole: Handler) -> Answer:
    """Answer a request for a subresource whose verb is allowed; `whole` serves those that take the object.

    ApiError 4xx.
    """
    if sub.name == "scale":
        return await scale.SCALE[request.info.verb](scope, request)
    own = HANDLERS.get((scope.row.group, scope.row.plural, sub.name))
    if own is not None:
        return await own(scope, request)
    if sub.kind == scope.row.kind and sub.group in (None, scope.row.group):
        return await whole(scope, request)
    raise errors.page_not_found()


async def virtual(scope: Scope, request: Request) -> Answer:
    """Answer a request for a resource that is not stored. ApiError 404, 405."""
    if request.info.verb not in scope.row.verbs:
        raise errors.not_allowed()
    handler = VIRTUAL.get((scope.row.group, scope.row.plural))
    if handler is None:
        raise errors.page_not_found()
    return await handler(scope, request)
