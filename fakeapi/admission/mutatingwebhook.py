"""MutatingAdmissionWebhook: the webhooks of every MutatingWebhookConfiguration change the object, one after the other.

Stands for apiserver's pkg/admission/plugin/webhook/mutating. Webhooks with reinvocationPolicy IfNeeded are called once
more when the object was changed after them.
"""

from __future__ import annotations

import base64
import binascii

import orjson

from fakeapi import errors
from fakeapi.admission.base import Attributes, Host, Obj
from fakeapi.admission.webhooks import CallError, Hook, Webhooks, failure
from fakeapi.errors import ApiError
from fakeapi.gofmt import go_quote
from fakeapi.gojson import kind_of
from fakeapi.patch import json_patch

NAME = "MutatingAdmissionWebhook"


class MutatingAdmissionWebhook:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        self._webhooks = Webhooks(host, "mutatingwebhookconfigurations")

    def handles(self, attributes: Attributes) -> bool:
        """Everything."""
        return True

    async def admit(self, attributes: Attributes) -> None:
        """ApiError: what a webhook that denies says, or 500 for one that cannot be asked."""
        if self._webhooks.idle:
            return
        again = attributes.again
        memory = again.of(NAME)
        if again.running and memory.output is not None and memory.output != _frozen(attributes):
            memory.require()
        called = False
        async for hook, version in self._webhooks.relevant(attributes):
            if again.running and hook.uid not in memory.wanted:
                continue
            called = True
            try:
                changed = await self._apply(hook, attributes, version)
            except CallError as why:
                if not hook.ignores_failures:
                    raise failure(hook, why) from None
                changed = False
            if changed:
                memory.require()
                again.needed = True
            if hook.raw.get("reinvocationPolicy") == "IfNeeded":
                memory.reinvocable.add(hook.uid)
        if called:
            memory.output = _frozen(attributes)

    async def _apply(self, hook: Hook, attributes: Attributes, version: str) -> bool:
        """Call one webhook and carry out its patch; whether that changed anything."""
        response = await self._webhooks.call(hook, attributes, version, mutating=True)
        operations = _operations(response)
        if not operations:
            return False
        if attributes.obj is None:
            text = "attempted to modify the object, which is not supported for this operation"
            raise errors.internal_error(f"admission webhook {go_quote(hook.name)} {text}")
        if response.get("patchType") != "JSONPatch":
            raise CallError(f"unsupported patch type {go_quote(str(response.get('patchType')))}")
        versions = self._webhooks.versions
        shown = versions.shown(attributes.obj, attributes, version) or {}
        try:
            patched = json_patch(shown, operations)
        except ApiError as error:
            raise errors.internal_error(str(error)) from None
        if not isinstance(patched, dict):
            text = f"json: cannot unmarshal {kind_of(patched)} into Go value of type map[string]interface {{}}"
            raise errors.internal_error(text)
        if patched == shown:
            return False
        attributes.obj = versions.taken(patched, attributes, version)
        return True

    async def validate(self, attributes: Attributes) -> None:
        """Nothing further."""


def _frozen(attributes: Attributes) -> bytes:
    return orjson.dumps(attributes.obj)


def _operations(response: Obj) -> bytes:
    """The JSON patch of a response, b"" for none. CallError."""
    text = response.get("patch")
    if not text:
        return b""
    try:
        patch = base64.b64decode(text, validate=True)
        return patch if orjson.loads(patch) else b""
    except (binascii.Error, ValueError) as error:
        raise CallError(f"received undecodable patch in webhook response: {error}") from None
