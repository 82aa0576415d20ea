"""What every handler of one resource version needs: the request scope.

Stands for apiserver's handlers.RequestScope: the row, its served version, types, converters and store, and the two
directions an object takes, from a request's body to the storage version and from the store to an answer's bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from msgspec import Struct

from fakeapi import codec, errors, gojson, views
from fakeapi.clock import rfc3339
from fakeapi.codec import Form
from fakeapi.errors import ApiError
from fakeapi.handlers import oldkinds
from fakeapi.registry import Registry, Rules
from fakeapi.request import Answer, Request
from fakeapi.resources.base import Custom, Resource
from fakeapi.schema.decode import DecodeError, decode, strict_errors
from fakeapi.schema.duplicates import duplicate_fields, has_duplicates
from fakeapi.schema.types import Type
from fakeapi.strategies.base import Context, Obj

if TYPE_CHECKING:
    from fakeapi.app import ApiServer

MAX_BODY = 3 * 1024 * 1024


class Scope(Struct):
    """One resource in one served version."""

    server: ApiServer
    row: Resource
    version: str
    type: Type
    registry: Registry

    @property
    def api_version(self) -> str:
        """`apps/v1`."""
        return f"{self.row.group}/{self.version}" if self.row.group else self.version

    @property
    def same(self) -> bool:
        """Whether the served version is the one that is stored."""
        return self.version == self.row.storage_version and self.row.storage_group is None

    def definition_of(self, api_version: str, kind: str) -> str | None:
        """The definition of a built-in kind, to read protobuf by."""
        group, version = codec.split_version(api_version)
        if kind == "DeleteOptions":
            return "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"
        return self.server.definitions.by_gvk(group, version, kind)

    @property
    def type_is_built_in(self) -> bool:
        """Whether strategic merge patches are known here."""
        return self.row.custom is None

    def custom(self, type_: Type) -> Custom | None:
        """What reads the resource's objects where they are custom ones (type_: of the document that is read)."""
        return self.row.custom if type_ is self.type else None

    def to_hub(self, obj: Obj) -> Obj:
        """The object in the storage version."""
        if self.same:
            return obj
        group = self.row.group if self.row.storage_group is None else self.row.storage_group
        return self._converted(obj, 0, group, self.row.storage_version)

    def from_hub(self, obj: Obj) -> Obj:
        """The stored object in the served version."""
        return obj if self.same else self._converted(obj, 1, self.row.group, self.version)

    def _converted(self, obj: Obj, direction: int, group: str, version: str) -> Obj:
        """Through the row's conversion; versions without one have the storage version's shape."""
        functions = self.row.convert.get(self.version)
        made = functions[direction](obj) if functions else obj
        return {**made, "apiVersion": f"{group}/{version}" if group else version}

    def default(self, hub: Obj) -> None:
        """Default an object in the storage version, in place; fields unknown to this minor are not filled in."""
        self.row.strategy.default(hub)
        self.registry.trim(hub)

    def context(self, request: Request, dry_run: bool = False) -> Context:
        """What strategies may know of the request."""
        user = request.user
        return Context(
            now=rfc3339(request.now),
            user=user.name,
            groups=user.groups,
            uid=user.uid,
            extra=user.extra,
            minor=self.server.config.minor,
            namespace=request.info.namespace if self.row.namespaced else "",
            subresource=request.info.subresource,
            dry_run=dry_run,
            api_version=self.api_version,
        )

    def rules(self, subresource: str) -> Rules | None:
        """What governs a write to the object as a whole through a subresource; None for the main resource's rules."""
        if not subresource:
            return None
        if subresource == "status":
            return self.registry.status
        strategy = self.row.strategy
        found = strategy.subresources.get(subresource)
        if found is not None:
            return Rules(found.prepare, found.validate)
        return Rules(strategy.prepare_update, strategy.validate_update)

    def served(self, raw: bytes) -> bytes:
        """An object's stored bytes in the served version."""
        return raw if self.same else orjson.dumps(self.from_hub(orjson.loads(raw)))

    def tabling(self, form: Form, request: Request) -> views.Tabling:
        """How the resource's objects become rows. ApiError 400."""
        include = views.check_include(request.option("includeObject"))
        strategy = self.row.strategy
        return views.Tabling(strategy.printer, form, request.now, include, self.from_hub, strategy.hidden_annotations)

    def partial(self, obj: Obj, form: Form) -> Obj:
        """A stored object's metadata."""
        return views.partial(obj, form.version, self.row.strategy.hidden_annotations)

    def accepted(self, request: Request, stream: bool = False) -> Form:
        """The form of an answer that holds the scope's objects: custom ones, where no types are known. ApiError 406."""
        return accepted(request, stream, self.row.custom is not None or not self.row.definition)

    def answer(self, raw: bytes, request: Request, status: int = 200, form: Form | None = None) -> Answer:
        """One object as the client wants to see it. ApiError 406."""
        form = form or self.accepted(request)
        if not form.view and form.media == codec.JSON:
            return Answer(status, self.served(raw))
        obj = orjson.loads(raw)
        if form.view == "Table":
            metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
            obj = views.table([obj], metadata, self.tabling(form, request))
        elif form.view == "PartialObjectMetadata":
            obj = self.partial(obj, form)
        elif form.view:
            found = f"*{codec.go_package(self.row.group)}.{self.row.kind}"
            raise errors.generic(
                406, "NotAcceptable", f"you requested {form.view}, but the requested object is not a list ({found})"
            )
        else:
            obj = self.from_hub(obj)
        return Answer(status, form.encode(obj), form.media)


