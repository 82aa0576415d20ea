"""Every Status object the server answers with is built here, and nowhere else.

Stands for apimachinery's api/errors (the Status factories) and util/validation/field (FieldError and its texts).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fakeapi.gofmt import go_quote, go_value

Status = dict[str, Any]


class ApiError(Exception):
    """An answer that is not a success: carries the Status that the client gets. `code` is the HTTP status."""

    def __init__(self, status: Status, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status.get("message", ""))
        self.status = status
        self.code: int = status["code"]
        self.headers: Mapping[str, str] = headers or {}

    @property
    def reason(self) -> str:
        """The machine-readable reason, "" where upstream sends none."""
        reason: str = self.status.get("reason", "")
        return reason


class FieldError:
    """One violated rule of one field: field.Error. Build them with the functions below (required, invalid, ...)."""

    __slots__ = ("detail", "field", "reason", "text")

    def __init__(self, reason: str, field: str, text: str, detail: str = "") -> None:
        self.reason = reason
        self.field = field
        self.text = text
        self.detail = detail

    def body(self) -> str:
        """The cause's message: `Invalid value: "x": must be ...`."""
        return f"{self.text}: {self.detail}" if self.detail else self.text

    def __str__(self) -> str:
        return f"{self.field}: {self.body()}"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FieldError) and (self.reason, str(self)) == (other.reason, str(other))

    def __hash__(self) -> int:
        return hash((self.reason, str(self)))


def required(field: str, detail: str = "") -> FieldError:
    """field.Required: the value is absent."""
    return FieldError("FieldValueRequired", field, "Required value", detail)


def invalid(field: str, value: Any, detail: str) -> FieldError:
    """field.Invalid: `value` is shown as Go would print it (gofmt.go_value)."""
    return FieldError("FieldValueInvalid", field, f"Invalid value: {go_value(value)}", detail)


def not_supported(field: str, value: Any, supported: Iterable[str]) -> FieldError:
    """field.NotSupported: not one of an enumeration; the supported values are listed as given, each quoted."""
    values = ", ".join(go_quote(x) for x in supported)
    detail = f"supported values: {values}" if values else ""
    return FieldError("FieldValueNotSupported", field, f"Unsupported value: {go_value(value)}", detail)


def duplicate(field: str, value: Any) -> FieldError:
    """field.Duplicate."""
    return FieldError("FieldValueDuplicate", field, f"Duplicate value: {go_value(value)}")


def not_found(field: str, value: Any) -> FieldError:
    """field.NotFound: a reference inside the object that leads nowhere."""
    return FieldError("FieldValueNotFound", field, f"Not found: {go_value(value)}")


def forbidden(field: str, detail: str) -> FieldError:
    """field.Forbidden: may not be set or changed."""
    return FieldError("FieldValueForbidden", field, "Forbidden", detail)


def too_long(field: str, maximum: int) -> FieldError:
    """field.TooLong, which no longer shows the value."""
    unit = "byte" if maximum == 1 else "bytes"
    return FieldError("FieldValueTooLong", field, "Too long", f"may not be more than {maximum} {unit}")


def too_many(field: str, actual: int, maximum: int) -> FieldError:
    """field.TooMany items."""
    unit = "item" if maximum == 1 else "items"
    return FieldError("FieldValueTooMany", field, f"Too many: {actual}", f"must have at most {maximum} {unit}")


def type_invalid(field: str, value: Any, detail: str) -> FieldError:
    """field.TypeInvalid: the value has the wrong type."""
    return FieldError("FieldValueTypeInvalid", field, f"Invalid value: {go_value(value)}", detail)


def internal(field: str, detail: str) -> FieldError:
    """field.InternalError."""
    return FieldError("InternalError", field, "Internal error", detail)


