"""References to a pod's own fields and resources, in environment variables and in volumes.

Stands for validateObjectFieldSelector, validateContainerResourceFieldSelector and ConvertDownwardAPIFieldLabel.
"""

from __future__ import annotations

from typing import Any

from fakeapi.errors import FieldError, invalid, not_supported, required
from fakeapi.names import check, is_qualified_name
from fakeapi.patterns import lazy
from fakeapi.quantity import canonical, parse
from fakeapi.strategies.podspec.paths import file_mode, non_reserved_path

Obj = dict[str, Any]

ENV_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
VOLUME_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
_CONVERTIBLE = {*ENV_FIELDS, *VOLUME_FIELDS, "spec.restartPolicy", "spec.schedulerName", "status.phase"}
_SUBSCRIPT = lazy(r"(.+)\['([^']*)'\]")
_RESOURCES = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
_HUGE_PAGES = ("limits.hugepages-", "requests.hugepages-")
_BYTES = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_BYTES_TEXT = f"only divisor's values {', '.join(_BYTES)} are supported with the %s resource"
# Resource without limits. or requests. -> allowed divisors and what is said about others.
_DIVISORS = {
    "cpu": (("1m", "1"), "only divisor's values 1m and 1 are supported with the cpu resource"),
    "memory": (_BYTES, _BYTES_TEXT % "memory"),
    "ephemeral-storage": (_BYTES, _BYTES_TEXT % "local ephemeral storage"),
    "hugepages": (_BYTES, _BYTES_TEXT % "hugepages"),
}


def validate_field_ref(reference: Obj, allowed: tuple[str, ...], path: str) -> list[FieldError]:
    """A fieldRef."""
    version, field = reference.get("apiVersion"), reference.get("fieldPath") or ""
    if not version:
        return [required(f"{path}.apiVersion")]
    if not field:
        return [required(f"{path}.fieldPath")]
    if version != "v1":
        text = f"error converting fieldPath: unsupported pod version: {version}"
        return [invalid(f"{path}.fieldPath", field, text)]
    subscripted = _SUBSCRIPT.fullmatch(field)
    if subscripted:
        return _validate_subscript(subscripted[1], subscripted[2], path)
    if field == "spec.host":
        field = "spec.nodeName"
    if field not in _CONVERTIBLE:
        text = f"error converting fieldPath: field label not supported: {field}"
        return [invalid(f"{path}.fieldPath", field, text)]
    return [] if field in allowed else [not_supported(f"{path}.fieldPath", field, sorted(allowed))]


def _validate_subscript(field: str, key: str, path: str) -> list[FieldError]:
    if field == "metadata.annotations":
        return check(path, key.lower(), is_qualified_name(key.lower()))
    if field == "metadata.labels":
        return check(path, key, is_qualified_name(key))
    full = f"{field}['{key}']"
    text = f"error converting fieldPath: field label does not support subscript: {full}"
    return [invalid(f"{path}.fieldPath", full, text)]


def validate_resource_ref(reference: Obj, path: str, *, volume: bool) -> list[FieldError]:
    """A resourceFieldRef; in volumes it names its container."""
    resource = reference.get("resource") or ""
    errors = []
    if volume and not reference.get("containerName"):
        errors.append(required(f"{path}.containerName"))
    elif not resource:
        errors.append(required(f"{path}.resource"))
    elif resource not in _RESOURCES and not resource.startswith(_HUGE_PAGES):
        errors.append(not_supported(f"{path}.resource", resource, _RESOURCES))
    divisor = reference.get("divisor") or "0"
    kind = resource.partition(".")[2]
    rule = _DIVISORS.get("hugepages" if kind.startswith("hugepages-") else kind)
    if rule and parse(divisor) and canonical(divisor) not in rule[0]:
        errors.append(invalid(f"{path}.divisor", resource, rule[1]))
    return errors


def validate_downward_file(item: Obj, path: str) -> list[FieldError]:
    """One file of a downwardAPI volume. Upstream's paths do not tell which one."""
    file = item.get("path") or ""
    errors = [] if file else [required(f"{path}.path")]
    errors += non_reserved_path(file, f"{path}.path")
    field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
    if field is not None:
        errors += validate_field_ref(field, VOLUME_FIELDS, f"{path}.fieldRef")
        if resource is not None:
            text = "fieldRef and resourceFieldRef can not be specified simultaneously"
            errors.append(invalid(path, "resource", text))
    elif resource is not None:
        errors += validate_resource_ref(resource, f"{path}.resourceFieldRef", volume=True)
    else:
        errors.append(required(path, "one of fieldRef and resourceFieldRef is required"))
    return errors + file_mode(item.get("mode"), f"{path}.mode")
