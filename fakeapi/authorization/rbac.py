"""RBAC: what the roles bound to a user allow.

Stands for plugin/pkg/auth/authorizer/rbac and pkg/registry/rbac/validation's rule resolver. Roles and bindings are
compiled once a revision and bindings are found by subject, since every request asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct, field

from fakeapi.authorization.base import Attributes, Decision, Rules
from fakeapi.reader import Obj, Reader
from fakeapi.request import User

GROUP = "rbac.authorization.k8s.io"
_RESOURCES = ("clusterrolebindings", "rolebindings", "clusterroles", "roles")
_ACCOUNT = "system:serviceaccount:"


class Rule(Struct, frozen=True):
    """A PolicyRule ready to be asked; raw is its JSON."""

    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    names: frozenset[str]
    paths: tuple[str, ...]
    raw: Obj

    def allows(self, attributes: Attributes) -> bool:
        """Whether the rule allows the request (rbac.RuleAllows)."""
        if attributes.verb not in self.verbs and "*" not in self.verbs:
            return False
        if not attributes.is_resource:
            return any(_path_matches(pattern, attributes.path) for pattern in self.paths)
        if attributes.group not in self.groups and "*" not in self.groups:
            return False
        if self.names and attributes.name not in self.names:
            return False
        resources, sub = self.resources, attributes.subresource
        if "*" in resources:
            return True
        if not sub:
            return attributes.resource in resources
        return f"{attributes.resource}/{sub}" in resources or f"*/{sub}" in resources


def compile_rule(raw: Obj) -> Rule:
    """A Rule of a PolicyRule."""
    verbs, groups, resources, names = (
        frozenset(raw.get(key) or ()) for key in ("verbs", "apiGroups", "resources", "resourceNames")
    )
    return Rule(verbs, groups, resources, names, tuple(raw.get("nonResourceURLs") or ()), raw)


class Binding(Struct, frozen=True):
    """A binding as the authorizer needs it; namespace is "" for a ClusterRoleBinding."""

    name: str
    namespace: str
    role_kind: str
    role: str
    subjects: tuple[Obj, ...]

    def describe(self, user: User) -> str:
        """`RoleBinding "b/ns" of Role "r" to User "u"`."""
        subject = next(s for s in self.subjects if _key(s, self.namespace) in _keys(user))
        shown = subject.get("name", "")
        if subject.get("kind") == "ServiceAccount":
            shown = f"{shown}/{subject.get('namespace', '')}"
        kind, name = (
            ("RoleBinding", f"{self.name}/{self.namespace}") if self.namespace else ("ClusterRoleBinding", self.name)
        )
        return f'{kind} "{name}" of {self.role_kind} "{self.role}" to {subject.get("kind")} "{shown}"'


class Bindings(Struct):
    """Bindings of one scope in key order, found by subject."""

    all: list[Binding] = field(default_factory=list)
    by_subject: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def add(self, binding: Binding) -> None:
        """Append one."""
        for key in {_key(s, binding.namespace) for s in binding.subjects}:
            self.by_subject.setdefault(key, []).append(len(self.all))
        self.all.append(binding)

    def of(self, user: User) -> list[Binding]:
        """Those that have the user as a subject."""
        found = {i for key in _keys(user) for i in self.by_subject.get(key, ())}
        return [self.all[i] for i in sorted(found)]


_NONE = Bindings()


class Tables(Struct, frozen=True):
    """Everything RBAC knows, at one state of the four resources."""

    cluster: Bindings
    namespaces: Mapping[str, Bindings]
    cluster_roles: Mapping[str, tuple[Rule, ...]]
    roles: Mapping[tuple[str, str], tuple[Rule, ...]]

    def bindings(self, user: User, namespace: str) -> Iterator[Binding]:
        """The user's bindings that hold in a namespace, cluster-wide ones first."""
        yield from self.cluster.of(user)
        if namespace:
            yield from self.namespaces.get(namespace, _NONE).of(user)

    def rules(self, binding: Binding) -> tuple[Rule, ...] | None:
        """What a binding grants; None when its role is not there."""
        return self.role(binding.role_kind, binding.namespace, binding.role)

    def role(self, kind: str, namespace: str, name: str) -> tuple[Rule, ...] | None:
        """The rules of a Role or ClusterRole; None when it is not there."""
        return self.roles.get((namespace, name)) if kind == "Role" else self.cluster_roles.get(name)


