"""The authorizer as CEL sees it: authorizer.group('').resource('pods').namespace('a').check('get').allowed().

Stands for apiserver's pkg/cel/library/authz.go. Pure: whoever makes an Authorizer hands it the function that decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

# CEL's types -> their names.
OPAQUE: Mapping[str, str] = {
    "Authorizer": "kubernetes.authorization.Authorizer",
    "PathCheck": "kubernetes.authorization.PathCheck",
    "GroupCheck": "kubernetes.authorization.GroupCheck",
    "ResourceCheck": "kubernetes.authorization.ResourceCheck",
    "Decision": "kubernetes.authorization.Decision",
}
LINES = (
    "Authorizer.path(string) -> PathCheck",
    "Authorizer.group(string) -> GroupCheck",
    "Authorizer.serviceAccount(string, string) -> Authorizer",
    "GroupCheck.resource(string) -> ResourceCheck",
    "ResourceCheck.subresource(string) -> ResourceCheck",
    "ResourceCheck.namespace(string) -> ResourceCheck",
    "ResourceCheck.name(string) -> ResourceCheck",
    "PathCheck.check(string) -> Decision",
    "ResourceCheck.check(string) -> Decision",
    "Decision.errored() -> bool",
    "Decision.error() -> string",
    "Decision.allowed() -> bool",
    "Decision.reason() -> string",
)


class Decision(Struct, frozen=True):
    """What the authorizer said; error: why it could not."""

    granted: bool
    why: str = ""
    failed: str = ""


class Question(Struct, frozen=True):
    """What is asked, as far as it has been said. account: (namespace, name) of a service account, for other users'
    rights.
    """

    verb: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    account: tuple[str, str] | None = None


Ask = Callable[[Question], Decision]


class Check(Struct, frozen=True):
    """An authorizer on its way to a question."""

    ask: Ask
    question: Question = Question()

    def said(self, **more: Any) -> Check:
        """The same with more of the question."""
        return replace(self, question=replace(self.question, **more))

    def check(self, verb: str) -> Decision:
        """The answer."""
        return self.ask(replace(self.question, verb=verb))


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "path": lambda c, v: c.said(path=v),
    "group": lambda c, v: c.said(group=v),
    "serviceAccount": lambda c, namespace, name: c.said(account=(namespace, name)),
    "resource": lambda c, v: c.said(resource=v),
    "subresource": lambda c, v: c.said(subresource=v),
    "namespace": lambda c, v: c.said(namespace=v),
    "name": lambda c, v: c.said(name=v),
    "check": lambda c, v: c.check(v),
    "errored": lambda d: bool(d.failed),
    "error": lambda d: d.failed,
    "allowed": lambda d: d.granted,
    "reason": lambda d: d.why,
}
