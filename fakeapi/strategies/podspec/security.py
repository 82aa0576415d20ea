"""Security contexts of pods and containers, and what the pod's OS allows in them.

Stands for ValidateSecurityContext, validatePodSpecSecurityContext, validateLinux, validateWindows and their helpers in
pkg/apis/core/validation. Privileged containers are always allowed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fakeapi.errors import FieldError, duplicate, forbidden, invalid, not_supported, required, too_long
from fakeapi.names import check, is_dns1123_subdomain, is_user_or_group_id
from fakeapi.patterns import lazy
from fakeapi.strategies.podspec.internal import go_struct
from fakeapi.strategies.podspec.paths import descending_path

Obj = dict[str, Any]
Errors = list[FieldError]

_SECCOMP_TYPES = ("Localhost", "RuntimeDefault", "Unconfined")
_PROC_MOUNTS = ("Default", "Unmasked")
_CHOICES = {
    "fsGroupChangePolicy": ("Always", "OnRootMismatch"),
    "supplementalGroupsPolicy": ("Merge", "Strict"),
    "seLinuxChangePolicy": ("MountOption", "Recursive"),
}
_SYSCTL = r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL_FORM = lazy(_SYSCTL, re.ASCII)
_SYSCTL_TEXT = f"must have at most 253 characters and match regex ^{_SYSCTL}$"
_IPC_SYSCTLS = ("kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced")

_NOT_ON_WINDOWS = "cannot be set for a windows pod"
_NOT_ON_LINUX = "windows options cannot be set for a linux pod"
# What a Windows pod may not have: field of the context, or with a dot in front of the spec.
_POD_LINUX_ONLY = (
    "appArmorProfile",
    "seLinuxOptions",
    ".hostUsers",
    ".hostPID",
    ".hostIPC",
    "seccompProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    ".shareProcessNamespace",
    "runAsUser",
    "runAsGroup",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "seLinuxChangePolicy",
)
_CONTAINER_LINUX_ONLY = (
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
)


def visit(spec: Obj, path: str) -> Iterator[tuple[Obj, str]]:
    """VisitContainersWithPath: init, regular, ephemeral containers with their paths."""
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(key) or ()):
            yield container, f"{path}.{key}[{index}]"


def host_users(spec: Obj) -> bool:
    """Whether the pod shares the host's user namespace (it does unless told otherwise)."""
    return spec.get("hostUsers") is not False


def validate_container_context(context: Obj, path: str, *, shares_users: bool) -> Errors:
    """ValidateSecurityContext."""
    errors = _ids(context, ("runAsUser", "runAsGroup"), path)
    mount = context.get("procMount")
    if mount is not None:
        if mount not in _PROC_MOUNTS:
            errors.append(not_supported(f"{path}.procMount", mount, _PROC_MOUNTS))
        if mount == "Unmasked" and shares_users:
            errors.append(invalid(f"{path}.procMount", mount, "`hostUsers` must be false to use `Unmasked`"))
    errors += _seccomp(context.get("seccompProfile"), f"{path}.seccompProfile")
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            text = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            errors.append(invalid(path, go_struct("SecurityContext", context), text))
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            text = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            errors.append(invalid(path, go_struct("SecurityContext", context), text))
    errors += _windows_options(context.get("windowsOptions"), f"{path}.windowsOptions")
    return errors + _app_armor(context.get("appArmorProfile"), f"{path}.appArmorProfile")


def validate_pod_context(spec: Obj, path: str) -> Errors:
    """validatePodSpecSecurityContext."""
    context = spec.get("securityContext") or {}
    own = f"{path}.securityContext"
    errors = _ids(context, ("fsGroup", "runAsUser", "runAsGroup"), own)
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        errors += check(f"{own}.supplementalGroups[{index}]", group, is_user_or_group_id(group))
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        text = "ShareProcessNamespace and HostPID cannot both be enabled"
        errors.append(invalid(f"{own}.shareProcessNamespace", True, text))
    if context.get("sysctls"):
        errors += _sysctls(spec, context["sysctls"], f"{own}.sysctls")
    errors += _choice(context, "fsGroupChangePolicy", own)
    errors += _seccomp(context.get("seccompProfile"), f"{own}.seccompProfile")
    errors += _windows_options(context.get("windowsOptions"), f"{own}.windowsOptions")
    errors += _app_armor(context.get("appArmorProfile"), f"{own}.appArmorProfile")
    return errors + _choice(context, "supplementalGroupsPolicy", own) + _choice(context, "seLinuxChangePolicy", own)


