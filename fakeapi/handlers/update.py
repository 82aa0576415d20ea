"""PUT of an object or of a subresource that has the object's kind.

Stands for apiserver's endpoints/handlers/update.go: managedFields and admission run inside the compare-and-swap loop.
"""

from __future__ import annotations

from fakeapi import errors, meta
from fakeapi.admission.base import CREATE, UPDATE
from fakeapi.clock import rfc3339
from fakeapi.handlers.create import admission_attributes, field_manager, own, place
from fakeapi.handlers.scope import Scope, check_options, is_dry_run, read_object
from fakeapi.managedfields import manager
from fakeapi.plain import copied
from fakeapi.request import Answer, Request
from fakeapi.strategies.base import Context, Obj


async def update(scope: Scope, request: Request) -> Answer:
    """The object as it is now; 201 where the PUT created it."""
    form = scope.accepted(request)
    check_options(request, "UpdateOptions")
    obj = await read_object(scope, request)
    place(scope, request, obj)
    check_name(request, obj)
    ctx = scope.context(request, is_dry_run(request))
    ctx.warnings = request.warnings
    steps = Steps(scope, request, ctx)
    hub = scope.to_hub(obj)
    scope.default(hub)

    async def transform(old: Obj | None) -> Obj:
        if old is None:
            return await steps.admit(own(scope, request, scope.from_hub(copied(hub))), None)
        return await steps.admit(steps.own_update(copied(hub), old), old)

    stored = await scope.registry.update(
        request.info.namespace if scope.row.namespaced else "",
        request.info.name,
        ctx,
        transform,
        rules=scope.rules(request.info.subresource),
        validate=steps.validate,
        create=scope.row.strategy.create_on_update and not request.info.subresource,
        precondition_uid=obj["metadata"].get("uid", ""),
    )
    return scope.answer(stored.raw, request, 201 if stored.created else 200, form)


def check_name(request: Request, obj: Obj) -> None:
    """The name in the body is the URL's. ApiError 400."""
    name, wanted = obj["metadata"].get("name", ""), request.info.name
    if not name:
        raise errors.bad_request(
            f"the name of the object ({wanted} based on URL) was undeterminable: name must be provided"
        )
    if name != wanted:
        raise errors.bad_request(f"the name of the object ({name}) does not match the name on the URL ({wanted})")


class Steps:
    """The steps of an update that run inside the registry's loop: managedFields, mutating and validating admission."""

    def __init__(self, scope: Scope, request: Request, ctx: Context) -> None:
        self.scope = scope
        self.request = request
        self.ctx = ctx

    def own_update(self, new: Obj, old: Obj, reset: tuple[str, ...] | None = None) -> Obj:
        """Record the Update in managedFields, in the request's version."""
        scope, request = self.scope, self.request
        strategy = scope.row.strategy
        if reset is None:
            reset = strategy.status_reset if request.info.subresource == "status" else strategy.main_reset
        served = manager.on_update(
            scope.from_hub(old),
            scope.from_hub(new),
            type=scope.type,
            manager=field_manager(request),
            api_version=scope.api_version,
            subresource=request.info.subresource,
            now=rfc3339(request.now),
            reset=reset,
        )
        return scope.to_hub(served)

    async def admit(self, new: Obj, old: Obj | None) -> Obj:
        """Mutating admission."""
        server = self.scope.server
        operation = UPDATE if old is not None else CREATE
        if old is None:
            await server.authorizer.check_create(self.request)
        attributes = admission_attributes(self.scope, self.request, self.ctx, operation, new, old)
        await server.admission.admit(attributes)
        assert attributes.obj is not None
        meta.dedup_owners(attributes.obj, self.request.warnings, after_admission=True)
        await server.authorizer.check_grant(self.request, attributes.obj, old)
        return attributes.obj

    async def validate(self, new: Obj | None, old: Obj | None) -> None:
        """Validating admission."""
        operation = UPDATE if old is not None else CREATE
        attributes = admission_attributes(self.scope, self.request, self.ctx, operation, new, old)
        await self.scope.server.admission.validate(attributes)
