"""What a definition says of its objects, version by version: schema, types, subresources, columns, conversion.

Pure and lazy: reading 200 definitions compiles nothing; a schema is compiled when the first request needs it. A
definition object here is in apiextensions.k8s.io/v1, as it is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from msgspec import Struct, field

from fakeapi import jsonpath
from fakeapi.priority import version_order
from fakeapi.schema import structural
from fakeapi.schema.types import Type
from fakeapi.strategies.base import Obj

NONE, WEBHOOK = "None", "Webhook"


class Version(Struct, eq=False, dict=True):
    """One version of a kind. `kind` is what it belongs to; `spec` its entry in the definition's spec.versions."""

    kind: Kind
    spec: Mapping[str, Any]
    memo: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`v1`."""
        name: str = self.spec["name"]
        return name

    @property
    def api_version(self) -> str:
        """`stable.example.com/v1`."""
        return f"{self.kind.group}/{self.name}"

    @property
    def schema(self) -> Mapping[str, Any] | None:
        """openAPIV3Schema."""
        found: Mapping[str, Any] | None = (self.spec.get("schema") or {}).get("openAPIV3Schema")
        return found

    @cached_property
    def type(self) -> Type:
        """The compiled schema."""
        return structural.compile(self.schema or {}, self.kind.meta)

    @property
    def subresources(self) -> Mapping[str, Any]:
        """The stanza: `status`, `scale`."""
        return self.spec.get("subresources") or {}

    @property
    def has_status(self) -> bool:
        """Whether /status is served (and the main resource leaves the status alone)."""
        return self.subresources.get("status") is not None

    @property
    def scale(self) -> Mapping[str, str] | None:
        """The scale stanza: where an object holds its number of replicas."""
        return self.subresources.get("scale")

    @cached_property
    def fields(self) -> Mapping[str, jsonpath.Path]:
        """Selectable fields: name in field selectors -> path."""
        found = (entry["jsonPath"] for entry in self.spec.get("selectableFields") or ())
        return {path.removeprefix("."): jsonpath.compile(path) for path in found}

    @property
    def has_defaults(self) -> bool:
        """Whether an object can come out of the store richer than it went in."""
        if "defaults" not in self.memo:
            self.memo["defaults"] = _says(self.schema or {}, "default")
        found: bool = self.memo["defaults"]
        return found

    def read(self, value: Obj) -> list[str]:
        """Prune and normalise an object of this version in place; texts of its unknown fields. DecodeError."""
        return structural.coerce(value, self.type, self.kind.meta)

    def default(self, value: Obj) -> None:
        """Fill in this version's defaults."""
        if self.has_defaults:
            structural.apply_defaults(value, self.type)

    @property
    def deprecation_warning(self) -> str:
        """What every request to this version is told; "" when it is not deprecated."""
        if not self.spec.get("deprecated"):
            return ""
        given = self.spec.get("deprecationWarning")
        return given if given is not None else self.kind.default_warning(self.name)


class Kind(Struct, eq=False, dict=True):
    """One definition. meta: ObjectMeta's Type."""

    definition: Obj
    meta: Type

    @cached_property
    def versions(self) -> dict[str, Version]:
        """By name, in the definition's order."""
        return {spec["name"]: Version(self, spec) for spec in self.definition["spec"]["versions"]}

    @property
    def group(self) -> str:
        """`stable.example.com`."""
        group: str = self.definition["spec"]["group"]
        return group

    @property
    def names(self) -> Mapping[str, Any]:
        """The accepted names."""
        names: Mapping[str, Any] = self.definition["status"]["acceptedNames"]
        return names

    @property
    def namespaced(self) -> bool:
        """Whether objects live in namespaces."""
        return bool(self.definition["spec"]["scope"] == "Namespaced")

    @property
    def storage(self) -> Version:
        """The version that objects are stored in."""
        return next(v for v in self.versions.values() if v.spec.get("storage"))

    @property
    def conversion(self) -> Mapping[str, Any]:
        """spec.conversion."""
        return self.definition["spec"].get("conversion") or {"strategy": NONE}

    @property
    def converts_by_webhook(self) -> bool:
        """Whether another server has to be asked to convert."""
        return bool(self.conversion["strategy"] == WEBHOOK)

    @property
    def terminating(self) -> bool:
        """Whether the definition is being deleted: no object may be created."""
        return bool(self.definition["metadata"].get("deletionTimestamp"))

    @property
    def storage_key(self) -> str:
        """Where objects are kept, below /registry/."""
        return f"{self.group}/{self.names['plural']}"

    def default_warning(self, version: str) -> str:
        """Upstream's words for a deprecated version, with the newest later one that is not deprecated."""
        kind = self.definition["spec"]["names"]["kind"]
        text = f"{self.group}/{version} {kind} is deprecated"
        later = [
            v.name
            for v in self.versions.values()
            if v.spec.get("served") and not v.spec.get("deprecated") and _order(v.name) < _order(version)
        ]
        return f"{text}; use {self.group}/{min(later, key=_order)} {kind}" if later else text


def _order(version: str) -> Any:
    return version_order("custom", version)


def _says(schema: Any, key: str) -> bool:
    """Whether the keyword stands anywhere in a schema."""
    if isinstance(schema, Mapping):
        if key in schema:
            return True
        below = [*(schema.get("properties") or {}).values(), schema.get("items"), schema.get("additionalProperties")]
        return any(_says(inner, key) for inner in below)
    return False
