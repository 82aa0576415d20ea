"""Authorization: who may do what. A chain of modes, the first that allows wins.

Stands for apiserver's pkg/authorization/union and the authorization and impersonation filters.
"""

from __future__ import annotations

from fakeapi import errors
from fakeapi.admission.base import Reader
from fakeapi.authorization import rbac
from fakeapi.authorization.base import Attributes, Decision, Mode, attributes_of
from fakeapi.config import Config
from fakeapi.errors import ApiError
from fakeapi.request import Request, User

MASTERS = "system:masters"


class AlwaysAllow:
    """--authorization-mode AlwaysAllow."""

    async def authorize(self, attributes: Attributes) -> Decision:
        """Yes."""
        return Decision(True)


class AlwaysDeny:
    """--authorization-mode AlwaysDeny."""

    async def authorize(self, attributes: Attributes) -> Decision:
        """No."""
        return Decision(False, "Everything is forbidden.")


MODES = ("AlwaysAllow", "AlwaysDeny", "RBAC")


def build(config: Config, reader: Reader) -> Authorizer:
    """The chain that --authorization-mode asks for. ValueError names an unknown mode."""
    made: list[Mode] = []
    for mode in config.authorization:
        if mode == "AlwaysAllow":
            made.append(AlwaysAllow())
        elif mode == "AlwaysDeny":
            made.append(AlwaysDeny())
        elif mode == "RBAC":
            made.append(rbac.Rbac(reader))
        else:
            raise ValueError(f"authorization mode {mode!r} is not supported; there are {', '.join(MODES)}")
    return Authorizer(made)


class Authorizer:
    """The chain, preceded by the rule that system:masters may do everything."""

    def __init__(self, modes: list[Mode]) -> None:
        self.modes = modes

    async def decide(self, attributes: Attributes) -> Decision:
        """The first yes, else a no with every mode's reason."""
        if MASTERS in attributes.user.groups:
            return Decision(True)
        reasons = []
        for mode in self.modes:
            decision = await mode.authorize(attributes)
            if decision.allowed:
                return decision
            if decision.reason:
                reasons.append(decision.reason)
        return Decision(False, "\n".join(reasons))

    async def check(self, request: Request) -> None:
        """ApiError 403 unless the requester may."""
        if MASTERS in request.user.groups:
            return
        attributes = attributes_of(request)
        decision = await self.decide(attributes)
        if not decision.allowed:
            raise refusal(attributes, decision.reason)

    async def impersonate(self, request: Request) -> None:
        """Act as another user where the headers ask for it and the requester may. ApiError 400, 403."""
        name = request.headers.get("impersonate-user", "")
        if not name:
            return
        wanted = Attributes(request.user, "impersonate", resource="users", name=name)
        decision = await self.decide(wanted)
        if not decision.allowed:
            raise refusal(wanted, decision.reason)
        groups = tuple(g for g in request.headers.get("impersonate-group", "").split(",") if g)
        request.user = User(name, (*groups, "system:authenticated"), request.headers.get("impersonate-uid", ""))


def refusal(attributes: Attributes, reason: str) -> ApiError:
    """The 403 of a request."""
    who = attributes.user.name
    if not attributes.is_resource:
        text = f'User "{who}" cannot {attributes.verb} path "{attributes.path}"'
        return errors.forbidden_object("", "", "", text + (f": {reason}" if reason else ""))
    resource = f"{attributes.resource}/{attributes.subresource}" if attributes.subresource else attributes.resource
    text = f'User "{who}" cannot {attributes.verb} resource "{resource}" in API group "{attributes.group}"'
    text += f' in the namespace "{attributes.namespace}"' if attributes.namespace else " at the cluster scope"
    return errors.forbidden_object(attributes.group, attributes.resource, attributes.name, text + (f": {reason}" if reason else ""))
