"""What a client is warned of when it writes a pod or a pod template.

Stands for warningsForPodSpecAndMeta of pkg/api/pod/warnings.go and pkg/api/node's deprecated labels. Pods are warned of
on create only, templates whenever the object's generation grows.
"""

from __future__ import annotations

from typing import Any

from fakeapi.gofmt import go_quote
from fakeapi.names import is_dns1123_label, is_label_value
from fakeapi.quantity import parse
from fakeapi.strategies.podspec.annotations import APP_ARMOR, SECCOMP_CONTAINER, SECCOMP_POD
from fakeapi.strategies.podspec.overlaps import overlap_warnings
from fakeapi.strategies.podspec.scheduling import PREFERRED, REQUIRED
from fakeapi.strategies.podspec.security import visit

Obj = dict[str, Any]

NODE_LABELS = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
}
_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
}
_VOLUMES = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "gitRepo": "deprecated in v1.11, and disabled by default in v1.33+",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
_VOLUME_PATHS = {"storageos": "storageOS"}
_SECCOMP = 'non-functional in v1.27+; use the "seccompProfile" field instead'
APP_ARMOR_TEXT = 'deprecated since v1.30; use the "appArmorProfile" field instead'
_NO_SELECTOR = "a null labelSelector results in matching no pod"
_BYTES = ("memory", "ephemeral-storage")
_HOSTNAME = "this is used in {}, which can result in surprising behavior; a DNS label is recommended: [{}]"


def name_warnings(name: str, used_in: str = "Pod names and hostnames") -> list[str]:
    """A name that is no DNS label cannot be a hostname."""
    found = is_dns1123_label(name)
    return [f"metadata.name: {_HOSTNAME.format(used_in, ' '.join(found))}"] if found else []


def template_warnings(template: Obj, path: str) -> list[str]:
    """GetWarningsForPodTemplate."""
    return spec_warnings(template.get("spec") or {}, template.get("metadata") or {}, f"{path}.", is_pod=False)


def spec_warnings(spec: Obj, metadata: Obj, prefix: str, *, is_pod: bool) -> list[str]:
    """All warnings; prefix is what paths start with, "" for Pods."""
    path, annotations = f"{prefix}spec", metadata.get("annotations") or {}
    found = _placement(spec, path)
    texts = [(key, text) for key, text in _ANNOTATIONS.items() if key in annotations]
    found += [f"{prefix}metadata.annotations[{key}]: {text}" for key, text in texts]
    found += _volumes(spec.get("volumes") or [], f"{path}.volumes")
    found += _repeated(spec, path)
    found += _fractions({"overhead": spec.get("overhead")}, path)
    context = spec.get("securityContext") or {}
    if context.get("seccompProfile") is None and SECCOMP_POD in annotations:
        found.append(f"{prefix}metadata.annotations[{SECCOMP_POD}]: {_SECCOMP}")
    for container, where in visit(spec, path):
        found += _container_annotations(container, annotations, prefix, context, is_pod=is_pod)
        found += _container(container, where)
    found += _ports(spec, path)
    grace = spec.get("terminationGracePeriodSeconds")
    if grace is not None and grace < 0:
        text = "must be >= 0; negative values are invalid and will be treated as 1"
        found.append(f"{path}.terminationGracePeriodSeconds: {text}")
    return (
        found + _affinity(spec.get("affinity") or {}, f"{path}.affinity") + overlap_warnings(spec.get("volumes") or [])
    )


def _placement(spec: Obj, path: str) -> list[str]:
    selector = spec.get("nodeSelector") or {}
    found = [f"{path}.nodeSelector[{key}]: {NODE_LABELS[key]}" for key in sorted(selector) if key in NODE_LABELS]
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    own = f"{path}.affinity.nodeAffinity"
    for index, term in enumerate((affinity.get(REQUIRED) or {}).get("nodeSelectorTerms") or ()):
        found += node_term_warnings(term, f"{own}.{REQUIRED}.nodeSelectorTerms[{index}]")
    for index, term in enumerate(affinity.get(PREFERRED) or ()):
        where = f"{own}.{PREFERRED}[{index}].preference"
        found += node_term_warnings(term.get("preference") or {}, where, values=True)
    for index, constraint in enumerate(spec.get("topologySpreadConstraints") or ()):
        where, key = f"{path}.topologySpreadConstraints[{index}]", constraint.get("topologyKey")
        if key in NODE_LABELS:
            found.append(f"{where}.topologyKey: {key} is {NODE_LABELS[key]}")
        if constraint.get("labelSelector") is None:
            found.append(f"{where}.labelSelector: {_NO_SELECTOR}")
    return found


def node_term_warnings(term: Obj, path: str, *, values: bool = False) -> list[str]:
    """GetWarningsForNodeSelectorTerm; values: labels' values are looked at too."""
    found = []
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        own, key = f"{path}.matchExpressions[{index}]", expression.get("key")
        if key in NODE_LABELS:
            found.append(f"{own}.key: {key} is {NODE_LABELS[key]}")
        for number, value in enumerate(expression.get("values") or () if values else ()):
            found += [f"{own}.values[{number}]: {text}" for text in is_label_value(value)]
    return found


