"""The scale subresource of built-in workloads and of custom resources: autoscaling/v1 Scale over an object.

Stands for pkg/registry/*/storage ScaleREST and apiextensions' scale storage. Where the number of replicas, the status's
and the selector are is SCALES' row (or the CRD's scale stanza, which makes one).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from msgspec import Struct

from fakeapi import errors, selectors, views
from fakeapi.admission.base import UPDATE, Attributes
from fakeapi.clock import rfc3339
from fakeapi.codec import Form
from fakeapi.handlers import patch as patching
from fakeapi.handlers.create import admission_attributes, field_manager, place
from fakeapi.handlers.scope import Scope, accepted, check_options, is_dry_run, read_object
from fakeapi.handlers.update import check_name
from fakeapi.managedfields import manager
from fakeapi.managedfields.scale import SCALE_VERSION, to_parent, to_scale
from fakeapi.registry import Rules, Stored
from fakeapi.request import Answer, Request
from fakeapi.strategies.base import Column, Obj, Printer
from fakeapi.strategies.podspec.printing import AGE, CREATED_TEXT, NAME, NAME_TEXT, since

DEFINITION = "io.k8s.api.autoscaling.v1.Scale"
_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


class Paths(Struct, frozen=True):
    """Where a parent has its replicas, what its status says of them, and its selector (text or LabelSelector)."""

    spec: tuple[str, ...] = ("spec", "replicas")
    status: tuple[str, ...] = ("status", "replicas")
    selector: tuple[str, ...] = ("spec", "selector")

    @property
    def field(self) -> tuple[str, ...]:
        """The replicas in managedFields' form."""
        return tuple(f"f:{key}" for key in self.spec)


_BUILT_IN = Paths()


def paths_of(scope: Scope) -> Paths:
    """By the definition's scale stanza, or as all built-in kinds have them."""
    custom = scope.row.custom
    if custom is None or custom.scale is None:
        return _BUILT_IN
    keys = (custom.scale.get(name, "") for name in ("specReplicasPath", "statusReplicasPath", "labelSelectorPath"))
    return Paths(*(tuple(key for key in path.split(".") if key) for path in keys))


