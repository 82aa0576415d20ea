"""What an admission plugin is and what it is told: admission.Attributes and the two chains.

Stands for apiserver's pkg/admission. A plugin is one module beside this one with NAME and a class Plugin; ORDER in
__init__.py is upstream's recommended order. Mutation comes before the object is prepared, validation after.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from fakeapi.request import Answer, User

if TYPE_CHECKING:
    from fakeapi.authorization import Authorizer
    from fakeapi.clock import Clock
    from fakeapi.config import Config
    from fakeapi.resources.table import Table
    from fakeapi.schema.definitions import Definitions

Obj = dict[str, Any]
T = TypeVar("T")

CREATE, UPDATE, DELETE, CONNECT = "CREATE", "UPDATE", "DELETE", "CONNECT"


class Reader(Protocol):
    """How a plugin looks at other objects: the newest state, never changed in place."""

    async def get(self, group: str, resource: str, namespace: str, name: str) -> Obj | None:
        """One object or None."""

    async def list(self, group: str, resource: str, namespace: str = "") -> list[Obj]:
        """All objects of a resource (in a namespace)."""

    async def select(self, group: str, resource: str, field: str, value: str) -> list[Obj]:
        """Those that an exact field selector finds."""

    async def parsed(self, group: str, resource: str, parse: Callable[[Obj], T]) -> Mapping[tuple[str, str], T]:
        """parse(obj) of every object by (namespace, name), in key order. The same mapping as long as nothing has changed;
        parse (a module's function) is called once for each state of an object."""


@dataclass(slots=True)
class Host:
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


@dataclass(slots=True)
class Attributes:
    """One request as admission sees it. obj is None on DELETE and CONNECT, old is None on CREATE; obj may be changed in mutation."""

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


class Plugin(Protocol):
    """One plugin; either method may do nothing. Both raise ApiError to refuse."""

    def handles(self, attributes: Attributes) -> bool:
        """Whether this request concerns the plugin at all: cheap."""

    async def admit(self, attributes: Attributes) -> None:
        """Mutation: change attributes.obj in place."""

    async def validate(self, attributes: Attributes) -> None:
        """Validation of the final object."""


class Chain:
    """The enabled plugins in order."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self.plugins = plugins

    async def admit(self, attributes: Attributes) -> None:
        """Run every plugin's mutation. ApiError from the first that refuses."""
        for plugin in self.plugins:
            if plugin.handles(attributes):
                await plugin.admit(attributes)

    async def validate(self, attributes: Attributes) -> None:
        """Run every plugin's validation. ApiError from the first that refuses."""
        for plugin in self.plugins:
            if plugin.handles(attributes):
                await plugin.validate(attributes)


Step = Callable[[Attributes], Awaitable[None]]