def _ids(context: Obj, names: tuple[str, ...], path: str) -> Errors:
    errors: Errors = []
    for name in names:
        value = context.get(name)
        if value is not None:
            errors += check(f"{path}.{name}", value, is_user_or_group_id(value))
    return errors


def _choice(context: Obj, name: str, path: str) -> Errors:
    value, choices = context.get(name), _CHOICES[name]
    return [] if value is None or value in choices else [not_supported(f"{path}.{name}", value, choices)]


def _sysctls(spec: Obj, sysctls: list[Obj], path: str) -> Errors:
    errors: Errors = []
    seen: set[str] = set()
    for index, sysctl in enumerate(sysctls):
        own, name = f"{path}[{index}].name", sysctl.get("name") or ""
        dotted = name.replace("/", ".") if name.find("/") < name.find(".") or "." not in name else name
        if not name:
            errors.append(required(own))
        elif len(name) > 253 or not _SYSCTL_FORM.fullmatch(name):
            errors.append(invalid(own, name, _SYSCTL_TEXT))
        elif name in seen:
            errors.append(duplicate(own, name))
        if spec.get("hostNetwork") and dotted.startswith("net."):
            errors.append(invalid(own, name, "may not be specified when 'hostNetwork' is true"))
        elif spec.get("hostIPC") and (dotted.startswith(("kernel.msg", "fs.mqueue.")) or dotted in _IPC_SYSCTLS):
            errors.append(invalid(own, name, "may not be specified when 'hostIPC' is true"))
        seen.add(name)
    return errors


def _seccomp(profile: Obj | None, path: str) -> Errors:
    if profile is None:
        return []
    kind, local = profile.get("type") or "", profile.get("localhostProfile")
    errors: Errors = []
    if not kind:
        errors.append(required(f"{path}.type", "type is required when seccompProfile is set"))
    elif kind not in _SECCOMP_TYPES:
        errors.append(not_supported(f"{path}.type", kind, _SECCOMP_TYPES))
    where = f"{path}.localhostProfile"
    if kind == "Localhost":
        text = "must be set when seccomp type is Localhost"
        return errors + (descending_path(local, where) if local is not None else [required(where, text)])
    if local is not None:
        text = "can only be set when seccomp type is Localhost"
        errors.append(invalid(where, go_struct("SeccompProfile", profile), text))
    return errors


def _app_armor(profile: Obj | None, path: str) -> Errors:
    if profile is None:
        return []
    kind, local, where = profile.get("type") or "", profile.get("localhostProfile"), f"{path}.localhostProfile"
    if kind == "Localhost":
        return _app_armor_local(local, where)
    if kind not in _SECCOMP_TYPES:
        text = "type is required when appArmorProfile is set"
        return [not_supported(f"{path}.type", kind, _SECCOMP_TYPES) if kind else required(f"{path}.type", text)]
    if local is not None:
        return [invalid(where, local, "can only be set when AppArmor type is Localhost")]
    return []


def _app_armor_local(local: str | None, path: str) -> Errors:
    missing = required(path, "must be set when AppArmor type is Localhost")
    if local is None:
        return [missing]
    errors: Errors = []
    if local.strip() != local:
        errors.append(invalid(path, local, "must not be padded with whitespace"))
    elif not local:
        errors.append(missing)
    return errors + ([too_long(path, 4095)] if len(local) > 4095 else [])


_NETBIOS = lazy(r"[^\\/:*?\"<>|.][^\\/:*?\"<>|]{0,14}")
_DOMAIN_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_DOMAIN = lazy(rf"{_DOMAIN_LABEL}(?:\.{_DOMAIN_LABEL})*")
_BAD_USER = lazy(r"[\"/\\:;|=,+*?<>@\[\]]")


def _windows_options(options: Obj | None, path: str) -> Errors:
    if options is None:
        return []
    errors: Errors = []
    name, spec, user = (options.get(k) for k in ("gmsaCredentialSpecName", "gmsaCredentialSpec", "runAsUserName"))
    if name is not None:
        errors += check(f"{path}.gmsaCredentialSpecName", name, is_dns1123_subdomain(name))
    if spec is not None and not spec:
        text = "gmsaCredentialSpec cannot be an empty string"
        errors.append(invalid(f"{path}.gmsaCredentialSpec", spec, text))
    elif spec is not None and len(spec.encode()) > 64 * 1024:
        errors.append(invalid(f"{path}.gmsaCredentialSpec", spec, "gmsaCredentialSpec size must be under 64 KiB"))
    if user is not None:
        errors += check(f"{path}.runAsUserName", user, (f"runAsUserName{text}" for text in _user_name(user)))
    return errors


