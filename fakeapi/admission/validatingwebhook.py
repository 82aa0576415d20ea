"""ValidatingAdmissionWebhook: the webhooks of every ValidatingWebhookConfiguration are asked, all at once.

Stands for apiserver's pkg/admission/plugin/webhook/validating.
"""

from __future__ import annotations

import asyncio

from fakeapi.admission.base import Attributes, Host
from fakeapi.admission.webhooks import CallError, Hook, Webhooks, failure
from fakeapi.errors import ApiError

NAME = "ValidatingAdmissionWebhook"


class ValidatingAdmissionWebhook:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        self._webhooks = Webhooks(host, "validatingwebhookconfigurations")

    def handles(self, attributes: Attributes) -> bool:
        """Everything."""
        return True

    async def admit(self, attributes: Attributes) -> None:
        """Nothing is changed."""

    async def validate(self, attributes: Attributes) -> None:
        """ApiError: what the first webhook that denies says, or 500 for one that cannot be asked."""
        if self._webhooks.idle:
            return
        wanted = [found async for found in self._webhooks.relevant(attributes)]
        if not wanted:
            return
        answers = await asyncio.gather(*(self._ask(hook, attributes, version) for hook, version in wanted))
        found = next((error for error in answers if error is not None), None)
        if found is not None:
            raise found

    async def _ask(self, hook: Hook, attributes: Attributes, version: str) -> ApiError | None:
        try:
            await self._webhooks.call(hook, attributes, version, mutating=False)
        except CallError as why:
            return None if hook.ignores_failures else failure(hook, why)
        except ApiError as error:
            return error
        return None
