"""GET of a collection.

Stands for apiserver's endpoints/handlers/get.go (ListResource). Which objects and at which revision is paging's; here
the items' bytes are joined into the list, or made into a Table or PartialObjectMetadataList.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson

from fakeapi import codec, errors, selectors, views
from fakeapi.codec import Form
from fakeapi.handlers.scope import Scope
from fakeapi.paging import ListOptions, ListResult, decode_options, list_items
from fakeapi.protobuf import encode
from fakeapi.request import Answer, Request
from fakeapi.strategies.base import Obj
from fakeapi.watchevents import Form as EventForm
from fakeapi.watchevents import Item

CHUNK = 128 * 1024
STREAM_ABOVE = 200


def options_of(scope: Scope, request: Request, force_watch: bool = False) -> ListOptions:
    """The list options of the query. ApiError 400, 422."""
    options = decode_options({k: v[0] for k, v in request.query.items()}, force_watch=force_watch)
    fields = scope.row.strategy.fields
    try:
        selectors.check_fields(
            options.fields,
            selectors.selectable(scope.row.group, scope.row.kind, fields),
            selectors.refusal_text(scope.row.group, scope.row.kind, bool(fields) or not scope.type_is_built_in),
        )
    except selectors.SelectorError as error:
        raise errors.bad_request(str(error)) from None
    return options


async def select(scope: Scope, request: Request) -> ListResult:
    """The items that the request's options select."""
    options = options_of(scope, request)
    return await list_items(scope.registry.cache, request.info.namespace if scope.row.namespaced else "", options)


async def list_(scope: Scope, request: Request) -> Answer:
    """The list in the form the client wants."""
    form = scope.accepted(request)
    return answer(scope, request, await select(scope, request), form)


def answer(scope: Scope, request: Request, page: ListResult, form: Form) -> Answer:
    """A page of items as an answer. ApiError 406."""
    if not form.view and form.media == codec.JSON:
        return _plain(scope, page)
    if not form.view and form.media == codec.PROTOBUF:
        items = [item.encoded(_message(scope)) for item in page.items]
        body = encode.encode_list(scope.api_version, list_kind(scope), page.metadata(), items)
        return Answer(200, body, form.media)
    return shaped(scope, request, [item.load() for item in page.items], page.metadata(), form)


def shaped(scope: Scope, request: Request, objects: list[Obj], metadata: Obj, form: Form) -> Answer:
    """Stored objects as a list in the form the client wants. ApiError 406."""
    if form.view == "Table":
        made: Obj = views.table(objects, metadata, scope.tabling(form, request))
    elif form.view == "PartialObjectMetadataList":
        items = [scope.partial(obj, form) for obj in objects]
        made = {
            "kind": "PartialObjectMetadataList",
            "apiVersion": f"meta.k8s.io/{form.version}",
            "metadata": metadata,
            "items": items or None,
        }
    elif form.view:
        found = f"*{codec.go_package(scope.row.group)}.{list_kind(scope)}"
        raise errors.generic(
            406, "NotAcceptable", f"you requested {form.view}, but the requested object is a list ({found})"
        )
    else:
        made = {**_head(scope, metadata), "items": [_bare(scope.from_hub(obj)) for obj in objects]}
    return Answer(200, form.encode(made), form.media)


def _message(scope: Scope) -> EventForm:
    """How an item stands in a list in protobuf."""
    return EventForm(
        ("protobuf message", scope.api_version),
        lambda item: encode.encode_message(scope.api_version, scope.row.kind, scope.from_hub(item.load())),
        lasting=True,
    )


def list_kind(scope: Scope) -> str:
    """`PodList`."""
    return scope.row.list_kind or f"{scope.row.kind}List"


def _head(scope: Scope, metadata: dict[str, Any]) -> Obj:
    """All but the items; unstructured lists have a `continue` even when it says nothing."""
    if not scope.type_is_built_in:
        metadata = {"continue": "", **metadata}
    return {"kind": list_kind(scope), "apiVersion": scope.api_version, "metadata": metadata}


def _bare(obj: Obj) -> Obj:
    """An object inside a list: Go's typed lists leave kind and apiVersion of their items out."""
    return {k: v for k, v in obj.items() if k not in ("kind", "apiVersion")}


def _plain(scope: Scope, page: ListResult) -> Answer:
    """The stored bytes of the items, joined; long lists go out in pieces."""
    head = orjson.dumps(_head(scope, page.metadata()))[:-1] + b',"items":['
    if len(page.items) <= STREAM_ABOVE:
        return Answer(200, b"".join((head, b",".join([_item(scope, i) for i in page.items]), b"]}\n")))
    return Answer(200, _pieces(scope, head, page.items))


def _item(scope: Scope, item: Item) -> bytes:
    """An item's bytes without kind and apiVersion, which stand first in what is stored; custom resources keep them."""
    raw = scope.served(item.raw)
    if not scope.type_is_built_in:
        return raw
    return b"{" + raw[raw.index(b'"metadata":{') :]


async def _pieces(scope: Scope, head: bytes, items: list[Item]) -> AsyncIterator[bytes]:
    parts, size = [head], len(head)
    for number, item in enumerate(items):
        raw = _item(scope, item)
        if number:
            parts.append(b",")
        parts.append(raw)
        size += len(raw) + 1
        if size >= CHUNK:
            yield b"".join(parts)
            parts, size = [], 0
    parts.append(b"]}\n")
    yield b"".join(parts)
