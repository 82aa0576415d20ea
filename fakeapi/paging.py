"""Which revision a list is answered at, and how long lists are cut into pages.

Stands for apiserver's storage.ValidateListOptions, continue tokens (storage/continue.go), the delegator that chooses
between the watch cache and the store, etcd3's answers for compacted revisions, and apimachinery's decoding, defaulting
and validation of ListOptions. Everything but list_items is pure.

Leaves out: shard selectors; a token's start key is checked but may name an object that never was.
"""

from __future__ import annotations

import base64
import binascii
import json
import posixpath
import re
from collections.abc import Mapping

import orjson
from msgspec import Struct
from msgspec.structs import replace

from fakeapi import errors
from fakeapi.gofmt import go_quote, go_value
from fakeapi.selectors import (
    EVERYTHING,
    NO_FIELDS,
    FieldSelector,
    LabelSelector,
    SelectorError,
    parse_fields,
    parse_labels,
)
from fakeapi.storage.base import Compacted, FutureRevision
from fakeapi.watchcache import Found, WatchCache, too_large
from fakeapi.watchevents import Item, Predicate

_TOKEN_VERSION = "meta.k8s.io/v1"
_CONTINUE_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


class ListOptions(Struct, frozen=True, kw_only=True):
    """A list's or watch's query, decoded. Empty strings and None stand for absent parameters."""

    resource_version: str = ""
    match: str = ""
    limit: int = 0
    continue_: str = ""
    labels: LabelSelector = EVERYTHING
    fields: FieldSelector = NO_FIELDS
    watch: bool = False
    bookmarks: bool = False
    send_initial_events: bool | None = None
    timeout_seconds: int | None = None

    @property
    def predicate(self) -> Predicate:
        """What the query's selectors select."""
        return Predicate(self.labels, self.fields)


class ListResult(Struct, frozen=True):
    """Items in key order and the list's metadata. continue_ is "" on the last page; remaining is None when unknown."""

    items: list[Item]
    revision: int
    continue_: str = ""
    remaining: int | None = None

    def metadata(self) -> dict[str, object]:
        """metav1.ListMeta, without empty members."""
        meta: dict[str, object] = {"resourceVersion": str(self.revision)}
        if self.continue_:
            meta["continue"] = self.continue_
        if self.remaining is not None:
            meta["remainingItemCount"] = self.remaining
        return meta


def decode_options(query: Mapping[str, str], *, force_watch: bool = False) -> ListOptions:
    """ListOptions from query parameters (the first value of each), defaulted and checked. force_watch: a path below the
    deprecated /watch/. Raises ApiError 400 (numbers, selectors) and 422. Which fields the kind has is not checked."""
    try:
        options = ListOptions(
            resource_version=query.get("resourceVersion", ""),
            match=query.get("resourceVersionMatch", ""),
            limit=_integer(query.get("limit")) or 0,
            continue_=query.get("continue", ""),
            watch=_truth(query.get("watch")) or False,
            bookmarks=_truth(query.get("allowWatchBookmarks")) or False,
            send_initial_events=_truth(query.get("sendInitialEvents")),
            timeout_seconds=_integer(query.get("timeoutSeconds")),
            labels=parse_labels(query.get("labelSelector", "")),
            fields=parse_fields(query.get("fieldSelector", "")),
        )
    except SelectorError as e:
        raise errors.bad_request(str(e)) from None
    options = _defaulted(options)
    found = _watch_errors(options) if options.watch else _list_errors(options)
    if found:
        raise errors.invalid_object("meta.k8s.io", "ListOptions", "", found)
    if force_watch:
        options = replace(options, watch=True)
    return options


def _integer(text: str | None) -> int | None:
    """strconv.ParseInt(text, 10, 64)."""
    if text is None:
        return None
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise errors.bad_request(f"strconv.ParseInt: parsing {go_quote(text)}: invalid syntax")
    number = int(text) if len(text) < 4000 else 2**63
    if not -(2**63) <= number < 2**63:
        raise errors.bad_request(f"strconv.ParseInt: parsing {go_quote(text)}: value out of range")
    return number


def _truth(text: str | None) -> bool | None:
    """Anything but `0` and `false` is true, the empty string too (runtime.Convert_Slice_string_To_bool)."""
    return None if text is None else not (text == "0" or text.lower() == "false")


