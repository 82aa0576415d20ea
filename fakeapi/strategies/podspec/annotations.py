"""Annotations that mean something to Pods: mirror pods, deletion cost, seccomp and AppArmor's old forms.

Stands for ValidatePodSpecificAnnotations, ValidatePodSpecificAnnotationUpdates and the checks that old annotations
agree with the fields that replaced them (pkg/apis/core/validation).
"""

from __future__ import annotations

from typing import Any

from fakeapi import gojson
from fakeapi.errors import FieldError, forbidden, invalid
from fakeapi.patterns import lazy
from fakeapi.strategies.podspec.paths import descending_path
from fakeapi.strategies.podspec.scheduling import validate_tolerations
from fakeapi.strategies.podspec.security import visit

Obj = dict[str, Any]
Errors = list[FieldError]

MIRROR = "kubernetes.io/config.mirror"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
TOLERATIONS = "scheduler.alpha.kubernetes.io/tolerations"
SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
_COST = lazy(r"0|-?[1-9][0-9]*")
_SECCOMP_PLAIN = ("runtime/default", "docker/default", "unconfined")
_TYPE = "{0} type in annotation and field must match"
_PROFILE = "{0} profile in annotation and field must match"


def validate_annotations(annotations: Obj, spec: Obj, path: str) -> Errors:
    """ValidatePodSpecificAnnotations."""
    errors: Errors = []
    mirror, cost = annotations.get(MIRROR), annotations.get(DELETION_COST)
    if mirror is not None and not spec.get("nodeName"):
        text = "must set spec.nodeName if mirror pod annotation is set"
        errors.append(invalid(f"{path}[{MIRROR}]", mirror, text))
    if annotations.get(TOLERATIONS):
        errors += _tolerations(annotations[TOLERATIONS], path)
    if cost is not None and not (_COST.fullmatch(cost) and -(2**31) <= int(cost) < 2**31):
        errors.append(invalid(f"{path}[{DELETION_COST}]", cost, "must be a 32bit integer"))
    if SECCOMP_POD in annotations:
        errors += _seccomp(annotations[SECCOMP_POD], f"{path}.{SECCOMP_POD}")
    for key in sorted(annotations):
        if key.startswith(SECCOMP_CONTAINER):
            errors += _seccomp(annotations[key], f"{path}.{key}")
    return errors + _app_armor(annotations, spec, path)


def _tolerations(text: str, path: str) -> Errors:
    """ValidateTolerationsInPodAnnotations."""
    try:
        found = gojson.parse(text.encode())
        if found is not None and not isinstance(found, list):
            kind = gojson.kind_of(found)
            raise gojson.JsonError(f"json: cannot unmarshal {kind} into Go value of type []core.Toleration")
    except gojson.JsonError as error:
        return [invalid(path, TOLERATIONS, str(error))]
    return validate_tolerations([t for t in found or () if isinstance(t, dict)], f"{path}.{TOLERATIONS}")


def _seccomp(profile: str, path: str) -> Errors:
    if profile in _SECCOMP_PLAIN:
        return []
    if profile.startswith("localhost/"):
        return descending_path(profile.removeprefix("localhost/"), path)
    return [invalid(path, profile, "must be a valid seccomp profile")]


def _app_armor(annotations: Obj, spec: Obj, path: str) -> Errors:
    errors: Errors = []
    for key in sorted(k for k in annotations if k.startswith(APP_ARMOR)):
        name, profile = key.removeprefix(APP_ARMOR), annotations[key]
        if all(container.get("name") != name for container, _ in visit(spec, "")):
            errors.append(invalid(f"{path}[{key}]", name, "container not found"))
        if profile not in ("", "runtime/default", "unconfined") and not profile.startswith("localhost/"):
            errors.append(invalid(f"{path}[{key}]", profile, f'invalid AppArmor profile name: "{profile}"'))
    return errors


def validate_annotation_updates(new: Obj, old: Obj, spec: Obj, path: str) -> Errors:
    """ValidatePodSpecificAnnotationUpdates: AppArmor's and the mirror pod's stay as they were."""
    errors: Errors = []
    for key in sorted({*old, *new}):
        if key in new and key in old and new[key] == old[key]:
            continue
        verb = "remove or update" if key in old else "add"
        if key.startswith(APP_ARMOR):
            errors.append(forbidden(f"{path}[{key}]", f"may not {verb} AppArmor annotations"))
        if key == MIRROR:
            errors.append(forbidden(f"{path}[{key}]", f"may not {verb} mirror pod annotation"))
    return errors + validate_annotations(new, spec, path)


def validate_matching_fields(annotations: Obj, spec: Obj, path: str) -> Errors:
    """Where annotation and field are both given they say the same."""
    if not annotations:
        return []
    pod = spec.get("securityContext") or {}
    errors: Errors = []
    if pod.get("seccompProfile") is not None and SECCOMP_POD in annotations:
        where = f"{path}.securityContext.seccompProfile"
        errors += _match(annotations[SECCOMP_POD], pod["seccompProfile"], where, "seccomp")
    for container, own in visit(spec, path):
        profile = (container.get("securityContext") or {}).get("seccompProfile")
        key = SECCOMP_CONTAINER + (container.get("name") or "")
        if profile is not None and key in annotations:
            errors += _match(annotations[key], profile, f"{own}.securityContext.seccompProfile", "seccomp")
    if (spec.get("os") or {}).get("name") == "windows":
        return errors
    for container, own in visit(spec, path):
        context = container.get("securityContext") or {}
        profile = context.get("appArmorProfile") or pod.get("appArmorProfile")
        key = APP_ARMOR + (container.get("name") or "")
        if profile is not None and key in annotations:
            errors += _match(annotations[key], profile, f"{own}.securityContext.appArmorProfile", "apparmor")
    return errors


def _match(annotation: str, profile: Obj, path: str, what: str) -> Errors:
    kind = profile.get("type")
    defaults = ("runtime/default", "docker/default") if what == "seccomp" else ("runtime/default",)
    expected = {"Unconfined": ("unconfined",), "RuntimeDefault": defaults}
    if kind in expected and annotation not in expected[kind]:
        return [forbidden(f"{path}.type", _TYPE.format(what))]
    if kind == "Localhost":
        if not annotation.startswith("localhost/"):
            return [forbidden(f"{path}.type", _TYPE.format(what))]
        if annotation.removeprefix("localhost/") != profile.get("localhostProfile"):
            return [forbidden(f"{path}.localhostProfile", _PROFILE.format(what))]
    return []
