"""MutatingAdmissionPolicy: CEL makes a patch of the object.

Stands for apiserver's pkg/admission/plugin/policy/mutating. Policies with reinvocationPolicy IfNeeded run once more
when the object was changed after them.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from fakeapi.admission.base import Attributes, Host, Obj, forbidden
from fakeapi.admission.conditions import holding
from fakeapi.admission.expressions import Expressions
from fakeapi.admission.policies import Invocation, Policies
from fakeapi.errors import ApiError
from fakeapi.gojson import kind_of
from fakeapi.managedfields.typed import merge
from fakeapi.patch import json_patch

NAME = "MutatingAdmissionPolicy"


class MutationError(Exception):
    """A mutation that cannot be carried out; str() is why."""


class MutatingAdmissionPolicy:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        self._policies = Policies(host, "mutatingadmissionpolicies", "mutatingadmissionpolicybindings")
        self._expressions = Expressions(host)

    def handles(self, attributes: Attributes) -> bool:
        """Everything."""
        return True

    async def admit(self, attributes: Attributes) -> None:
        """ApiError 403 for the policies that fail and may not."""
        invocations = await self._policies.applying(attributes)
        if not invocations:
            return
        again, memory = attributes.again, attributes.again.of(NAME)
        if again.running and memory.output is not None and memory.output != orjson.dumps(attributes.obj):
            memory.require()
        failed: list[str] = []
        for invocation in invocations:
            for params in invocation.params or [None]:
                failed += await self._invoke(invocation, attributes, params)
        memory.output = orjson.dumps(attributes.obj)
        if failed:
            raise _refusal(attributes, failed)

    async def validate(self, attributes: Attributes) -> None:
        """Nothing further."""

    async def _invoke(self, invocation: Invocation, attributes: Attributes, params: Obj | None) -> list[str]:
        """Run a policy's mutations with one parameter; what failed and may not."""
        if invocation.error:
            return _told(invocation, [invocation.error])
        again, memory, spec = attributes.again, attributes.again.of(NAME), invocation.policy["spec"]
        key = f"{invocation.name}/{invocation.binding_name}/{((params or {}).get('metadata') or {}).get('name', '')}"
        inputs = await self._expressions.of_policy(invocation, attributes, params)
        holds = holding(spec.get("matchConditions") or (), inputs)
        if holds.error:
            return _told(invocation, [holds.error])
        if not holds.value or (again.running and key not in memory.wanted) or attributes.obj is None:
            return []
        before, failed = orjson.dumps(attributes.obj), []
        for mutation in spec.get("mutations") or ():
            try:
                await self._mutate(mutation, invocation, attributes, params)
            except MutationError as error:
                failed.append(str(error))
        if before != orjson.dumps(attributes.obj):
            memory.require()
            again.needed = True
        if spec.get("reinvocationPolicy") == "IfNeeded":
            memory.reinvocable.add(key)
        return _told(invocation, failed)

    async def _mutate(self, mutation: Obj, invocation: Invocation, attributes: Attributes, params: Obj | None) -> None:
        """Change attributes.obj. MutationError."""
        inputs = await self._expressions.of_policy(invocation, attributes, params)
        versions, version = self._policies.versions, invocation.version
        shown = versions.shown(attributes.obj, attributes, version) or {}
        if mutation.get("patchType") == "JSONPatch":
            found = inputs.evaluate((mutation.get("jsonPatch") or {}).get("expression", ""), patching=True)
            changed = shown if found.error else patched(shown, found.value)
        else:
            found = inputs.evaluate((mutation.get("applyConfiguration") or {}).get("expression", ""), patching=True)
            changed = shown if found.error else merge(shown, found.value, versions.type_of(attributes, version))
        if found.error:
            raise MutationError(found.error)
        if changed != shown:
            attributes.obj = versions.taken(changed, attributes, version)


def _told(invocation: Invocation, texts: Sequence[str]) -> list[str]:
    if invocation.ignores_failures:
        return []
    bound = (
        f"'{invocation.name}' with binding '{invocation.binding_name}'"
        if invocation.binding
        else f'"{invocation.name}"'
    )
    return [f"policy {bound} denied request: {text}" for text in texts]


def patched(shown: Obj, operations: Sequence[Obj]) -> Obj:
    """The object after JSON patch operations; unchanged where a test fails.

    MutationError in the patch library's words.
    """
    current = shown
    for operation in operations:
        try:
            current = json_patch(current, orjson.dumps([operation]))
        except ApiError:
            if operation.get("op") == "test":
                return shown
            raise MutationError(f"JSON Patch: {_why(operation)}") from None
        if not isinstance(current, dict):
            text = f"json: cannot unmarshal {kind_of(current)} into Go value of type map[string]interface {{}}"
            raise MutationError(f"JSON Patch: {text}")
    return current


def _why(operation: Obj) -> str:
    op, path = operation.get("op", ""), operation.get("path", "")
    key = path.rpartition("/")[2]
    if op == "remove":
        return f"error in remove for path: '{path}': Unable to remove nonexistent key: {key}: missing value"
    if op == "replace":
        return f"replace operation does not apply: doc is missing key: {path}: missing value"
    if op in ("move", "copy"):
        return f"error in {op} for path: '{operation.get('from', '')}': missing value"
    return f'{op} operation does not apply: doc is missing path: "{path}": missing value'


def _refusal(attributes: Attributes, failed: list[str]) -> ApiError:
    error = forbidden(attributes, "admission request denied by policy")
    error.status["message"] = failed[0]
    error.status["reason"] = "Invalid"
    error.status["details"]["causes"] = [{"message": text} for text in failed]
    return error
