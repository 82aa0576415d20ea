"""Watches: GET with watch=1 and the deprecated /watch/ paths.

Stands for apiserver's endpoints/handlers/watch.go. The stream itself is fakeapi.watch's; here its form is chosen: the
stored JSON, another served version, Table (columns in the first event only) or PartialObjectMetadata.
"""

from __future__ import annotations

from dataclasses import replace

import orjson

from fakeapi import codec, views
from fakeapi.handlers.list import options_of
from fakeapi.handlers.scope import Scope, accepted
from fakeapi.request import Answer, Request
from fakeapi.selectors import LabelSelector
from fakeapi.strategies.base import Obj
from fakeapi.watch import open_watch
from fakeapi.watchevents import Form, Item
from fakeapi.watchevents import Scope as Where


async def watch(scope: Scope, request: Request) -> Answer:
    """A stream of events, one JSON document a line."""
    form = accepted(request, stream=True)
    options = options_of(scope, request, force_watch=True)
    include = views.check_include(request.option("includeObject")) if form.view == "Table" else ""
    where = Where(request.info.namespace if scope.row.namespaced else "", request.info.name)
    if form.view == "PartialObjectMetadataList":
        options = replace(options, labels=LabelSelector(never=True))  # upstream cannot convert an event's object to a list and sends none
    stream = open_watch(scope.registry.cache, where, options, _encoding(scope, request, form, include), scope.server.rng)
    return Answer(200, stream)


def _encoding(scope: Scope, request: Request, form: codec.Form, include: str) -> Form | None:
    """How each event's object is written; None is the stored bytes."""
    if form.view == "Table":
        return Form(
            ("Table", scope.version, form.version, include),
            lambda item: _table(scope, request, form, include, item, columns=False),
            lambda item: _table(scope, request, form, include, item, columns=True),
        )
    if form.view:
        return Form(
            ("Partial", scope.version, form.version),
            lambda item: orjson.dumps(views.partial(_load(scope, item), form.version)),
            lasting=True,
        )
    if scope.same:
        return None
    return Form((scope.version,), lambda item: scope.served(item.raw), lasting=True)


def _load(scope: Scope, item: Item) -> Obj:
    return scope.from_hub(item.load())


def _table(scope: Scope, request: Request, form: codec.Form, include: str, item: Item, columns: bool) -> bytes:
    obj = _load(scope, item)
    metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
    now = scope.server.clock.now()
    made = views.table([obj], metadata, scope.row.strategy.printer, form, now, include, columns)
    return orjson.dumps(made)
