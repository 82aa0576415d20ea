"""matchConditions: CEL that narrows which requests a webhook or a policy is about.

Stands for apiserver's pkg/admission/plugin/webhook/matchconditions.
"""

from __future__ import annotations

from collections.abc import Sequence

from fakeapi import errors
from fakeapi.admission.base import Attributes, Host, Obj
from fakeapi.admission.expressions import Expressions


class Conditions:
    """Evaluates them."""

    def __init__(self, host: Host) -> None:
        self._expressions = Expressions(host)

    async def hold(self, conditions: Sequence[Obj], attributes: Attributes, ignoring: bool, version: str = "") -> bool:
        """Whether all hold; one that is false settles it. ApiError 403 for errors, unless they are ignored (then False)."""
        inputs = await self._expressions.inputs(attributes, version)
        failed = []
        for condition in conditions:
            found = inputs.evaluate(condition.get("expression", ""))
            if found.error:
                failed.append(found.error)
            elif found.value is False:
                return False
        if not failed:
            return True
        if ignoring:
            return False
        text = failed[0] if len(failed) == 1 else f"[{', '.join(failed)}]"
        raise errors.forbidden_object(attributes.group, attributes.resource, attributes.name, text)