class Rbac:
    """See the module's docstring."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._parsed: list[Mapping[tuple[str, str], Any]] = []
        self._tables = Tables(_NONE, {}, {}, {})

    async def tables(self) -> Tables:
        """The newest state, compiled."""
        parsed: list[Mapping[tuple[str, str], Any]] = [
            await self._reader.parsed(GROUP, resource, _PARSERS[resource]) for resource in _RESOURCES
        ]
        if len(self._parsed) != len(parsed) or any(a is not b for a, b in zip(parsed, self._parsed, strict=True)):
            self._parsed = parsed
            self._tables = _build(*parsed)
        return self._tables

    async def authorize(self, attributes: Attributes) -> Decision:
        """A yes as soon as one rule allows, naming the binding that grants it."""
        tables = await self.tables()
        missing: list[str] = []
        for binding in tables.bindings(attributes.user, attributes.namespace):
            rules = tables.rules(binding)
            if rules is None:
                missing.append(_missing(binding))
            elif any(rule.allows(attributes) for rule in rules):
                return Decision(True, f"RBAC: allowed by {binding.describe(attributes.user)}")
        return Decision(False, f"RBAC: {aggregate(missing)}" if missing else "")

    async def rules_for(self, user: User, namespace: str) -> Rules:
        """Every rule of every binding."""
        found = await self.held(user, namespace)
        if found.errors:
            found.errors = [aggregate(found.errors)]
        return found

    async def held(self, user: User, namespace: str) -> Rules:
        """The same with an error a missing role."""
        tables = await self.tables()
        found = Rules()
        for binding in tables.bindings(user, namespace):
            rules = tables.rules(binding)
            if rules is None:
                found.errors.append(_missing(binding))
            else:
                found.rules += [rule.raw for rule in rules]
        return found


def aggregate(texts: list[str]) -> str:
    """utilerrors.Aggregate's text."""
    unique = list(dict.fromkeys(texts))
    return unique[0] if len(unique) == 1 else f"[{', '.join(unique)}]"


def missing_role(kind: str, name: str) -> str:
    """The text for a role that a binding names and that is not there."""
    return f'{kind.lower()}.{GROUP} "{name}" not found'


def _missing(binding: Binding) -> str:
    return missing_role(binding.role_kind, binding.role)


def _keys(user: User) -> list[tuple[str, str]]:
    return [("User", user.name), *(("Group", group) for group in user.groups)]


def _key(subject: Obj, namespace: str) -> tuple[str, str]:
    """What a subject is found by: service accounts by their user name."""
    kind, name = subject.get("kind", ""), subject.get("name", "")
    if kind != "ServiceAccount":
        return kind, name
    where = subject.get("namespace") or namespace
    return ("User", f"{_ACCOUNT}{where}:{name}") if where else ("", "")


def _path_matches(pattern: str, path: str) -> bool:
    return pattern in ("*", path) or (pattern.endswith("*") and path.startswith(pattern.rstrip("*")))


def _parse_binding(obj: Obj) -> Binding:
    metadata, reference = obj["metadata"], obj.get("roleRef") or {}
    return Binding(
        metadata["name"],
        metadata.get("namespace", ""),
        reference.get("kind", ""),
        reference.get("name", ""),
        tuple(obj.get("subjects") or ()),
    )


def _parse_role(obj: Obj) -> tuple[Rule, ...]:
    return tuple(compile_rule(rule) for rule in obj.get("rules") or ())


_PARSERS = {
    "clusterrolebindings": _parse_binding,
    "rolebindings": _parse_binding,
    "clusterroles": _parse_role,
    "roles": _parse_role,
}


def _build(
    cluster_bindings: Mapping[tuple[str, str], Binding],
    bindings: Mapping[tuple[str, str], Binding],
    cluster_roles: Mapping[tuple[str, str], tuple[Rule, ...]],
    roles: Mapping[tuple[str, str], tuple[Rule, ...]],
) -> Tables:
    cluster = Bindings()
    _fill(cluster, cluster_bindings.values())
    namespaces: dict[str, Bindings] = {}
    for (namespace, _), binding in bindings.items():
        namespaces.setdefault(namespace, Bindings()).add(binding)
    return Tables(cluster, namespaces, {name: rules for (_, name), rules in cluster_roles.items()}, roles)


def _fill(into: Bindings, bindings: Iterable[Binding]) -> None:
    for binding in bindings:
        into.add(binding)
