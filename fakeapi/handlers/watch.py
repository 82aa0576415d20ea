"""Watches: GET with watch=1 and the deprecated /watch/ paths.

Stands for apiserver's endpoints/handlers/watch.go. The stream itself is fakeapi.watch's; here its form is chosen: the
stored JSON, another served version, Table (columns in the first event only) or PartialObjectMetadata. A client that
asks for a WebSocket gets each event as a message.
"""

from __future__ import annotations

import orjson
from msgspec.structs import replace

from fakeapi import codec, errors, views
from fakeapi.handlers.list import options_of
from fakeapi.handlers.scope import Scope
from fakeapi.paging import ListOptions
from fakeapi.protobuf import encode
from fakeapi.request import Answer, Request
from fakeapi.selectors import LabelSelector
from fakeapi.streaming.handshake import is_websocket
from fakeapi.watch import open_watch
from fakeapi.watchevents import LINES, Form, Framing, Item
from fakeapi.watchevents import Scope as Where


async def watch(scope: Scope, request: Request) -> Answer:
    """A stream of events: JSON, one document a line, or protobuf, each behind its length."""
    form = scope.accepted(request, stream=True)
    options = options_of(scope, request, force_watch=True)
    encoding = _encoding(scope, request, form)
    _check_name(request, options)
    where = Where(request.info.namespace if scope.row.namespaced else "", request.info.name)
    if form.view == "PartialObjectMetadataList":
        options = replace(
            options, labels=LabelSelector(never=True)
        )  # upstream cannot convert an event's object to a list and sends none
    stream = open_watch(scope.registry.cache, where, options, encoding, scope.server.rng)
    if is_websocket(request.headers):
        from fakeapi.handlers import watchsocket  # here: few watches are

        return watchsocket.serve(request.headers, stream, encode.split if form.media == codec.PROTOBUF else None)
    media = form.media if form.media == codec.JSON else f"{form.media};stream=watch"
    return Answer(200, stream, media)


def _check_name(request: Request, options: ListOptions) -> None:
    """A deprecated path that names an object takes no other field selector than its name. ApiError 400."""
    name = request.info.name
    if name and options.fields.terms and options.fields.exact("metadata.name") != name:
        raise errors.bad_request("fieldSelector metadata.name doesn't match requested name")


PROTOBUF_FRAMES = Framing(encode.frame, codec.ENCODERS[codec.PROTOBUF])


def _encoding(scope: Scope, request: Request, form: codec.Form) -> Form | None:
    """How each event's object is written; None is the stored bytes. ApiError 400."""
    if form.view == "Table":
        how = scope.tabling(form, request)
        return Form(
            ("Table", scope.version, form.version, how.include),
            lambda item: _table(scope, how, item, columns=False),
            lambda item: _table(scope, how, item, columns=True),
        )
    framing = PROTOBUF_FRAMES if form.media == codec.PROTOBUF else LINES
    if form.view:
        return Form(
            ("Partial", form.media, scope.version, form.version),
            lambda item: form.encode(scope.partial(item.load(), form)),
            lasting=True,
            framing=framing,
        )
    if form.media == codec.PROTOBUF:
        return Form(
            (form.media, scope.api_version),
            lambda item: form.encode(scope.from_hub(item.load())),
            lasting=True,
            framing=framing,
        )
    if scope.same:
        return None
    return Form((scope.version,), lambda item: scope.served(item.raw), lasting=True)


def _table(scope: Scope, how: views.Tabling, item: Item, columns: bool) -> bytes:
    obj = item.load()
    metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
    return orjson.dumps(views.table([obj], metadata, replace(how, now=scope.server.clock.now()), columns))
