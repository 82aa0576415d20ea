"""Containers of a PodSpec: regular, init and ephemeral ones.

Stands for validateContainers, validateInitContainers, validateEphemeralContainers and validateContainerCommon of
pkg/apis/core/validation.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from fakeapi.errors import FieldError, duplicate, forbidden, invalid, not_found, not_supported, required, too_many
from fakeapi.names import check, is_dns1123_label, is_port_name, is_port_number
from fakeapi.strategies.podspec.env import validate_env, validate_env_from
from fakeapi.strategies.podspec.mounts import validate_devices, validate_mounts
from fakeapi.strategies.podspec.probes import forbid_probes, validate_probes
from fakeapi.strategies.podspec.resources import validate_container_resources
from fakeapi.strategies.podspec.security import validate_container_context

Obj = dict[str, Any]
Errors = list[FieldError]

_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_RESTART_POLICIES = ("Always", "Never", "OnFailure")
_RESIZE_POLICIES = ("NotRequired", "RestartContainer")
_EPHEMERAL = "cannot be set for an Ephemeral Container"
_NOT_EPHEMERAL = (
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
)


class Surroundings(Struct, frozen=True):
    """What a container's rules need of its pod: good volumes by name, names of resource claims."""

    volumes: dict[str, Obj]
    claims: list[str]
    grace: int | None
    restart_policy: str
    shares_users: bool


def validate_containers(containers: list[Obj], pod: Surroundings, path: str) -> Errors:
    """Regular containers; there must be one."""
    if not containers:
        return [required(path)]
    errors: Errors = []
    names: set[str] = set()
    for index, container in enumerate(containers):
        own = f"{path}[{index}]"
        errors += _common(container, pod, own)
        name = container.get("name") or ""
        if name in names:
            errors.append(duplicate(f"{own}.name", name))
        names.add(name)
        errors += validate_probes(container, pod.grace, own)
        errors += _restart_rules(container, own)
    return errors + _host_ports(containers, path, range(len(containers)))


def validate_init_containers(containers: list[Obj], regular: list[Obj], pod: Surroundings, path: str) -> Errors:
    """Init containers; those that restart always are sidecars and may have probes."""
    errors: Errors = []
    names = {c.get("name") or "" for c in regular}
    for index, container in enumerate(containers):
        own = f"{path}[{index}]"
        errors += _common(container, pod, own)
        errors += _restart_rules(container, own)
        name = container.get("name") or ""
        if name in names:
            errors.append(duplicate(f"{own}.name", name))
        elif name:
            names.add(name)
        # Init containers run one by one, so each has its ports alone. Upstream's path does not tell which one it is.
        errors += _host_ports([container], path, (0,))
        sidecar = container.get("restartPolicy") == "Always"
        errors += validate_probes(container, pod.grace, own) if sidecar else forbid_probes(container, own)
    return errors


def validate_ephemeral_containers(spec: Obj, pod: Surroundings, path: str) -> Errors:
    """Ephemeral containers: a name of their own and little of what makes a service."""
    others = {c.get("name") or "" for key in ("containers", "initContainers") for c in spec.get(key) or ()}
    names = set(others)
    errors: Errors = []
    for index, container in enumerate(spec["ephemeralContainers"]):
        own, name = f"{path}[{index}]", container.get("name") or ""
        errors += _common(container, pod, own) + validate_image_spaces(container, own)
        if name in names:
            errors.append(duplicate(f"{own}.name", name))
        names.add(name)
        target = container.get("targetContainerName")
        if target and target not in others:
            errors.append(not_found(f"{own}.targetContainerName", target))
        errors += [forbidden(f"{own}.{field}", _EPHEMERAL) for field in _NOT_EPHEMERAL if container.get(field)]
        for number, mount in enumerate(container.get("volumeMounts") or ()):
            given = [field for field in ("subPath", "subPathExpr") if mount.get(field)]
            errors += [forbidden(f"{own}.volumeMounts[{number}].{field}", _EPHEMERAL) for field in given]
    return errors


def validate_image_spaces(container: Obj, path: str) -> Errors:
    """In Pods, not in templates, an image is written without spaces around it."""
    image = container.get("image") or ""
    if image == image.strip():
        return []
    return [invalid(f"{path}.image", image, "must not have leading or trailing whitespace")]