def accepted(request: Request, stream: bool = False, custom: bool = False) -> Form:
    """The form of the answer; custom: one of custom resources. ApiError 406."""
    watchable = not request.info.name or request.info.special
    form = codec.negotiate(request.headers.get("accept", ""), stream, watchable, custom)
    if isinstance(form, ApiError):
        raise form
    return form


async def read_object(
    scope: Scope,
    request: Request,
    kind: str = "",
    group: str | None = None,
    version: str = "",
    type_: Type | None = None,
    versions: tuple[str, ...] = (),
) -> Obj:
    """The body decoded as the scope's kind (or a subresource's), typed, pruned and not yet defaulted. ApiError 4xx."""
    kind = kind or scope.row.kind
    group = scope.row.group if group is None else group
    version = version or scope.version
    media = codec.body_media_type(request.headers.get("content-type", ""))
    data = await request.read()
    if len(data) > MAX_BODY:
        raise errors.too_large(f"Request entity too large: limit is {MAX_BODY}")
    value = codec.recognize(data, media, kind, scope.definition_of)
    repeated = gojson.yaml_duplicates(data) if media == codec.YAML and field_validation(request) != "Ignore" else []
    if value.get("apiVersion") in versions:
        value["apiVersion"] = f"{group}/{version}"
    custom = scope.custom(type_ or scope.type)
    if custom is None:
        check_kind(scope, value, kind, group, version)
    else:
        check_custom_kind(scope, value)
    source = data if media == codec.JSON and data.strip() != b"null" else b""
    return typed(
        value,
        type_ or scope.type,
        request,
        found_kind=kind,
        version=version,
        data=source,
        custom=custom,
        repeated=repeated,
    )


def check_custom_kind(scope: Scope, value: Obj) -> None:
    """The same for custom resources: what their scheme does not know it cannot convert; the kind is validation's.

    ApiError 400.
    """
    kind, given = value.get("kind") or scope.row.kind, value.get("apiVersion") or scope.api_version
    group, version = codec.split_version(given)
    if group != scope.row.group or (
        version != scope.version and scope.server.table.find(group, version, scope.row.plural) is None
    ):
        raise errors.bad_request(
            f"the API version in the data ({given}) does not match the expected API version ({scope.api_version})"
        )
    if version != scope.version:
        raise errors.bad_request(
            f"the API version in the data ({given}) does not match the expected API version ({scope.api_version})"
        )
    value["kind"], value["apiVersion"] = kind, given


def field_validation(request: Request) -> str:
    """What to do about fields that are unknown or there twice."""
    return request.option("fieldValidation") or "Warn"


def check_kind(scope: Scope, value: Obj, kind: str, group: str, version: str) -> None:
    """Kind and version of a body against what the endpoint takes; absent ones are filled in. ApiError 400."""
    api_version = f"{group}/{version}" if group else version
    given_kind, given_version = value.get("kind") or kind, value.get("apiVersion") or api_version
    if (given_kind, given_version) != (kind, api_version):
        raise _kind_error(scope, given_kind, given_version, kind, group, version)
    value["kind"], value["apiVersion"] = kind, api_version


