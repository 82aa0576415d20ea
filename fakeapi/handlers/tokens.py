"""serviceaccounts/token: a token for an account, bound to a Pod, Secret or Node where the request says so.

Stands for pkg/registry/core/serviceaccount/storage's TokenREST. Also the two documents by which others check our
tokens:
the OpenID configuration and the keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fakeapi import errors, meta
from fakeapi.admission.base import CREATE
from fakeapi.clock import rfc3339
from fakeapi.codec import PLAIN
from fakeapi.errors import FieldError
from fakeapi.handlers.create import admission_attributes, field_manager, place
from fakeapi.handlers.reviews import form_of
from fakeapi.handlers.scope import Scope, check_options, is_dry_run, read_object
from fakeapi.managedfields import manager
from fakeapi.request import Answer, Request
from fakeapi.strategies.base import Obj

if TYPE_CHECKING:
    from fakeapi.app import ApiServer

KIND, GROUP, VERSION = "TokenRequest", "authentication.k8s.io", "v1"
DEFINITION = "io.k8s.api.authentication.v1.TokenRequest"
SECONDS = 3600
_MINIMUM, _MAXIMUM = 600, 1 << 32
# A Pod's projected token asks for this many seconds and lives a year, so that clients that do not reload keep working.
_EXTENDED, _EXTENSION = 3607, 365 * 24 * 3600
_JWK_SET = "application/jwk-set+json"


async def create(scope: Scope, request: Request) -> Answer:
    """A TokenRequest with its status. ApiError 4xx."""
    form = form_of(request)
    check_options(request, "CreateOptions")
    definitions = scope.server.definitions
    body = await read_object(scope, request, KIND, GROUP, VERSION, definitions.type(DEFINITION))
    place(scope, request, body)
    body = _own(scope, request, body)
    ctx = scope.context(request, is_dry_run(request))
    attributes = admission_attributes(scope, request, ctx, CREATE, body, None)
    attributes.kind = KIND
    await scope.server.admission.admit(attributes)
    info = request.info
    _check_name(body, info.name)
    account = await scope.registry.current(info.namespace, info.name)
    found = _check(body)
    if found:
        raise errors.invalid_object(GROUP, KIND, "", found)
    await scope.server.admission.validate(attributes)
    answer = await _issue(scope, request, body, account.value)
    return Answer(201, form.encode(answer), form.media)


def _own(scope: Scope, request: Request, body: Obj) -> Obj:
    """Default the request and record its manager."""
    spec = body.setdefault("spec", {})
    if spec.get("expirationSeconds") is None:
        spec["expirationSeconds"] = SECONDS
    return manager.on_update(
        None,
        body,
        type=scope.server.definitions.type(DEFINITION),
        manager=field_manager(request),
        api_version=f"{GROUP}/{VERSION}",
        subresource="token",
        now=rfc3339(request.now),
        reset=("status",),
    )


def _check_name(body: Obj, name: str) -> None:
    """The name of the body, where it has one, is the URL's. ApiError 422."""
    given = body["metadata"].get("name")
    if given and given != name:
        found = errors.invalid("metadata.name", given, "must match the service account name if specified")
        raise errors.invalid_object(GROUP, KIND, name, [found])


def _check(body: Obj) -> list[FieldError]:
    """ValidateTokenRequest."""
    seconds, path = body["spec"]["expirationSeconds"], "spec.expirationSeconds"
    if seconds < _MINIMUM:
        return [errors.invalid(path, seconds, "may not specify a duration less than 10 minutes")]
    if seconds > _MAXIMUM:
        return [errors.invalid(path, seconds, "may not specify a duration larger than 2^32 seconds")]
    return []


