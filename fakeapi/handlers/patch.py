"""PATCH in its four types: JSON, merge, strategic merge, apply.

Stands for apiserver's endpoints/handlers/patch.go. The patch runs on the object in the request's version, inside the
registry's compare-and-swap loop; a missing object is 404 before the patch is read. Apply creates what is absent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from fakeapi import codec, errors, gojson
from fakeapi.clock import rfc3339
from fakeapi.errors import ApiError
from fakeapi.gofmt import go_map
from fakeapi.handlers.create import field_manager, place
from fakeapi.handlers.get import check_name
from fakeapi.handlers.scope import MAX_BODY, Scope, check_options, is_dry_run, typed, unknown_conversion
from fakeapi.handlers.update import Steps
from fakeapi.handlers.update import check_name as check_object_name
from fakeapi.managedfields import conflicts, manager
from fakeapi.patch import in_go_order, json_patch, merge_patch, read_object, unknown_members
from fakeapi.request import Answer, Request
from fakeapi.schema.decode import DecodeError, decode
from fakeapi.schema.duplicates import duplicate_fields
from fakeapi.schema.restore import restore_error
from fakeapi.schema.types import Type
from fakeapi.strategicmerge import strategic_merge
from fakeapi.strategies.base import Obj

JSON, MERGE, STRATEGIC, APPLY = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
TYPES = (JSON, MERGE, STRATEGIC, APPLY)


def patch_type(scope: Scope, request: Request) -> str:
    """The patch's type. ApiError 415."""
    header = request.headers.get("content-type", "")
    media = header.split(";", 1)[0]
    served = TYPES if scope.type_is_built_in else (JSON, MERGE, APPLY)
    if media in served:
        return media
    if media.strip().lower() in TYPES or not scope.type_is_built_in:
        raise errors.unsupported_media_type(served)
    raise errors.generic(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})


async def patch(scope: Scope, request: Request) -> Answer:
    """The object as it is now; 201 where an apply created it."""
    form = scope.accepted(request)
    kind = patch_type(scope, request)
    check_name(request.info.name)
    check_options(request, "PatchOptions", apply=kind == APPLY)
    data = await request.read()
    if len(data) > MAX_BODY:
        raise errors.too_large(f"Request entity too large: limit is {MAX_BODY}")
    ctx = scope.context(request, is_dry_run(request))
    ctx.warnings = request.warnings
    steps = Steps(scope, request, ctx)
    applying = kind == APPLY
    applier = Applier(scope, request, scope.type, scope.api_version, scope.row.kind) if applying else None

    async def transform(old: Obj | None) -> Obj:
        if applier is not None:
            new = applier.apply(scope.from_hub(old) if old is not None else None, data)
            if old is None and (uid := new["metadata"].get("uid")):
                why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                raise errors.conflict(scope.row.group, scope.row.plural, info.name, why)
        else:
            assert old is not None
            new = patched(scope, request, scope.from_hub(old), data, kind, scope.type)
        place(scope, request, new)
        check_object_name(request, new)
        hub = scope.to_hub(new)
        scope.default(hub)
        if applier is None:
            assert old is not None
            hub = steps.own_update(hub, old)
        return await steps.admit(hub, old)

    info = request.info
    stored = await scope.registry.update(
        info.namespace if scope.row.namespaced else "",
        info.name,
        ctx,
        transform,
        rules=scope.rules(info.subresource),
        validate=steps.validate,
        create=applying and not info.subresource,
    )
    return scope.answer(stored.raw, request, 201 if stored.created else 200, form)


def patched(scope: Scope, request: Request, old: Obj, data: bytes, kind: str, type_: Type) -> Obj:
    """The object after a JSON, merge or strategic patch, decoded again by type. ApiError 4xx."""
    if kind == STRATEGIC:
        body = read_object(data, prefix="")
        aside = _set_aside(scope, request, old, body)
        merged = strategic_merge({k: v for k, v in old.items() if k not in aside}, body, type_)
        _complain(duplicate_fields(data, body), request, lambda: go_map(read_object(data, prefix="")))
        found = _decoded(
            scope, merged, old, request, type_, lambda: go_map(read_object(data, prefix="")), converted=True
        )
        both = {**found, **aside}
        return {name: both[name] for name in type_.fields if name in both} if aside else found

    def run(doc: Obj) -> Any:
        apply = merge_patch if kind == MERGE else json_patch
        return apply(doc, data, validating=request.option("fieldValidation") != "Ignore")

    merged = run(old)

    def shown() -> str:
        return orjson.dumps(run(in_go_order(old, type_))).decode()

    repeated = duplicate_fields(data)
    complaints = [f"json patch {text}" for text in repeated] + unknown_members(data) if kind == JSON else repeated
    _complain(complaints, request, shown)
    return _decoded(scope, merged, old, request, type_, shown)


