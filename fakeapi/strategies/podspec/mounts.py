"""Volume mounts and block devices of a container. Stands for ValidateVolumeMounts and ValidateVolumeDevices."""

from __future__ import annotations

from typing import Any

from fakeapi.errors import FieldError, forbidden, invalid, not_found, not_supported, required
from fakeapi.strategies.podspec.paths import descending_path, no_backsteps

Obj = dict[str, Any]
Errors = list[FieldError]

_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_RECURSIVE = ("Disabled", "Enabled", "IfPossible")


def validate_mounts(container: Obj, volumes: dict[str, Obj], path: str) -> Errors:
    """The list volumeMounts. Upstream's paths of subPath and later fields do not tell which mount it is."""
    devices = {d.get("name") or "": d.get("devicePath") or "" for d in container.get("volumeDevices") or ()}
    errors: Errors = []
    points: set[str] = set()
    for index, mount in enumerate(container["volumeMounts"]):
        own, name, point = f"{path}[{index}]", mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            errors.append(required(f"{own}.name"))
        if name not in volumes:
            errors.append(not_found(f"{own}.name", name))
        if not point:
            errors.append(required(f"{own}.mountPath"))
        if point in points:
            errors.append(invalid(f"{own}.mountPath", point, "must be unique"))
        points.add(point)
        if name in devices:
            errors.append(invalid(f"{own}.name", name, "must not already exist in volumeDevices"))
        if point in devices.values():
            text = "must not already exist as a path in volumeDevices"
            errors.append(invalid(f"{own}.mountPath", point, text))
        errors += _sub_paths(mount, own, path)
        errors += _modes(mount, container, path)
    return errors


def _sub_paths(mount: Obj, own: str, path: str) -> Errors:
    sub, expression = mount.get("subPath"), mount.get("subPathExpr")
    errors: Errors = []
    if sub:
        errors += descending_path(sub, f"{path}.subPath")
    if expression:
        if sub:
            text = "subPathExpr and subPath are mutually exclusive"
            errors.append(invalid(f"{own}.subPathExpr", expression, text))
        errors += descending_path(expression, f"{path}.subPathExpr")
    return errors


def _modes(mount: Obj, container: Obj, path: str) -> Errors:
    propagation, recursive = mount.get("mountPropagation"), mount.get("recursiveReadOnly")
    errors: Errors = []
    where = f"{path}.mountPropagation"
    if propagation is not None and propagation not in _PROPAGATIONS:
        errors.append(not_supported(where, propagation, _PROPAGATIONS))
    if propagation == "Bidirectional" and not (container.get("securityContext") or {}).get("privileged"):
        text = "Bidirectional mount propagation is available only to privileged containers"
        errors.append(forbidden(where, text))
    where = f"{path}.recursiveReadOnly"
    if recursive is not None and recursive not in _RECURSIVE:
        errors.append(not_supported(where, recursive, _RECURSIVE))
    elif recursive in ("Enabled", "IfPossible"):
        if not mount.get("readOnly"):
            errors.append(forbidden(where, "may only be specified when readOnly is true"))
        if propagation not in (None, "None"):
            text = "may only be specified when mountPropagation is None or not specified"
            errors.append(forbidden(where, text))
    return errors


def validate_devices(container: Obj, volumes: dict[str, Obj], path: str) -> Errors:
    """The list volumeDevices: claims only, every name and path once."""
    mounts = {m.get("name") or "": m.get("mountPath") or "" for m in container.get("volumeMounts") or ()}
    errors: Errors = []
    names: set[str] = set()
    paths: set[str] = set()
    for index, device in enumerate(container["volumeDevices"]):
        own, name, place = f"{path}[{index}]", device.get("name") or "", device.get("devicePath") or ""
        volume = volumes.get(name)
        if not name:
            errors.append(required(f"{own}.name"))
        if name in names:
            errors.append(invalid(f"{own}.name", name, "must be unique"))
        if volume is None:
            errors.append(not_found(f"{own}.name", name))
        elif volume.get("persistentVolumeClaim") is None and volume.get("ephemeral") is None:
            text = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            errors.append(invalid(f"{own}.name", name, text))
        errors += _device_path(place, paths, own)
        if name in mounts:
            errors.append(invalid(f"{own}.name", name, "must not already exist in volumeMounts"))
        if place in mounts.values():
            errors.append(invalid(f"{own}.devicePath", place, "must not already exist as a path in volumeMounts"))
        if name:
            names.add(name)
    return errors


def _device_path(place: str, paths: set[str], own: str) -> Errors:
    where = f"{own}.devicePath"
    errors: Errors = [] if place else [required(where)]
    if place in paths:
        errors.append(invalid(where, place, "must be unique"))
    if no_backsteps(place, where):
        return [*errors, invalid(where, place, "can not contain backsteps ('..')")]
    paths.add(place)
    return errors
