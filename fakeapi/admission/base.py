"""What an admission plugin is and what it is told: admission.Attributes and the two chains.

Stands for apiserver's pkg/admission. A plugin is one module beside this one with NAME and a class Plugin; ORDER in
__init__.py is upstream's recommended order. Mutation comes before the object is prepared, validation after.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from fakeapi.request import User

Obj = dict[str, Any]

CREATE, UPDATE, DELETE, CONNECT = "CREATE", "UPDATE", "DELETE", "CONNECT"


class Reader(Protocol):
    """How a plugin looks at other objects: the newest state, never changed in place."""

    async def get(self, group: str, resource: str, namespace: str, name: str) -> Obj | None:
        """One object or None."""

    async def list(self, group: str, resource: str, namespace: str = "") -> list[Obj]:
        """All objects of a resource (in a namespace)."""


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
