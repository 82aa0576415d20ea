"""Authorization: who may do what. A chain of modes, the first that allows wins.

Stands for apiserver's pkg/authorization/union, the superuser rule of system:masters and the authorization filter.
"""

from __future__ import annotations

from msgspec.structs import replace

from fakeapi.authentication import AUTHENTICATED
from fakeapi.authorization import node, rbac
from fakeapi.authorization.base import Attributes, Decision, Mode, Rules, attributes_of
from fakeapi.authorization.escalation import BINDINGS, ROLES, Escalation
from fakeapi.authorization.impersonation import Impersonation, refusal, wanted_user
from fakeapi.config import Config
from fakeapi.reader import Reader
from fakeapi.request import Request, User

MASTERS = "system:masters"
_WILDCARDS: tuple[dict[str, list[str]], ...] = (
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    {"verbs": ["*"], "nonResourceURLs": ["*"]},
)


class AlwaysAllow:
    """--authorization-mode AlwaysAllow."""

    async def authorize(self, attributes: Attributes) -> Decision:
        """Yes."""
        return Decision(True)

    async def rules_for(self, user: User, namespace: str) -> Rules:
        """Everything."""
        return Rules([dict(r) for r in _WILDCARDS])


class AlwaysDeny:
    """--authorization-mode AlwaysDeny."""

    async def authorize(self, attributes: Attributes) -> Decision:
        """No."""
        return Decision(False, "Everything is forbidden.")

    async def rules_for(self, user: User, namespace: str) -> Rules:
        """Nothing."""
        return Rules()


MODES = ("AlwaysAllow", "AlwaysDeny", "Node", "RBAC")


def build(config: Config, reader: Reader) -> Authorizer:
    """The chain that --authorization-mode asks for. ValueError names an unknown mode."""
    made: list[Mode] = []
    roles = rbac.Rbac(reader)
    for mode in config.authorization:
        if mode == "AlwaysAllow":
            made.append(AlwaysAllow())
        elif mode == "AlwaysDeny":
            made.append(AlwaysDeny())
        elif mode == "Node":
            made.append(node.NodeAuthorizer(reader))
        elif mode == "RBAC":
            made.append(roles)
        else:
            raise ValueError(f"authorization mode {mode!r} is not supported; there are {', '.join(MODES)}")
    return Authorizer(made, roles)


class Authorizer:
    """The chain, preceded by the rule that system:masters may do everything."""

    def __init__(self, modes: list[Mode], roles: rbac.Rbac) -> None:
        self.modes = modes
        self._impersonation = Impersonation(self.decide)
        self._escalation = Escalation(self.decide, roles.tables, roles.held) if roles in modes else None

    async def decide(self, attributes: Attributes) -> Decision:
        """The first yes, else a no with every mode's reason."""
        if MASTERS in attributes.user.groups:
            return Decision(True)
        unsafe = attributes.subresource == "proxy" and AUTHENTICATED not in attributes.user.groups
        if unsafe:  # what a browser may have been tricked into, without credentials, needs a right of its own
            attributes = replace(attributes, subresource="unsafeproxy")
        reasons = []
        for mode in self.modes:
            decision = await mode.authorize(attributes)
            if decision.allowed:
                return decision
            if decision.reason:
                reasons.append(decision.reason)
        if unsafe:
            reasons.append("proxy subresource changed to unsafeproxy")
        return Decision(False, "\n".join(reasons))

    async def rules_for(self, user: User, namespace: str) -> Rules:
        """What the modes can tell of a user's rights in a namespace."""
        found = Rules()
        for mode in self.modes:
            part = await mode.rules_for(user, namespace)
            found.rules += part.rules
            found.incomplete |= part.incomplete
            found.errors += part.errors
        return found

    async def check(self, request: Request) -> None:
        """ApiError 403 unless the requester may."""
        if MASTERS in request.user.groups:
            return
        attributes = attributes_of(request)
        decision = await self.decide(attributes)
        if not decision.allowed:
            raise refusal(attributes, decision.reason)

    async def check_create(self, request: Request) -> None:
        """The same for the `create` that a PUT or an apply of an absent object is (withAuthorization). ApiError 403."""
        if MASTERS in request.user.groups:
            return
        info = request.info
        attributes = Attributes(
            request.user,
            "create",
            info.group,
            info.version,
            info.resource,
            info.subresource,
            info.namespace,
            info.name,
            request.path,
        )
        decision = await self.decide(attributes)
        if not decision.allowed:
            raise refusal(attributes, decision.reason)

    async def impersonate(self, request: Request) -> None:
        """Act as another user where the headers ask for it and the requester may. ApiError 400, 403."""
        wanted = wanted_user(request) if request.impersonation else None
        if wanted is not None:
            request.user = await self._impersonation.apply(wanted, attributes_of(request))

    async def check_grant(self, request: Request, new: dict[str, object], old: dict[str, object] | None) -> None:
        """What a write of a role or binding grants, the requester must hold. ApiError 403, 404."""
        info = request.info
        if (
            self._escalation is not None
            and info.group == rbac.GROUP
            and (info.resource in ROLES or info.resource in BINDINGS)
        ):
            await self._escalation.check(request, new, old)