def _kind_error(scope: Scope, given_kind: str, given_version: str, kind: str, group: str, version: str) -> ApiError:
    found_group, found_version = codec.split_version(given_version)
    if not _registered(scope, found_group, found_version, given_kind):
        why = f'no kind "{given_kind}" is registered for version "{given_version}" in scheme "{codec.SCHEME}"'
        return codec.cannot_handle(given_kind, found_version, kind, why)
    if given_kind != kind or not (found_group == group or oldkinds.same_type(kind, found_group, group)):
        why = unknown_conversion(given_version, given_kind, group, kind)
        return codec.cannot_handle(given_kind, found_version, kind, why)
    expected = f"{group}/{version}" if group else version
    return errors.bad_request(
        f"the API version in the data ({given_version}) does not match the expected API version ({expected})"
    )


def unknown_conversion(given_version: str, given_kind: str, group: str, kind: str) -> str:
    """What is said of a kind that is no other version of the wanted one."""
    version = codec.split_version(given_version)[1]
    return f"converting ({version}.{given_kind}) to ({codec.go_package(group)}.{kind}): unknown conversion"


def _registered(scope: Scope, group: str, version: str, kind: str) -> bool:
    definitions = scope.server.definitions
    if definitions.by_gvk(group, version, kind) is not None or oldkinds.known(group, version, kind):
        return True
    base = kind.removesuffix("List")
    return (group, version, kind) == ("", "v1", "List") or (
        base != kind and definitions.by_gvk(group, version, base) is not None
    )


def typed(
    value: Obj,
    type_: Type,
    request: Request,
    *,
    found_kind: str,
    version: str,
    data: bytes = b"",
    wrap: Callable[[str], ApiError] | None = None,
    custom: Custom | None = None,
    repeated: Sequence[str] = (),
) -> Obj:
    """Decode by type and apply fieldValidation: Strict refuses, Warn (the default) warns, Ignore says nothing. ApiError
    4xx.

    data: the JSON text of value, to find fields that are there twice. custom: reads the object in place of the type.
    repeated: keys that YAML has twice."""
    wrap = wrap or (lambda why: codec.cannot_handle(found_kind, version, found_kind, why))
    mode = field_validation(request)
    try:
        twice = bool(data) and mode != "Ignore" and has_duplicates(data, value)
        if custom is not None:
            cleared = isinstance(value.get("metadata"), dict) and value["metadata"].get("managedFields") == []
            found = (duplicate_fields(data) if twice else []) + custom.read(value)
            obj: Obj = value
        else:
            decoded = decode(value, type_, source=data or None)
            found = strict_errors(data, type_) if twice else decoded.unknown
            obj = decoded.value
            cleared = isinstance(value.get("metadata"), dict) and value["metadata"].get("managedFields") == []
    except DecodeError as error:
        raise wrap(str(error)) from None
    if mode != "Ignore":
        if mode == "Strict" and (found or repeated):
            told = [gojson.unmarshal_errors(repeated), *found] if repeated else found
            raise wrap(f"strict decoding error: {', '.join(told)}")
        request.warnings += [*repeated, *found]
    metadata = obj.setdefault("metadata", {})
    if cleared:
        metadata["managedFields"] = []  # omitempty drops it, but to the field manager it means: stop tracking
    return obj


def check_options(request: Request, kind: str, apply: bool = False) -> None:
    """ValidateCreateOptions and its kin: the query's dryRun, fieldManager, fieldValidation, force. ApiError 422."""
    query = request.query
    if not query.keys() & {"dryRun", "fieldManager", "fieldValidation", "force"} and not apply:
        return
    from fakeapi import meta

    found = []
    if apply and not request.option("fieldManager"):
        found.append(errors.required("fieldManager", "is required for apply patch"))
    if kind == "PatchOptions" and not apply and request.query.get("force"):
        found.append(errors.forbidden("force", "may not be specified for non-apply patch"))
    found += meta.check_field_manager("fieldManager", request.option("fieldManager"))
    found += check_dry_run(query.get("dryRun"))
    mode = request.option("fieldValidation")
    if mode not in ("", "Ignore", "Strict", "Warn"):
        found.append(errors.not_supported("fieldValidation", mode, ("", "Ignore", "Strict", "Warn")))
    if found:
        raise errors.invalid_object("meta.k8s.io", kind, "", found)


def check_dry_run(values: list[str] | None) -> list[errors.FieldError]:
    """ValidateDryRun."""
    if values and any(v != "All" for v in values):
        return [errors.not_supported("dryRun", values, ("All",))]
    return []


def is_dry_run(request: Request) -> bool:
    """Whether the query asks for a dry run."""
    return "All" in request.query.get("dryRun", ())


def loads(raw: bytes) -> Any:
    """A private copy of stored bytes."""
    return orjson.loads(raw)
