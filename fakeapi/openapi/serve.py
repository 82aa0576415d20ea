"""Answers to /openapi/v2, /openapi/v3 and below: media types, hashes in URLs, ETags.

Stands for kube-openapi's handler and handler3, which negotiate on their own.
"""

from __future__ import annotations

from urllib.parse import quote

from msgspec import Struct, field

from fakeapi.openapi.views import Document, Views

_JSON = ("application/json",)
# By version; with an @ as older clients ask for it.
_PROTOBUF = {
    version: tuple(f"application/com.github.proto-openapi.spec.{version}{mark}v1.0+protobuf" for mark in "@.")
    for version in ("v2", "v3")
}


class Reply(Struct, frozen=True):
    """An HTTP answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def serve(views: Views, path: str, accept: str = "", if_none_match: str = "", wanted_hash: str = "") -> Reply:
    """The answer to a GET of `path` ("/openapi/v2", "/openapi/v3", "/openapi/v3/apis/apps/v1").

    accept, if_none_match: the request's headers; wanted_hash: its query parameter `hash`.
    """
    below = path.removeprefix("/openapi/").strip("/")
    if below == "v2":
        form = _negotiate(accept, {"json": _JSON, "protobuf": _PROTOBUF["v2"]})
        return _send(views.v2(form == "protobuf"), if_none_match) if form else Reply(406)
    if below == "v3":
        return _send(views.index(), if_none_match)
    if not below.startswith("v3/"):
        return Reply(404)
    form = _negotiate(accept, {"json": _JSON, "protobuf": _PROTOBUF["v3"]})
    document = views.document(below.removeprefix("v3/"), form == "protobuf")
    if document is None:
        return Reply(404)
    if not form:
        return Reply(406)
    if wanted_hash and wanted_hash != document.hash:
        location = f"/openapi/{quote(below)}?hash={document.hash}"
        return Reply(301, b"", {"Location": location, "Vary": "Accept"})
    reply = _send(document, if_none_match)
    if wanted_hash:
        reply.headers["Cache-Control"] = "public, immutable"
    return reply


def _send(document: Document, if_none_match: str) -> Reply:
    headers = {"ETag": document.etag, "Vary": "Accept"}
    known = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    if document.etag in known or "*" in known:
        return Reply(304, b"", headers)
    return Reply(200, document.body, {**headers, "Content-Type": document.content_type})


def _negotiate(accept: str, forms: dict[str, tuple[str, ...]]) -> str:
    """The first form that a clause of Accept takes; "" for none. No header takes anything."""
    for clause in (accept or "*/*").split(","):
        media = clause.partition(";")[0].strip()
        for form, types in forms.items():
            if media in types or media in ("*/*", "application/*"):
                return form
    return ""
