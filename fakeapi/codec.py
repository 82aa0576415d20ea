"""Media types: what a client may send and accept, and how a body becomes a plain dict.

Stands for apiserver's endpoints/handlers/negotiation and runtime/serializer (recognition of kind and version,
conversion errors). One table row a media type; CBOR is left out. What a kind's fields may be is schema.decode's;
defaulting and validation are the strategies'.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import orjson
import yaml
from msgspec import Struct

from fakeapi import errors, gojson
from fakeapi.errors import ApiError
from fakeapi.gofmt import go_quote
from fakeapi.protobuf import decode, encode
from fakeapi.protobuf.wire import ProtobufError

JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
MEDIA_TYPES = (JSON, YAML, PROTOBUF)
STREAM_TYPES = (f"{JSON};stream=watch", f"{PROTOBUF};stream=watch")
VIEWS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
META_VERSIONS = ("v1", "v1beta1")
SCHEME = "pkg/api/legacyscheme/scheme.go:30"


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """YAML as go-yaml writes it: texts that would read as another type in double quotes, several lines as a block."""


def _represent_text(dumper: Any, text: str) -> Any:
    ambiguous = not text or dumper.resolve(yaml.ScalarNode, text, (True, False)) != "tag:yaml.org,2002:str"
    style = '"' if ambiguous else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _yaml_bytes(value: Any) -> bytes:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=True, default_flow_style=False, allow_unicode=True)
    return text.encode()


def _protobuf_bytes(value: Any) -> bytes:
    """ApiError 406 for what has no message."""
    try:
        return encode.encode(value)
    except encode.NotMarshalable as error:
        raise errors.generic(
            406,
            "NotAcceptable",
            f"object {error} does not implement the protobuf marshalling interface and cannot be encoded to a protobuf "
            "message",
        ) from None


DECODERS: dict[str, Callable[[bytes], Any]] = {JSON: gojson.parse, YAML: gojson.parse_yaml}
ENCODERS: dict[str, Callable[[Any], bytes]] = {JSON: orjson.dumps, YAML: _yaml_bytes, PROTOBUF: _protobuf_bytes}


class Form(Struct, frozen=True):
    """How an answer is written: its media type and, for Table and PartialObjectMetadata, the view and its version."""

    media: str = JSON
    view: str = ""
    version: str = ""

    def encode(self, value: Any) -> bytes:
        """The bytes of a plain value."""
        return ENCODERS[self.media](value)


PLAIN = Form()


class _Clause(Struct, frozen=True):
    media: str
    parameters: dict[str, str]
    quality: float


@lru_cache(maxsize=1024)
def _clauses(accept: str) -> tuple[_Clause, ...]:
    """The Accept header's clauses, best first (goautoneg.ParseAccept)."""
    found = []
    for part in accept.split(","):
        media, *rest = (p.strip() for p in part.split(";"))
        parameters = dict(p.split("=", 1) for p in rest if "=" in p)
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            quality = 1.0
        found.append(_Clause(media.lower(), parameters, quality))
    return tuple(sorted(found, key=lambda c: -c.quality))


def _view(clause: _Clause) -> tuple[str, str] | None:
    """The view a clause asks for; None when there is no such view; ("", "") when it asks for none."""
    given = {clause.parameters.get(k, "") for k in ("as", "g", "v")}
    if given == {""}:
        return "", ""
    kind, group, version = (clause.parameters.get(k, "") for k in ("as", "g", "v"))
    if kind in VIEWS and group == "meta.k8s.io" and version in META_VERSIONS:
        return kind, version
    return None


def _in_protobuf(view: str, custom: bool) -> bool:
    """Tables are not written in protobuf (AllowsMediaTypeTransform), custom resources know nothing of it."""
    return view != "Table" and (view != "" or not custom)


@lru_cache(maxsize=1024)
def negotiate(accept: str, stream: bool = False, watchable: bool = True, custom: bool = False) -> Form | ApiError:
    """The form of the answer for an Accept header; an ApiError (406) to raise where nothing fits.

    stream: the answer is a watch; watchable: the path could answer one, which the 406 tells; custom: the objects are
    custom ones, of which only the metadata can be written in protobuf."""
    if not accept:
        return PLAIN
    known = False
    for clause in _clauses(accept):
        if clause.media in MEDIA_TYPES or clause.media == "*/*":
            known = True
            media = JSON if clause.media == "*/*" else clause.media
            view = _view(clause)
            if stream and media == YAML:
                return errors.not_acceptable(STREAM_TYPES)
            if view is not None and (media != PROTOBUF or _in_protobuf(view[0], custom)):
                return Form(media, *view)
    if known:
        return errors.not_acceptable(STREAM_TYPES if stream else MEDIA_TYPES)
    text = "406: Not Acceptable\n\nAvailable representations: " + ", ".join(
        MEDIA_TYPES + (STREAM_TYPES if watchable else ())
    )
    return errors.generic(406, "NotAcceptable", text, {})


