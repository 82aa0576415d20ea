"""What a pod cannot do without: ConfigMaps and Secrets that its volumes and environments refer to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Obj = Mapping[str, Any]


def references(pod: Obj) -> set[tuple[str, str]]:
    """ConfigMaps and Secrets that the pod cannot do without: ("configmap"|"secret", name)."""
    found: set[tuple[str, str]] = set()
    for volume in pod["spec"].get("volumes") or ():
        found |= set(of_volume(volume))
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for container in pod["spec"].get(key) or ():
            found |= set(of_environment(container))
    return found


def of_volume(volume: Obj) -> Iterable[tuple[str, str]]:
    """Those of one volume."""
    sources = [volume, *((volume.get("projected") or {}).get("sources") or ())]
    if volume["name"].startswith("kube-api-access-"):
        return  # the service account's: every namespace has it
    for source in sources:
        for key, kind, name in (("configMap", "configmap", "name"), ("secret", "secret", "secretName")):
            ref = source.get(key)
            if ref and not ref.get("optional"):
                yield kind, ref.get(name) or ref.get("name", "")


def of_environment(container: Obj) -> Iterable[tuple[str, str]]:
    """Those of one container's environment."""
    for entry in container.get("envFrom") or ():
        for key, kind in (("configMapRef", "configmap"), ("secretRef", "secret")):
            if entry.get(key) and not entry[key].get("optional"):
                yield kind, entry[key]["name"]
    for entry in container.get("env") or ():
        source = entry.get("valueFrom") or {}
        for key, kind in (("configMapKeyRef", "configmap"), ("secretKeyRef", "secret")):
            if source.get(key) and not source[key].get("optional"):
                yield kind, source[key]["name"]


def not_found(ref: tuple[str, str]) -> str:
    """What is said of one that leads nowhere."""
    return f'{ref[0]} "{ref[1]}" not found'
