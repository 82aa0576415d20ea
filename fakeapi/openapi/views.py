"""The OpenAPI documents of one server: v3's index and documents, and v2, each as JSON or protobuf.

Stands for kube-openapi's handler and handler3 and the aggregator's merging of specs. Documents are built when asked
for, one path or definition after the other, and only their bytes are kept: v3 until the group version changes, v2 until
the table does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import orjson
from msgspec import Struct

from fakeapi.openapi import custom, protobuf, protobuf3
from fakeapi.openapi.paths import META, Naming, Operation, PathItem, identifier, row_paths, tag
from fakeapi.openapi.spelling import references, v2_path, v2_schema, v3_path
from fakeapi.resources.base import Resource
from fakeapi.resources.table import Table
from fakeapi.schema.definitions import Definitions, load

Schemas = Callable[[Resource, str], Mapping[str, Any] | None]

V2_JSON = "application/json"
V2_PROTOBUF = protobuf.MEDIA_TYPE
V3_PROTOBUF = protobuf3.MEDIA_TYPE
_BEARER = {"type": "apiKey", "name": "authorization", "in": "header", "description": "Bearer Token authentication"}

# Paths beside groups: document -> (URL, operation, text, tag, definition returned, media types).
_FIXED: dict[str, tuple[str, str, str, str, str, tuple[str, ...]]] = {
    ".well-known/openid-configuration": (
        "/.well-known/openid-configuration/",
        "getServiceAccountIssuerOpenIDConfiguration",
        "get service account issuer OpenID configuration, also known as the 'OIDC discovery doc'",
        "WellKnown",
        "string",
        ("application/json",),
    ),
    "openid/v1/jwks": (
        "/openid/v1/jwks/",
        "getServiceAccountIssuerOpenIDKeyset",
        "get service account issuer OpenID JSON Web Key Set (contains public token verification keys)",
        "openid",
        "string",
        ("application/jwk-set+json",),
    ),
    "version": (
        "/version/",
        "getCodeVersion",
        "get the version information for this server",
        "version",
        "io.k8s.apimachinery.pkg.version.Info",
        ("application/json",),
    ),
    "api": ("/api/", "getCoreAPIVersions", "get available API versions", "core", META + "APIVersions", ()),
    "apis": ("/apis/", "getAPIVersions", "get available API versions", "apis", META + "APIGroupList", ()),
}
_GVK = "x-kubernetes-group-version-kind"
_UNKNOWN_TO_CRDS = frozenset(
    ("admission.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "imagepolicy.k8s.io")
)
_DISCOVERY_TYPES = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")


class Document(Struct, frozen=True):
    """One answer: its bytes, their Content-Type, and their hash (upper-case hex), which is the ETag in quotes."""

    body: bytes
    content_type: str
    hash: str

    @property
    def etag(self) -> str:
        """The ETag header."""
        return f'"{self.hash}"'


class Views:
    """The documents of one table. git_version: "v1.36.2". schemas: openAPIV3Schema of custom rows (definition "")."""

    def __init__(self, table: Table, git_version: str, schemas: Schemas = lambda row, version: None) -> None:
        self._table = table
        self._info = {"title": "Kubernetes", "version": git_version}
        self._schemas = schemas
        self._v3: dict[tuple[str, bool], Document] = {}
        self._hashes: dict[str, str] = {}
        self._v2: dict[bool, Document] = {}
        self._generation = -1

    def index(self) -> Document:
        """GET /openapi/v3. Hashes say what a document is made from, so that none has to be built here."""
        urls = {
            path: {"serverRelativeURL": f"/openapi/v3/{quote(path)}?hash={digest}"}
            for path, digest in sorted(self._current().items())
        }
        body = orjson.dumps({"paths": urls}) + b"\n"
        return Document(body, "text/plain; charset=utf-8", _digest(body))

    def document(self, path: str, as_protobuf: bool = False) -> Document | None:
        """GET /openapi/v3/<path>, such as "apis/apps/v1", in JSON or protobuf; None: there is none (404, no body)."""
        digest = self._current().get(path)
        if digest is None:
            return None
        kept = self._v3.get((path, as_protobuf))
        if kept is None or kept.hash != digest:
            body, media = self._build_v3(path), "application/json"
            if as_protobuf:
                body, media = protobuf3.encode(orjson.loads(body)), V3_PROTOBUF
            kept = self._v3[path, as_protobuf] = Document(body, media, digest)
        return kept

    def v2(self, as_protobuf: bool = False) -> Document:
        """GET /openapi/v2, in JSON or protobuf."""
        self._current()
        if as_protobuf not in self._v2:
            body = self._build_v2_protobuf() if as_protobuf else self._build_v2_json()
            kind = V2_PROTOBUF if as_protobuf else V2_JSON
            self._v2[as_protobuf] = Document(body, kind, _digest(body))
        return self._v2[as_protobuf]

    def _current(self) -> dict[str, str]:
        """Hash of every v3 document, by path."""
        if self._generation != self._table.generation:
            self._generation = self._table.generation
            self._v2.clear()
            self._hashes = {path: self._source_hash(path) for path in self._paths()}
            self._v3 = {key: kept for key, kept in self._v3.items() if key[0] in self._hashes}
        return self._hashes

    def _paths(self) -> Iterator[str]:
        yield from _FIXED
        for group in self._table.groups():
            root = f"apis/{group}" if group else "api"
            if group and not self._is_custom(group):
                yield root
            for version in self._table.versions(group):
                yield f"{root}/{version}"

    def _is_custom(self, group: str) -> bool:
        versions = self._table.versions(group)
        return not any(row.definition for row in self._table.resources(group, versions[0]))

    def _source_hash(self, path: str) -> str:
        """A digest of all that the document is made from."""
        source: list[Any] = [path, self._table.minor, self._info["version"]]
        found = self._group_version(path)
        for row in self._table.resources(*found) if found else ():
            names = (row.plural, row.kind, row.list_kind, row.namespaced, row.verbs)
            source += [names, tuple((sub.name, sub.verbs, sub.kind) for sub in row.subresources)]
            if found and not row.definition:
                source.append(self._schemas(row, found[1]))
        return _digest(orjson.dumps(source))

    def _group_version(self, path: str) -> tuple[str, str] | None:
        first, *rest = path.split("/")
        if first == "api" and len(rest) == 1:
            return "", rest[0]
        return (rest[0], rest[1]) if first == "apis" and len(rest) == 2 else None

    def _items(self, path: str) -> Iterator[PathItem]:
        """What the document of that path holds."""
        found = self._group_version(path)
        if path in _FIXED:
            url, name, text, named, returned, types = _FIXED[path]
            yield _get(url, name, text, named, returned, types or _DISCOVERY_TYPES)
        elif found is None:
            group = path.removeprefix("apis/")
            name = f"get{identifier(group.removesuffix('.k8s.io'), True)}APIGroup"
            yield _get(
                f"/{path}/", name, "get information of a group", tag(group, ""), META + "APIGroup", _DISCOVERY_TYPES
            )
        else:
            group, version = found
            if group == "" or not self._is_custom(group):
                words = identifier(group.removesuffix(".k8s.io") or "core", True) + identifier(version, True)
                returned = META + "APIResourceList"
                named = tag(group, version)
                text = "get available resources"
                yield _get(f"/{path}/", f"get{words}APIResources", text, named, returned, _DISCOVERY_TYPES)
            for row in self._table.resources(group, version):
                yield from row_paths(self._naming(row, version))

    def _naming(self, row: Resource, version: str) -> Naming:
        definitions = load(self._table.minor)

        def of(group: str, version: str, kind: str) -> str:
            if not row.definition and (group, kind) in ((row.group, row.kind), (row.group, row.list_kind)):
                return custom.definition_name(group, version, kind)
            name = definitions.by_gvk(group, version, kind)
            assert name is not None, f"no definition of {group}/{version} {kind}"
            return name

        return Naming(row, version, not row.definition, of)

    def _custom_definitions(self, group: str, version: str) -> dict[str, dict[str, Any]]:
        made: dict[str, dict[str, Any]] = {}
        for row in self._table.resources(group, version):
            if not row.definition:
                made.update(custom.definitions(row, version, self._schemas(row, version)))
        return made

    def _build_v3(self, path: str) -> bytes:
        own = self._custom_definitions(*found) if (found := self._group_version(path)) else {}
        info = {"title": "Kubernetes CRD Swagger", "version": "v0.1.0"} if own else self._info
        definitions = load(self._table.minor)
        needed: set[str] = set()
        paths = []
        for item in sorted(self._items(path), key=lambda item: item.path):
            made = v3_path(item, self._table.minor)
            needed.update(references(made))
            paths.append(_entry(item.path, made))
        found_schemas = ((name, _schema_of(name, own, definitions)) for name in _closure(needed, own, definitions))
        schemas = [_entry(name, _known_to_crds(schema) if own else schema) for name, schema in found_schemas]
        security = b"" if own else b',"securitySchemes":' + orjson.dumps({"BearerToken": _BEARER})
        return b"".join(
            (
                b'{"openapi":"3.0.0","info":' + orjson.dumps(info) + b',"paths":{',
                b",".join(paths),
                b'},"components":{"schemas":{' + b",".join(schemas) + b"}" + security + b"}}",
            )
        )

    def _own(self) -> dict[str, dict[str, Any]]:
        own: dict[str, dict[str, Any]] = {}
        for group in self._table.groups():
            for version in self._table.versions(group):
                own.update(self._custom_definitions(group, version))
        return own

    def _v2_items(self) -> list[PathItem]:
        return sorted((item for path in self._current() for item in self._items(path)), key=lambda item: item.path)

    def _v2_definitions(self) -> Iterator[tuple[str, dict[str, Any]]]:
        own, definitions = self._own(), load(self._table.minor)
        needed = {
            name
            for item in self._v2_items()
            for operation in item.operations
            for name in (operation.body, *(name for _, name in operation.returns))
        }
        for name in _closure(needed - {"", "string"}, own, definitions):
            schema = _schema_of(name, own, definitions)
            yield name, v2_schema(custom.without_validations(schema) if name in own else schema)

    def _build_v2_json(self) -> bytes:
        minor = self._table.minor
        security = {"securityDefinitions": {"BearerToken": _BEARER}, "security": [{"BearerToken": []}]}
        return b"".join(
            (
                b'{"swagger":"2.0","info":' + orjson.dumps(self._info) + b',"paths":{',
                b",".join(_entry(item.path, v2_path(item, minor)) for item in self._v2_items()),
                b'},"definitions":{',
                b",".join(_entry(name, schema) for name, schema in self._v2_definitions()),
                b"}," + orjson.dumps(security)[1:],
            )
        )

    def _build_v2_protobuf(self) -> bytes:
        paths = ((item.path, v2_path(item, self._table.minor)) for item in self._v2_items())
        head = protobuf.encode_head({"swagger": "2.0", "info": self._info})
        return head + protobuf.encode_paths(paths) + protobuf.encode_definitions(self._v2_definitions())


def _schema_of(name: str, own: Mapping[str, dict[str, Any]], definitions: Definitions) -> dict[str, Any]:
    return own[name] if name in own else definitions.openapi(name)


def _known_to_crds(schema: dict[str, Any]) -> dict[str, Any]:
    """A definition as the extension server's scheme has it: options of groups it does not know are not listed."""
    kinds = schema.get(_GVK, ())
    if len(kinds) < 2:
        return schema
    return {**schema, _GVK: [gvk for gvk in kinds if gvk["group"] not in _UNKNOWN_TO_CRDS]}


def _closure(needed: set[str], own: Mapping[str, dict[str, Any]], definitions: Definitions) -> list[str]:
    """The named definitions and all that they refer to, in order."""
    seen: set[str] = set()
    waiting = list(needed)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += references(_schema_of(name, own, definitions))
    return sorted(seen)


def _get(url: str, name: str, text: str, named: str, returned: str, types: tuple[str, ...]) -> PathItem:
    """A path with one GET that belongs to no resource."""
    operation = Operation("get", "", name, text, None, produces=types, returns=((200, returned),))
    return PathItem(url, "", named, (), [operation])


def _entry(key: str, value: Any) -> bytes:
    return orjson.dumps(key) + b":" + orjson.dumps(value)


def _digest(data: bytes) -> str:
    return hashlib.sha512(data).hexdigest().upper()
