"""Environment variables of a container. Stands for ValidateEnv and ValidateEnvFrom of pkg/apis/core/validation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fakeapi.errors import FieldError, invalid, required
from fakeapi.names import check, is_config_key, is_dns1123_label, is_env_name, name_is_dns_subdomain
from fakeapi.strategies.podspec.downward import ENV_FIELDS, validate_field_ref, validate_resource_ref
from fakeapi.strategies.podspec.paths import non_reserved_path

Obj = dict[str, Any]
Errors = list[FieldError]

_ONE_OF = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
_ONE_OF_FROM = "must specify one of: `configMapRef` or `secretRef`"
_TOO_MANY = "may not have more than one field specified at a time"


def validate_env(variables: list[Obj], path: str) -> Errors:
    """The list `env`."""
    errors: Errors = []
    for index, variable in enumerate(variables):
        own, name = f"{path}[{index}]", variable.get("name")
        errors += check(f"{own}.name", name, is_env_name(name)) if name else [required(f"{own}.name")]
        if variable.get("valueFrom") is not None:
            errors += _value_from(variable, f"{own}.valueFrom")
    return errors


def _value_from(variable: Obj, path: str) -> Errors:
    source = variable["valueFrom"]
    given = [key for key in _SOURCES if source.get(key) is not None]
    errors: Errors = []
    for key in given:
        errors += _SOURCES[key](source[key], f"{path}.{key}")
    if not given:
        errors.append(invalid(path, "", _ONE_OF))
    elif variable.get("value"):
        errors.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif len(given) > 1:
        errors.append(invalid(path, "", _TOO_MANY))
    return errors


def _key_ref(reference: Obj, path: str) -> Errors:
    name, key = reference.get("name") or "", reference.get("key")
    errors = check(f"{path}.name", name, name_is_dns_subdomain(name, False))
    return errors + (check(f"{path}.key", key, is_config_key(key)) if key else [required(f"{path}.key")])


def _file_ref(reference: Obj, path: str) -> Errors:
    volume, file, key = (reference.get(k) or "" for k in ("volumeName", "path", "key"))
    errors = check(f"{path}.key", key, is_env_name(key)) if key else [required(f"{path}.key")]
    if volume:
        errors += check(f"{path}.volumeName", volume, is_dns1123_label(volume))
    else:
        errors.append(required(f"{path}.volumeName"))
    return errors + (non_reserved_path(file, f"{path}.path") if file else [required(f"{path}.path")])


_SOURCES: dict[str, Callable[[Obj, str], Errors]] = {
    "fieldRef": lambda ref, path: validate_field_ref(ref, ENV_FIELDS, path),
    "resourceFieldRef": lambda ref, path: validate_resource_ref(ref, path, volume=False),
    "configMapKeyRef": _key_ref,
    "secretKeyRef": _key_ref,
    "fileKeyRef": _file_ref,
}


def validate_env_from(sources: list[Obj], path: str) -> Errors:
    """The list `envFrom`."""
    errors: Errors = []
    for index, source in enumerate(sources):
        own, prefix = f"{path}[{index}]", source.get("prefix")
        if prefix:
            errors += check(f"{own}.prefix", prefix, is_env_name(prefix))
        given = [key for key in ("configMapRef", "secretRef") if source.get(key) is not None]
        for key in given:
            name = source[key].get("name")
            where = f"{own}.{key}.name"
            errors += check(where, name, name_is_dns_subdomain(name, True)) if name else [required(where)]
        if len(given) != 1:
            errors.append(invalid(path, "", _TOO_MANY if given else _ONE_OF_FROM))
    return errors
