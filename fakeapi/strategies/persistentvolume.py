"""PersistentVolume: one source, access modes, capacity, node affinity.

Stands for pkg/registry/core/persistentvolume, ValidatePersistentVolume* and SetDefaults_PersistentVolume. The error
of a changed source shows the sources as they are in JSON, where upstream shows Go's internal structs.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable

from fakeapi.errors import FieldError, forbidden, invalid, not_supported, required
from fakeapi.gofmt import GoText, go_value
from fakeapi.names import check, check_immutable, name_is_dns_subdomain
from fakeapi.quantity import parse
from fakeapi.strategies import nodelabels
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table
from fakeapi.strategies.persistentvolumeclaim import access_modes, class_warning, storage_class
from fakeapi.strategies.podspec.claims import ACCESS_MODES, VOLUME_MODES
from fakeapi.strategies.podspec.defaults import VOLUME_DEFAULTS, fill
from fakeapi.strategies.podspec.scheduling import validate_node_selector
from fakeapi.strategies.podspec.volumes import SOURCES as POD_SOURCES
from fakeapi.strategies.podspec.volumes import needs

Check = Callable[[Obj, str], list[FieldError]]

_RECLAIM = ("Delete", "Recycle", "Retain")
_RECYCLE = "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."
_MOUNT_OPTIONS = "volume.beta.kubernetes.io/mount-options"


def _default(obj: Obj) -> None:
    spec = obj["spec"] = obj.get("spec") or {}
    fill(spec, {"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"})
    for source in SOURCES:
        if spec.get(source) is not None and source in VOLUME_DEFAULTS:
            fill(spec[source], VOLUME_DEFAULTS[source])
    status = obj["status"] = obj.get("status") or {}
    status["phase"] = status.get("phase") or "Pending"


def _prepare_create(obj: Obj, ctx: Context) -> None:
    obj["status"] = {"phase": "Pending", "lastPhaseTransitionTime": ctx.now}


def _prepare_update(new: Obj, old: Obj, ctx: Context) -> None:
    new["status"] = old.get("status") or {}


def _prepare_status(new: Obj, old: Obj, ctx: Context) -> None:
    new["spec"] = old["spec"]
    status, before = new.setdefault("status", {}), old.get("status") or {}
    field = "lastPhaseTransitionTime"
    if status.get("phase") != before.get("phase") and status.get(field) in (None, before.get(field)):
        status[field] = ctx.now


def _secret(at: str, reference: Obj | None) -> list[FieldError]:
    if reference is None:
        return []
    return [required(f"{at}.{f}") for f in ("name", "namespace") if not reference.get(f)]


def _csi(source: Obj, at: str) -> list[FieldError]:
    found = check_driver(f"{at}.driver", source.get("driver", ""))
    if not source.get("volumeHandle"):
        found.append(required(f"{at}.volumeHandle"))
    names = ("controllerPublish", "controllerExpand", "nodePublish", "nodeExpand")
    for name in names:
        found += _secret(f"{at}.{name}SecretRef", source.get(f"{name}SecretRef"))
    return found


def check_driver(at: str, name: str) -> list[FieldError]:
    """ValidateCSIDriverName."""
    if not name:
        return [required(at)]
    found = [FieldError("FieldValueTooLong", at, "Too long", "may not be more than 63 bytes")] if len(name) > 63 else []
    return found + check(at, name.lower(), name_is_dns_subdomain(name.lower(), False))


def _local(source: Obj, at: str) -> list[FieldError]:
    given = source.get("path", "")
    if not given:
        return [required(f"{at}.path")]
    if ".." in given.split("/"):
        return [invalid(f"{at}.path", given, "must not contain '..'")]
    return []


_POD_ONES = (
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "flexVolume",
)
SOURCES: dict[str, Check] = {name: POD_SOURCES[name][2] for name in _POD_ONES} | {
    "azureFile": needs("secretName", "shareName"),
    **{
        n: POD_SOURCES[n][2]
        for n in ("vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk", "scaleIO")
    },
    "local": _local,
    "storageos": POD_SOURCES["storageos"][2],
    "csi": _csi,
}


def _sources(spec: Obj, at: str) -> list[FieldError]:
    found: list[FieldError] = []
    count = 0
    for name, rule in SOURCES.items():
        source = spec.get(name)
        if source is None:
            continue
        if count:
            found.append(forbidden(f"{at}.{name}", "may not specify more than 1 volume type"))
            continue
        count = 1
        found += rule(source, f"{at}.{name}")
        if name == "local" and not (spec.get("nodeAffinity") or {}).get("required"):
            found.append(required(f"{at}.nodeAffinity", "Local volume requires node affinity"))
    return found or ([] if count else [required(at, "must specify a volume type")])


def _capacity(spec: Obj, at: str) -> list[FieldError]:
    amounts = spec.get("capacity") or {}
    found: list[FieldError] = []
    if "storage" not in amounts or len(amounts) > 1:
        shown = GoText(go_value({k: amounts[k] for k in sorted(amounts)} if amounts else None))
        found.append(not_supported(f"{at}.capacity", shown, ("storage",)))
    for name in sorted(amounts):
        if parse(amounts[name]).nano <= 0:
            found.append(invalid(f"{at}.capacity[{name}]", amounts[name], "must be greater than zero"))
    return found


def _affinity(affinity: Obj, at: str) -> list[FieldError]:
    if affinity.get("required") is None:
        return [required(f"{at}.required", "must specify required node constraints")]
    return validate_node_selector(affinity["required"], f"{at}.required")


_INLINE = "may not be specified in the context of inline volumes"


def check_spec(spec: Obj, at: str, *, inline: bool = False) -> list[FieldError]:
    """ValidatePersistentVolumeSpec. inline: inside a VolumeAttachment."""
    found: list[FieldError] = []
    modes = spec.get("accessModes") or []
    if inline:
        fields = (
            "claimRef",
            "capacity",
            "persistentVolumeReclaimPolicy",
            "storageClassName",
            "nodeAffinity",
            "volumeMode",
        )
        found += [forbidden(f"{at}.{f}", _INLINE) for f in fields if spec.get(f)]
        if spec.get("csi") is None:
            found.append(required(f"{at}.csi", "has to be specified in the context of inline volumes"))
    if not modes:
        found.append(required(f"{at}.accessModes"))
    if not inline and not spec.get("capacity"):
        found.append(required(f"{at}.capacity"))
    found += [not_supported(f"{at}.accessModes", m, ACCESS_MODES) for m in modes if m not in ACCESS_MODES]
    if "ReadWriteOncePod" in modes and any(m in ACCESS_MODES and m != "ReadWriteOncePod" for m in modes):
        found.append(forbidden(f"{at}.accessModes", "may not use ReadWriteOncePod with other access modes"))
    if inline:
        return found + _sources(spec, at)
    found += _capacity(spec, at)
    policy, mode, name = (spec.get(f) for f in ("persistentVolumeReclaimPolicy", "volumeMode", "storageClassName"))
    if policy and policy not in _RECLAIM:
        found.append(not_supported(f"{at}.persistentVolumeReclaimPolicy", policy, _RECLAIM))
    if spec.get("nodeAffinity") is not None:
        found += _affinity(spec["nodeAffinity"], f"{at}.nodeAffinity")
    found += _sources(spec, at)
    root = spec.get("hostPath") is not None and posixpath.normpath(spec["hostPath"].get("path") or ".") == "/"
    if root and policy == "Recycle":
        text = "may not be 'recycle' for a hostPath mount of '/'"
        found.append(forbidden(f"{at}.persistentVolumeReclaimPolicy", text))
    if name:
        found += check(f"{at}.storageClassName", name, name_is_dns_subdomain(name, False))
    if mode is not None and mode not in VOLUME_MODES:
        found.append(not_supported(f"{at}.volumeMode", mode, VOLUME_MODES))
    return found


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    found = check_spec(new["spec"], "spec")
    spec, before = new["spec"], old["spec"]
    after_sources, before_sources = ({k: s[k] for k in SOURCES if s.get(k) is not None} for s in (spec, before))
    secret = "controllerExpandSecretRef"
    if "csi" in before_sources and secret not in before_sources["csi"] and "csi" in after_sources:
        after_sources["csi"] = {k: v for k, v in after_sources["csi"].items() if k != secret}
    if after_sources != before_sources:
        text = f"spec.persistentvolumesource is immutable after creation\n{go_value(after_sources)}"
        found.append(forbidden("spec.persistentvolumesource", text))
    found += check_immutable("volumeMode", spec.get("volumeMode"), before.get("volumeMode"))
    if before.get("nodeAffinity") is not None:
        found += check_immutable("nodeAffinity", spec.get("nodeAffinity"), before["nodeAffinity"])
    return found


_OLD_SOURCES = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
}


def _warnings(new: Obj, old: Obj | None, ctx: Context) -> list[str]:
    spec = new["spec"]
    found = class_warning(new)
    if _MOUNT_OPTIONS in (new["metadata"].get("annotations") or {}):
        text = 'deprecated since v1.31; use "mountOptions" attribute instead'
        found.append(f"metadata.annotations[{_MOUNT_OPTIONS}]: {text}")
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        found.append(f"spec.persistentVolumeReclaimPolicy: {_RECYCLE}")
    terms = ((spec.get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or []
    found += nodelabels.of_terms("spec.nodeAffinity.required.nodeSelectorTerms", terms)
    return found + [f"spec.{s}: {text}" for s, text in _OLD_SOURCES.items() if spec.get(s) is not None]


def _phase(obj: Obj) -> str:
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return str((obj.get("status") or {}).get("phase", ""))


def _claim(obj: Obj) -> str:
    claim = obj["spec"].get("claimRef")
    return f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else ""


STRATEGY = Strategy(
    default=_default,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_status=_prepare_status,
    validate=lambda obj, ctx: check_spec(obj["spec"], "spec"),
    validate_update=_validate_update,
    warnings=_warnings,
    name=name_is_dns_subdomain,
    printer=table(
        NAME,
        column("Capacity", path("spec", "capacity", "storage", default="0")),
        column("Access Modes", lambda o: access_modes(o["spec"].get("accessModes"))),
        column("Reclaim Policy", path("spec", "persistentVolumeReclaimPolicy")),
        column("Status", _phase),
        column("Claim", _claim),
        column("StorageClass", storage_class),
        column("VolumeAttributesClass", path("spec", "volumeAttributesClassName", default="<unset>")),
        column("Reason", path("status", "reason")),
        AGE,
        column("VolumeMode", path("spec", "volumeMode", default="<unset>"), wide=True),
    ),
    delete_returns_object=True,
)
