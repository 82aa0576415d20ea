"""ResourceQuota: what would take a namespace beyond its quotas is refused, what is let in raises status.used.

Stands for apiserver's pkg/admission/plugin/resourcequota. A quota counts from when a controller (or anybody) has
written its status; lowering the usage is the controller's part. Leaves out the configuration file of limited resources.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict

import orjson

from fakeapi import errors, quota
from fakeapi.admission.base import CREATE, UPDATE, Attributes, Host, Obj, forbidden
from fakeapi.quota import Amounts
from fakeapi.request import User
from fakeapi.strategies.podspec.amounts import parse

NAME = "ResourceQuota"
_ATTEMPTS = 3
_SERVER = User("system:apiserver", ("system:masters",))
# Resources whose updates cost something too.
_GROWING = frozenset((("", "services"), ("", "persistentvolumeclaims")))


class ResourceQuota:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        self._reader = host.reader
        self._call = host.call
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def handles(self, attributes: Attributes) -> bool:
        """What may cost something: creations of namespaced objects, and some updates."""
        if not attributes.namespaced:
            return False
        if attributes.operation == CREATE:
            return not attributes.subresource
        if attributes.operation != UPDATE:
            return False
        key = (attributes.group, attributes.resource)
        return (key in _GROWING and not attributes.subresource) or (
            key == ("", "pods") and attributes.subresource == "resize"
        )

    async def admit(self, attributes: Attributes) -> None:
        """Nothing is changed."""

    async def validate(self, attributes: Attributes) -> None:
        """ApiError 403."""
        namespace = attributes.namespace
        if not await self._quotas(namespace):
            return
        async with self._locks[namespace]:
            for _ in range(_ATTEMPTS):
                changed = check(await self._quotas(namespace), attributes)
                if attributes.dry_run or all([await self._write(q) for q in changed]):
                    return
        raise errors.internal_error("resource quota evaluation timed out")

    async def _quotas(self, namespace: str) -> list[Obj]:
        parsed = await self._reader.parsed("", "resourcequotas", _whole)
        return [found for (where, _), found in parsed.items() if where == namespace]

    async def _write(self, changed: Obj) -> bool:
        """Store a quota's new usage; False when somebody else wrote first."""
        metadata = changed["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/resourcequotas/{metadata['name']}/status"
        headers = {"content-type": "application/json", "user-agent": "kube-apiserver"}
        answer = await self._call("PUT", path, headers, orjson.dumps(changed), _SERVER)
        return answer.status in (200, 404)


def _whole(obj: Obj) -> Obj:
    return obj


def check(quotas: list[Obj], attributes: Attributes) -> list[Obj]:
    """The quotas with their usage raised by the request, those that change. ApiError 403."""
    group, resource, obj = attributes.group, attributes.resource, attributes.obj or {}
    used = quota.usage(group, resource, obj)
    changed = []
    for found in quotas:
        status = found.get("status") or {}
        names = quota.matching(group, resource, status.get("hard") or {})
        if not names or not quota.in_scope(found, group, resource, obj):
            continue
        _check_stated(found, attributes, names, status)
        cost = used
        if attributes.operation == UPDATE and attributes.old and quota.in_scope(found, group, resource, attributes.old):
            cost = quota.grown(used, quota.usage(group, resource, attributes.old))
        asked = {n: a for n, a in cost.items() if n in status["hard"] and a}
        if asked:
            changed.append(_charged(found, attributes, asked))
    return changed


def _check_stated(found: Obj, attributes: Attributes, names: list[str], status: Obj) -> None:
    """The Pod says what the quota counts, and the quota's usage is known. ApiError 403."""
    name = found["metadata"]["name"]
    if attributes.resource == "pods" and not attributes.group:
        lacking = quota.missing(attributes.obj or {}, names)
        if lacking:
            raise _forbidden(attributes, f"failed quota: {name}: {lacking}")
    if set(names) - (status.get("used") or {}).keys():
        raise _forbidden(attributes, f"status unknown for quota: {name}, resources: {','.join(sorted(names))}")


def _charged(found: Obj, attributes: Attributes, asked: Amounts) -> Obj:
    status = found["status"]
    hard, before = parse(status["hard"]), parse(status.get("used"))
    after = quota.add(before, asked)
    over = sorted(n for n in asked if hard[n] < after[n])
    if over:
        told = ", ".join(
            f"{what}: {','.join(f'{n}={amounts[n]}' for n in over if n in amounts)}"
            for what, amounts in (("requested", asked), ("used", before), ("limited", hard))
        )
        raise _forbidden(attributes, f"exceeded quota: {found['metadata']['name']}, {told}")
    return {**found, "status": {**status, "used": quota.written(after)}}


def _forbidden(attributes: Attributes, text: str) -> errors.ApiError:
    return forbidden(attributes, text)
