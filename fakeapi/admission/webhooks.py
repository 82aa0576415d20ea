"""What mutating and validating webhooks have in common: which are called, what they are asked, what they may answer.

Stands for apiserver's pkg/admission/plugin/webhook (generic, request, errors).
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from typing import Any

from msgspec import Struct

from fakeapi import errors, meta
from fakeapi.admission import matching
from fakeapi.admission.base import Attributes, Host, Obj
from fakeapi.admission.conditions import Conditions
from fakeapi.admission.versions import Versions
from fakeapi.errors import ApiError
from fakeapi.gofmt import go_quote
from fakeapi.webhookclient import WebhookError, post

GROUP = matching.EXEMPT_GROUP
SECONDS = 10
_REVIEW = "AdmissionReview"


class Hook(Struct, frozen=True):
    """One webhook of one configuration; uid tells it from all others."""

    uid: str
    raw: Obj

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.raw.get("name", ""))

    @property
    def ignores_failures(self) -> bool:
        """Whether a call that does not work lets the request pass."""
        return bool(self.raw.get("failurePolicy") == "Ignore")


class CallError(Exception):
    """A call that did not work, which failurePolicy may forgive; str() is the reason."""


def hooks_of(configuration: Obj) -> list[Hook]:
    """The webhooks of a configuration."""
    metadata = configuration["metadata"]
    return [
        Hook(f"{metadata['name']}/{metadata['uid']}/{i}", raw)
        for i, raw in enumerate(configuration.get("webhooks") or ())
    ]


class Webhooks:
    """The webhooks of one resource ("validatingwebhookconfigurations" or "mutatingwebhookconfigurations")."""

    def __init__(self, host: Host, resource: str) -> None:
        self._host = host
        self._resource = resource
        self._rng = random.Random(host.config.seed)
        self._conditions = Conditions(host)
        self.versions = Versions(host)

    @property
    def idle(self) -> bool:
        """Whether there are none, so that no request needs to be looked at."""
        return self._host.reader.vacant(GROUP, self._resource)

    async def relevant(self, attributes: Attributes) -> AsyncIterator[tuple[Hook, str]]:
        """The webhooks to call, each with the version that it wants the object in. ApiError 403, 404."""
        parsed: Mapping[tuple[str, str], list[Hook]] = await self._host.reader.parsed(GROUP, self._resource, hooks_of)
        if not parsed or matching.exempt(attributes):
            return
        for hooks in parsed.values():
            for hook in hooks:
                version = await self._wanted_version(hook, attributes)
                if version:
                    yield hook, version

    async def _wanted_version(self, hook: Hook, attributes: Attributes) -> str:
        raw = hook.raw
        version = self._ruled_version(raw, attributes)
        if not version or not matching.objects_match(raw.get("objectSelector"), attributes):
            return ""
        if not await matching.namespace_matches(raw.get("namespaceSelector"), attributes, self._host.reader):
            return ""
        conditions = raw.get("matchConditions")
        if conditions and not await self._conditions.hold(conditions, attributes, hook.ignores_failures, version):
            return ""
        return version

    def _ruled_version(self, raw: Obj, attributes: Attributes) -> str:
        rules = raw.get("rules") or ()
        if any(matching.rule_matches(rule, attributes) for rule in rules):
            return attributes.version
        if raw.get("matchPolicy") != "Equivalent":
            return ""
        others = self.versions.others(attributes)
        return next((v for rule in rules for v in others if matching.rule_matches(rule, attributes, v)), "")

    async def call(self, hook: Hook, attributes: Attributes, version: str, *, mutating: bool) -> Obj:
        """The response of a webhook that allows. CallError; ApiError for one that denies."""
        raw = hook.raw
        if attributes.dry_run and raw.get("sideEffects") not in ("None", "NoneOnDryRun"):
            raise errors.bad_request(f"admission webhook {go_quote(hook.name)} does not support dry run")
        known = [v for v in raw.get("admissionReviewVersions") or () if v in ("v1", "v1beta1")]
        if not known:
            why = "webhook does not accept known AdmissionReview versions (v1, v1beta1)"
            raise CallError(f"could not create admission objects: {why}")
        uid = meta.new_uid(self._rng)
        review = self._review(uid, known[0], attributes, version)
        seconds = int(raw.get("timeoutSeconds") or SECONDS)
        try:
            answer = await post(raw.get("clientConfig") or {}, review, seconds, self._host.reader)
        except WebhookError as error:
            raise CallError(f"failed to call webhook: {error}") from None
        response = verified(answer, uid, known[0], mutating=mutating)
        attributes.warnings += [str(w) for w in response.get("warnings") or ()]
        if not response.get("allowed"):
            raise denial(hook.name, response.get("status"))
        return response

    def _review(self, uid: str, review_version: str, attributes: Attributes, version: str) -> Obj:
        group, kind = attributes.kind_group or attributes.group, attributes.kind
        own = attributes.kind_version or attributes.version
        asked = attributes.kind_version or version
        user = attributes.user
        info = {"username": user.name, "uid": user.uid, "groups": list(user.groups), "extra": dict(user.extra)}
        request: dict[str, Any] = {
            "uid": uid,
            "kind": {"group": group, "version": asked, "kind": kind},
            "resource": {"group": attributes.group, "version": version, "resource": attributes.resource},
            "subResource": attributes.subresource,
            "requestKind": {"group": group, "version": own, "kind": kind},
            "requestResource": {
                "group": attributes.group,
                "version": attributes.version,
                "resource": attributes.resource,
            },
            "requestSubResource": attributes.subresource,
            "name": attributes.name,
            "namespace": attributes.namespace,
            "operation": attributes.operation,
            "userInfo": {k: v for k, v in info.items() if v},
            "object": self.versions.shown(attributes.obj, attributes, version),
            "oldObject": self.versions.shown(attributes.old, attributes, version),
            "dryRun": attributes.dry_run,
            "options": attributes.options or None,
        }
        for key in ("subResource", "requestSubResource", "name", "namespace"):
            if not request[key]:
                del request[key]
        return {"kind": _REVIEW, "apiVersion": f"admission.k8s.io/{review_version}", "request": request}


def verified(answer: Obj, uid: str, version: str, *, mutating: bool) -> Obj:
    """VerifyAdmissionResponse: the review's response. CallError for one that is not as it should be."""
    response = answer.get("response")
    if not isinstance(response, dict):
        raise _invalid("webhook response was absent")
    if version == "v1":
        if response.get("uid") != uid:
            raise _invalid(f"expected response.uid={go_quote(uid)}, got {go_quote(str(response.get('uid', '')))}")
        group, _, bare = str(answer.get("apiVersion", "")).rpartition("/")
        if (group, bare, answer.get("kind")) != ("admission.k8s.io", "v1", _REVIEW):
            got = f"{group}/{bare}, Kind={answer.get('kind', '')}"
            raise _invalid(f"expected webhook response of admission.k8s.io/v1, Kind={_REVIEW}, got {got}")
        _check_patch(response, mutating)
    elif mutating and response.get("patch"):
        response["patchType"] = "JSONPatch"
    return response


