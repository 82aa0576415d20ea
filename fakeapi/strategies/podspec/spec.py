"""A whole PodSpec, and a whole pod template.

Stands for ValidatePodSpec and ValidatePodTemplateSpec of pkg/apis/core/validation. Leaves out ratcheting: what an old
object had wrong is told again.
"""

from __future__ import annotations

from typing import Any

from fakeapi.errors import FieldError, duplicate, forbidden, invalid, not_found, not_supported, required, too_long
from fakeapi.ips import check_ip_legacy
from fakeapi.names import (
    check,
    check_annotations,
    check_labels,
    is_dns1123_label,
    is_dns1123_subdomain,
    is_dns1123_subdomain_with_underscore,
    is_in_range,
    is_qualified_name,
    name_is_dns_subdomain,
)
from fakeapi.strategies.podspec.annotations import validate_annotations, validate_matching_fields
from fakeapi.strategies.podspec.containers import (
    Surroundings,
    validate_containers,
    validate_ephemeral_containers,
    validate_init_containers,
)
from fakeapi.strategies.podspec.resources import validate_container_resources, validate_pod_resources
from fakeapi.strategies.podspec.scheduling import (
    validate_affinity,
    validate_gates,
    validate_spread,
    validate_tolerations,
)
from fakeapi.strategies.podspec.security import (
    host_users,
    validate_host_process,
    validate_host_users,
    validate_os,
    validate_pod_context,
    visit,
)
from fakeapi.strategies.podspec.volumes import validate_volumes

Obj = dict[str, Any]
Errors = list[FieldError]

_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_PREEMPTION = ("PreemptLowerPriority", "Never")
_MAX_INT32 = 2**31 - 1
# The kernel's limit.
_MAX_HOSTNAME = 64
_ONE_CLAIM = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
_TWO_CLAIMS = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"


def validate_template(template: Obj, path: str) -> Errors:
    """ValidatePodTemplateSpec."""
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    errors = check_labels(f"{path}.labels", metadata.get("labels"))
    if annotations:
        errors += check_annotations(f"{path}.annotations", annotations)
        errors += validate_annotations(annotations, spec, f"{path}.annotations")
    errors += validate_spec(spec, f"{path}.spec")
    errors += validate_matching_fields(annotations, spec, f"{path}.spec")
    if spec.get("ephemeralContainers"):
        text = "ephemeral containers not allowed in pod template"
        errors.append(forbidden(f"{path}.spec.ephemeralContainers", text))
    return errors


def validate_spec(spec: Obj, path: str, pod_name: str | None = None) -> Errors:
    """ValidatePodSpec; pod_name is None in templates."""
    volumes, errors = validate_volumes(spec.get("volumes") or [], pod_name, f"{path}.volumes")
    claims = [claim["name"] for claim in spec.get("resourceClaims") or () if claim.get("name")]
    if spec.get("resourceClaims"):
        errors += _resource_claims(spec["resourceClaims"], f"{path}.resourceClaims")
    errors += _containers(spec, volumes, claims, path)
    if spec.get("resources") is not None:
        errors += validate_pod_resources(spec, claims, f"{path}.resources")
    if spec.get("hostNetwork"):
        errors += _host_network(spec, f"{path}.containers", is_pod=pod_name is not None)
    errors += _choice(spec, "restartPolicy", _RESTART_POLICIES, path)
    errors += _choice(spec, "dnsPolicy", _DNS_POLICIES, path)
    if spec.get("nodeSelector"):
        errors += check_labels(f"{path}.nodeSelector", spec["nodeSelector"])
    errors += validate_pod_context(spec, path)
    if spec.get("affinity"):
        errors += validate_affinity(spec["affinity"], f"{path}.affinity")
    errors += _dns(spec, f"{path}.dnsConfig")
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        kind = gate.get("conditionType") or ""
        errors += check(f"{path}.readinessGates[{index}].conditionType", kind, is_qualified_name(kind))
    if spec.get("schedulingGates"):
        errors += validate_gates(spec["schedulingGates"], f"{path}.schedulingGates")
    if spec.get("topologySpreadConstraints"):
        errors += validate_spread(spec["topologySpreadConstraints"], f"{path}.topologySpreadConstraints")
    errors += validate_host_process(spec, path) + validate_host_users(spec, path)
    return errors + _names(spec, path) + _rest(spec, path)


def _containers(spec: Obj, volumes: dict[str, Obj], claims: list[str], path: str) -> Errors:
    pod = Surroundings(
        volumes,
        claims,
        spec.get("terminationGracePeriodSeconds"),
        spec.get("restartPolicy") or "",
        host_users(spec),
    )
    regular = spec.get("containers") or []
    errors = validate_containers(regular, pod, f"{path}.containers")
    if spec.get("initContainers"):
        errors += validate_init_containers(spec["initContainers"], regular, pod, f"{path}.initContainers")
    if spec.get("ephemeralContainers"):
        errors += validate_ephemeral_containers(spec, pod, f"{path}.ephemeralContainers")
    return errors + _file_references(spec, path)


def _file_references(spec: Obj, path: str) -> Errors:
    """validateFileKeyRefVolumes: variables come from files of volumes that are emptyDirs."""
    errors: Errors = []
    volumes = {volume.get("name"): volume for volume in spec.get("volumes") or ()}
    for container, own in visit(spec, path):
        for index, variable in enumerate(container.get("env") or ()):
            name = ((variable.get("valueFrom") or {}).get("fileKeyRef") or {}).get("volumeName")
            where = f"{own}.env[{index}].valueFrom.fileKeyRef.volumeName"
            if name and name not in volumes:
                errors.append(not_found(where, name))
            elif name and volumes[name].get("emptyDir") is None:
                errors.append(invalid(where, name, "referenced volume must be of type emptyDir"))
    return errors


