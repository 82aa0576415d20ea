"""The scale subresource of built-in workloads and of custom resources: autoscaling/v1 Scale over an object.

Stands for pkg/registry/*/storage ScaleREST and apiextensions' scale storage. Where the number of replicas, the status's and
the selector are is SCALES' row (or the CRD's scale stanza, which makes one).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from fakeapi import errors, selectors
from fakeapi.clock import rfc3339
from fakeapi.codec import Form
from fakeapi.handlers import patch as patching
from fakeapi.handlers.create import field_manager
from fakeapi.handlers.scope import Scope, accepted, check_options, is_dry_run, read_object
from fakeapi.handlers.update import Steps
from fakeapi.managedfields import manager
from fakeapi.managedfields.scale import SCALE_VERSION, to_parent, to_scale
from fakeapi.registry import Rules, Stored
from fakeapi.request import Answer, Request
from fakeapi.strategies.base import Obj

DEFINITION = "io.k8s.api.autoscaling.v1.Scale"
_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(parent: Obj, api_version: str) -> Obj:
    """The Scale that shows the parent (in its served version)."""
    metadata = {k: parent["metadata"][k] for k in _METADATA if k in parent["metadata"]}
    spec, status = parent.get("spec") or {}, parent.get("status") or {}
    entries = to_scale(parent["metadata"].get("managedFields") or [], mappings(api_version))
    if entries:
        metadata["managedFields"] = entries
    shown: Obj = {"kind": "Scale", "apiVersion": SCALE_VERSION, "metadata": metadata, "spec": {}, "status": {"replicas": status.get("replicas", 0)}}
    if spec.get("replicas"):
        shown["spec"]["replicas"] = spec["replicas"]
    text = selector_text(spec.get("selector"))
    if text:
        shown["status"]["selector"] = text
    return shown


def selector_text(selector: Any) -> str:
    """status.selector: the parent's selector in query form."""
    if not selector:
        return ""
    plain = not ({"matchLabels", "matchExpressions"} & selector.keys())
    return str(selectors.from_map(selector) if plain else selectors.from_label_selector(selector))


def mappings(api_version: str) -> dict[str, tuple[str, ...] | None]:
    """Where each served version of the parent keeps its replicas, for managedFields."""
    return {api_version: ("f:spec", "f:replicas")}


async def _get(scope: Scope, request: Request) -> Answer:
    form = accepted(request)
    entry = await scope.registry.current(request.info.namespace, request.info.name)
    parent = orjson.loads(entry.value)
    parent["metadata"]["resourceVersion"] = str(entry.revision)
    return _show(scope, parent, form)


def _show(scope: Scope, parent: Obj, form: Form) -> Answer:
    """The Scale as clients see it, which is without managedFields."""
    shown = scale_of(scope.from_hub(parent), scope.api_version)
    shown["metadata"].pop("managedFields", None)
    return Answer(200, form.encode(shown), form.media)


async def _put(scope: Scope, request: Request) -> Answer:
    accepted(request)
    check_options(request, "UpdateOptions")
    body = await read_object(scope, request, "Scale", "autoscaling", "v1", scope.server.definitions.type(DEFINITION))
    _check_name(request, body)

    def transform(shown: Obj) -> Obj:
        # A copy, since the loop may run again.
        given: Obj = orjson.loads(orjson.dumps(body))
        return _own(request, scope, shown, given)

    return await _write(scope, request, transform)


async def _patch(scope: Scope, request: Request) -> Answer:
    accepted(request)
    kind = patching.patch_type(scope, request)
    check_options(request, "PatchOptions", apply=kind == patching.APPLY)
    data = await request.read()
    type_ = scope.server.definitions.type(DEFINITION)
    applier = patching.Applier(scope, request, type_, SCALE_VERSION, "Scale")

    def transform(shown: Obj) -> Obj:
        if kind == patching.APPLY:
            return applier.apply(shown, data)
        return _own(request, scope, shown, patching.patched(scope, request, shown, data, kind, type_))

    return await _write(scope, request, transform)


def _own(request: Request, scope: Scope, shown: Obj, given: Obj) -> Obj:
    return manager.on_update(
        shown,
        given,
        type=scope.server.definitions.type(DEFINITION),
        manager=field_manager(request),
        api_version=SCALE_VERSION,
        subresource="scale",
        now=rfc3339(request.now),
    )


def _check_name(request: Request, body: Obj) -> None:
    name = body["metadata"].get("name", "")
    if name and name != request.info.name:
        raise errors.bad_request(f"the name of the object ({name}) does not match the name on the URL ({request.info.name})")


async def _write(scope: Scope, request: Request, transform: Callable[[Obj], Obj]) -> Answer:
    """Carry a new Scale over to the parent, inside the registry's loop."""
    form = accepted(request)
    ctx = scope.context(request, is_dry_run(request))
    ctx.warnings = request.warnings
    steps = Steps(scope, request, ctx)

    async def step(old: Obj | None) -> Obj:
        assert old is not None
        parent = scope.from_hub(orjson.loads(orjson.dumps(old)))
        shown = scale_of(parent, scope.api_version)
        wanted = transform(shown)
        _check(wanted, request)
        _carry(parent, wanted, scope)
        return await steps.admit(scope.to_hub(parent), old)

    info = request.info
    rules = Rules(scope.row.strategy.prepare_update, scope.row.strategy.validate_update, scope.registry.main.reset)
    stored: Stored = await scope.registry.update(info.namespace, info.name, ctx, step, rules=rules, validate=steps.validate)
    return _show(scope, orjson.loads(stored.raw), form)


def _check(wanted: Obj, request: Request) -> None:
    replicas = (wanted.get("spec") or {}).get("replicas", 0)
    if replicas < 0:
        found = [errors.invalid("spec.replicas", replicas, "must be greater than or equal to 0")]
        raise errors.invalid_object("autoscaling", "Scale", request.info.name, found)


def _carry(parent: Obj, wanted: Obj, scope: Scope) -> None:
    parent["spec"]["replicas"] = (wanted.get("spec") or {}).get("replicas", 0)
    metadata, given = parent["metadata"], wanted["metadata"]
    if given.get("resourceVersion"):
        metadata["resourceVersion"] = given["resourceVersion"]
    else:
        metadata.pop("resourceVersion", None)
    if given.get("uid") and given["uid"] != metadata["uid"]:
        raise errors.conflict(scope.row.group, scope.row.plural, metadata["name"], uid_mismatch(scope, metadata, given["uid"]))
    entries = to_parent(metadata.get("managedFields") or [], given.get("managedFields") or [], scope.api_version, mappings(scope.api_version))
    metadata.pop("managedFields", None)
    if entries:
        metadata["managedFields"] = entries


def uid_mismatch(scope: Scope, metadata: Obj, given: str) -> str:
    """The text of a storage precondition that does not hold."""
    key = scope.registry.cache.key(metadata.get("namespace", ""), metadata["name"])
    return (
        f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
        f"Precondition failed: UID in precondition: {given}, UID in object meta: {metadata['uid']}"
    )


SCALE: dict[str, Callable[[Scope, Request], Awaitable[Answer]]] = {"get": _get, "update": _put, "patch": _patch}
