"""Projected volumes. Stands for validateProjectedVolumeSource of pkg/apis/core/validation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fakeapi.errors import FieldError, forbidden, invalid, required
from fakeapi.names import check_domain_prefixed_path, check_label_selector
from fakeapi.strategies.podspec.downward import validate_downward_file
from fakeapi.strategies.podspec.paths import file_mode, non_reserved_path

Obj = dict[str, Any]
Errors = list[FieldError]

_CONFLICT = "conflicting duplicate paths"


def validate_key_to_path(item: Obj, path: str) -> Errors:
    """One of the items of a Secret or ConfigMap volume."""
    errors = [required(f"{path}.{name}") for name in ("key", "path") if not item.get(name)]
    errors += non_reserved_path(item.get("path") or "", f"{path}.path")
    return errors + file_mode(item.get("mode"), f"{path}.mode")


def validate_projected(source: Obj, path: str) -> Errors:
    """All sources: their own rules, and no path twice."""
    errors = file_mode(source.get("defaultMode"), f"{path}.defaultMode")
    paths: set[str] = set()
    for index, projection in enumerate(source.get("sources") or ()):
        own = f"{path}.sources[{index}]"
        given = [key for key in _PROJECTIONS if projection.get(key) is not None]
        for key in given:
            errors += _PROJECTIONS[key](projection[key], f"{own}.{key}", path, paths)
        if len(given) > 1:
            errors.append(forbidden(own, "may not specify more than 1 volume type per source"))
    return errors


def _take(file: str, shown: Any, volume: str, paths: set[str]) -> Errors:
    if file in paths:
        return [invalid(volume, shown, _CONFLICT)]
    paths.add(file)
    return []


def _files(source: Obj, path: str, volume: str, paths: set[str]) -> Errors:
    name = source.get("name") or ""
    errors: Errors = [] if name else [required(f"{path}.name")]
    for index, item in enumerate(source.get("items") or ()):
        errors += validate_key_to_path(item, f"{path}.items[{index}]")
        if item.get("path"):
            errors += _take(item["path"], name, volume, paths)
    return errors


def _downward(source: Obj, path: str, volume: str, paths: set[str]) -> Errors:
    errors: Errors = []
    for item in source.get("items") or ():
        errors += validate_downward_file(item, path)
        if item.get("path"):
            errors += _take(item["path"], item["path"], volume, paths)
    return errors


def _token(source: Obj, path: str, volume: str, paths: set[str]) -> Errors:
    seconds, file = source.get("expirationSeconds") or 0, source.get("path") or ""
    errors: Errors = []
    if seconds < 600:
        text = "may not specify a duration less than 10 minutes"
        errors.append(invalid(f"{path}.expirationSeconds", seconds, text))
    if seconds > 1 << 32:
        text = "may not specify a duration larger than 2^32 seconds"
        errors.append(invalid(f"{path}.expirationSeconds", seconds, text))
    return errors + (non_reserved_path(file, f"{volume}.path") if file else [required(f"{volume}.path")])


def _trust_bundle(source: Obj, path: str, volume: str, paths: set[str]) -> Errors:
    name, signer = source.get("name"), source.get("signerName")
    errors: Errors = []
    if name is not None and signer is not None:
        errors.append(invalid(path, source, "only one of name and signerName may be used"))
    elif name is not None:
        if not name:
            errors.append(required(f"{path}.name", "must be a valid object name"))
        if source.get("labelSelector") is not None:
            text = "labelSelector must be unset if name is specified"
            errors.append(invalid(f"{path}.labelSelector", source["labelSelector"], text))
    elif signer is not None:
        if not signer:
            errors.append(required(f"{path}.signerName", "must be a valid signer name"))
        errors += check_domain_prefixed_path(f"{path}.signerName", signer)
        errors += check_label_selector(f"{path}.labelSelector", source.get("labelSelector"))
    else:
        errors.append(required(path, "either name or signerName must be specified"))
    file = source.get("path") or ""
    errors += [] if file else [required(f"{path}.path")]
    return errors + non_reserved_path(file, f"{path}.path") + _take(file, file, volume, paths)


_PROJECTIONS: dict[str, Callable[[Obj, str, str, set[str]], Errors]] = {
    "secret": _files,
    "configMap": _files,
    "downwardAPI": _downward,
    "serviceAccountToken": _token,
    "clusterTrustBundle": _trust_bundle,
}
