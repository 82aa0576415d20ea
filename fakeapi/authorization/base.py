"""What an authorization mode is asked and what it answers: authorizer.Attributes and Decision."""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct, field

from fakeapi import selectors
from fakeapi.names import name_is_path_segment
from fakeapi.request import Request, User


class Attributes(Struct, frozen=True):
    """One question: may this user do that. Without `is_resource` it is about `path`.

    fields: the (field, value) pairs that a list's field selector demands.
    """

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
    fields: tuple[tuple[str, str], ...] = ()


class Decision(Struct, frozen=True):
    """allowed, and why not (or why)."""

    allowed: bool
    reason: str = ""


class Rules(Struct):
    """What a mode can tell of a user's rights in a namespace: PolicyRules as JSON, and what it cannot tell."""

    rules: list[dict[str, Any]] = field(default_factory=list)
    incomplete: bool = False
    errors: list[str] = field(default_factory=list)


class Mode(Protocol):
    """One authorization mode."""

    async def authorize(self, attributes: Attributes) -> Decision:
        """A yes, or no opinion with a reason."""

    async def rules_for(self, user: User, namespace: str) -> Rules:
        """The user's rights, for SelfSubjectRulesReviews."""


def attributes_of(request: Request) -> Attributes:
    """The question that a request raises (filters.GetAuthorizerAttributes)."""
    info = request.info
    name, fields = info.name, _demanded(request)
    if not name and info.verb in ("list", "watch"):
        # RequestInfoFactory takes the name that a field selector narrows a list to for the request's.
        name = next((v for f, v in fields if f == "metadata.name" and not name_is_path_segment(v, False)), "")
    return Attributes(
        user=request.user,
        verb=info.verb,
        group=info.group,
        version=info.version,
        resource=info.resource,
        subresource=info.subresource,
        namespace=info.namespace,
        name=name,
        path=request.path,
        is_resource=info.is_resource,
        fields=fields,
    )


def _demanded(request: Request) -> tuple[tuple[str, str], ...]:
    if "fieldSelector" not in request.query:
        return ()
    try:
        terms = selectors.parse_fields(request.option("fieldSelector")).terms
    except selectors.SelectorError:
        return ()
    return tuple((t.field, t.value) for t in terms if t.equal)
