"""Nobody grants what they do not hold: the check on every write of RBAC's objects.

Stands for pkg/registry/rbac/*/policybased and component-helpers' Covers. Comes after mutating admission and before
validation. Members of system:masters, and whoever may `escalate` (`bind`) the role, pass.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from fakeapi import errors
from fakeapi.authorization.base import Attributes, Decision, Rules
from fakeapi.authorization.rbac import GROUP, Tables, aggregate, compile_rule
from fakeapi.errors import ApiError
from fakeapi.gofmt import go_quote
from fakeapi.request import Request, User

Obj = dict[str, Any]
ROLES = frozenset(("roles", "clusterroles"))
BINDINGS = frozenset(("rolebindings", "clusterrolebindings"))
_EVERYTHING: list[Obj] = [
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    {"verbs": ["*"], "nonResourceURLs": ["*"]},
]
_PARTS = (
    ("apiGroups", "APIGroups"),
    ("resources", "Resources"),
    ("nonResourceURLs", "NonResourceURLs"),
    ("resourceNames", "ResourceNames"),
    ("verbs", "Verbs"),
)
# Written by the garbage collector, which need not hold what a role grants.
_COLLECTOR = ("ownerReferences", "finalizers", "managedFields", "resourceVersion")


class Escalation:
    """The check over an authorizer and RBAC's tables."""

    def __init__(
        self,
        decide: Callable[[Attributes], Awaitable[Decision]],
        tables: Callable[[], Awaitable[Tables]],
        held: Callable[[User, str], Awaitable[Rules]],
    ) -> None:
        self._decide = decide
        self._tables = tables
        self._held = held

    async def check(self, request: Request, new: Obj, old: Obj | None) -> None:
        """ApiError 403 where the requester grants more than they hold, 404 where a binding's role is not there."""
        if "system:masters" in request.user.groups or (old is not None and _only_collected(new, old)):
            return
        info = request.info
        name, namespace = new["metadata"].get("name", ""), info.namespace
        if info.resource in ROLES:
            if await self._may(request, "escalate", info.resource, info.name):
                return
            await self._confirm(request, name, namespace, new.get("rules") or [])
            if (new.get("aggregationRule") or {}).get("clusterRoleSelectors"):
                await self._confirm(
                    request,
                    name,
                    namespace,
                    _EVERYTHING,
                    "must have cluster-admin privileges to use an aggregationRule",
                )
            return
        reference = new.get("roleRef") or {}
        kind, role = reference.get("kind", ""), reference.get("name", "")
        if await self._may(request, "bind", "roles" if kind == "Role" else "clusterroles", role):
            return
        rules = (await self._tables()).role(kind, namespace, role)
        if rules is None:
            raise errors.missing(GROUP, info.resource, role)
        await self._confirm(request, name, namespace, [r.raw for r in rules])

    async def _may(self, request: Request, verb: str, resource: str, name: str) -> bool:
        asked = Attributes(
            request.user,
            verb,
            group=GROUP,
            version="v1",
            resource=resource,
            name=name,
            namespace=request.info.namespace,
        )
        return (await self._decide(asked)).allowed

    async def _confirm(self, request: Request, name: str, namespace: str, rules: list[Obj], text: str = "") -> None:
        user = request.user
        held = await self._held(user, namespace)
        lacking = not_covered(held.rules, rules)
        if not lacking:
            return
        shown = "\n".join(sorted({describe(rule) for rule in compact(lacking)}))
        groups = " ".join(go_quote(g) for g in user.groups)
        why = (
            f"user {go_quote(user.name)} (groups=[{groups}]) is attempting to grant RBAC permissions not currently"
            f" held:\n{shown}"
        )
        if held.errors:
            why += f"; resolution errors: [{aggregate(held.errors)}]"
        raise _forbidden(request, name, text or why)


def _forbidden(request: Request, name: str, text: str) -> ApiError:
    return errors.forbidden_object(GROUP, request.info.resource, name, text)


def _only_collected(new: Obj, old: Obj) -> bool:
    """Whether nothing changed but what the garbage collector writes."""

    def rest(obj: Obj) -> Obj:
        return {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k not in _COLLECTOR}}

    return new["metadata"] != old["metadata"] and rest(new) == rest(old)


def _single(rules: Iterable[Obj]) -> Iterator[Obj]:
    """The rules taken apart: one verb, one group, one resource, one name each."""
    for rule in rules:
        names: list[str | None] = list(rule.get("resourceNames") or [None])
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                for verb in rule.get("verbs") or ():
                    for name in names:
                        made = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
                        yield made if name is None else {**made, "resourceNames": [name]}
        for url in rule.get("nonResourceURLs") or ():
            for verb in rule.get("verbs") or ():
                yield {"nonResourceURLs": [url], "verbs": [verb]}


def not_covered(held: Iterable[Obj], wanted: Iterable[Obj]) -> list[Obj]:
    """The single rules of wanted that no rule of held grants."""
    owned = [compile_rule(rule) for rule in held]
    lacking = []
    for rule in _single(wanted):
        verb = rule["verbs"][0]
        able = [o for o in owned if verb in o.verbs or "*" in o.verbs]
        if not any(_covers(o.groups, o.resources, o.names, o.paths, rule) for o in able):
            lacking.append(rule)
    return lacking


def _covers(
    groups: frozenset[str], resources: frozenset[str], names: frozenset[str], paths: tuple[str, ...], rule: Obj
) -> bool:
    if "nonResourceURLs" in rule:
        url = rule["nonResourceURLs"][0]
        return any(p in ("*", url) or (p.endswith("*") and url.startswith(p.rstrip("*"))) for p in paths)
    group, resource = rule["apiGroups"][0], rule["resources"][0]
    sub = resource.partition("/")[2]
    if not ("*" in groups or group in groups):
        return False
    if not ("*" in resources or resource in resources or (sub and f"*/{sub}" in resources)):
        return False
    name = rule.get("resourceNames", [None])[0]
    return not names or name in names


def compact(rules: Iterable[Obj]) -> list[Obj]:
    """Single rules that differ in the verb alone put together (CompactRules)."""
    merged: dict[tuple[str, str, str], Obj] = {}
    others = []
    for rule in rules:
        if "resources" not in rule:
            others.append(rule)
            continue
        key = (rule["apiGroups"][0], rule["resources"][0], "".join(rule.get("resourceNames", ())))
        if key in merged:
            merged[key]["verbs"] = [*merged[key]["verbs"], *rule["verbs"]]
        else:
            merged[key] = dict(rule)
    return [*others, *merged.values()]


def describe(rule: Obj) -> str:
    """`{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`."""
    parts = []
    for key, shown in _PARTS:
        if rule.get(key):
            values = " ".join(go_quote(v) for v in rule[key])
            parts.append(f"{shown}:[{values}]")
    return "{" + ", ".join(parts) + "}"
