"""POST of an object to its collection.

Stands for apiserver's endpoints/handlers/create.go: decode → default → managedFields → mutating admission → registry
(prepare, validate, validating admission, store).
"""

from __future__ import annotations

from fakeapi import errors, meta
from fakeapi.admission.base import CREATE, Attributes
from fakeapi.clock import rfc3339
from fakeapi.handlers.scope import Scope, check_options, is_dry_run, read_object
from fakeapi.managedfields import manager
from fakeapi.request import Answer, Request
from fakeapi.strategies.base import Context, Obj


async def create(scope: Scope, request: Request) -> Answer:
    """The new object, 201."""
    form = scope.accepted(request)
    check_options(request, "CreateOptions")
    obj = await read_object(scope, request)
    if obj["metadata"].get("resourceVersion"):
        raise errors.plain_500("resourceVersion should not be set on objects to be created")
    place(scope, request, obj)
    meta.wipe_system_fields(obj)
    meta.dedup_owners(obj, request.warnings)
    ctx = scope.context(request, is_dry_run(request))
    ctx.warnings = request.warnings
    obj = own(scope, request, obj)
    attributes = admission_attributes(scope, request, ctx, CREATE, obj, None)
    await scope.server.admission.admit(attributes)
    assert attributes.obj is not None
    await scope.server.authorizer.check_grant(request, attributes.obj, None)

    async def validate(new: Obj | None, old: Obj | None) -> None:
        attributes.obj, attributes.name = new, (new or {}).get("metadata", {}).get("name", "")
        await scope.server.admission.validate(attributes)

    stored = await scope.registry.create(attributes.obj, ctx, validate)
    return scope.answer(stored.raw, request, 201, form)


def place(scope: Scope, request: Request, obj: Obj) -> None:
    """EnsureObjectNamespaceMatchesRequestNamespace: the URL's namespace is the object's. ApiError 400."""
    metadata, wanted = obj["metadata"], request.info.namespace
    if not scope.row.namespaced:
        metadata.pop("namespace", None)
        return
    if metadata.get("namespace") and metadata["namespace"] != wanted:
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if wanted:
        metadata["namespace"] = wanted


def own(scope: Scope, request: Request, obj: Obj, live: Obj | None = None) -> Obj:
    """Default the object, record its managers (in the request's version) and take it to the storage version."""
    hub = scope.to_hub(obj)
    scope.default(hub)
    served = scope.from_hub(hub)
    served = manager.on_update(
        live,
        served,
        type=scope.type,
        manager=field_manager(request),
        api_version=scope.api_version,
        subresource=request.info.subresource,
        now=rfc3339(request.now),
        reset=scope.row.strategy.main_reset,
    )
    return scope.to_hub(served)


def field_manager(request: Request) -> str:
    """The fieldManager option, else what the User-Agent says."""
    return request.option("fieldManager") or manager.manager_from_user_agent(request.headers.get("user-agent", ""))


def admission_attributes(
    scope: Scope, request: Request, ctx: Context, operation: str, obj: Obj | None, old: Obj | None
) -> Attributes:
    """What admission is told of the request."""
    info = request.info
    return Attributes(
        operation=operation,
        group=scope.row.group,
        version=scope.version,
        resource=scope.row.plural,
        kind=scope.row.kind,
        namespace=info.namespace if scope.row.namespaced or scope.row.plural == "namespaces" else "",
        name=info.name or (obj or {}).get("metadata", {}).get("name", ""),
        subresource=info.subresource,
        obj=obj,
        old=old,
        user=request.user,
        dry_run=ctx.dry_run,
        warnings=request.warnings,
        namespaced=scope.row.namespaced,
        now=ctx.now,
        options=_options(request, operation),
    )


_OPTIONS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}


def _options(request: Request, operation: str) -> Obj:
    """The request's options as webhooks are shown them."""
    found: Obj = {"kind": _OPTIONS.get(operation, "CreateOptions"), "apiVersion": "meta.k8s.io/v1"}
    query = request.query
    if query:
        if "dryRun" in query:
            found["dryRun"] = query["dryRun"]
        for name in ("fieldManager", "fieldValidation"):
            if query.get(name):
                found[name] = query[name][0]
    return found
