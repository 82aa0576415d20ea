"""GET of one object.

Stands for apiserver's endpoints/handlers/get.go. The stored bytes go out as they are where the client wants plain JSON.
"""

from __future__ import annotations

from fakeapi import errors
from fakeapi.handlers.scope import Scope
from fakeapi.paging import parse_revision
from fakeapi.request import Answer, Request
from fakeapi.watchcache import splice


async def get(scope: Scope, request: Request) -> Answer:
    """The object as it is now."""
    form = scope.accepted(request)
    check_name(request.info.name)
    info = request.info
    revision = parse_revision(request.option("resourceVersion"))
    if revision:
        await scope.registry.cache.fresh(revision)
    entry = await scope.registry.current(info.namespace if scope.row.namespaced else "", info.name)
    return scope.answer(splice(entry.value, entry.revision), request, 200, form)


def check_name(name: str) -> None:
    """storage.NoNamespaceKeyFunc: a name that cannot be part of a path. ApiError 400."""
    from fakeapi import names

    if "%" in name or name in (".", ".."):
        found = names.is_path_segment(name)
        raise errors.bad_request(f'Name parameter invalid: "{name}": {";".join(found)}')
