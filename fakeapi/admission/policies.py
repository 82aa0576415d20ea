"""What validating and mutating admission policies have in common: which apply to a request, with which parameters.

Stands for apiserver's pkg/admission/plugin/policy (generic, matching).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from fakeapi import selectors
from fakeapi.admission import matching
from fakeapi.admission.base import Attributes, Host, Obj
from fakeapi.admission.versions import Versions

GROUP = matching.EXEMPT_GROUP


class ConfigurationError(Exception):
    """A policy or binding that cannot be used; str() is why."""


class Invocation(Struct):
    """A policy that applies through a binding (None: nothing can be said of bindings), or why it cannot be used.

    version: in which the policy wants the object. params: what it is evaluated with, one after the other; None:
    nothing.
    """

    policy: Obj
    binding: Obj | None = None
    version: str = ""
    params: list[Obj | None] = field(default_factory=list)
    error: str = ""

    @property
    def name(self) -> str:
        """The policy's name."""
        return str(self.policy["metadata"]["name"])

    @property
    def binding_name(self) -> str:
        """The binding's name, "" without one."""
        return str(self.binding["metadata"]["name"]) if self.binding else ""

    @property
    def ignores_failures(self) -> bool:
        """Whether errors let the request pass."""
        return bool(self.policy["spec"].get("failurePolicy") == "Ignore")


def _whole(obj: Obj) -> Obj:
    return obj


class Policies:
    """The policies of a kind and their bindings."""

    def __init__(self, host: Host, policies: str, bindings: str) -> None:
        self._host = host
        self._resources = (policies, bindings)
        self._seen: tuple[Mapping[tuple[str, str], Obj], ...] = ()
        self._pairs: list[tuple[Obj, list[Obj]]] = []
        self.versions = Versions(host)

    async def applying(self, attributes: Attributes) -> list[Invocation]:
        """The invocations that a request calls for, in the order of the policies' names."""
        if self._host.reader.vacant(GROUP, self._resources[1]):
            return []
        pairs = await self._all()
        if not pairs or matching.exempt(attributes):
            return []
        found: list[Invocation] = []
        for policy, bindings in pairs:
            found += await self._of(policy, bindings, attributes)
        return found

    async def _all(self) -> list[tuple[Obj, list[Obj]]]:
        """Every policy with its bindings; policies without one are left out."""
        reader = self._host.reader
        parsed = tuple([await reader.parsed(GROUP, resource, _whole) for resource in self._resources])
        if len(self._seen) != 2 or any(a is not b for a, b in zip(parsed, self._seen, strict=True)):
            by_policy: dict[str, list[Obj]] = {}
            for binding in parsed[1].values():
                by_policy.setdefault((binding.get("spec") or {}).get("policyName", ""), []).append(binding)
            self._seen = parsed
            self._pairs = [(p, by_policy[name]) for (_, name), p in parsed[0].items() if name in by_policy]
        return self._pairs

    async def _of(self, policy: Obj, bindings: Iterable[Obj], attributes: Attributes) -> list[Invocation]:
        version = await self._matches(policy["spec"].get("matchConstraints") or {}, attributes)
        if not version:
            return []
        try:
            kind = self._param_row(policy["spec"].get("paramKind"))
        except ConfigurationError as error:
            return [Invocation(policy, error=f"failed to configure policy: {error}")]
        found = []
        for binding in bindings:
            if await self._matches((binding["spec"].get("matchResources")) or {}, attributes, bound=True):
                invocation = Invocation(policy, binding, version)
                try:
                    invocation.params = await self._params(kind, binding["spec"].get("paramRef"), attributes)
                except ConfigurationError as error:
                    invocation.error = f"failed to configure binding: {error}"
                found.append(invocation)
        return found

    async def _matches(self, wanted: Obj, attributes: Attributes, bound: bool = False) -> str:
        """The version in which MatchResources take the request in; "" where they do not.

        No rules take in everything.
        """
        if not matching.objects_match(wanted.get("objectSelector"), attributes):
            return ""
        equivalent = wanted.get("matchPolicy") != "Exact"
        if self._ruled(wanted.get("excludeResourceRules") or (), attributes, equivalent):
            return ""
        rules = wanted.get("resourceRules") or ()
        version = self._ruled(rules, attributes, equivalent) if rules else attributes.version
        if not version or not await matching.namespace_matches(
            wanted.get("namespaceSelector"), attributes, self._host.reader
        ):
            return ""
        return version

    def _ruled(self, rules: Iterable[Obj], attributes: Attributes, equivalent: bool) -> str:
        named = [r for r in rules if not r.get("resourceNames") or attributes.name in r["resourceNames"]]
        if any(matching.rule_matches(rule, attributes) for rule in named):
            return attributes.version
        others = self.versions.others(attributes) if equivalent and named else []
        return next((v for rule in named for v in others if matching.rule_matches(rule, attributes, v)), "")

    def _param_row(self, kind: Obj | None) -> tuple[str, str, bool] | None:
        """(group, plural, namespaced) of a paramKind. ConfigurationError."""
        if kind is None:
            return None
        group, _, version = kind.get("apiVersion", "").rpartition("/")
        row = self._host.table.by_kind(group, version, kind.get("kind", ""))
        if row is None:
            shown = f"{group}/{version}, Kind={kind.get('kind', '')}"
            raise ConfigurationError(f"failed to find resource referenced by paramKind: '{shown}'")
        return row.group, row.plural, row.namespaced

    async def _params(
        self, kind: tuple[str, str, bool] | None, reference: Obj | None, attributes: Attributes
    ) -> list[Obj | None]:
        """CollectParams. ConfigurationError."""
        if kind is None or reference is None:
            return [None]
        group, plural, namespaced = kind
        given = reference.get("namespace", "")
        if given and not namespaced:
            raise ConfigurationError("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
        namespace = (given or attributes.namespace) if namespaced else ""
        if namespaced and not namespace:
            raise ConfigurationError(
                "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
            )
        reader = self._host.reader
        params: list[Obj | None]
        if reference.get("name"):
            one = await reader.get(group, plural, namespace, reference["name"])
            params = [one] if one is not None else []
        else:
            selector = selectors.from_label_selector(reference.get("selector") or {})
            every = await reader.list(group, plural, namespace)
            params = [o for o in every if selector.matches(o["metadata"].get("labels") or {})]
        if not params and reference.get("parameterNotFoundAction") == "Deny":
            raise ConfigurationError("no params found for policy binding with `Deny` parameterNotFoundAction")
        return params