def _common(container: Obj, pod: Surroundings, path: str) -> Errors:
    name = container.get("name")
    errors = check(f"{path}.name", name, is_dns1123_label(name)) if name else [required(f"{path}.name")]
    if not container.get("image"):
        errors.append(required(f"{path}.image"))
    policy = container.get("terminationMessagePolicy")
    if policy not in _MESSAGE_POLICIES:
        errors.append(not_supported(f"{path}.terminationMessagePolicy", policy or "", _MESSAGE_POLICIES))
    if container.get("ports"):
        errors += _ports(container["ports"], f"{path}.ports")
    if container.get("env"):
        errors += validate_env(container["env"], f"{path}.env")
    if container.get("envFrom"):
        errors += validate_env_from(container["envFrom"], f"{path}.envFrom")
    if container.get("volumeMounts"):
        errors += validate_mounts(container, pod.volumes, f"{path}.volumeMounts")
    if container.get("volumeDevices"):
        errors += validate_devices(container, pod.volumes, f"{path}.volumeDevices")
    pull = container.get("imagePullPolicy")
    if pull not in _PULL_POLICIES:
        errors.append(not_supported(f"{path}.imagePullPolicy", pull or "", _PULL_POLICIES))
    if container.get("resources"):
        errors += validate_container_resources(container["resources"], pod.claims, f"{path}.resources")
    if container.get("resizePolicy"):
        errors += _resize(container, pod, f"{path}.resizePolicy")
    context = container.get("securityContext")
    if context:
        errors += validate_container_context(context, f"{path}.securityContext", shares_users=pod.shares_users)
    return errors


def _ports(ports: list[Obj], path: str) -> Errors:
    errors: Errors = []
    names: set[str] = set()
    for index, port in enumerate(ports):
        own = f"{path}[{index}]"
        name, number, host, protocol = (port.get(k) for k in ("name", "containerPort", "hostPort", "protocol"))
        if name:
            bad = is_port_name(name)
            errors += check(f"{own}.name", name, bad)
            if not bad and name in names:
                errors.append(duplicate(f"{own}.name", name))
            names.add(name)
        if number:
            errors += check(f"{own}.containerPort", number, is_port_number(number))
        else:
            errors.append(required(f"{own}.containerPort"))
        if host:
            errors += check(f"{own}.hostPort", host, is_port_number(host))
        if protocol not in _PROTOCOLS:
            where = f"{own}.protocol"
            errors.append(not_supported(where, protocol, _PROTOCOLS) if protocol else required(where))
    return errors


def _host_ports(containers: list[Obj], path: str, indexes: range | tuple[int, ...]) -> Errors:
    errors: Errors = []
    seen: set[str] = set()
    for index, container in zip(indexes, containers, strict=True):
        for number, port in enumerate(container.get("ports") or ()):
            if not port.get("hostPort"):
                continue
            key = f"{port.get('protocol') or ''}/{port.get('hostIP') or ''}/{port['hostPort']}"
            if key in seen:
                errors.append(duplicate(f"{path}[{index}].ports[{number}].hostPort", key))
            seen.add(key)
    return errors


def _restart_rules(container: Obj, path: str) -> Errors:
    policy, rules = container.get("restartPolicy"), container.get("restartPolicyRules") or []
    errors: Errors = []
    if policy is not None and policy not in _RESTART_POLICIES:
        errors.append(not_supported(f"{path}.restartPolicy", policy, _RESTART_POLICIES))
    if policy is None and rules:
        text = "must specify restartPolicy when restart rules are used"
        errors.append(required(f"{path}.restartPolicy", text))
    if len(rules) > 20:
        errors.append(too_many(f"{path}.restartPolicyRules", len(rules), 20))
    for index, rule in enumerate(rules):
        own, codes = f"{path}.restartPolicyRules[{index}]", rule.get("exitCodes")
        if rule.get("action") != "Restart":
            errors.append(not_supported(f"{own}.action", rule.get("action") or "", ("Restart",)))
        if codes is None:
            errors.append(required(f"{own}.exitCodes", "must be specified"))
            continue
        if codes.get("operator") not in ("In", "NotIn"):
            errors.append(not_supported(f"{own}.exitCodes.operator", codes.get("operator") or "", ("In", "NotIn")))
        if len(codes.get("values") or ()) > 255:
            errors.append(too_many(f"{own}.exitCodes.values", len(codes["values"]), 255))
    return errors


def _resize(container: Obj, pod: Surroundings, path: str) -> Errors:
    errors: Errors = []
    seen: set[str] = set()
    for index, rule in enumerate(container["resizePolicy"]):
        resource, policy = rule.get("resourceName") or "", rule.get("restartPolicy") or ""
        if resource in seen:
            errors.append(duplicate(f"{path}[{index}]", resource))
        seen.add(resource)
        for value, choices in ((resource, ("cpu", "memory")), (policy, _RESIZE_POLICIES)):
            if value not in choices:
                errors.append(not_supported(path, value, choices) if value else required(path))
        if pod.restart_policy == "Never" and policy != "NotRequired":
            text = "must be 'NotRequired' when `restartPolicy` is 'Never'"
            errors.append(invalid(path, policy, text))
    return errors