def _failure(code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> ApiError:
    status: Status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    if reason:
        status["reason"] = reason
    if details is not None:
        status["details"] = details
    status["code"] = code
    return ApiError(status)


def details(name: str = "", group: str = "", kind: str = "", **more: Any) -> dict[str, Any]:
    """StatusDetails without its empty members."""
    found = {"name": name, "group": group, "kind": kind, **more}
    return {k: v for k, v in found.items() if v}


def qualified(resource: str, group: str) -> str:
    """schema.GroupResource.String (also used for kinds): `deployments.apps`, `pods`."""
    return f"{resource}.{group}" if group else resource


def missing(group: str, resource: str, name: str) -> ApiError:
    """404: the object is not there."""
    return _failure(404, "NotFound", f'{qualified(resource, group)} "{name}" not found', details(name, group, resource))


def page_not_found() -> ApiError:
    """404 for a resource or version that is not served: NewGenericServerResponse's text."""
    return _failure(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(group: str, resource: str, name: str) -> ApiError:
    """409: create of what is there."""
    text = f'{qualified(resource, group)} "{name}" already exists'
    return _failure(409, "AlreadyExists", text, details(name, group, resource))


def conflict(group: str, resource: str, name: str, detail: str) -> ApiError:
    """409: the object has changed, or a precondition does not hold."""
    text = f'Operation cannot be fulfilled on {qualified(resource, group)} "{name}": {detail}'
    return _failure(409, "Conflict", text, details(name, group, resource))


def apply_conflict(message: str, causes: Sequence[Mapping[str, str]]) -> ApiError:
    """409 of server-side apply, with a cause a field."""
    return _failure(409, "Conflict", message, {"causes": [dict(c) for c in causes]} if causes else {})


def invalid_object(group: str, kind: str, name: str, found: Sequence[FieldError]) -> ApiError:
    """422: the object breaks rules; one cause a rule. Equal errors are told once (Aggregate.Error does so)."""
    causes = [{"reason": e.reason, "message": e.body(), "field": e.field} for e in found]
    texts = list(dict.fromkeys(str(e) for e in found))
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    text = (
        f'{qualified(kind, group)} "{name}" is invalid: {joined}'
        if found
        else f'{qualified(kind, group)} "{name}" is invalid'
    )
    return _failure(422, "Invalid", text, details(name, group, kind, causes=causes))


def bad_request(message: str) -> ApiError:
    """400."""
    return _failure(400, "BadRequest", message)


def unauthorized(message: str = "Unauthorized") -> ApiError:
    """401."""
    return _failure(401, "Unauthorized", message)


def forbidden_object(group: str, resource: str, name: str, detail: str) -> ApiError:
    """403: authorization or admission says no."""
    text = f'{qualified(resource, group)} "{name}" is forbidden: {detail}' if resource else f"forbidden: {detail}"
    if resource and not name:
        text = f"{qualified(resource, group)} is forbidden: {detail}"
    return _failure(403, "Forbidden", text, details(name, group, resource))


def method_not_supported(group: str, resource: str, action: str) -> ApiError:
    """405."""
    text = f'{action} is not supported on resources of kind "{qualified(resource, group)}"'
    return _failure(405, "MethodNotAllowed", text, details("", group, resource))


def gone(message: str) -> ApiError:
    """410: that revision or continue token is too old."""
    return _failure(410, "Expired", message)


def not_acceptable(accepted: Sequence[str]) -> ApiError:
    """406: nothing that the client accepts is produced here."""
    text = f"only the following media types are accepted: {', '.join(accepted)}"
    return _failure(406, "NotAcceptable", text)


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    """415: the body's type is none that is consumed here."""
    text = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return _failure(415, "UnsupportedMediaType", text)


def too_large(message: str) -> ApiError:
    """413."""
    return _failure(413, "RequestEntityTooLarge", message)


def too_many_requests(message: str, seconds: int = 0, causes: Sequence[Mapping[str, str]] = ()) -> ApiError:
    """429; with Retry-After when seconds are given."""
    error = _failure(
        429, "TooManyRequests", message, details(causes=[dict(c) for c in causes], retryAfterSeconds=seconds)
    )
    if seconds:
        error.headers = {"Retry-After": str(seconds)}
    return error


def generic(code: int, reason: str, message: str, found: dict[str, Any] | None = None) -> ApiError:
    """Any other answer that upstream gives, spelled out by its caller."""
    return _failure(code, reason, message, found)


def plain_500(message: str) -> ApiError:
    """500 without reason or details: how upstream answers what is an untyped Go error there (see NOTES)."""
    return _failure(500, "", message)


def timeout(message: str, seconds: int = 0) -> ApiError:
    """504."""
    return _failure(504, "Timeout", message, details(retryAfterSeconds=seconds))


def unavailable(message: str) -> ApiError:
    """503."""
    return _failure(503, "ServiceUnavailable", message)


def internal_error(message: str) -> ApiError:
    """500 InternalError, as upstream wraps a Go error that has no better Status."""
    return _failure(500, "InternalError", f"Internal error occurred: {message}", {"causes": [{"message": message}]})


def not_allowed() -> ApiError:
    """405 of a path that exists for other methods."""
    return _failure(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})
