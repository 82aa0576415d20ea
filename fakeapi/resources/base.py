"""The shape of the resource table: a row says everything that is generic about one resource.

Stands for apiserver's storage provider maps and APIResourceInfo. A built-in kind is one row in the file of its API
group beside this one; a CustomResourceDefinition is a row made at run time (crd.py). Views over the table: discovery,
OpenAPI, routing, docs/coverage.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from msgspec import Struct, field
from msgspec.structs import force_setattr

from fakeapi.schema.types import Type
from fakeapi.storage.base import Storage
from fakeapi.strategies.base import Strategy, find

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
READ_ONLY = ("get", "list", "watch")

Convert = Callable[[dict[str, Any]], dict[str, Any]]
Conversion = tuple[Convert, Convert]


class Custom(Protocol):
    """What a row of a CustomResourceDefinition knows in place of an OpenAPI definition: one version's objects.

    type: compiled from the schema. schema: as published. warning: told to every request, "" for none. scale: the
    definition's scale stanza. terminating: nothing may be created any more.
    """

    @property
    def type(self) -> Type: ...
    @property
    def schema(self) -> Mapping[str, Any] | None: ...
    @property
    def strategy(self) -> Strategy: ...
    @property
    def warning(self) -> str: ...
    @property
    def scale(self) -> Mapping[str, str] | None: ...
    @property
    def terminating(self) -> bool: ...
    def read(self, value: dict[str, Any]) -> list[str]:
        """Prune and normalise in place; texts of unknown fields. DecodeError."""

    def storage(self, inner: Storage) -> Storage:
        """The store, giving and taking this version."""


class Served(Struct, frozen=True):
    """One version of a resource and the minors (of 1.x) that serve it by default; until is the last one, 0: still.

    deprecated: the minor from which on every request is warned; replacement: what to use instead ("g/v Kind").
    """

    version: str
    since: int = 0
    until: int = 0
    deprecated: int = 0
    replacement: str = ""


class Subresource(Struct, frozen=True, kw_only=True):
    """A path below an object: `status`, `scale`, `binding`, ... kind (group, version) is what it takes and gives."""

    name: str
    verbs: tuple[str, ...]
    kind: str
    group: str | None = None
    version: str = ""
    since: int = 0


class Resource(Struct, frozen=True, kw_only=True):
    """One row. `versions` in order of preference; objects are stored in `storage_version`.

    definition: OpenAPI definition prefix, e.g. "io.k8s.api.apps": definition names are "<prefix>.<version>.<Kind>".
    Empty for a kind that has none: it takes any field. singular, list_kind: by default the kind in lower case, and
    "<kind>List". storage_key: path below /registry/; by default the plural, as upstream's (but services:
    "services/specs"). storage_group: group of the stored form where it is not this row's (events.k8s.io: "", so that
    both groups' events are one store of core/v1 events); convert then names every version of this row. convert: version
    -> (to_hub, from_hub), in-place-free functions for versions other than the storage version. virtual: nothing is
    stored (reviews, bindings): handlers/connect.py answers. strategy_name: the module of strategies/ with the
    kind's rules, where it deviates. custom: of a CustomResourceDefinition's rows, which are one a version, each its own
    storage version; the version that is really stored is hashed_version (in discovery's storageVersionHash).
    """

    group: str
    kind: str
    plural: str
    singular: str = ""
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    namespaced: bool = True
    versions: tuple[Served, ...] = (Served("v1"),)
    storage_version: str = "v1"
    storage_group: str | None = None
    verbs: tuple[str, ...] = VERBS
    subresources: tuple[Subresource, ...] = ()
    strategy_name: str = ""
    definition: str = ""
    storage_key: str = ""
    convert: Mapping[str, Conversion] = field(default_factory=dict)
    virtual: bool = False
    custom: Custom | None = None
    hashed_version: str = ""

    def __post_init__(self) -> None:
        for name, value in (
            ("singular", self.kind.lower()),
            ("list_kind", self.kind + "List"),
            ("storage_key", self.plural),
        ):
            if not getattr(self, name):
                force_setattr(self, name, value)

    @property
    def strategy(self) -> Strategy:
        """The kind's rules."""
        return self.custom.strategy if self.custom else find(self.strategy_name)

    @property
    def prefix(self) -> str:
        """Where the row's objects are kept, as upstream lays out etcd."""
        return f"/registry/{self.storage_key}/"

    def key(self, namespace: str, name: str) -> str:
        """The key of one object."""
        return self.prefix + (f"{namespace}/{name}" if self.namespaced else name)

    def subresource(self, name: str) -> Subresource | None:
        """The subresource of that name."""
        return next((s for s in self.subresources if s.name == name), None)

    def deprecation(self, version: str, minor: int) -> str:
        """The Warning of every request for that version; "" for none (deprecation.WarningMessage)."""
        if self.custom is not None:
            return self.custom.warning
        served = next((v for v in self.versions if v.version == version), None)
        if served is None or not served.deprecated or minor < served.deprecated:
            return ""
        name = f"{self.group}/{version}" if self.group else version
        gone = f", unavailable in v1.{served.until + 1}+" if served.until else ""
        instead = f"; use {served.replacement}" if served.replacement else ""
        return f"{name} {self.kind} is deprecated in v1.{served.deprecated}+{gone}{instead}"

    def serves(self, version: str, minor: int) -> bool:
        """Whether that minor serves this resource in this version."""
        return any(
            v.version == version and v.since <= minor and (not v.until or minor <= v.until) for v in self.versions
        )

    def served(self, minor: int) -> Iterator[str]:
        """The versions that minor serves, preferred first."""
        return (v.version for v in self.versions if v.since <= minor and (not v.until or minor <= v.until))


def status(kind: str) -> Subresource:
    """The usual status subresource."""
    return Subresource(name="status", verbs=("get", "patch", "update"), kind=kind)


def scale(kind: str = "Scale") -> Subresource:
    """The usual scale subresource (autoscaling/v1 Scale)."""
    return Subresource(name="scale", verbs=("get", "patch", "update"), kind=kind, group="autoscaling", version="v1")


def proxy(kind: str) -> Subresource:
    """The usual proxy subresource; kind is the options it takes in the query."""
    return Subresource(name="proxy", verbs=("create", "delete", "get", "patch", "update"), kind=kind)
