"""The reviews of authentication.k8s.io and authorization.k8s.io: questions that are answered, not stored.

Stands for pkg/registry/authentication/* and pkg/registry/authorization/*. Their errors name no kind, as upstream's do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fakeapi import errors, selectors
from fakeapi.admission.base import CREATE
from fakeapi.authorization.base import Attributes
from fakeapi.clock import rfc3339
from fakeapi.codec import Form
from fakeapi.errors import FieldError
from fakeapi.handlers.create import admission_attributes, own, place
from fakeapi.handlers.scope import Scope, accepted, check_options, is_dry_run, read_object
from fakeapi.request import Answer, Request, User
from fakeapi.strategies.base import Obj

_ONE_OF = "exactly one of nonResourceAttributes or resourceAttributes must be specified"


def form_of(request: Request) -> Form:
    """The answer's form; these kinds have no Table, so that clause of the Accept header does not count.

    ApiError 406.
    """
    accept = request.headers.get("accept", "")
    if "as=Table" in accept:
        kept = [clause for clause in accept.split(",") if "as=Table" not in clause]
        if not kept:
            raise errors.not_acceptable(("application/json", "application/yaml", "application/vnd.kubernetes.protobuf"))
        headers = {**request.headers, "accept": ",".join(kept)}
        request.headers = headers
    return accepted(request)


async def _read(scope: Scope, request: Request) -> Obj:
    """The review in the body, with its managedFields. ApiError 4xx."""
    check_options(request, "CreateOptions")
    review = await read_object(scope, request)
    place(scope, request, review)
    review = own(scope, request, review)
    ctx = scope.context(request, is_dry_run(request))
    attributes = admission_attributes(scope, request, ctx, CREATE, review, None)
    await scope.server.admission.admit(attributes)
    await scope.server.admission.validate(attributes)
    assert attributes.obj is not None
    return attributes.obj


def _user_info(user: User) -> Obj:
    """authentication.k8s.io's UserInfo without its empty members."""
    found = {"username": user.name, "uid": user.uid, "groups": list(user.groups), "extra": dict(user.extra)}
    return {k: v for k, v in found.items() if v}


async def who_am_i(scope: Scope, request: Request) -> Answer:
    """SelfSubjectReview."""
    form = form_of(request)
    review = await _read(scope, request)
    answer = {
        "kind": review["kind"],
        "apiVersion": review["apiVersion"],
        "metadata": {"creationTimestamp": rfc3339(request.now)},
        "status": {"userInfo": _user_info(request.user)},
    }
    return Answer(201, form.encode(answer), form.media)


async def token_review(scope: Scope, request: Request) -> Answer:
    """TokenReview. ApiError 400 without a token."""
    form = form_of(request)
    review = await _read(scope, request)
    server, spec = scope.server, review.get("spec") or {}
    token = spec.get("token", "")
    if not token:
        raise errors.bad_request("token is required for TokenReview in authentication")
    accounts = server.accounts
    audiences = spec.get("audiences") or list(accounts.audiences if accounts else ())
    user, why = await server.authenticator.user_of(token, audiences)
    if user is None:
        review["status"] = {"user": {}, "error": why}
    else:
        meant = audiences
        if accounts is not None and token not in server.authenticator.tokens:
            meant = accounts.meant_for(token, audiences)
        review["status"] = {"authenticated": True, "user": _user_info(user), "audiences": meant}
    return Answer(201, form.encode(review), form.media)


# -- access reviews ----------------------------------------------------------------------------------------------------


async def access_review(scope: Scope, request: Request) -> Answer:
    """SelfSubjectAccessReview, SubjectAccessReview and LocalSubjectAccessReview. ApiError 422."""
    form = form_of(request)
    review = await _read(scope, request)
    spec = review.setdefault("spec", {})
    kind = scope.row.kind
    found = check_review(review, own_user=kind == "SelfSubjectAccessReview", local=kind == "LocalSubjectAccessReview")
    if found:
        raise errors.invalid_object(scope.row.group, "", "", found)
    if kind == "SelfSubjectAccessReview":
        user = request.user
    else:
        user = User(spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""), spec.get("extra") or {})
    decision = await scope.server.authorizer.decide(_question(user, spec))
    review["status"] = {"allowed": decision.allowed}
    if decision.reason:
        review["status"]["reason"] = decision.reason
    unread = _unread(spec.get("resourceAttributes") or {})
    if unread:
        review["status"]["evaluationError"] = unread[0] if len(unread) == 1 else f"[{', '.join(unread)}]"
    return Answer(201, form.encode(review), form.media)


def _question(user: User, spec: Obj) -> Attributes:
    """What the review's spec asks."""
    other = spec.get("nonResourceAttributes")
    if other is not None:
        return Attributes(user, other.get("verb", ""), path=other.get("path", ""), is_resource=False)
    asked = spec["resourceAttributes"]
    verb, group, version, resource, subresource, namespace, name = (
        asked.get(k, "") for k in ("verb", "group", "version", "resource", "subresource", "namespace", "name")
    )
    return Attributes(user, verb, group, version, resource, subresource, namespace, name, fields=_fields(asked))


def _fields(asked: Obj) -> tuple[tuple[str, str], ...]:
    selector = asked.get("fieldSelector") or {}
    if selector.get("rawSelector"):
        try:
            terms = selectors.parse_fields(selector["rawSelector"]).terms
        except selectors.SelectorError:
            return ()
        return tuple((t.field, t.value) for t in terms if t.equal)
    found = []
    for requirement in selector.get("requirements") or ():
        values = requirement.get("values") or []
        if requirement.get("operator") == "In" and len(values) == 1:
            found.append((requirement.get("key", ""), values[0]))
    return tuple(found)


