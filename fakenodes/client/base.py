"""The Protocol every component talks to an API server through; http.py reaches any cluster, inprocess.py our own.

Stands for client-go's dynamic client. Objects are plain dicts as JSON has them; they are the caller's own to change
unless they come from an informer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

import orjson
from msgspec import Struct

Obj = dict[str, Any]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class GVR(Struct, frozen=True):
    """A resource by group, version and plural name, and whether its objects live in namespaces."""

    group: str
    version: str
    resource: str
    namespaced: bool = True

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The request path: `/apis/apps/v1/namespaces/x/deployments/web/status`."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        tail = "".join(f"/{part}" for part in (name, subresource) if part)
        return f"{root}{scope}/{self.resource}{tail}"


class ListPage:
    """One page of a list. `items` are parsed objects, the caller's own to change."""

    __slots__ = ("continue_", "items", "resource_version")

    def __init__(self, items: list[Obj], resource_version: str, continue_: str = "") -> None:
        self.items = items
        self.resource_version = resource_version
        self.continue_ = continue_


class WatchEvent:
    """ADDED, MODIFIED, DELETED, BOOKMARK or ERROR, with the object (a Status for ERROR).

    Built from the object or from its JSON bytes; whichever is missing is made when it is asked for, so that a cache
    may keep the server's bytes and a consumer that needs the dict parses once.
    """

    __slots__ = ("_object", "_raw", "type")

    def __init__(self, type: str, object: Obj | None = None, raw: bytes = b"") -> None:
        self.type = type
        self._object = object
        self._raw = raw

    @property
    def object(self) -> Obj:
        """The parsed object."""
        if self._object is None:
            self._object = orjson.loads(self._raw)
        return self._object

    @property
    def raw(self) -> bytes:
        """The object's JSON bytes."""
        if not self._raw:
            self._raw = orjson.dumps(self._object)
        return self._raw


class ClientError(Exception):
    """The API server's answer when it is not a success. `status` is the Status object, `code` its HTTP status."""

    def __init__(self, status: Obj) -> None:
        super().__init__(status.get("message", ""))
        self.status = status
        self.code: int = status.get("code", 0)
        self.reason: str = status.get("reason", "")


class Client(Protocol):
    """Requests as one user. Every method raises ClientError, or OSError when the server cannot be reached."""

    async def get(self, gvr: GVR, name: str, namespace: str = "", *, subresource: str = "") -> Obj:
        """One object."""

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
        """One page of objects; namespace "" is all of them."""

    def watch(
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
        """Changes after resource_version until the server ends the watch; with initial_events what there is comes
        first, then a bookmark that says so.
        """

    async def create(
        self, gvr: GVR, obj: Obj, namespace: str = "", *, name: str = "", subresource: str = "", field_manager: str = ""
    ) -> Obj:
        """Create the object, or POST to a subresource of `name` (binding, eviction, token)."""

    async def update(self, gvr: GVR, obj: Obj, *, subresource: str = "", field_manager: str = "") -> Obj:
        """Replace the object (or its status) whose name, namespace and resourceVersion obj holds."""

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
        """Patch; force and a field manager belong to APPLY_PATCH."""

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
        """Delete, with preconditions when uid or resource_version is given; the object or Status answered."""

    async def delete_collection(
        self,
        gvr: GVR,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        propagation_policy: str = "",
    ) -> Obj:
        """Delete every object of a namespace that the selectors match; the list of what was there."""

    async def get_path(self, path: str, accept: str = "application/json") -> Obj:
        """GET any other path: discovery, /version."""

    async def close(self) -> None:
        """Let go of connections."""
