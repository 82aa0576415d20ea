"""What a request asks for: parse(method, path, query) -> RequestInfo. The URL is understood here and nowhere else.

Stands for apiserver's pkg/endpoints/request (RequestInfoFactory) and the conversion of query values. Also holds the two
plain shapes that cross the server: Request and Answer. Pure.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from msgspec import Struct, field

if TYPE_CHECKING:
    from fakeapi.streaming.upgrade import Streams

Query = dict[str, list[str]]

_METHOD_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NAMESPACE_SUBRESOURCES = ("status", "finalize")
_SPECIAL_VERBS = ("watch", "proxy")


class User(Struct, frozen=True):
    """Who asks: user.Info."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, list[str]] = field(default_factory=dict)


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


class RequestInfo(Struct):
    """request.RequestInfo: verb is a resource verb (get, list, ...) or the lower-case method for other paths.

    special: `watch` or `proxy` stands before the resource, which is then the verb. error: why the path means nothing.
    """

    path: str
    verb: str
    is_resource: bool = False
    prefix: str = ""
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    parts: tuple[str, ...] = ()
    special: bool = False
    error: str = ""


class Request(Struct):
    """One request on its way through the chain; headers are lower-case. `read` gives the body.

    outside: it came over a socket and not from a component of this process.
    impersonation: every Impersonate-* header as (lower-case name, value), since they may be repeated.
    """

    method: str
    path: str
    query: Query
    headers: Mapping[str, str]
    read: Callable[[], Awaitable[bytes]]
    info: RequestInfo
    user: User = ANONYMOUS
    peer: bytes = b""
    warnings: list[str] = field(default_factory=list)
    now: float = 0.0
    outside: bool = False
    impersonation: list[tuple[str, str]] = field(default_factory=list)

    def option(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        values = self.query.get(name)
        return values[0] if values else default

    def flag(self, name: str) -> bool:
        """A boolean query parameter as conversion.Convert_Slice_string_To_bool reads it: given and not false or 0."""
        return truthy(self.query, name)


class Answer(Struct):
    """What goes back. A body that is an iterator is sent in chunks as they come; status 0 closes the connection.

    take_over: gets the connection's two directions in place of an answer, and answers 101 itself.
    """

    status: int
    body: bytes | AsyncIterator[bytes] = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    take_over: Callable[[Streams], Awaitable[None]] | None = None


def parse_query(text: str) -> Query:
    """All values of each parameter, empty ones kept."""
    query: Query = {}
    if text:
        for key, value in parse_qsl(text, keep_blank_values=True):
            query.setdefault(key, []).append(value)
    return query


def truthy(query: Query, name: str) -> bool:
    """See Request.flag."""
    values = query.get(name) or ["false"]
    return values[0].lower() not in ("false", "0")


def parse(method: str, path: str, query: Query) -> RequestInfo:
    """The request's meaning from its path; nothing is looked up, so a resource may well not exist."""
    parts = path.strip("/").split("/") if path.strip("/") else []
    other = RequestInfo(path, method.lower())
    if len(parts) < 3 or parts[0] not in ("api", "apis"):
        return other
    prefix = parts[0]
    if prefix == "apis":
        if len(parts) < 4:
            return other
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        group, version, rest = "", parts[1], parts[2:]
    info = RequestInfo(path, _METHOD_VERBS.get(method, ""), True, prefix, group, version)
    if rest[0] in _SPECIAL_VERBS:
        if len(rest) < 2:
            other.error = f"unable to determine kind and namespace from url, {path}"
            return other
        info.special, info.verb, rest = True, rest[0], rest[1:]
    return _locate(info, rest, query)


def _locate(info: RequestInfo, rest: list[str], query: Query) -> RequestInfo:
    """Namespace, resource, name and subresource from what follows the version."""
    if rest[0] == "namespaces" and len(rest) > 1:
        info.namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    info.parts = tuple(rest)
    info.resource = rest[0]
    info.name = rest[1] if len(rest) > 1 else ""
    info.subresource = rest[2] if len(rest) > 2 else ""
    if info.resource == "namespaces" and info.name:
        info.namespace = info.name
    if not info.name and info.verb == "get":
        info.verb = "watch" if truthy(query, "watch") else "list"
    elif not info.name and info.verb == "delete":
        info.verb = "deletecollection"
    return info


def decode_path(raw: bytes | str) -> str:
    """A path as sent, percent-decoded once."""
    text = raw.decode("latin-1") if isinstance(raw, bytes) else raw
    return unquote(text) if "%" in text else text
