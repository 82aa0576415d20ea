"""Probes and lifecycle hooks: validateProbe, validateHandler and validateLifecycle of pkg/apis/core/validation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fakeapi.errors import FieldError, forbidden, invalid, not_supported, required
from fakeapi.names import check, check_non_negative, is_http_header, is_port_name, is_port_number

Obj = dict[str, Any]
Errors = list[FieldError]

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_SCHEMES = ("HTTP", "HTTPS")
_COUNTS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_NOT_FOR_INIT = "may not be set for init containers without restartPolicy=Always"


def validate_probes(container: Obj, grace: int | None, path: str) -> Errors:
    """Lifecycle and probes of a container that may have them."""
    errors: Errors = []
    lifecycle = container.get("lifecycle")
    if lifecycle is not None:
        for hook in ("postStart", "preStop"):
            if lifecycle.get(hook) is not None:
                errors += _handler(lifecycle[hook], grace, f"{path}.lifecycle.{hook}")
    for name in PROBES:
        probe = container.get(name)
        if probe is not None:
            errors += _probe(probe, name, f"{path}.{name}")
    return errors


def forbid_probes(container: Obj, path: str) -> Errors:
    """Init containers that run to their end have neither."""
    given = [name for name in ("lifecycle", *PROBES) if container.get(name) is not None]
    return [forbidden(f"{path}.{name}", _NOT_FOR_INIT) for name in given]


def _probe(probe: Obj, name: str, path: str) -> Errors:
    errors = _handler(probe, None, path)
    for count in _COUNTS:
        errors += check_non_negative(f"{path}.{count}", probe.get(count))
    grace = probe.get("terminationGracePeriodSeconds")
    where = f"{path}.terminationGracePeriodSeconds"
    if grace is not None and grace <= 0:
        errors.append(invalid(where, grace, "must be greater than 0"))
    if name == "readinessProbe":
        if grace is not None:
            errors.append(invalid(where, grace, "must not be set for readinessProbes"))
    elif probe.get("successThreshold") != 1:
        errors.append(invalid(f"{path}.successThreshold", probe.get("successThreshold") or 0, "must be 1"))
    return errors


def _handler(handler: Obj, grace: int | None, path: str) -> Errors:
    errors: Errors = []
    given = [key for key in _HANDLERS if handler.get(key) is not None]
    for index, key in enumerate(given):
        where = f"{path}.{key}"
        if index:
            errors.append(forbidden(where, "may not specify more than 1 handler type"))
        elif key == "sleep":
            errors += _sleep(handler[key], grace, where)
        else:
            errors += _HANDLERS[key](handler[key], where)
    return errors or ([] if given else [required(path, "must specify a handler type")])


def _sleep(action: Obj, grace: int | None, path: str) -> Errors:
    seconds = action.get("seconds") or 0
    if grace is None or 0 <= seconds <= grace:
        return []
    text = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
    return [invalid(path, seconds, text)]


def _exec(action: Obj, path: str) -> Errors:
    return [] if action.get("command") else [required(f"{path}.command")]


def _http_get(action: Obj, path: str) -> Errors:
    errors: Errors = [] if action.get("path") else [required(f"{path}.path")]
    errors += _port(action.get("port"), f"{path}.port")
    if action.get("scheme") not in _SCHEMES:
        errors.append(not_supported(f"{path}.scheme", action.get("scheme") or "", _SCHEMES))
    for header in action.get("httpHeaders") or ():
        name = header.get("name") or ""
        errors += check(f"{path}.httpHeaders", name, is_http_header(name))
    return errors


def _port(port: Any, path: str) -> Errors:
    if isinstance(port, str):
        return check(path, port, is_port_name(port))
    return check(path, port or 0, is_port_number(port or 0))


def _port_only(action: Obj, path: str) -> Errors:
    return _port(action.get("port"), f"{path}.port")


_HANDLERS: dict[str, Callable[[Obj, str], Errors]] = {
    "exec": _exec,
    "httpGet": _http_get,
    "tcpSocket": _port_only,
    "grpc": _port_only,
    "sleep": lambda action, path: _sleep(action, None, path),
}