async def _issue(scope: Scope, request: Request, body: Obj, stored: bytes) -> Obj:
    from fakeapi.handlers.scope import loads

    server, spec, account = scope.server, body["spec"], loads(stored)
    accounts = server.accounts
    if accounts is None:
        raise errors.page_not_found()
    audiences = spec.get("audiences") or list(accounts.audiences)
    bound, pod = await _bound(scope, request, spec.get("boundObjectRef"))
    seconds = _limited(request, spec["expirationSeconds"], int(server.config.service_account_max_expiration))
    life, warn_after = seconds, 0
    if pod and seconds == _EXTENDED and set(audiences) <= set(accounts.audiences):
        life, warn_after = _EXTENSION, seconds
    token = accounts.issue(account, audiences, life, jti=meta.new_uid(server.rng), bound=bound, warn_after=warn_after)
    metadata = {
        **body["metadata"],
        "name": request.info.name,
        "namespace": request.info.namespace,
        "uid": meta.new_uid(server.rng),
        "creationTimestamp": rfc3339(request.now),
    }
    told = {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": spec.get("boundObjectRef")}
    status = {"token": token, "expirationTimestamp": rfc3339(request.now + seconds)}
    return {"kind": KIND, "apiVersion": f"{GROUP}/{VERSION}", "metadata": metadata, "spec": told, "status": status}


def _limited(request: Request, seconds: int, limit: int) -> int:
    """--service-account-max-token-expiration."""
    if not limit or seconds <= limit:
        return seconds
    request.warnings.append(f"requested expiration of {seconds} seconds shortened to {limit} seconds")
    return limit


async def _bound(scope: Scope, request: Request, reference: Obj | None) -> tuple[dict[str, Any], bool]:
    """The claims of what the token is bound to, and whether that is a Pod. ApiError 400, 404, 409."""
    if reference is None:
        return {}, False
    kind, version, name = reference.get("kind", ""), reference.get("apiVersion", ""), reference.get("name", "")
    plural = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}.get(kind) if version == "v1" else None
    if plural is None:
        group, _, bare = version.rpartition("/")
        raise errors.bad_request(f"cannot bind token to object of type {group}/{bare}, Kind={kind}")
    if not name:
        raise errors.bad_request("Name parameter required.")
    reader, namespace = scope.server.reader, "" if kind == "Node" else request.info.namespace
    found = await reader.get("", plural, namespace, name)
    if found is None:
        raise errors.missing("", plural, name)
    claims = {kind.lower(): _named(found)}
    if kind == "Pod":
        account, spec = request.info.name, found.get("spec", {})
        if spec.get("serviceAccountName", "") != account:
            text = (
                f'cannot bind token for serviceaccount "{account}" to pod running with different serviceaccount name.'
            )
            raise errors.bad_request(text)
        if spec.get("nodeName"):
            node = await reader.get("", "nodes", "", spec["nodeName"])
            claims["node"] = _named(node) if node else {"name": spec["nodeName"]}
    uid = found["metadata"]["uid"]
    if reference.get("uid") and reference["uid"] != uid:
        text = (
            f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
        raise errors.conflict("", kind, name, text)
    return claims, kind == "Pod"


def _named(obj: Obj) -> dict[str, str]:
    return {"name": obj["metadata"]["name"], "uid": obj["metadata"]["uid"]}


# -- for those who check our tokens ------------------------------------------------------------------------------------


async def openid_configuration(server: ApiServer, request: Request) -> Answer:
    """/.well-known/openid-configuration."""
    _produces(request, "application/json")
    if server.accounts is None:
        raise errors.page_not_found()
    host = server.config.bind_address
    found = {
        "issuer": server.accounts.issuer,
        "jwks_uri": f"https://{host}:{server.config.port}/openid/v1/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [server.accounts.algorithm],
    }
    return Answer(200, PLAIN.encode(found), "application/json", {"Cache-Control": "public, max-age=3600"})


async def keys(server: ApiServer, request: Request) -> Answer:
    """/openid/v1/jwks."""
    _produces(request, _JWK_SET)
    if server.accounts is None:
        raise errors.page_not_found()
    body = PLAIN.encode(server.accounts.jwks())
    return Answer(200, body, _JWK_SET, {"Cache-Control": "public, max-age=3600"})


def _produces(request: Request, media: str) -> None:
    """go-restful's check of the Accept header against the one type there is. ApiError 406."""
    accept = request.headers.get("accept", "")
    given = [clause.split(";", 1)[0].strip() for clause in accept.split(",")]
    if accept and media not in given and "*/*" not in given:
        text = f"406: Not Acceptable\n\nAvailable representations: {media}"
        raise errors.generic(406, "NotAcceptable", text, {})