def _volumes(volumes: list[Obj], path: str) -> list[str]:
    found = []
    for index, volume in enumerate(volumes):
        given = [key for key in _VOLUMES if volume.get(key) is not None]
        found += [f"{path}[{index}].{_VOLUME_PATHS.get(key, key)}: {_VOLUMES[key]}" for key in given]
        claim = ((volume.get("ephemeral") or {}).get("volumeClaimTemplate") or {}).get("spec") or {}
        amounts = {"resources.requests": (claim.get("resources") or {}).get("requests")}
        where = f"{path}[{index}].ephemeral.volumeClaimTemplate.spec"
        found += _fractions(amounts, where, names=("storage",))
    return found


def _repeated(spec: Obj, path: str) -> list[str]:
    found = []
    for field, key in (("hostAliases", "ip"), ("imagePullSecrets", "name")):
        seen = set()
        for index, item in enumerate(spec.get(field) or ()):
            value = item.get(key) or ""
            if value in seen:
                found.append(f"{path}.{field}[{index}].{key}: duplicate {key} {go_quote(value)}")
            seen.add(value)
    for index, item in enumerate(spec.get("imagePullSecrets") or ()):
        if not item.get("name"):
            found.append(f'{path}.imagePullSecrets[{index}].name: invalid empty name ""')
    return found


def _fractions(amounts: Obj, path: str, names: tuple[str, ...] = _BYTES) -> list[str]:
    """Bytes are whole. amounts: resource lists by the path below `path`."""
    found = []
    for name in names:
        for field, resources in amounts.items():
            value = (resources or {}).get(name)
            if value is not None and parse(value).nano % 10**9:
                text = f"fractional byte value {go_quote(value)} is invalid, must be an integer"
                found.append(f"{path}.{field}[{name}]: {text}")
    return found


def _container_annotations(container: Obj, annotations: Obj, prefix: str, pod: Obj, *, is_pod: bool) -> list[str]:
    if not annotations:
        return []
    own, name = container.get("securityContext") or {}, container.get("name") or ""
    found = []
    if own.get("seccompProfile") is None and SECCOMP_CONTAINER + name in annotations:
        found.append(f"{prefix}metadata.annotations[{SECCOMP_CONTAINER}{name}]: {_SECCOMP}")
    # Pods are warned of AppArmor's annotation when it is turned into the field (pod.prepare_create).
    given = own.get("appArmorProfile") or pod.get("appArmorProfile")
    if not is_pod and given is None and APP_ARMOR + name in annotations:
        found.append(f"{prefix}metadata.annotations[{APP_ARMOR}{name}]: {APP_ARMOR_TEXT}")
    return found


def _container(container: Obj, path: str) -> list[str]:
    resources = container.get("resources") or {}
    amounts = {f"resources.{kind}": resources.get(kind) for kind in ("limits", "requests")}
    found = _fractions(amounts, path)
    seen: set[str] = set()
    for index, variable in enumerate(container.get("env") or ()):
        name, value = variable.get("name") or "", variable.get("value") or ""
        reference = f"$({name})"
        kept = variable.get("valueFrom") is None and value != reference and reference in value
        if name in seen and not kept:
            text = f"hides previous definition of {go_quote(name)}, which may be dropped when using apply"
            found.append(f"{path}.env[{index}]: {text}")
        seen.add(name)
    return found


def _ports(spec: Obj, path: str) -> list[str]:
    found: list[str] = []
    known: dict[tuple[Any, Any], list[tuple[str, str, int]]] = {}
    for container, own in visit(spec, path):
        for index, port in enumerate(container.get("ports") or ()):
            where, address, host = f"{own}.ports[{index}]", port.get("hostIP") or "", port.get("hostPort") or 0
            if address and not host:
                shown = " ".join(
                    (
                        f"{{Name:{port.get('name') or ''}",
                        f"HostPort:{host}",
                        f"ContainerPort:{port.get('containerPort') or 0}",
                        f"Protocol:{port.get('protocol') or ''}",
                        f"HostIP:{address}}}",
                    )
                )
                found.append(f"{where}: hostIP set without hostPort: {shown}")
            others = known.setdefault((port.get("containerPort"), port.get("protocol")), [])
            for other, other_address, other_host in others:
                word = _clash((address, host), (other_address, other_host))
                if word:
                    found.append(f"{where}: {word} port definition with {other}")
            others.append((where, address, host))
    return found


def _clash(one: tuple[str, int], other: tuple[str, int]) -> str:
    """How two uses of one container port go together, each an address and a port of the host; "" for well."""
    if one == other:
        return "duplicate"
    if not one[1] or not other[1]:
        return "overlapping"
    if one[1] == other[1] and (not one[0]) != (not other[0]):
        return "dangerously ambiguous"
    return ""


def _affinity(affinity: Obj, path: str) -> list[str]:
    found = []
    for kind in ("podAffinity", "podAntiAffinity"):
        own = affinity.get(kind) or {}
        for index, term in enumerate(own.get(REQUIRED) or ()):
            if term.get("labelSelector") is None:
                found.append(f"{path}.{kind}.{REQUIRED}[{index}].labelSelector: {_NO_SELECTOR}")
        for index, weighted in enumerate(own.get(PREFERRED) or ()):
            if (weighted.get("podAffinityTerm") or {}).get("labelSelector") is None:
                found.append(f"{path}.{kind}.{PREFERRED}[{index}].podAffinityTerm.labelSelector: {_NO_SELECTOR}")
    return found
