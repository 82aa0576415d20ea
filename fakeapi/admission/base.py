"""What an admission plugin is and what it is told: admission.Attributes and the two chains.

Stands for apiserver's pkg/admission. A plugin is one module beside this one with NAME and a class Plugin; ORDER in
__init__.py is upstream's recommended order. Mutation comes before the object is prepared, validation after.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

from fakeapi import errors
from fakeapi.errors import ApiError
from fakeapi.reader import Obj, Reader, T
from fakeapi.request import Answer, User

if TYPE_CHECKING:
    from fakeapi.authorization import Authorizer
    from fakeapi.clock import Clock
    from fakeapi.config import Config
    from fakeapi.resources.table import Table
    from fakeapi.schema.definitions import Definitions

CREATE, UPDATE, DELETE, CONNECT = "CREATE", "UPDATE", "DELETE", "CONNECT"


class Host(Struct):
    """What the server lends to its plugins.

    call(method, target, headers, body, user): a request to this server from inside it.
    """

    config: Config
    reader: Reader
    authorizer: Authorizer
    clock: Clock
    table: Table
    definitions: Definitions
    call: Callable[[str, str, Mapping[str, str], bytes, User], Awaitable[Answer]]


class Memory(Struct):
    """What a plugin remembers between the two rounds of mutation: which of its hooks to run again if need be.

    reinvocable: those that ran and may run again; wanted: those of them that shall; output: the object after the last
    one.
    """

    reinvocable: set[str] = field(default_factory=set)
    wanted: set[str] = field(default_factory=set)
    output: bytes | None = None

    def require(self) -> None:
        """The object has changed: run again what came before."""
        self.wanted |= self.reinvocable
        self.reinvocable = set()


class Again(Struct):
    """admission.ReinvocationContext. needed: a plugin wants a second round; running: this is it."""

    needed: bool = False
    running: bool = False
    memories: dict[str, Memory] = field(default_factory=dict)

    def of(self, plugin: str) -> Memory:
        """The plugin's memory."""
        return self.memories.setdefault(plugin, Memory())


class Attributes(Struct):
    """One request as admission sees it.

    obj is None on DELETE, old is None on CREATE; obj may be changed in mutation. kind_group and kind_version: of the
    kind, where they are not the resource's (Scale, Eviction, options of CONNECT). options: the request's *Options
    object.
    """

    operation: str
    group: str
    version: str
    resource: str
    kind: str
    namespace: str
    name: str
    subresource: str
    obj: Obj | None
    old: Obj | None
    user: User
    dry_run: bool = False
    options: Obj = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    namespaced: bool = True
    now: str = ""
    kind_group: str = ""
    kind_version: str = ""
    again: Again = field(default_factory=Again)


def forbidden(attributes: Attributes, text: str) -> ApiError:
    """admission.NewForbidden: an object without a name goes by what its name is to begin with, else as "Unknown"."""
    metadata = (attributes.obj or {}).get("metadata") or {}
    name = attributes.name or metadata.get("name") or metadata.get("generateName") or "Unknown"
    return errors.forbidden_object(attributes.group, attributes.resource, name, text)


class Plugin(Protocol):
    """One plugin; either method may do nothing. Both raise ApiError to refuse."""

    def handles(self, attributes: Attributes) -> bool:
        """Whether such requests concern the plugin at all: by operation, group, resource, subresource, whether the
        resource is namespaced and whether a namespace is named; by nothing else, since the answer is kept."""

    async def admit(self, attributes: Attributes) -> None:
        """Mutation: change attributes.obj in place."""

    async def validate(self, attributes: Attributes) -> None:
        """Validation of the final object."""


class Chain:
    """The enabled plugins in order."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self.plugins = plugins
        self._concerned: dict[tuple[object, ...], list[Plugin]] = {}

    def concerned(self, attributes: Attributes) -> list[Plugin]:
        """The plugins that handle this request; found once for all of its kind, see Plugin.handles."""
        kind = (
            attributes.operation,
            attributes.group,
            attributes.resource,
            attributes.subresource,
            attributes.namespaced,
            bool(attributes.namespace),
        )
        found = self._concerned.get(kind)
        if found is None:
            found = self._concerned[kind] = [p for p in self.plugins if p.handles(attributes)]
        return found

    async def admit(self, attributes: Attributes) -> None:
        """Run every plugin's mutation, and once more where one asks for it. ApiError from the first that refuses."""
        again = attributes.again
        while True:
            for plugin in self.concerned(attributes):
                await plugin.admit(attributes)
            if again.running or not again.needed:
                return
            again.running = True

    async def validate(self, attributes: Attributes) -> None:
        """Run every plugin's validation. ApiError from the first that refuses."""
        for plugin in self.concerned(attributes):
            await plugin.validate(attributes)


Step = Callable[[Attributes], Awaitable[None]]

__all__ = ["CONNECT", "CREATE", "DELETE", "UPDATE", "Attributes", "Chain", "Host", "Obj", "Plugin", "Reader", "T"]
