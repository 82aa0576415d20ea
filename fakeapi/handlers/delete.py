"""DELETE of one object and of a collection.

Stands for apiserver's endpoints/handlers/delete.go: options from the body (which beat the query's), preconditions,
grace, propagation; the answer is the object while it lives on, else a Status (or the object, for the kinds that answer
it).
"""

from __future__ import annotations

from typing import Any

from fakeapi import codec, errors, gojson
from fakeapi.admission.base import DELETE
from fakeapi.deletion import DeleteOptions
from fakeapi.errors import ApiError, FieldError
from fakeapi.handlers import list as listing
from fakeapi.handlers.create import admission_attributes
from fakeapi.handlers.scope import Scope, check_dry_run, loads
from fakeapi.registry import Stored
from fakeapi.request import Answer, Request
from fakeapi.strategies.base import Context, Obj

_SCHEME = "pkg/apis/meta/internalversion/scheme/register.go:27"
POLICIES = ("Foreground", "Background", "Orphan", "nil")


async def delete(scope: Scope, request: Request) -> Answer:
    """The object, or a Status with its uid."""
    form = scope.accepted(request)
    options = await read_options(request, scope)
    refuse = scope.row.strategy.undeletable
    if refuse is not None and (reason := refuse(request.info.name)):
        raise errors.forbidden_object(scope.row.group, scope.row.plural, request.info.name, reason)
    ctx = scope.context(request, options.dry_run)
    ctx.warnings = request.warnings
    stored = await _delete_one(scope, request, ctx, request.info.namespace, request.info.name, options)
    strategy = scope.row.strategy
    if strategy.delete_warning and not options.policy and strategy.default_propagation == "Orphan":
        request.warnings.append(strategy.delete_warning)
    if not stored.deleted or scope.row.strategy.delete_returns_object:
        return scope.answer(stored.raw, request, 202 if options.cascade and not stored.deleted else 200, form)
    metadata = loads(stored.raw)["metadata"]
    found = errors.details(metadata["name"], scope.row.group, scope.row.plural, uid=metadata["uid"])
    return Answer(200, form.encode(success(found)), form.media)


def success(details: dict[str, Any]) -> Obj:
    """The Status of a completed delete."""
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


async def _delete_one(
    scope: Scope, request: Request, ctx: Context, namespace: str, name: str, options: DeleteOptions
) -> Stored:
    attributes = admission_attributes(scope, request, ctx, DELETE, None, None)
    # Of a collection admission is told no name, as upstream's attributes are made once for all of it.
    attributes.name = request.info.name

    async def validate(new: Obj | None, old: Obj | None) -> None:
        attributes.old = old
        await scope.server.admission.admit(attributes)
        await scope.server.admission.validate(attributes)

    return await scope.registry.delete(namespace if scope.row.namespaced else "", name, ctx, options, validate)


async def delete_collection(scope: Scope, request: Request) -> Answer:
    """Every object that the list options select, as they were before."""
    form = scope.accepted(request)
    options = await read_options(request, scope)
    page = await listing.select(scope, request)
    ctx = scope.context(request, options.dry_run)
    ctx.warnings = request.warnings
    for item in page.items:
        try:
            await _delete_one(scope, request, ctx, item.namespace, item.name, options)
        except ApiError as error:
            if error.code != 404:
                raise
    return listing.answer(scope, request, page, form)


async def read_options(request: Request, scope: Scope) -> DeleteOptions:
    """DeleteOptions of the body, or of the query where there is no body. ApiError 400, 422."""
    data = await request.read()
    return options_from(_options_of_body(data, request, scope) if data else _options_of_query(request))


def options_from(raw: Obj) -> DeleteOptions:
    """DeleteOptions of their JSON form. ApiError 422."""
    found = _check(raw)
    if found:
        raise errors.invalid_object("meta.k8s.io", "DeleteOptions", "", found)
    preconditions = raw.get("preconditions") or {}
    policy = raw.get("propagationPolicy") or ""
    if raw.get("orphanDependents") is not None and not policy:
        policy = "Orphan" if raw["orphanDependents"] else "Background"
    return DeleteOptions(
        grace=raw.get("gracePeriodSeconds"),
        policy=policy,
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
        dry_run="All" in (raw.get("dryRun") or ()),
        cascade=raw.get("orphanDependents") is False,
    )


def _options_of_body(data: bytes, request: Request, scope: Scope) -> Obj:
    media = codec.body_media_type(request.headers.get("content-type", ""))
    try:
        value = codec.parse_body(data, media, scope.definition_of)
    except gojson.JsonError as error:
        raise errors.bad_request(str(error)) from None
    kind = value.get("kind") or "DeleteOptions"
    if kind != "DeleteOptions":
        # A foreign API version's DeleteOptions are taken for the meta group's, other kinds are not known to its scheme.
        version = value.get("apiVersion") or scope.api_version
        raise errors.bad_request(f'no kind "{kind}" is registered for version "{version}" in scheme "{_SCHEME}"')
    _check_types(value)
    return value


_TYPES: dict[str, tuple[type, str]] = {
    "gracePeriodSeconds": (int, "int64"),
    "propagationPolicy": (str, "v1.DeletionPropagation"),
    "orphanDependents": (bool, "bool"),
    "dryRun": (list, "[]string"),
    "preconditions": (dict, "v1.Preconditions"),
}


def _check_types(value: Obj) -> None:
    for field, (wanted, go) in _TYPES.items():
        given = value.get(field)
        if given is not None and (not isinstance(given, wanted) or (wanted is int and isinstance(given, bool))):
            text = (
                f"json: cannot unmarshal {gojson.kind_of(given)} into Go struct field DeleteOptions.{field} of type"
                f" {go}"
            )
            raise errors.bad_request(text)


def _options_of_query(request: Request) -> Obj:
    options: Obj = {}
    if text := request.option("gracePeriodSeconds"):
        try:
            options["gracePeriodSeconds"] = int(text)
        except ValueError:
            raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None
    if policy := request.option("propagationPolicy"):
        options["propagationPolicy"] = policy
    if "orphanDependents" in request.query:
        options["orphanDependents"] = request.flag("orphanDependents")
    if "dryRun" in request.query:
        options["dryRun"] = request.query["dryRun"]
    return options


def _check(raw: Obj) -> list[FieldError]:
    """ValidateDeleteOptions."""
    found = []
    policy = raw.get("propagationPolicy")
    if raw.get("orphanDependents") is not None and policy is not None:
        found.append(
            errors.invalid("propagationPolicy", policy, "orphanDependents and deletionPropagation cannot be both set")
        )
    if policy is not None and policy not in POLICIES[:3]:
        found.append(errors.not_supported("propagationPolicy", policy, POLICIES))
    return found + check_dry_run(raw.get("dryRun"))
