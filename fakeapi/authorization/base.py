"""What an authorization mode is asked and what it answers: authorizer.Attributes and Decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fakeapi.request import Request, User


@dataclass(frozen=True, slots=True)
class Attributes:
    """One question: may this user do that. Without `is_resource` it is about `path`."""

    user: User
    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    is_resource: bool = True
    field_name: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """allowed, and why not (or why)."""

    allowed: bool
    reason: str = ""


class Mode(Protocol):
    """One authorization mode."""

    async def authorize(self, attributes: Attributes) -> Decision:
        """A yes, or no opinion with a reason."""


def attributes_of(request: Request) -> Attributes:
    """The question that a request raises (filters.GetAuthorizerAttributes)."""
    info = request.info
    return Attributes(
        user=request.user,
        verb=info.verb,
        group=info.group,
        version=info.version,
        resource=info.resource,
        subresource=info.subresource,
        namespace=info.namespace,
        name=info.name,
        path=request.path,
        is_resource=info.is_resource,
    )
