"""Impersonation: acting as the user that the Impersonate-* headers name.

Stands for apiserver's endpoints/filters/impersonation of 1.36, constrained impersonation included: each mode that the
wanted user fits is asked in turn, the legacy verb `impersonate` last, and the first refusal is the one told. The mode
that last worked for a requester is asked first. Leaves out the caches of granted impersonations.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from msgspec import Struct
from msgspec.structs import replace

from fakeapi import errors, names
from fakeapi.accounts import split_user_name, user_groups
from fakeapi.authentication import AUTHENTICATED, UNAUTHENTICATED
from fakeapi.authorization.base import Attributes, Decision
from fakeapi.errors import ApiError
from fakeapi.gofmt import go_quote
from fakeapi.request import ANONYMOUS, Request, User

NODE_PREFIX = "system:node:"
_EXTRA = "impersonate-extra-"
_AUTHENTICATION = "authentication.k8s.io"
_NODE_NAME_KEY = "authentication.kubernetes.io/node-name"
_MANY = 4
_REMEMBERED = 10_000

Decide = Callable[[Attributes], Awaitable[Decision]]


def wanted_user(request: Request) -> User | None:
    """Whom the headers name; None when they name nobody. ApiError 400 for a group, uid or extra without a user."""
    name = uid = ""
    groups: list[str] = []
    extra: dict[str, list[str]] = {}
    for header, value in request.impersonation:
        if header == "impersonate-user":
            name = name or value
        elif header == "impersonate-uid":
            uid = uid or value
        elif header == "impersonate-group":
            groups.append(value)
        elif header.startswith(_EXTRA):
            extra.setdefault(unquote(header[len(_EXTRA) :]), []).append(value)
    if name:
        return User(name, tuple(groups), uid, extra)
    if uid or groups or extra:
        raise errors.bad_request(f"requested {_go_user(uid, groups, extra)} without impersonating a user name")
    return None


def _go_user(uid: str, groups: list[str], extra: dict[str, list[str]]) -> str:
    """%#v of a user.DefaultInfo."""

    def strings(values: list[str]) -> str:
        return "[]string{" + ", ".join(go_quote(v) for v in values) + "}"

    shown = strings(groups) if groups else "[]string(nil)"
    pairs = ", ".join(f"{go_quote(k)}:{strings(extra[k])}" for k in sorted(extra))
    more = f"map[string][]string{{{pairs}}}" if extra else "map[string][]string(nil)"
    return f'&user.DefaultInfo{{Name:"", UID:{go_quote(uid)}, Groups:{shown}, Extra:{more}}}'


class Mode(Struct, frozen=True):
    """One way of impersonating. name: as in its verbs; "" is the legacy one. fits(wanted, requester): whether it
    applies.
    """

    name: str
    fits: Callable[[User, User], bool]

    @property
    def verb(self) -> str:
        """The verb on the impersonated user."""
        return f"impersonate:{self.name}" if self.name else "impersonate"


def node_name(user: str) -> str:
    """The node of a node's user name, else ""."""
    name = user.removeprefix(NODE_PREFIX) if user.startswith(NODE_PREFIX) else ""
    return "" if not name or names.name_is_dns_subdomain(name, False) else name


def _only_name(user: User) -> bool:
    return not (user.uid or user.groups or user.extra)


def _associated(wanted: User, requester: User) -> bool:
    name = node_name(wanted.name)
    same = bool(name) and list(requester.extra.get(_NODE_NAME_KEY, ())) == [name]
    return _only_name(wanted) and same and split_user_name(requester.name) is not None


MODES = (
    Mode("associated-node", _associated),
    Mode("arbitrary-node", lambda wanted, _: _only_name(wanted) and bool(node_name(wanted.name))),
    Mode("serviceaccount", lambda wanted, _: _only_name(wanted) and split_user_name(wanted.name) is not None),
    Mode("user-info", lambda wanted, _: not node_name(wanted.name) and split_user_name(wanted.name) is None),
    Mode("", lambda *_: True),
)


