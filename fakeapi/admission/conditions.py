"""matchConditions: CEL that narrows which requests a webhook or a policy is about.

Stands for apiserver's pkg/admission/plugin/webhook/matchconditions.
"""

from __future__ import annotations

from collections.abc import Sequence

from fakeapi.admission.base import Attributes, Host, Obj, forbidden
from fakeapi.admission.expressions import Expressions, Found, Inputs
from fakeapi.cel.limits import PER_MATCH


def holding(conditions: Sequence[Obj], inputs: Inputs) -> Found:
    """True where all hold; one that is false settles it, whatever errors the others have."""
    failed = []
    inputs.allow(PER_MATCH)
    for condition in conditions:
        found = inputs.evaluate(condition.get("expression", ""))
        if found.exhausted:
            return found
        if found.error:
            failed.append(found.error)
        elif found.value is False:
            return Found(False)
    if failed:
        return Found(error=failed[0] if len(failed) == 1 else f"[{', '.join(failed)}]")
    return Found(True)


class Conditions:
    """Evaluates those of webhooks."""

    def __init__(self, host: Host) -> None:
        self._expressions = Expressions(host)

    async def hold(self, conditions: Sequence[Obj], attributes: Attributes, ignoring: bool, version: str = "") -> bool:
        """Whether all hold. ApiError 403 for errors, unless they are ignored (then False)."""
        found = holding(conditions, await self._expressions.inputs(attributes, version))
        if not found.error:
            return bool(found.value)
        if ignoring:
            return False
        raise forbidden(attributes, found.error)
