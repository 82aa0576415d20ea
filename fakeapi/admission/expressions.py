"""CEL in admission: what expressions of webhooks and policies may look at, and what comes out of them.

Stands for apiserver's pkg/admission/plugin/cel. The language itself is fakeapi.cel's.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from fakeapi.accounts import user_groups, user_name
from fakeapi.admission.base import Attributes, Host, Obj
from fakeapi.admission.policies import Invocation
from fakeapi.admission.versions import Versions
from fakeapi.authorization.base import Attributes as Asked
from fakeapi.authorization.base import Decision
from fakeapi.cel.limits import OUT_OF_BUDGET, PER_OBJECT
from fakeapi.request import User


class Found(Struct, frozen=True):
    """The value of an expression, or why there is none; exhausted: nor will there be one of those that follow."""

    value: Any = None
    error: str = ""
    exhausted: bool = False


class Expressions:
    """Makes inputs of requests."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._versions = Versions(host)

    async def inputs(
        self,
        attributes: Attributes,
        version: str = "",
        *,
        params: Obj | None = None,
        has_params: bool = False,
        variables: Sequence[Obj] = (),
    ) -> Inputs:
        """What expressions see of a request, with the object in that version. variables: a policy's."""
        # The authorizer is asked from inside expressions, which cannot wait: what it looks at is brought here before.
        await self._host.authorizer.decide(
            Asked(attributes.user, "get", resource="none", namespace=attributes.namespace)
        )
        namespace = None
        if attributes.namespace and attributes.resource != "namespaces":
            namespace = await self._host.reader.get("", "namespaces", "", attributes.namespace)
        env: dict[str, Any] = {
            "object": self._versions.shown(attributes.obj, attributes, version),
            "oldObject": self._versions.shown(attributes.old, attributes, version),
            "request": request_of(attributes, version),
            "namespaceObject": namespace,
            "params": params,
        }
        env |= _authorizers(self._host, attributes)
        return Inputs(env, has_params, variables)

    async def of_policy(self, invocation: Invocation, attributes: Attributes, params: Obj | None) -> Inputs:
        """What a policy's expressions see, with one of its parameters."""
        spec = invocation.policy["spec"]
        return await self.inputs(
            attributes,
            invocation.version,
            params=params,
            has_params="paramKind" in spec,
            variables=spec.get("variables") or (),
        )


class Inputs:
    """The variables of one request, and the expressions run on them."""

    def __init__(self, env: dict[str, Any], has_params: bool, variables: Sequence[Obj]) -> None:
        from fakeapi.cel import policies

        self._cel = policies
        self._params = has_params
        self._env = env
        self._error = ""
        try:
            made = policies.compile_variables(variables, has_params)
        except policies.PolicyError as error:
            made, self._error = (), str(error)
        self._variables = tuple(v for v, _ in made)
        self._composed = env["variables"] = policies.Composed({v.name: p for v, p in made}, env)
        self._left = PER_OBJECT

    def allow(self, budget: int) -> Inputs:
        """What the expressions that follow may cost together."""
        self._left = budget
        return self

    def evaluate(self, expression: str, patching: bool = False) -> Found:
        """The expression's value; variables count when they are first asked for."""
        if self._error:
            return Found(error=f"compilation error: {self._error}")
        try:
            program = self._cel.compile(expression, params=self._params, variables=self._variables, patching=patching)
        except self._cel.PolicyError as error:
            return Found(error=f"compilation error: {error}")
        found = Found(*self._cel.evaluate(program, self._env))
        self._left -= program.run.spent + self._composed.spent
        self._composed.spent = 0
        if self._left < 0:
            return Found(error=OUT_OF_BUDGET, exhausted=True)
        return found


def request_of(attributes: Attributes, version: str = "") -> Obj:
    """The `request` variable: an AdmissionRequest without the objects."""
    group, kind = attributes.kind_group or attributes.group, attributes.kind
    own, asked = attributes.kind_version or attributes.version, attributes.kind_version or version or attributes.version
    user = attributes.user
    info = {"username": user.name, "uid": user.uid, "groups": list(user.groups), "extra": dict(user.extra)}
    found: Obj = {
        "kind": {"group": group, "version": asked, "kind": kind},
        "resource": {
            "group": attributes.group,
            "version": version or attributes.version,
            "resource": attributes.resource,
        },
        "requestKind": {"group": group, "version": own, "kind": kind},
        "requestResource": {"group": attributes.group, "version": attributes.version, "resource": attributes.resource},
        "operation": attributes.operation,
        "userInfo": {k: v for k, v in info.items() if v},
        "dryRun": attributes.dry_run,
        "options": attributes.options or None,
    }
    optional = {
        "subResource": attributes.subresource,
        "requestSubResource": attributes.subresource,
        "name": attributes.name,
        "namespace": attributes.namespace,
    }
    return found | {k: v for k, v in optional.items() if v}


def _authorizers(host: Host, attributes: Attributes) -> dict[str, Any]:
    """The `authorizer` and `authorizer.requestResource` variables."""
    from fakeapi.cel.library import authorizer

    def ask(question: authorizer.Question) -> authorizer.Decision:
        user = attributes.user
        if question.account is not None:
            namespace, name = question.account
            user = User(user_name(namespace, name), user_groups(namespace))
        asked = Asked(
            user,
            question.verb,
            group=question.group,
            version="*",
            resource=question.resource,
            subresource=question.subresource,
            namespace=question.namespace,
            name=question.name,
            path=question.path,
            is_resource=not question.path,
        )
        decision = _at_once(host.authorizer.decide(asked))
        return authorizer.Decision(decision.allowed, decision.reason)

    everything = authorizer.Check(ask)
    own = authorizer.Question(
        group=attributes.group,
        resource=attributes.resource,
        subresource=attributes.subresource,
        namespace=attributes.namespace,
        name=attributes.name,
    )
    return {"authorizer": everything, "authorizer.requestResource": replace(everything, question=own)}


def _at_once(asking: Coroutine[Any, Any, Decision]) -> Decision:
    """The end of a coroutine that has nothing to wait for."""
    try:
        asking.send(None)
    except StopIteration as done:
        found: Decision = done.value
        return found
    asking.close()
    return Decision(False, "the authorizer was not ready")
