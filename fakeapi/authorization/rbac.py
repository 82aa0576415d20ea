"""RBAC: what the roles bound to a user allow.

Stands for plugin/pkg/auth/authorizer/rbac and component-helpers' rbac evaluation helpers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from fakeapi.admission.base import Obj, Reader
from fakeapi.authorization.base import Attributes, Decision
from fakeapi.request import User

GROUP = "rbac.authorization.k8s.io"


class Rbac:
    """See the module's docstring."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def authorize(self, attributes: Attributes) -> Decision:
        """A yes as soon as one rule allows."""
        missing: list[str] = []
        async for rule in self.rules_for(attributes.user, attributes.namespace, missing):
            if rule_allows(rule, attributes):
                return Decision(True)
        return Decision(False, f"RBAC: {_aggregate(missing)}" if missing else "")

    async def rules_for(self, user: User, namespace: str, missing: list[str]) -> AsyncIterator[Obj]:
        """Every rule that holds for the user, cluster-wide first; roles that are not there are told in `missing`."""
        for binding in await self._reader.list(GROUP, "clusterrolebindings"):
            if _binds(binding, user, ""):
                async for rule in self._rules(binding, "", missing):
                    yield rule
        if not namespace:
            return
        for binding in await self._reader.list(GROUP, "rolebindings", namespace):
            if _binds(binding, user, namespace):
                async for rule in self._rules(binding, namespace, missing):
                    yield rule

    async def _rules(self, binding: Obj, namespace: str, missing: list[str]) -> AsyncIterator[Obj]:
        reference = binding.get("roleRef") or {}
        kind, name = reference.get("kind", ""), reference.get("name", "")
        if kind == "Role":
            role = await self._reader.get(GROUP, "roles", namespace, name)
        else:
            role = await self._reader.get(GROUP, "clusterroles", "", name)
        if role is None:
            plural = "role" if kind == "Role" else "clusterrole"
            missing.append(f'{plural}.{GROUP} "{name}" not found')
            return
        for rule in role.get("rules") or ():
            yield rule


def _aggregate(texts: list[str]) -> str:
    unique = list(dict.fromkeys(texts))
    return unique[0] if len(unique) == 1 else f"[{', '.join(unique)}]"


def _binds(binding: Obj, user: User, namespace: str) -> bool:
    return any(_is_subject(subject, user, namespace) for subject in binding.get("subjects") or ())


def _is_subject(subject: Obj, user: User, namespace: str) -> bool:
    kind, name = subject.get("kind"), subject.get("name", "")
    if kind == "User":
        return user.name == name
    if kind == "Group":
        return name in user.groups
    if kind == "ServiceAccount":
        where = subject.get("namespace") or namespace
        return bool(where) and user.name == f"system:serviceaccount:{where}:{name}"
    return False


def rule_allows(rule: Obj, attributes: Attributes) -> bool:
    """Whether one PolicyRule allows the request."""
    if not _has(rule.get("verbs"), attributes.verb):
        return False
    if not attributes.is_resource:
        return any(_path_matches(pattern, attributes.path) for pattern in rule.get("nonResourceURLs") or ())
    if not _has(rule.get("apiGroups"), attributes.group) or not _resource_matches(rule.get("resources"), attributes):
        return False
    names = rule.get("resourceNames")
    return not names or (attributes.name or attributes.field_name) in names


def _has(values: Any, wanted: str) -> bool:
    return bool(values) and ("*" in values or wanted in values)


def _resource_matches(resources: Any, attributes: Attributes) -> bool:
    full = f"{attributes.resource}/{attributes.subresource}" if attributes.subresource else attributes.resource
    wanted = {"*", full, f"*/{attributes.subresource}"} if attributes.subresource else {"*", full}
    return any(r in wanted for r in resources or ())


def _path_matches(pattern: str, path: str) -> bool:
    return pattern in ("*", path) or (pattern.endswith("*") and path.startswith(pattern.rstrip("*")))