def error_form(accept: str) -> Form:
    """The form of a Status: what the client asks for first, else JSON."""
    for clause in _clauses(accept) if accept else ():
        if clause.media in ENCODERS:
            return Form(clause.media)
    return PLAIN


def body_media_type(header: str) -> str:
    """The media type of a request body; JSON when none is given. ApiError 415 for what is not read here."""
    media = header.split(";", 1)[0].strip().lower()
    if not media:
        return JSON
    if media not in MEDIA_TYPES:
        raise errors.unsupported_media_type(MEDIA_TYPES)
    return media


def _shown(data: bytes) -> str:
    """How an unreadable body is quoted: text that looks like JSON or begins with { as it is, other bytes as hex."""
    if not data:
        return "(<empty>)"
    if data[:1] == b"{":
        text = data[:30].decode("utf-8", "replace")
        return f"({text} ...)" if len(data) > 30 else f"({text})"
    hexed = data[:30].hex()
    return f"({hexed} ...)" if len(data) > 30 else f"({hexed})"


_TYPE_META = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'


DefinitionOf = Callable[[str, str], str | None]


def parse_body(data: bytes, media: str, definition_of: DefinitionOf | None = None) -> dict[str, Any]:
    """The body as a JSON object with kind and apiVersion (if any) being strings. JsonError with the recognizer's text.

    definition_of: which definition a kind in an API version has, to read protobuf by."""
    if media == PROTOBUF:
        try:
            return decode.decode(data, definition_of or (lambda _version, _kind: None))
        except ProtobufError as error:
            raise gojson.JsonError(str(error)) from None
    try:
        value = DECODERS[media](data)
    except gojson.JsonError as error:
        if media == YAML:
            raise
        raise gojson.JsonError(f"couldn't get version/kind; json parse error: {error}") from None
    if value is None:
        return {}
    prefix = "couldn't get version/kind; json parse error: json: cannot unmarshal"
    if not isinstance(value, dict):
        raise gojson.JsonError(f"{prefix} {gojson.kind_of(value)} into Go value of type {_TYPE_META}")
    for field in ("apiVersion", "kind"):
        if field in value and value[field] is not None and not isinstance(value[field], str):
            raise gojson.JsonError(
                f"{prefix} {gojson.kind_of(value[field])} into Go struct field .{field} of type string"
            )
    return value


def recognize(data: bytes, media: str, kind: str, definition_of: DefinitionOf | None = None) -> dict[str, Any]:
    """parse_body for an endpoint of that kind: a failure is the 400 that names it."""
    try:
        value = parse_body(data, media, definition_of)
        version = value.get("apiVersion") or ""
        if version.count("/") > 1:
            raise gojson.JsonError(f"unexpected GroupVersion string: {version}")
    except gojson.JsonError as error:
        raise errors.bad_request(
            f"the object provided is unrecognized (must be of type {kind}): {error} {_shown(data)}"
        ) from None
    return value


def split_version(api_version: str) -> tuple[str, str]:
    """`apps/v1` -> ("apps", "v1"), `v1` -> ("", "v1")."""
    group, slash, version = api_version.rpartition("/")
    return (group, version) if slash else ("", api_version)


def go_package(group: str) -> str:
    """The Go package of a group's internal types: "core" for "", `rbac` for `rbac.authorization.k8s.io`."""
    return group.split(".", 1)[0] if group else "core"


def cannot_handle(found_kind: str, version: str, kind: str, why: str) -> ApiError:
    """400 `<Kind> in version "<v>" cannot be handled as a <Kind>: <why>`."""
    return errors.bad_request(f'{found_kind} in version "{version}" cannot be handled as a {kind}: {why}')


def warning_headers(texts: list[str]) -> tuple[str, ...]:
    """The Warning headers of an answer, `299 - "text"` each; equal texts are told once."""
    return tuple(f"299 - {go_quote(text)}" for text in dict.fromkeys(texts))