def _at(obj: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        obj = obj.get(key) if isinstance(obj, dict) else None
    return obj if keys else None


def scale_of(parent: Obj, api_version: str, paths: Paths = _BUILT_IN) -> Obj:
    """The Scale that shows the parent (in its served version)."""
    metadata = {k: parent["metadata"][k] for k in _METADATA if k in parent["metadata"]}
    entries = to_scale(parent["metadata"].get("managedFields") or [], mappings(api_version, paths))
    if entries:
        metadata["managedFields"] = entries
    replicas = _at(parent, paths.status) or 0
    shown: Obj = {
        "kind": "Scale",
        "apiVersion": SCALE_VERSION,
        "metadata": metadata,
        "spec": {},
        "status": {"replicas": replicas},
    }
    if _at(parent, paths.spec):
        shown["spec"]["replicas"] = _at(parent, paths.spec)
    selector = _at(parent, paths.selector)
    text = selector if isinstance(selector, str) else selector_text(selector)
    if text:
        shown["status"]["selector"] = text
    return shown


def selector_text(selector: Any) -> str:
    """status.selector: the parent's selector in query form."""
    if not selector:
        return ""
    plain = not ({"matchLabels", "matchExpressions"} & selector.keys())
    return str(selectors.from_map(selector) if plain else selectors.from_label_selector(selector))


def mappings(api_version: str, paths: Paths = _BUILT_IN) -> dict[str, tuple[str, ...] | None]:
    """Where each served version of the parent keeps its replicas, for managedFields."""
    return {api_version: paths.field}


def _cells(shown: Obj, now: float) -> list[Any]:
    metadata = shown["metadata"]
    age = since(metadata.get("creationTimestamp"), now)
    return [metadata.get("name", ""), shown["spec"].get("replicas", 0), shown["status"]["replicas"], age]


# Built-in kinds' Scales are printed by kubernetes' own table, custom ones by apiextensions', which types two columns
# more.
_COUNTS = (
    Column("Desired", "integer", description="Number of desired pods."),
    Column("Available", "integer", description="Number of pods that there are."),
)
_PRINTER = Printer((Column("Name", description=NAME_TEXT), *_COUNTS, AGE), _cells)
_CUSTOM_PRINTER = Printer((NAME, *_COUNTS, Column("Age", "date", description=CREATED_TEXT)), _cells)


def _shown(scope: Scope, request: Request, form: Form, parent: Obj) -> Answer:
    """The parent's Scale as clients see it: without managedFields."""
    shown = scale_of(scope.from_hub(parent), scope.api_version, paths_of(scope))
    shown["metadata"].pop("managedFields", None)
    if form.view == "Table":
        include = views.check_include(request.option("includeObject"))
        metadata = {"resourceVersion": shown["metadata"].get("resourceVersion", "")}
        printer = _CUSTOM_PRINTER if scope.row.custom is not None else _PRINTER
        shown = views.table([shown], metadata, views.Tabling(printer, form, request.now, include))
    elif form.view == "PartialObjectMetadata":
        shown = views.partial(shown, form.version)
    return Answer(200, form.encode(shown), form.media)


async def _get(scope: Scope, request: Request) -> Answer:
    form = accepted(request)
    entry = await scope.registry.current(request.info.namespace, request.info.name)
    parent = orjson.loads(entry.value)
    parent["metadata"]["resourceVersion"] = str(entry.revision)
    return _shown(scope, request, form, parent)


async def _put(scope: Scope, request: Request) -> Answer:
    accepted(request)
    check_options(request, "UpdateOptions")
    body = await read_object(scope, request, "Scale", "autoscaling", "v1", scope.server.definitions.type(DEFINITION))
    place(scope, request, body)
    check_name(request, body)

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


async def _write(scope: Scope, request: Request, transform: Callable[[Obj], Obj]) -> Answer:
    """Carry a new Scale over to the parent, inside the registry's loop."""
    form = accepted(request)
    ctx = scope.context(request, is_dry_run(request))
    ctx.warnings = request.warnings
    server = scope.server

    def attributes(new: Obj, old: Obj) -> Attributes:
        """Admission sees Scales, not what is scaled."""
        found = admission_attributes(scope, request, ctx, UPDATE, new, old)
        found.kind, found.kind_group, found.kind_version = "Scale", "autoscaling", "v1"
        return found

    def shown_of(hub: Obj) -> Obj:
        return scale_of(scope.from_hub(orjson.loads(orjson.dumps(hub))), scope.api_version, paths_of(scope))

    async def validate(new: Obj | None, old: Obj | None) -> None:
        assert new is not None
        assert old is not None
        await server.admission.validate(attributes(shown_of(new), shown_of(old)))

    async def step(old: Obj | None) -> Obj:
        assert old is not None
        parent = scope.from_hub(orjson.loads(orjson.dumps(old)))
        shown = scale_of(parent, scope.api_version, paths_of(scope))
        admitted = attributes(transform(shown), shown)
        await server.admission.admit(admitted)
        wanted = admitted.obj
        assert wanted is not None
        if scope.row.custom is None:
            _check(wanted, request)
        _carry(parent, wanted, scope)
        return scope.to_hub(parent)

    info = request.info
    rules = Rules(scope.row.strategy.prepare_update, scope.row.strategy.validate_update, scope.registry.main.reset)
    stored: Stored = await scope.registry.update(info.namespace, info.name, ctx, step, rules=rules, validate=validate)
    return _shown(scope, request, form, orjson.loads(stored.raw))


def _check(wanted: Obj, request: Request) -> None:
    replicas = (wanted.get("spec") or {}).get("replicas", 0)
    if replicas < 0:
        found = [errors.invalid("spec.replicas", replicas, "must be greater than or equal to 0")]
        raise errors.invalid_object("autoscaling", "Scale", request.info.name, found)


def _carry(parent: Obj, wanted: Obj, scope: Scope) -> None:
    paths = paths_of(scope)
    holder = parent
    for key in paths.spec[:-1]:
        holder = holder.setdefault(key, {})
    holder[paths.spec[-1]] = (wanted.get("spec") or {}).get("replicas", 0)
    metadata, given = parent["metadata"], wanted["metadata"]
    current = metadata.get("resourceVersion", "")
    if given.get("resourceVersion"):
        metadata["resourceVersion"] = given["resourceVersion"]
    else:
        metadata.pop("resourceVersion", None)
        if scope.row.custom is not None:
            metadata["resourceVersion"] = current
    if given.get("uid") and given["uid"] != metadata["uid"]:
        raise errors.conflict(
            scope.row.group, scope.row.plural, metadata["name"], uid_mismatch(scope, metadata, given["uid"])
        )
    entries = to_parent(
        metadata.get("managedFields") or [],
        given.get("managedFields") or [],
        scope.api_version,
        mappings(scope.api_version, paths),
    )
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
