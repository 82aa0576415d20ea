"""ValidatingAdmissionPolicy: CEL decides whether a request may pass.

Stands for apiserver's pkg/admission/plugin/policy/validating. Leaves out audit annotations (their errors count).
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from fakeapi.admission.base import Attributes, Host, Obj, forbidden
from fakeapi.admission.conditions import holding
from fakeapi.admission.expressions import Expressions, Inputs
from fakeapi.admission.policies import Invocation, Policies
from fakeapi.cel.limits import PER_OBJECT
from fakeapi.errors import ApiError

NAME = "ValidatingAdmissionPolicy"
_CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413}
_MAX_MESSAGE = 5 * 1024


class Denial(Struct, frozen=True):
    """One reason to refuse a request."""

    message: str
    reason: str = "Invalid"


class ValidatingAdmissionPolicy:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        self._policies = Policies(host, "validatingadmissionpolicies", "validatingadmissionpolicybindings")
        self._expressions = Expressions(host)

    def handles(self, attributes: Attributes) -> bool:
        """Everything."""
        return True

    async def admit(self, attributes: Attributes) -> None:
        """Nothing is changed."""

    async def validate(self, attributes: Attributes) -> None:
        """ApiError of the first denial (422 unless the validation says otherwise); warnings."""
        found: list[tuple[Invocation, Denial]] = []
        for invocation in await self._policies.applying(attributes):
            found += [(invocation, denial) for denial in await self._judge(invocation, attributes)]
        if found:
            raise _refusal(attributes, *found[0])

    async def _judge(self, invocation: Invocation, attributes: Attributes) -> list[Denial]:
        """The denials that the binding's actions let stand; the others have become warnings."""
        if invocation.error:
            return [] if invocation.ignores_failures else [Denial(invocation.error)]
        denials: list[Denial] = []
        for params in invocation.params:
            denials += await self._evaluate(invocation, attributes, params)
        actions = (invocation.binding or {})["spec"].get("validationActions") or ()
        if "Warn" in actions:
            told = (
                f"Validation failed for ValidatingAdmissionPolicy '{invocation.name}' with binding"
                f" '{invocation.binding_name}'"
            )
            attributes.warnings += [f"{told}: {denial.message}" for denial in denials]
        return denials if "Deny" in actions else []

    async def _evaluate(self, invocation: Invocation, attributes: Attributes, params: Obj | None) -> list[Denial]:
        spec = invocation.policy["spec"]
        inputs = await self._expressions.of_policy(invocation, attributes, params)
        holds = holding(spec.get("matchConditions") or (), inputs)
        if holds.error:
            return [] if invocation.ignores_failures else [Denial(holds.error)]
        if not holds.value:
            return []
        denials: list[Denial] = []
        inputs.allow(PER_OBJECT)
        for validation in spec.get("validations") or ():
            found = inputs.evaluate(validation.get("expression", ""))
            if found.exhausted:
                return [] if invocation.ignores_failures else [Denial(found.error)]
            if found.error:
                denials += [] if invocation.ignores_failures else [Denial(found.error)]
            elif found.value is not True:
                denials.append(Denial(_message(validation, inputs), validation.get("reason") or "Invalid"))
        inputs.allow(PER_OBJECT)
        for annotation in spec.get("auditAnnotations") or ():
            found = inputs.evaluate(annotation.get("valueExpression", ""))
            if found.error and not invocation.ignores_failures:
                denials.append(Denial(found.error))
        return denials


def _message(validation: Obj, inputs: Inputs) -> str:
    """What a failed validation says: its messageExpression where that gives one line, else its message, else itself."""
    text: Any = ""
    if validation.get("messageExpression"):
        found = inputs.evaluate(validation["messageExpression"])
        if found.exhausted:
            return f"failed messageExpression: {found.error}"
        text = found.value
        text = text.strip() if isinstance(text, str) else ""
        if "\n" in text or len(text.encode()) > _MAX_MESSAGE:
            text = ""
    fallback = f"failed expression: {validation.get('expression', '').strip()}"
    return text or (validation.get("message") or "").strip() or fallback


def _refusal(attributes: Attributes, invocation: Invocation, denial: Denial) -> ApiError:
    bound = f" with binding '{invocation.binding_name}'" if invocation.binding else ""
    text = f"ValidatingAdmissionPolicy '{invocation.name}'{bound} denied request: {denial.message}"
    error = forbidden(attributes, text)
    error.code = error.status["code"] = _CODES.get(denial.reason, 422)
    error.status["reason"] = denial.reason
    error.status["details"]["causes"] = [{"message": text}]
    return error