class Impersonation:
    """The filter; decide is the authorizer."""

    def __init__(self, decide: Decide) -> None:
        self._decide = decide
        self._last: dict[str, int] = {}

    async def apply(self, wanted: User, attributes: Attributes) -> User:
        """The user to go on as. ApiError 403."""
        requester = attributes.user
        first: ApiError | None = None
        last = self._last.get(requester.name)
        order = range(len(MODES)) if last is None else (last, *(i for i in range(len(MODES)) if i != last))
        for index in order:
            mode = MODES[index]
            if not mode.fits(wanted, requester):
                continue
            try:
                user = await self._try(mode, wanted, attributes)
            except ApiError as error:
                first = first or error
                continue
            self._remember(requester.name, index)
            return user
        assert first is not None
        raise first

    def _remember(self, requester: str, index: int) -> None:
        self._last.pop(requester, None)
        self._last[requester] = index
        if len(self._last) > _REMEMBERED:
            del self._last[next(iter(self._last))]

    async def _try(self, mode: Mode, wanted: User, attributes: Attributes) -> User:
        requester = attributes.user
        if mode.name == "associated-node":
            requester = replace(
                requester, extra={"authentication.kubernetes.io/associated-node-keys": sorted(requester.extra)}
            )
        if mode.name:
            await self._check(replace(attributes, user=requester, verb=f"impersonate-on:{mode.name}:{attributes.verb}"))
        groups = await self._check_name(mode, wanted, requester)
        if wanted.uid:
            await self._check(_asked(requester, mode, "uids", wanted.uid, _AUTHENTICATION))
        await self._check_groups(mode, wanted, requester)
        await self._check_extra(mode, wanted, requester)
        if wanted.name == ANONYMOUS.name:
            groups = _with(groups, UNAUTHENTICATED)
        elif UNAUTHENTICATED not in groups:
            groups = _with(groups, AUTHENTICATED)
        return User(wanted.name, groups, wanted.uid, wanted.extra)

    async def _check(self, attributes: Attributes) -> None:
        decision = await self._decide(attributes)
        if not decision.allowed:
            raise refusal(attributes, decision.reason)

    async def _check_name(self, mode: Mode, wanted: User, requester: User) -> tuple[str, ...]:
        """Ask for the user as such; gives the groups to act with."""
        asked = _asked(requester, mode, "users", wanted.name, _AUTHENTICATION if mode.name else "")
        groups = wanted.groups
        node = node_name(wanted.name) if mode.name else ""
        account = split_user_name(wanted.name)
        if node:
            asked = replace(asked, resource="nodes", name="*" if mode.name == "associated-node" else node)
            groups = ("system:nodes",)
        if account:
            asked = replace(asked, resource="serviceaccounts", namespace=account[0], name=account[1])
            if not groups:
                groups = tuple(g for g in user_groups(account[0]) if g != AUTHENTICATED)
        await self._check(asked)
        return groups

    async def _check_groups(self, mode: Mode, wanted: User, requester: User) -> None:
        asked = _asked(requester, mode, "groups", "", _AUTHENTICATION if mode.name else "")
        if mode.name and "" in wanted.groups:
            raise refusal(asked, "impersonating the empty string group is not allowed")
        if mode.name and "system:masters" in wanted.groups:
            raise refusal(
                replace(asked, name="system:masters"), "impersonating the system:masters group is not allowed"
            )
        if mode.name and len(wanted.groups) >= _MANY and (await self._decide(replace(asked, name="*"))).allowed:
            return
        for group in wanted.groups:
            await self._check(replace(asked, name=group))

    async def _check_extra(self, mode: Mode, wanted: User, requester: User) -> None:
        asked = _asked(requester, mode, "userextras", "", _AUTHENTICATION)
        if mode.name and (why := _bad_extra(wanted)):
            raise refusal(asked, why)
        count = max(len(wanted.extra), sum(len(v) for v in wanted.extra.values()))
        if mode.name and count >= _MANY and (await self._decide(replace(asked, subresource="*", name="*"))).allowed:
            return
        for key in sorted(wanted.extra):
            for value in wanted.extra[key]:
                await self._check(replace(asked, subresource=key, name=value))


def _with(groups: tuple[str, ...], group: str) -> tuple[str, ...]:
    return groups if group in groups else (*groups, group)


def _asked(requester: User, mode: Mode, resource: str, name: str, group: str) -> Attributes:
    return Attributes(requester, mode.verb, group=group, version="v1", resource=resource, name=name)


def _bad_extra(user: User) -> str:
    for key, values in sorted(user.extra.items()):
        if not key:
            return "impersonating the empty string key in extra is not allowed"
        if key != key.lower():
            return f"impersonating a non-lowercase key in extra is not allowed: {go_quote(key)}"
        if "" in values:
            return "impersonating the empty string value in extra is not allowed"
    return ""


def refusal(attributes: Attributes, reason: str) -> ApiError:
    """The 403 of a request."""
    who = go_quote(attributes.user.name)
    if not attributes.is_resource:
        text = f"User {who} cannot {attributes.verb} path {go_quote(attributes.path)}"
        return errors.forbidden_object("", "", "", _told(text, reason))
    resource = f"{attributes.resource}/{attributes.subresource}" if attributes.subresource else attributes.resource
    text = (
        f"User {who} cannot {attributes.verb} resource {go_quote(resource)} in API group {go_quote(attributes.group)}"
    )
    text += f" in the namespace {go_quote(attributes.namespace)}" if attributes.namespace else " at the cluster scope"
    return errors.forbidden_object(attributes.group, attributes.resource, attributes.name, _told(text, reason))


def _told(text: str, reason: str) -> str:
    """Nothing that looks like HTML, as upstream's sanitizer has it; the reason as it is."""
    for char, escape in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(char, escape)
    return f"{text}: {reason}" if reason else text


__all__ = ["MODES", "Impersonation", "refusal", "wanted_user"]