def _user_name(value: str) -> list[str]:
    parts = value.split("\\")
    if not value:
        return [" cannot be an empty string"]
    if any(ord(ch) < 32 or ord(ch) == 127 for ch in value):
        return [" cannot contain control characters"]
    if len(parts) > 2:
        return [" cannot contain more than one backslash"]
    domain, user = parts if len(parts) == 2 else (None, parts[0])
    texts = []
    if domain is not None and len(domain) >= 256:
        texts.append("'s Domain length must be under 256 characters")
    if domain is not None and not (_NETBIOS.fullmatch(domain) or _DOMAIN.fullmatch(domain)):
        texts.append("'s Domain doesn't match the NetBios nor the DNS format")
    if not user:
        texts.append("'s User cannot be empty")
    elif len(user) > 104:
        texts.append("'s User length must not be longer than 104 characters")
    if user and not user.strip(". "):
        texts.append("'s User cannot contain only periods or spaces")
    if _BAD_USER.search(user):
        texts.append("'s User cannot contain the following characters: \"/\\:;|=,+*?<>@[]")
    return texts


def validate_host_process(spec: Obj, path: str) -> Errors:
    """validateWindowsHostProcessPod: all containers are host processes or none is."""
    own = ((spec.get("securityContext") or {}).get("windowsOptions") or {}).get("hostProcess")
    errors: Errors = []
    total = host = 0
    for container, where in visit(spec, path):
        total += 1
        given = ((container.get("securityContext") or {}).get("windowsOptions") or {}).get("hostProcess")
        if own is not None and given is not None and own != given:
            text = f"pod hostProcess value must be identical if both are specified, was {'true' if own else 'false'}"
            errors.append(invalid(f"{where}.securityContext.windowsOptions.hostProcess", given, text))
        host += bool(own if given is None else given)
    if host and host != total:
        text = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
        errors.append(invalid(path, "", text))
    if host and not spec.get("hostNetwork"):
        text = "hostNetwork must be true if pod contains any hostProcess containers"
        errors.append(invalid(f"{path}.hostNetwork", False, text))
    return errors


def validate_host_users(spec: Obj, path: str) -> Errors:
    """A pod with its own user namespace shares no other namespace with the host."""
    if host_users(spec):
        return []
    given = [name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    return [forbidden(f"{path}.{name}", "when `hostUsers` is false") for name in given]


def validate_os(spec: Obj, path: str) -> Errors:
    """The pod's OS and what it rules out."""
    name = spec["os"].get("name") or ""
    if not name:
        return [required(f"{path}.os.name")]
    if name == "linux":
        return _linux(spec, path)
    if name == "windows":
        return _windows(spec, path)
    return [not_supported(f"{path}.os", name, ("linux", "windows"))]


def _linux(spec: Obj, path: str) -> Errors:
    contexts = [(spec.get("securityContext"), path)]
    contexts += [(container.get("securityContext"), where) for container, where in visit(spec, path)]
    given = [where for context, where in contexts if context and context.get("windowsOptions") is not None]
    return [forbidden(f"{where}.securityContext.windowsOptions", _NOT_ON_LINUX) for where in given]


def _windows(spec: Obj, path: str) -> Errors:
    context = spec.get("securityContext") or {}
    errors: Errors = []
    for name in _POD_LINUX_ONLY:
        value = spec.get(name[1:]) if name.startswith(".") else context.get(name)
        # Host namespaces are plain booleans in Go: false is unset. The others are pointers.
        if value is not None and (value or name not in (".hostPID", ".hostIPC", "sysctls")):
            where = f"{path}{name}" if name.startswith(".") else f"{path}.securityContext.{name}"
            errors.append(forbidden(where, _NOT_ON_WINDOWS))
    for container, where in visit(spec, path):
        own = container.get("securityContext") or {}
        given = [name for name in _CONTAINER_LINUX_ONLY if own.get(name) is not None]
        errors += [forbidden(f"{where}.securityContext.{name}", _NOT_ON_WINDOWS) for name in given]
    return errors