def _set_aside(scope: Scope, request: Request, old: Obj, body: Obj) -> Obj:
    """The fields that a patch of the status does not name: the old object's whatever comes, and so not read again."""
    rules = scope.rules(request.info.subresource)
    if rules is None or not rules.only:
        return {}
    own = {"kind", "apiVersion", "metadata", rules.only}
    return {k: v for k, v in old.items() if k not in own and not any(key.endswith(k) for key in body)}


def _complain(found: list[str], request: Request, shown: Callable[[], str]) -> None:
    """What strict reading of the patch itself finds: a warning each, or 422."""
    mode = request.option("fieldValidation") or "Warn"
    if found and mode == "Strict":
        why = f"strict decoding error: {', '.join(found)}"
        raise errors.invalid_object("", "", "", [errors.invalid("patch", shown(), why)])
    if mode != "Ignore":
        request.warnings += found


def _decoded(
    scope: Scope,
    merged: Any,
    old: Obj,
    request: Request,
    type_: Type,
    shown: Callable[[], str],
    converted: bool = False,
) -> Obj:
    """Type the patched document; a failure is upstream's 422 with an empty kind.

    converted: upstream puts it into the Go struct by its converter (strategic merge), whose words for a failure differ.
    """

    def refuse(why: str) -> ApiError:
        why = (restore_error(merged, type_) if converted else "") or why
        return errors.invalid_object("", "", "", [errors.invalid("patch", shown(), why)])

    kind, api_version = old["kind"], old["apiVersion"]

    if not isinstance(merged, dict):
        raise refuse(f"json: cannot unmarshal {gojson.kind_of(merged)} into Go value of type {type_.go}")
    merged = {"kind": kind, "apiVersion": api_version} | merged
    if (merged["kind"], merged["apiVersion"]) != (kind, api_version) and not scope.custom(type_):
        raise refuse(_other_kind(scope, merged))
    return typed(merged, type_, request, found_kind="", version="", wrap=refuse, custom=scope.custom(type_))


def _other_kind(scope: Scope, merged: Obj) -> str:
    """What is wrong with a patch that makes an object one of another kind: it is read as such, and goes nowhere."""
    kind, api_version = str(merged["kind"]), str(merged["apiVersion"])
    definition = scope.definition_of(api_version, kind)
    if definition is None:
        return f'no kind "{kind}" is registered for version "{api_version}" in scheme "{codec.SCHEME}"'
    try:
        decode(merged, scope.server.definitions.type(definition))
    except DecodeError as error:
        return str(error)
    return unknown_conversion(api_version, kind, scope.row.group, scope.row.kind)


class Applier:
    """Server-side apply of one body: parsed once, merged again each time the loop runs."""

    def __init__(self, scope: Scope, request: Request, type_: Type, api_version: str, kind: str) -> None:
        self.scope, self.request, self.type, self.api_version, self.kind = scope, request, type_, api_version, kind

    def apply(self, live: Obj | None, data: bytes) -> Obj:
        """The live object (in the request's version) with the body applied. ApiError 400, 409, 500."""
        request = self.request
        strategy = self.scope.row.strategy
        body = self._parse(data)
        merged = manager.on_apply(
            live,
            body,
            type=self.type,
            kind=self.kind,
            manager=field_manager(request),
            force=request.flag("force"),
            api_version=self.api_version,
            subresource=request.info.subresource,
            now=rfc3339(request.now),
            reset=strategy.status_reset if request.info.subresource == "status" else strategy.main_reset,
        )
        custom = self.scope.custom(self.type)

        def refuse(why: str) -> ApiError:
            target = conflicts.kind_text(self.api_version, self.kind)
            why = f"unable to convert unstructured object to {target}: {restore_error(merged, self.type) or why}"
            name = conflicts.object_text(body, self.api_version)
            return errors.plain_500(f"failed to convert new object ({name}) to proper version: {why}")

        obj = typed(
            merged,
            self.type,
            request,
            found_kind=self.kind,
            version=self.api_version,
            wrap=None if custom is not None else refuse,
            custom=custom,
        )
        self._complain_of_repetitions(data)
        return obj

    def _parse(self, data: bytes) -> Obj:
        try:
            value = gojson.parse_yaml(data)
        except gojson.JsonError as error:
            raise errors.bad_request(f"error decoding YAML: error converting YAML to JSON: {error}") from None
        if value is None:
            return {}
        if not isinstance(value, dict):
            what = gojson.kind_of(value)
            text = f"json: cannot unmarshal {what} into Go value of type map[string]interface {{}}"
            raise errors.bad_request(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {text}")
        return value

    def _complain_of_repetitions(self, data: bytes) -> None:
        """Keys that are there twice are told of once everything else is well. ApiError 400 in Strict mode."""
        mode = self.request.option("fieldValidation") or "Warn"
        repeated = gojson.yaml_duplicates(data) if mode != "Ignore" else []
        if not repeated:
            return
        if mode == "Strict":
            text = gojson.unmarshal_errors(repeated)
            raise errors.bad_request(f"error strict decoding YAML: error converting YAML to JSON: {text}")
        self.request.warnings += repeated
