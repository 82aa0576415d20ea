"""The Client over any way to send a request: builds targets, headers and bodies, reads answers and watch streams.

Stands for client-go's rest package. http.py and inprocess.py each hand it a Handler; everything that can differ between
the two is below the Handler, so one suite holds for both. Leaves out protobuf and client-side throttling.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

import orjson
from msgspec import Struct, field

from fakenodes.client.base import GVR, STRATEGIC_PATCH, ClientError, ListPage, Obj, WatchEvent

JSON = "application/json"


class Answer(Struct, frozen=True):
    """A response: `body` is all of it, or the pieces of a stream (a watch) as they come."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | AsyncIterator[bytes] = b""


class Reply(Protocol):
    """What a Handler gives back: an Answer, or a server's own answer that looks like one."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def body(self) -> bytes | AsyncIterator[bytes]:
        """All of the body, or its pieces."""


# (method, path with its query, headers with lower-case names, body) -> Reply; whose request it is has been settled.
Handler = Callable[[str, str, Mapping[str, str], bytes], Awaitable[Reply]]


class RestClient:
    """A Client (see base.py) over a Handler. The manager in managedFields is user_agent up to its first "/"."""

    def __init__(self, handler: Handler, user_agent: str = "fakenodes/v1") -> None:
        self._handler = handler
        self._headers = {"accept": JSON, "user-agent": user_agent}

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        body: Any = None,
        content_type: str = JSON,
        accept: str = "",
    ) -> Obj:
        found = {k: v for k, v in query.items() if v not in ("", 0, None, False)}
        target = f"{path}?{urlencode(found)}" if found else path
        headers = self._headers if not accept else {**self._headers, "accept": accept}
        data = b""
        if body is not None:
            headers = {**headers, "content-type": content_type}
            data = body if isinstance(body, bytes) else orjson.dumps(body)
        answer = await self._handler(method, target, headers, data)
        return _object(answer.status, await _collect(answer.body))

    async def get(self, gvr: GVR, name: str, namespace: str = "", *, subresource: str = "") -> Obj:
        return await self._send("GET", gvr.path(namespace, name, subresource), {})

    async def get_path(self, path: str, accept: str = JSON) -> Obj:
        return await self._send("GET", path, {}, accept=accept)

    async def list(
        self,
        gvr: GVR,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 0,
        continue_: str = "",
        resource_version: str = "",
    ) -> ListPage:
        query = {
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "limit": limit,
            "continue": continue_,
            "resourceVersion": resource_version,
        }
        found = await self._send("GET", gvr.path(namespace), query)
        meta = found.get("metadata", {})
        items: list[Obj] = found.get("items") or []
        # Items of a list carry no kind of their own on a real server; consumers expect one.
        kind, version = found.get("kind", "").removesuffix("List"), found.get("apiVersion", "")
        for item in items:
            item.setdefault("kind", kind)
            item.setdefault("apiVersion", version)
        return ListPage(items, meta.get("resourceVersion", ""), meta.get("continue", ""))

    async def watch(
        self,
        gvr: GVR,
        namespace: str = "",
        *,
        resource_version: str = "",
        label_selector: str = "",
        field_selector: str = "",
        timeout_seconds: int = 0,
        bookmarks: bool = True,
        initial_events: bool = False,
    ) -> AsyncIterator[WatchEvent]:
        query = {
            "watch": "1",
            "resourceVersion": resource_version,
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "timeoutSeconds": timeout_seconds,
            "allowWatchBookmarks": "true" if bookmarks else "",
            "sendInitialEvents": "true" if initial_events else "",
            "resourceVersionMatch": "NotOlderThan" if initial_events else "",
        }
        target = f"{gvr.path(namespace)}?{urlencode({k: v for k, v in query.items() if v})}"
        answer = await self._handler("GET", target, self._headers, b"")
        if answer.status != 200:
            _object(answer.status, await _collect(answer.body))
        async for line in _lines(answer.body):
            yield _event(line)

    async def create(
        self, gvr: GVR, obj: Obj, namespace: str = "", *, name: str = "", subresource: str = "", field_manager: str = ""
    ) -> Obj:
        space = namespace or obj.get("metadata", {}).get("namespace", "")
        return await self._send("POST", gvr.path(space, name, subresource), {"fieldManager": field_manager}, obj)

    async def update(self, gvr: GVR, obj: Obj, *, subresource: str = "", field_manager: str = "") -> Obj:
        meta = obj["metadata"]
        path = gvr.path(meta.get("namespace", ""), meta["name"], subresource)
        return await self._send("PUT", path, {"fieldManager": field_manager}, obj)

    async def patch(
        self,
        gvr: GVR,
        name: str,
        body: Any,
        namespace: str = "",
        *,
        content_type: str = STRATEGIC_PATCH,
        subresource: str = "",
        field_manager: str = "",
        force: bool = False,
    ) -> Obj:
        query = {"fieldManager": field_manager, "force": "true" if force else ""}
        return await self._send("PATCH", gvr.path(namespace, name, subresource), query, body, content_type)

    async def delete(
        self,
        gvr: GVR,
        name: str,
        namespace: str = "",
        *,
        uid: str = "",
        resource_version: str = "",
        grace_period_seconds: int | None = None,
        propagation_policy: str = "",
    ) -> Obj:
        options: Obj = {"kind": "DeleteOptions", "apiVersion": "v1"}
        conditions = {k: v for k, v in (("uid", uid), ("resourceVersion", resource_version)) if v}
        if conditions:
            options["preconditions"] = conditions
        if grace_period_seconds is not None:
            options["gracePeriodSeconds"] = grace_period_seconds
        if propagation_policy:
            options["propagationPolicy"] = propagation_policy
        return await self._send("DELETE", gvr.path(namespace, name), {}, options)

    async def delete_collection(
        self,
        gvr: GVR,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        propagation_policy: str = "",
    ) -> Obj:
        options: Obj = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if propagation_policy:
            options["propagationPolicy"] = propagation_policy
        query = {"labelSelector": label_selector, "fieldSelector": field_selector}
        return await self._send("DELETE", gvr.path(namespace), query, options)

    async def close(self) -> None:
        """Nothing to let go of; HttpClient has."""


def _object(status: int, data: bytes) -> Obj:
    """The answer's object; ClientError when it is not a success, also for bodies that are no Status."""
    try:
        found = orjson.loads(data) if data else {}
    except orjson.JSONDecodeError:
        found = None
    if 200 <= status < 300 and isinstance(found, dict):
        return found
    if not isinstance(found, dict) or found.get("kind") != "Status":
        found = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "code": status,
            "reason": "NotFound" if status == 404 else "",
            "message": data.decode("utf-8", "replace").strip(),
        }
    raise ClientError({**found, "code": status})


async def _collect(body: bytes | AsyncIterator[bytes]) -> bytes:
    return body if isinstance(body, bytes) else b"".join([piece async for piece in body])


async def _lines(body: bytes | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if isinstance(body, bytes):
        for line in body.splitlines():
            if line:
                yield line
        return
    rest = b""
    async for piece in body:
        lines = (rest + piece).split(b"\n") if rest else piece.split(b"\n")
        rest = lines.pop()
        for line in lines:
            if line:
                yield line


# How a server that writes compact JSON frames an event: cutting is a fiftieth of parsing and keeps the bytes.
_FRAMES = {f'{{"type":"{kind}","object":'.encode(): kind for kind in ("ADDED", "MODIFIED", "DELETED")}


def _event(line: bytes) -> WatchEvent:
    prefix = line[: line.find(b',"object":') + 10]
    kind = _FRAMES.get(prefix)
    if kind is not None:
        return WatchEvent(kind, raw=line.rstrip()[len(prefix) : -1])
    found = orjson.loads(line)
    return WatchEvent(found["type"], found["object"])