def _unread(asked: Obj) -> list[str]:
    """What the authorizer was not told, since a selector could not be read."""
    found = []
    parsers: tuple[tuple[str, Callable[[str], Any]], ...] = (
        ("fieldSelector", selectors.parse_fields),
        ("labelSelector", selectors.parse_labels),
    )
    for field, parse in parsers:
        raw = (asked.get(field) or {}).get("rawSelector")
        try:
            if raw:
                parse(raw)
        except selectors.SelectorError:
            found.append(f"spec.resourceAttributes.{field} ignored due to parse error")
    return found


def check_review(review: Obj, *, own_user: bool, local: bool) -> list[FieldError]:
    """ValidateSubjectAccessReview and its kin."""
    spec, metadata = review["spec"], review["metadata"]
    asked, other = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    found = []
    if asked is not None and other is not None:
        found.append(
            errors.invalid(
                "spec.nonResourceAttributes",
                _go_path(other),
                "cannot be specified in combination with resourceAttributes",
            )
        )
    if asked is None and other is None:
        found.append(errors.invalid("spec.resourceAttributes", None, _ONE_OF))
    if not own_user and not spec.get("user") and not spec.get("groups"):
        found.append(
            errors.invalid("spec.user", spec.get("user", ""), "at least one of user or group must be specified")
        )
    for field in ("fieldSelector", "labelSelector"):
        if asked is not None and asked.get(field) is not None:
            found += _check_selector(asked[field], f"spec.resourceAttributes.{field}", field == "labelSelector")
    allowed = ("managedFields", "namespace") if local else ("managedFields",)
    if any(v for k, v in metadata.items() if k not in allowed):
        found.append(
            errors.invalid("metadata", metadata, "must be empty except for namespace" if local else "must be empty")
        )
    if local and asked is not None and asked.get("namespace", "") != metadata.get("namespace", ""):
        found.append(
            errors.invalid(
                "spec.resourceAttributes.namespace", asked.get("namespace", ""), "must match metadata.namespace"
            )
        )
    if local and other is not None:
        found.append(
            errors.invalid("spec.nonResourceAttributes", _go_path(other), "disallowed on this kind of request")
        )
    return found


def _go_path(value: Obj) -> Obj:
    return {"Path": value.get("path", ""), "Verb": value.get("verb", "")}


def _check_selector(selector: Obj, path: str, labels: bool) -> list[FieldError]:
    found = []
    raw, requirements = selector.get("rawSelector"), selector.get("requirements")
    if raw and requirements:
        found.append(errors.invalid(f"{path}.rawSelector", raw, "may not specified at the same time as requirements"))
    if not raw and not requirements:
        found.append(
            errors.required(
                f"{path}.requirements", f"when {path} is specified, requirements or rawSelector is required"
            )
        )
    for i, requirement in enumerate(requirements or ()):
        found += _check_requirement(requirement, f"{path}.requirements[{i}]", labels)
    return found


def _check_requirement(requirement: Obj, path: str, labels: bool) -> list[FieldError]:
    """An operator that is not known is let through: it may be a newer client's."""
    found = []
    operator, values, key = requirement.get("operator", ""), requirement.get("values"), requirement.get("key", "")
    if not key and not labels:
        found.append(errors.required(f"{path}.key", "must be specified"))
    if operator in ("In", "NotIn") and not values:
        found.append(errors.required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    if operator in ("Exists", "DoesNotExist") and values:
        found.append(
            errors.forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
        )
    if labels:
        from fakeapi.names import is_qualified_name

        found += [errors.invalid(f"{path}.key", key, why) for why in is_qualified_name(key)]
    return found


async def rules_review(scope: Scope, request: Request) -> Answer:
    """SelfSubjectRulesReview. ApiError 400 without a namespace."""
    form = form_of(request)
    review = await _read(scope, request)
    namespace = (review.get("spec") or {}).get("namespace", "")
    if not namespace:
        raise errors.bad_request("no namespace on request")
    held = await scope.server.authorizer.rules_for(request.user, namespace)
    resources = [rule for rule in held.rules if not rule.get("nonResourceURLs")]
    paths = [rule for rule in held.rules if rule.get("nonResourceURLs")]
    status: Obj = {"resourceRules": resources, "nonResourceRules": paths, "incomplete": held.incomplete}
    if held.errors:
        status["evaluationError"] = held.errors[0] if len(held.errors) == 1 else f"[{', '.join(held.errors)}]"
    answer = {"kind": review["kind"], "apiVersion": review["apiVersion"], "metadata": {}, "spec": {}, "status": status}
    return Answer(201, form.encode(answer), form.media)


Handler = Callable[[Scope, Request], Awaitable[Answer]]

# (group, plural) -> handler.
HANDLERS: dict[tuple[str, str], Handler] = {
    ("authentication.k8s.io", "selfsubjectreviews"): who_am_i,
    ("authentication.k8s.io", "tokenreviews"): token_review,
    ("authorization.k8s.io", "localsubjectaccessreviews"): access_review,
    ("authorization.k8s.io", "selfsubjectaccessreviews"): access_review,
    ("authorization.k8s.io", "selfsubjectrulesreviews"): rules_review,
    ("authorization.k8s.io", "subjectaccessreviews"): access_review,
}
