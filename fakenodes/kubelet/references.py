"""What a pod cannot do without: ConfigMaps, Secrets and their keys that its volumes and environments refer to.

A reference is ("configmap"|"secret", name, key), with the key "" where no key in particular is meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any

Obj = Mapping[str, Any]
Ref = tuple[str, str, str]

KINDS = {"configmap": "ConfigMap", "secret": "Secret"}
# What is said of a volume's item whose key is not there (configmap.go, secret.go).
NO_ITEM = {
    "configmap": "configmap references non-existent config key: {}",
    "secret": "references non-existent secret key: {}",
}


def references(pod: Obj) -> set[Ref]:
    """All that the pod cannot do without."""
    found: set[Ref] = set()
    for volume in pod["spec"].get("volumes") or ():
        found |= set(of_volume(volume))
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for container in pod["spec"].get(key) or ():
            found |= set(of_environment(container))
    return found


def of_volume(volume: Obj) -> Iterable[Ref]:
    """Those of one volume."""
    sources = [volume, *((volume.get("projected") or {}).get("sources") or ())]
    if volume["name"].startswith("kube-api-access-"):
        return  # the service account's: every namespace has it
    for source in sources:
        for key, kind, name in (("configMap", "configmap", "name"), ("secret", "secret", "secretName")):
            ref = source.get(key)
            if ref and not ref.get("optional"):
                called = ref.get(name) or ref.get("name", "")
                yield kind, called, ""
                yield from ((kind, called, item["key"]) for item in ref.get("items") or ())


def of_environment(container: Obj) -> Iterable[Ref]:
    """Those of one container's environment."""
    for entry in container.get("envFrom") or ():
        for key, kind in (("configMapRef", "configmap"), ("secretRef", "secret")):
            if entry.get(key) and not entry[key].get("optional"):
                yield kind, entry[key]["name"], ""
    for entry in container.get("env") or ():
        source = entry.get("valueFrom") or {}
        for key, kind in (("configMapKeyRef", "configmap"), ("secretKeyRef", "secret")):
            if source.get(key) and not source[key].get("optional"):
                yield kind, source[key]["name"], source[key]["key"]


def lacking(wanted: Set[Ref], kind: str, name: str, obj: Obj | None) -> set[Ref]:
    """Which of the references lead nowhere, as far as they are to this object; None where it is not there."""
    if obj is None:
        return {(kind, name, "")}
    keys = {"", *(obj.get("data") or ()), *(obj.get("binaryData") or ())}
    return {ref for ref in wanted if ref[:2] == (kind, name) and ref[2] not in keys}


def of_mount(volume: Obj, missing: Set[Ref]) -> str:
    """What keeps a volume from being mounted, "" for nothing."""
    for ref in of_volume(volume) if missing else ():
        if not_found := _not_found(ref, missing):
            return not_found
        if ref in missing:
            return NO_ITEM[ref[0]].format(ref[2])
    return ""


def of_start(container: Obj, missing: Set[Ref], namespace: str) -> str:
    """What keeps a container's environment from being made, "" for nothing."""
    for ref in of_environment(container) if missing else ():
        kind, name, key = ref
        if not_found := _not_found(ref, missing):
            return not_found
        if ref in missing:
            return f"couldn't find key {key} in {KINDS[kind]} {namespace}/{name}"
    return ""


def _not_found(ref: Ref, missing: Set[Ref]) -> str:
    kind, name, _ = ref
    return f'{kind} "{name}" not found' if (kind, name, "") in missing else ""