def _check_patch(response: Obj, mutating: bool) -> None:
    patch, kind = response.get("patch"), response.get("patchType")
    if not mutating and patch:
        raise _invalid("validating webhook may not return response.patch")
    if not mutating and kind is not None:
        raise _invalid("validating webhook may not return response.patchType")
    if patch and kind is None:
        raise _invalid("webhook returned response.patch but not response.patchType")
    if not patch and kind is not None:
        raise _invalid("webhook returned response.patchType but not response.patch")


def _invalid(why: str) -> CallError:
    return CallError(f"received invalid webhook response: {why}")


def denial(name: str, status: Obj | None) -> ApiError:
    """webhookerrors.ToStatusErr: the webhook's own Status with its name in front."""
    given = dict(status or {})
    told = f"admission webhook {go_quote(name)} denied the request"
    text = given.get("message") or given.get("reason")
    code = int(given.get("code") or 0)
    found: Obj = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": given.get("metadata") or {},
        "status": "Failure" if given.get("status") in (None, "", "Success") else given["status"],
        "message": f"{told}: {text}" if text else f"{told} without explanation",
        "reason": given.get("reason"),
        "details": given.get("details"),
        "code": code if code >= 400 else 400,
    }
    return ApiError({k: v for k, v in found.items() if v is not None})


def failure(hook: Hook, why: CallError) -> ApiError:
    """500 of a call that did not work and is not forgiven."""
    return errors.internal_error(f"failed calling webhook {go_quote(hook.name)}: {why}")