def _defaulted(options: ListOptions) -> ListOptions:
    """A watch without a revision is a WatchList (internalversion.SetListOptionsDefaults)."""
    if options.send_initial_events is not None or options.match:
        return options
    if options.watch and options.resource_version in ("", "0"):
        return replace(options, send_initial_events=True, match="NotOlderThan")
    return options


def _list_errors(options: ListOptions) -> list[errors.FieldError]:
    found = []
    match = options.match
    if match:
        field = "resourceVersionMatch"
        if not options.resource_version:
            text = "resourceVersionMatch is forbidden unless resourceVersion is provided"
            found.append(errors.forbidden(field, text))
        if options.continue_:
            found.append(errors.forbidden(field, "resourceVersionMatch is forbidden when continue is provided"))
        if match not in ("Exact", "NotOlderThan"):
            found.append(errors.not_supported(field, match, ("Exact", "NotOlderThan", "")))
        if match == "Exact" and options.resource_version == "0":
            text = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            found.append(errors.forbidden(field, text))
    if options.send_initial_events is not None:
        found.append(errors.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return found


def _watch_errors(options: ListOptions) -> list[errors.FieldError]:
    found = []
    field = "resourceVersionMatch"
    match = options.match
    if options.send_initial_events is not None and match != "NotOlderThan":
        text = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        found.append(errors.forbidden(field, text))
    if match:
        if options.send_initial_events is None:
            text = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            found.append(errors.forbidden(field, text))
        if match != "NotOlderThan":
            found.append(errors.not_supported(field, match, ("NotOlderThan",)))
        if options.continue_:
            found.append(errors.forbidden(field, "resourceVersionMatch is forbidden when continue is provided"))
    return found


def parse_revision(text: str) -> int:
    """A resourceVersion in a query: "" counts as 0. Raises the plain 500 that GET and watch answer with."""
    try:
        return _unsigned(text)
    except ValueError as e:
        raise errors.plain_500(str(e)) from None


_DIGITS = 99  # of longer numbers, enough to see that they are out of range


def _unsigned(text: str) -> int:
    """APIObjectVersioner.ParseResourceVersion; ValueError carries its text."""
    if not text:
        return 0
    number = int(text[:_DIGITS]) if re.fullmatch(r"[0-9]+", text) else -1
    if 0 <= number < 2**64:
        return number
    why = "invalid syntax" if number < 0 else "value out of range"
    raise ValueError(
        f"resourceVersion: Invalid value: {go_value(text)}: strconv.ParseUint: parsing {go_quote(text)}: {why}"
    )


async def list_items(cache: WatchCache, namespace: str, options: ListOptions) -> ListResult:
    """A list request's answer. namespace: the path's, "" for all. Raises ApiError 400, 410, 504."""
    predicate = options.predicate
    if cache.namespaced and not namespace:
        named = options.fields.exact("metadata.namespace") or ""
        namespace = "" if "/" in named else named
    prefix = cache.key(namespace, "")
    single = options.fields.exact("metadata.name") is not None and bool(namespace or not cache.namespaced)
    limit = 0 if single else max(options.limit, 0)
    after = ""
    revision = 0
    if options.continue_ and not single:
        start, revision = decode_continue(options.continue_, prefix)
        if options.resource_version not in ("", "0"):
            raise errors.bad_request("specifying resource version is not allowed when using continue")
        after = _before(start)
        revision = max(revision, 0)
        minimum = None
    else:
        minimum = _list_revision(options.resource_version)
        if minimum and (options.match == "Exact" or (not options.match and limit)):
            revision = minimum
    if revision:
        found = await _list_at(cache, namespace, predicate, limit, after, revision, prefix if after else "")
    else:
        await cache.fresh(minimum)
        # limit with resourceVersion=0 is ignored, but not with a token.
        found = cache.list(namespace, predicate, 0 if minimum == 0 else limit, after)
    more = found.more and bool(found.items)
    token = encode_continue(found.items[-1].key, prefix, found.revision) if more else ""
    return ListResult(found.items, found.revision, token, found.remaining if more and predicate.empty else None)


def _list_revision(text: str) -> int | None:
    if not text:
        return None
    try:
        return _unsigned(text)
    except ValueError as e:
        raise errors.bad_request(f"invalid resource version: {e}") from None


def _before(start: str) -> str:
    """The greatest text less than start, for ranges that begin after a key."""
    return start[:-1] if start.endswith("\0") else start[:-1] + chr(ord(start[-1]) - 1) + "\U0010ffff"


async def _list_at(
    cache: WatchCache, namespace: str, predicate: Predicate, limit: int, after: str, revision: int, paged: str
) -> Found:
    """The list as it was; `paged` is the prefix of the token's key when a token was given."""
    try:
        return await cache.list_at(revision, namespace, predicate, limit, after)
    except FutureRevision as e:
        raise too_large(revision, e.current) from None
    except Compacted:
        if not paged:
            raise errors.gone("The resourceVersion for the provided list is too old.") from None
        error = errors.gone(_CONTINUE_EXPIRED)
        error.status["metadata"] = {"continue": encode_continue(after, paged, -1)}
        raise error from None


def encode_continue(key: str, prefix: str, revision: int) -> str:
    """The token of a page that ended with `key`."""
    token = {"v": _TOKEN_VERSION, "rv": revision, "start": key[len(prefix) :] + "\0"}
    return base64.urlsafe_b64encode(orjson.dumps(token)).rstrip(b"=").decode()


def decode_continue(token: str, prefix: str) -> tuple[str, int]:
    """(start key, revision) of a token; revision -1 means the newest. Raises ApiError 400."""
    try:
        return _decode_continue(token, prefix)
    except ValueError as e:
        raise errors.bad_request(f"invalid continue token: continue key is not valid{e}") from None


def _decode_continue(token: str, prefix: str) -> tuple[str, int]:
    version, revision, start = _json(_base64(token))
    if version != _TOKEN_VERSION:
        raise ValueError(f": server does not recognize this encoded version {version}")
    if revision == 0:
        raise ValueError(f": incorrect encoded start resourceVersion (version {_TOKEN_VERSION})")
    if not start:
        raise ValueError(f": encoded start key empty (version {_TOKEN_VERSION})")
    path = start if start.startswith("/") else "/" + start
    # path.Clean: as posixpath.normpath, but for two leading slashes, which normpath keeps.
    if posixpath.normpath(path) != path or path.startswith("//"):
        raise ValueError(f": {start}")
    return prefix + path[1:], revision


def _base64(token: str) -> bytes:
    """base64.RawURLEncoding.DecodeString."""
    bad = re.search(r"[^A-Za-z0-9_-]", token.replace("\r", "").replace("\n", ""))
    if bad is not None:
        raise ValueError(f": illegal base64 data at input byte {bad.start()}")
    if len(token) % 4 == 1:
        raise ValueError(f": illegal base64 data at input byte {len(token) - 1}")
    try:
        return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except binascii.Error:
        raise ValueError(f": illegal base64 data at input byte {len(token)}") from None


def _json(data: bytes) -> tuple[str, int, str]:
    """(v, rv, start) of a token's JSON, with encoding/json's text for the most usual mistakes."""
    text = data.decode("utf-8", "replace")
    try:
        found = json.loads(text)
    except json.JSONDecodeError as e:
        if e.pos >= len(text.rstrip()):
            raise ValueError(": unexpected end of JSON input") from None
        raise ValueError(f": invalid character {_go_char(text[e.pos])} {_looking_for(e)}") from None
    if found is None:
        found = {}
    if not isinstance(found, dict):
        raise ValueError(f": json: cannot unmarshal {_json_type(found)} into Go value of type storage.continueToken")
    for key, kind, name in (("v", str, "string"), ("rv", int, "int64"), ("start", str, "string")):
        value = found.get(key)
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            field = f"continueToken.{key} of type {name}"
            raise ValueError(f": json: cannot unmarshal {_json_type(value)} into Go struct field {field}")
    return found.get("v") or "", found.get("rv") or 0, found.get("start") or ""


def _json_type(value: object) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "bool"}
    return names.get(type(value), "number")


def _go_char(ch: str) -> str:
    return {"'": r"'\''", '"': "'\"'"}.get(ch) or (f"'{ch}'" if ch.isprintable() else f"'{go_quote(ch)[1:-1]}'")


def _looking_for(e: json.JSONDecodeError) -> str:
    return {
        "Expecting value": "looking for beginning of value",
        "Extra data": "after top-level value",
        "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
        "Expecting ':' delimiter": "after object key",
        "Expecting ',' delimiter": "after object key:value pair",
    }.get(e.msg, "looking for beginning of value")
