"""Where a PersistentVolume's data lies: the rules of every source, and its form in Go.

Stands for validate*PersistentVolumeSource of pkg/apis/core/validation. What differs from a pod's volume of the same
name is here, the rest is podspec/volumes.py's.
"""

from __future__ import annotations

from collections.abc import Callable

from fakeapi.errors import FieldError, invalid, required
from fakeapi.names import check, is_dns1123_label, is_dns1123_subdomain
from fakeapi.strategies.base import Obj
from fakeapi.strategies.podspec.paths import no_backsteps
from fakeapi.strategies.podspec.volumes import SOURCES as POD_SOURCES
from fakeapi.strategies.podspec.volumes import check_driver, iscsi_source, needs

Check = Callable[[Obj, str], list[FieldError]]

_EMPTY_NAMESPACE = "if the endpointnamespace is set, it must be a valid namespace name"
_TARGET_TOO_LONG = (
    "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters "
    "if iscsi.initiatorName is specified."
)


def _reference(*fields: str) -> Check:
    """A secretRef that, where it is given, has these fields."""

    def rule(source: Obj, at: str) -> list[FieldError]:
        reference = source.get("secretRef")
        return [] if reference is None else needs(*fields)(reference, f"{at}.secretRef")

    return rule


def _both(*rules: Check) -> Check:
    return lambda source, at: [error for rule in rules for error in rule(source, at)]


def _glusterfs(source: Obj, at: str) -> list[FieldError]:
    namespace, where = source.get("endpointsNamespace"), f"{at}.endpointsNamespace"
    found = needs("endpoints", "path")(source, at)
    if namespace == "":
        return [*found, invalid(where, namespace, _EMPTY_NAMESPACE)]
    return found + (check(where, namespace, is_dns1123_label(namespace)) if namespace else [])


def _azure_file(source: Obj, at: str) -> list[FieldError]:
    found = needs("secretName", "shareName")(source, at)
    return found + ([required(f"{at}.secretNamespace")] if source.get("secretNamespace") == "" else [])


def _local(source: Obj, at: str) -> list[FieldError]:
    given = source.get("path")
    return no_backsteps(given, f"{at}.path") if given else [required(f"{at}.path")]


def _secret(at: str, reference: Obj) -> list[FieldError]:
    """validatePVSecretReference."""
    name, namespace = reference.get("name"), reference.get("namespace")
    found = check(f"{at}.name", name, is_dns1123_subdomain(name)) if name else [required(f"{at}.name")]
    if not namespace:
        return [*found, required(f"{at}.namespace")]
    return found + check(f"{at}.namespace", namespace, is_dns1123_label(namespace))


def _csi(source: Obj, at: str) -> list[FieldError]:
    found = check_driver(f"{at}.driver", source.get("driver") or "") + needs("volumeHandle")(source, at)
    for purpose in ("controllerPublish", "controllerExpand", "nodePublish", "nodeExpand"):
        reference = source.get(f"{purpose}SecretRef")
        if reference is not None:
            found += _secret(f"{at}.{purpose}SecretRef", reference)
    return found


_RULES: dict[str, Check] = {
    "glusterfs": _glusterfs,
    "iscsi": _both(iscsi_source("must be valid format"), _reference("name")),
    "cinder": _both(needs("volumeID"), _reference("name", "namespace")),
    "azureFile": _azure_file,
    "local": _local,
    # The pod's rules look for the reference's name; what is left is its namespace.
    "storageos": _both(POD_SOURCES["storageos"][2], _reference("namespace")),
    "csi": _csi,
}
_ORDER = (
    *("hostPath", "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "flocker", "nfs", "rbd", "quobyte"),
    *("cephfs", "iscsi", "cinder", "fc", "flexVolume", "azureFile", "vsphereVolume", "photonPersistentDisk"),
    *("portworxVolume", "azureDisk", "scaleIO", "local", "storageos", "csi"),
)


def _row(name: str) -> tuple[str, str, Check]:
    child, extra, rule = POD_SOURCES.get(name) or (name, name, _RULES[name])
    return child, extra, _RULES.get(name, rule)


# Source -> (path of its own errors, path of "more than 1 volume type", rules), in upstream's order.
SOURCES = {name: _row(name) for name in _ORDER}


def check_target(source: Obj, name: str, at: str) -> list[FieldError]:
    """What an iSCSI volume and its portal are called together has an end, when the initiator has a name."""
    portal = source.get("targetPortal") or ""
    if source.get("initiatorName") is None or len(f"{name}:{portal}") <= 64:
        return []
    return [invalid(f"{at}.targetportal", portal, _TARGET_TOO_LONG)]