def _choice(spec: Obj, name: str, choices: tuple[str, ...], path: str) -> Errors:
    value = spec.get(name)
    if value in choices:
        return []
    return [not_supported(f"{path}.{name}", value, choices) if value else required(f"{path}.{name}")]


def _resource_claims(claims: list[Obj], path: str) -> Errors:
    errors: Errors = []
    names: set[str] = set()
    for index, claim in enumerate(claims):
        own, name = f"{path}[{index}]", claim.get("name") or ""
        if not name:
            errors.append(required(f"{own}.name"))
        elif name in names:
            errors.append(duplicate(f"{own}.name", name))
        else:
            errors += check(f"{own}.name", name, is_dns1123_label(name))
        names.add(name)
        given = [key for key in ("resourceClaimName", "resourceClaimTemplateName") if claim.get(key) is not None]
        if len(given) != 1:
            shown = {
                "Name": name,
                "ResourceClaimName": claim.get("resourceClaimName"),
                "ResourceClaimTemplateName": claim.get("resourceClaimTemplateName"),
            }
            errors.append(invalid(own, shown, _TWO_CLAIMS if given else _ONE_CLAIM))
        for key in given:
            errors += check(f"{own}.{key}", claim[key], name_is_dns_subdomain(claim[key], False))
    return errors


def _host_network(spec: Obj, path: str, *, is_pod: bool) -> Errors:
    """Templates may leave host ports open, they are filled in when the Pod is made."""
    errors: Errors = []
    for index, container in enumerate(spec.get("containers") or ()):
        for number, port in enumerate(container.get("ports") or ()):
            host = port.get("hostPort") or 0
            if (is_pod or host) and host != (port.get("containerPort") or 0):
                where = f"{path}[{index}].ports[{number}].hostPort"
                errors.append(invalid(where, host, "must match `containerPort` when `hostNetwork` is true"))
    return errors


def _dns(spec: Obj, path: str) -> Errors:
    config = spec.get("dnsConfig")
    if spec.get("dnsPolicy") == "None":
        if config is None:
            return [required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not config.get("nameservers"):
            text = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            return [required(f"{path}.nameservers", text)]
    if config is None:
        return []
    servers, searches = config.get("nameservers") or [], config.get("searches") or []
    errors: Errors = []
    if len(servers) > 3:
        errors.append(invalid(f"{path}.nameservers", servers, "must not have more than 3 nameservers"))
    for index, server in enumerate(servers):
        errors += check_ip_legacy(f"{path}.nameservers[{index}]", server)
    if len(searches) > 32:
        errors.append(invalid(f"{path}.searches", searches, "must not have more than 32 search paths"))
    if len(" ".join(searches)) > 2048:
        text = "must not have more than 2048 characters (including spaces) in the search list"
        errors.append(invalid(f"{path}.searches", searches, text))
    for index, search in enumerate(searches):
        if search != ".":
            name = search.removesuffix(".")
            errors += check(f"{path}.searches[{index}]", name, is_dns1123_subdomain_with_underscore(name))
    options = enumerate(config.get("options") or ())
    return errors + [required(f"{path}.options[{i}]", "must not be empty") for i, o in options if not o.get("name")]


# Field -> what it may look like.
_NAMES = {
    "serviceAccountName": lambda value: name_is_dns_subdomain(value, False),
    "nodeName": lambda value: name_is_dns_subdomain(value, False),
    "activeDeadlineSeconds": lambda value: is_in_range(value, 1, _MAX_INT32),
    "hostname": is_dns1123_label,
    "subdomain": is_dns1123_label,
}


def _names(spec: Obj, path: str) -> Errors:
    errors: Errors = []
    for name, rule in _NAMES.items():
        value = spec.get(name)
        if value not in (None, ""):
            errors += check(f"{path}.{name}", value, rule(value))
    return errors


def _hostname_override(spec: Obj, path: str) -> Errors:
    """A name of the pod's own, which goes with neither the host's name nor the one that DNS would give."""
    name = spec.get("hostnameOverride")
    if name is None:
        return []
    errors = check(f"{path}.hostnameOverride", name, is_dns1123_subdomain(name))
    if len(name) > _MAX_HOSTNAME:
        errors.append(too_long(f"{path}.hostnameOverride", _MAX_HOSTNAME))
    for other in ("hostNetwork", "setHostnameAsFQDN"):
        if spec.get(other):
            errors.append(forbidden(f"{path}.hostnameOverride", f"may not be specified when {other} is true"))
    return errors


def _rest(spec: Obj, path: str) -> Errors:
    errors = _hostname_override(spec, path)
    if spec.get("tolerations"):
        errors += validate_tolerations(spec["tolerations"], f"{path}.tolerations")
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        own = f"{path}.hostAliases[{index}]"
        errors += check_ip_legacy(f"{own}.ip", alias.get("ip") or "")
        for number, host in enumerate(alias.get("hostnames") or ()):
            errors += check(f"{own}.hostnames[{number}]", host, is_dns1123_subdomain(host))
    for name in ("priorityClassName", "runtimeClassName"):
        value = spec.get(name)
        if value or (value is not None and name == "runtimeClassName"):
            errors += check(f"{path}.{name}", value, name_is_dns_subdomain(value, False))
    if spec.get("preemptionPolicy") is not None:
        errors += _choice(spec, "preemptionPolicy", _PREEMPTION, path)
    if spec.get("overhead") is not None:
        errors += validate_container_resources({"limits": spec["overhead"]}, (), f"{path}.overhead")
    if spec.get("os") is not None:
        errors += validate_os(spec, path)
    return errors
