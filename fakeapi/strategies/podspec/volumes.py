"""Volumes of a PodSpec: one source each, and every source's own rules.

Stands for ValidateVolumes and validate*VolumeSource of pkg/apis/core/validation. Field names in messages keep
upstream's slips (persistentDisk, downwarAPI).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from fakeapi.errors import FieldError, duplicate, forbidden, invalid, not_supported, required, too_long
from fakeapi.names import check, is_dns1123_label, is_dns1123_subdomain, name_is_dns_subdomain
from fakeapi.patterns import lazy
from fakeapi.quantity import parse
from fakeapi.strategies.podspec.claims import validate_claim_template
from fakeapi.strategies.podspec.downward import validate_downward_file
from fakeapi.strategies.podspec.paths import descending_path, file_mode, no_backsteps
from fakeapi.strategies.podspec.projected import validate_key_to_path, validate_projected

Obj = dict[str, Any]
Errors = list[FieldError]

_MAX_DRIVER_NAME = 63
_ONE_TYPE = "may not specify more than 1 volume type"
_HOST_PATH_TYPES = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
_IQN = lazy(r"iqn\.\d{4}-\d{2}\.([a-zA-Z0-9\-.]+)(:[^,;*&$|\s]+)$", re.ASCII)
_EUI = lazy(r"eui.[a-zA-Z0-9]{16}", re.ASCII)
_NAA = lazy(r"naa.[a-zA-Z0-9]{32}", re.ASCII)
_ISCSI_FORMS = {"iqn": _IQN.search, "eui": _EUI.fullmatch, "naa": _NAA.fullmatch}
_RANGE_255 = "must be between 0 and 255, inclusive"
_PARTITION_RANGE = "must be between 1 and 255, inclusive"
_CACHING_MODES = ("None", "ReadOnly", "ReadWrite")
_DISK_KINDS = ("Dedicated", "Managed", "Shared")
_MANAGED_DISK = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
_BLOB_DISK = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"


def validate_volumes(volumes: list[Obj], pod_name: str | None, path: str) -> tuple[dict[str, Obj], Errors]:
    """Errors, and the good volumes by name. pod_name: None in templates, "" where no name is known yet."""
    found: dict[str, Obj] = {}
    errors: Errors = []
    created = {f"{pod_name}-{v.get('name')}" for v in volumes if v.get("ephemeral") is not None} if pod_name else set()
    for index, volume in enumerate(volumes):
        own = f"{path}[{index}]"
        name = volume.get("name") or ""
        own_errors = _source(volume, name, pod_name, own)
        own_errors += check(f"{own}.name", name, is_dns1123_label(name)) if name else [required(f"{own}.name")]
        if name in found:
            own_errors.append(duplicate(f"{own}.name", name))
        if not own_errors:
            found[name] = volume
        errors += own_errors
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if claim and claim in created:
            text = "must not reference a PVC that gets created for an ephemeral volume"
            errors.append(invalid(f"{own}.persistentVolumeClaim.claimName", claim, text))
    return found, errors


def _source(volume: Obj, name: str, pod_name: str | None, path: str) -> Errors:
    errors: Errors = []
    seen = False
    for key, (child, extra_path, validate) in SOURCES.items():
        source = volume.get(key)
        if source is None:
            continue
        if seen:
            errors.append(forbidden(f"{path}.{extra_path}", _ONE_TYPE))
        else:
            seen = True
            # Templates may leave the image of an image volume open.
            if key == "image" and pod_name is not None:
                errors += needs("reference")(source, f"{path}.{child}")
            errors += validate(source, f"{path}.{child}")
    iscsi = volume.get("iscsi")
    if iscsi and iscsi.get("initiatorName") is not None and len(f"{name}:{iscsi.get('targetPortal') or ''}") > 64:
        text = (
            "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if "
            "iscsi.initiatorName is specified."
        )
        errors.append(invalid(f"{path}.name", name, text))
    if volume.get("ephemeral") is not None and pod_name and name:
        claim = f"{pod_name}-{name}"
        messages = (f'PVC name "{claim}": {text}' for text in name_is_dns_subdomain(claim, False))
        errors += check(f"{path}.name", name, messages)
    return errors if seen else [*errors, required(path, "must specify a volume type")]


def needs(*fields: str) -> Callable[[Obj, str], Errors]:
    """A source whose only rule is that these fields are set."""
    return lambda source, path: [required(f"{path}.{name}") for name in fields if not source.get(name)]


def _empty_dir(source: Obj, path: str) -> Errors:
    limit = source.get("sizeLimit")
    if limit is not None and parse(limit).nano < 0:
        return [forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")]
    return []


def _host_path(source: Obj, path: str) -> Errors:
    if not source.get("path"):
        return [required(f"{path}.path")]
    errors = no_backsteps(source["path"], f"{path}.path")
    kind = source.get("type")
    if kind is not None and kind not in _HOST_PATH_TYPES:
        errors.append(not_supported(f"{path}.type", kind, _HOST_PATH_TYPES))
    return errors


def _git_repo(source: Obj, path: str) -> Errors:
    return needs("repository")(source, path) + descending_path(source.get("directory") or "", f"{path}.directory")


def _partition(name: str) -> Callable[[Obj, str], Errors]:
    def validate(source: Obj, path: str) -> Errors:
        errors = needs(name)(source, path)
        partition = source.get("partition") or 0
        if not 0 <= partition <= 255:
            errors.append(invalid(f"{path}.partition", partition, _PARTITION_RANGE))
        return errors

    return validate


def _secret(source: Obj, path: str) -> Errors:
    errors = needs("secretName")(source, path) + file_mode(source.get("defaultMode"), f"{path}.defaultMode")
    return errors + _items(source, path)


def _config_map(source: Obj, path: str) -> Errors:
    errors = needs("name")(source, path) + file_mode(source.get("defaultMode"), f"{path}.defaultMode")
    return errors + _items(source, path)


def _items(source: Obj, path: str) -> Errors:
    errors: Errors = []
    for index, item in enumerate(source.get("items") or ()):
        errors += validate_key_to_path(item, f"{path}.items[{index}]")
    return errors


def _nfs(source: Obj, path: str) -> Errors:
    errors = needs("server", "path")(source, path)
    if not (source.get("path") or "").startswith("/"):
        errors.append(invalid(f"{path}.path", source.get("path") or "", "must be an absolute path"))
    return errors


def _initiator(value: str, path: str, unknown: str) -> Errors:
    form = _ISCSI_FORMS.get(value[:3])
    if form is None:
        return [invalid(path, value, unknown)]
    return [] if form(value) else [invalid(path, value, "must be valid format")]


def iscsi_source(unknown: str) -> Callable[[Obj, str], Errors]:
    """An iSCSI volume, a pod's or a PersistentVolume's; unknown: what is said of names that start otherwise."""

    def validate(source: Obj, path: str) -> Errors:
        errors = needs("targetPortal")(source, path)
        iqn = source.get("iqn")
        errors += _initiator(iqn, f"{path}.iqn", unknown) if iqn else [required(f"{path}.iqn")]
        lun = source.get("lun") or 0
        if not 0 <= lun <= 255:
            errors.append(invalid(f"{path}.lun", lun, _RANGE_255))
        if (source.get("chapAuthDiscovery") or source.get("chapAuthSession")) and source.get("secretRef") is None:
            errors.append(required(f"{path}.secretRef"))
        if source.get("initiatorName") is not None:
            errors += _initiator(source["initiatorName"], f"{path}.initiatorname", unknown)
        return errors

    return validate


def _flocker(source: Obj, path: str) -> Errors:
    name, uid = source.get("datasetName") or "", source.get("datasetUUID") or ""
    errors: Errors = []
    if not name and not uid:
        errors.append(required(path, "one of datasetName and datasetUUID is required"))
    if name and uid:
        errors.append(invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously"))
    if "/" in name:
        errors.append(invalid(f"{path}.datasetName", name, "must not contain '/'"))
    return errors


def _claim(source: Obj, path: str) -> Errors:
    return needs("claimName")(source, path)


def _cinder(source: Obj, path: str) -> Errors:
    errors = needs("volumeID")(source, path)
    reference = source.get("secretRef")
    return errors + (needs("name")(reference, f"{path}.secretRef") if reference is not None else [])


def _quobyte(source: Obj, path: str) -> Errors:
    registry, text = source.get("registry") or "", "must be a host:port pair or multiple pairs separated by commas"
    errors: Errors = []
    if not registry:
        errors.append(required(f"{path}.registry", text))
    elif len(source.get("tenant") or "") >= 65:
        errors.append(required(f"{path}.tenant", "must be a UUID and may not exceed a length of 64 characters"))
    else:
        pairs = registry.split(",")
        errors += [invalid(f"{path}.registry", registry, text) for pair in pairs if pair.count(":") != 1]
    return errors + needs("volume")(source, path)


def _downward(source: Obj, path: str) -> Errors:
    errors = file_mode(source.get("defaultMode"), f"{path}.defaultMode")
    for item in source.get("items") or ():
        errors += validate_downward_file(item, path)
    return errors


def _fc(source: Obj, path: str) -> Errors:
    names, ids = source.get("targetWWNs"), source.get("wwids")
    errors: Errors = []
    if not names and not ids:
        errors.append(required(f"{path}.targetWWNs", "must specify either targetWWNs or wwids, but not both"))
    if names and ids:
        text = "targetWWNs and wwids can not be specified simultaneously"
        errors.append(invalid(f"{path}.targetWWNs", names, text))
    if names and source.get("lun") is None:
        errors.append(required(f"{path}.lun", "lun is required if targetWWNs is specified"))
    elif names and not 0 <= source["lun"] <= 255:
        errors.append(invalid(f"{path}.lun", source["lun"], _RANGE_255))
    return errors


def _flex_volume(source: Obj, path: str) -> Errors:
    errors = needs("driver")(source, path)
    for key in sorted(source.get("options") or ()):
        owner = "." + key.split("/", 1)[0].lower()
        if owner.endswith((".kubernetes.io", ".k8s.io")):
            text = "kubernetes.io and k8s.io namespaces are reserved"
            errors.append(invalid(f"{path}.options[{key}]", key, text))
    return errors


def _azure_disk(source: Obj, path: str) -> Errors:
    errors = needs("diskName", "diskURI")(source, path)
    caching, kind, uri = source.get("cachingMode"), source.get("kind"), source.get("diskURI") or ""
    if caching is not None and caching not in _CACHING_MODES:
        errors.append(not_supported(f"{path}.cachingMode", caching, _CACHING_MODES))
    if kind is not None and kind not in _DISK_KINDS:
        errors.append(not_supported(f"{path}.kind", kind, _DISK_KINDS))
    if kind == "Managed" and not uri.startswith("/subscriptions/"):
        errors.append(not_supported(f"{path}.diskURI", uri, (_MANAGED_DISK,)))
    if kind is not None and kind != "Managed" and not uri.startswith("https://"):
        errors.append(not_supported(f"{path}.diskURI", uri, (_BLOB_DISK,)))
    return errors


def _storageos(source: Obj, path: str) -> Errors:
    name, namespace = source.get("volumeName"), source.get("volumeNamespace")
    errors = check(f"{path}.volumeName", name, is_dns1123_label(name)) if name else [required(f"{path}.volumeName")]
    if namespace:
        errors += check(f"{path}.volumeNamespace", namespace, is_dns1123_label(namespace))
    reference = source.get("secretRef")
    return errors + (needs("name")(reference, f"{path}.secretRef") if reference is not None else [])


def check_driver(path: str, name: str) -> Errors:
    """ValidateCSIDriverName."""
    if not name:
        return [required(path)]
    errors = [too_long(path, _MAX_DRIVER_NAME)] if len(name) > _MAX_DRIVER_NAME else []
    return errors + check(path, name, is_dns1123_subdomain(name.lower()))


def _csi(source: Obj, path: str) -> Errors:
    errors = check_driver(f"{path}.driver", source.get("driver") or "")
    reference = source.get("nodePublishSecretRef")
    if reference is not None:
        name = reference.get("name")
        errors += (
            check(f"{path}.name", name, name_is_dns_subdomain(name, False))
            if name
            else [required(f"{path}.nodePublishSecretRef.name")]
        )
    return errors


def _ephemeral(source: Obj, path: str) -> Errors:
    template = source.get("volumeClaimTemplate")
    if template is None:
        return [required(f"{path}.volumeClaimTemplate")]
    return validate_claim_template(template, f"{path}.volumeClaimTemplate")


_PULL_POLICIES = ("Always", "IfNotPresent", "Never")


def _image(source: Obj, path: str) -> Errors:
    policy = source.get("pullPolicy")
    if policy and policy not in _PULL_POLICIES:
        return [not_supported(f"{path}.pullPolicy", policy, _PULL_POLICIES)]
    return []


# Source -> (path of its own errors, path of "more than 1 volume type", rules), in upstream's order.
SOURCES: dict[str, tuple[str, str, Callable[[Obj, str], Errors]]] = {
    "emptyDir": ("emptyDir", "emptyDir", _empty_dir),
    "hostPath": ("hostPath", "hostPath", _host_path),
    "gitRepo": ("gitRepo", "gitRepo", _git_repo),
    "gcePersistentDisk": ("persistentDisk", "gcePersistentDisk", _partition("pdName")),
    "awsElasticBlockStore": ("awsElasticBlockStore", "awsElasticBlockStore", _partition("volumeID")),
    "secret": ("secret", "secret", _secret),
    "nfs": ("nfs", "nfs", _nfs),
    "iscsi": ("iscsi", "iscsi", iscsi_source("must be valid format starting with iqn, eui, or naa")),
    "glusterfs": ("glusterfs", "glusterfs", needs("endpoints", "path")),
    "flocker": ("flocker", "flocker", _flocker),
    "persistentVolumeClaim": ("persistentVolumeClaim", "persistentVolumeClaim", _claim),
    "rbd": ("rbd", "rbd", needs("monitors", "image")),
    "cinder": ("cinder", "cinder", _cinder),
    "cephfs": ("cephfs", "cephFS", needs("monitors")),
    "quobyte": ("quobyte", "quobyte", _quobyte),
    "downwardAPI": ("downwardAPI", "downwarAPI", _downward),
    "fc": ("fc", "fc", _fc),
    "flexVolume": ("flexVolume", "flexVolume", _flex_volume),
    "configMap": ("configMap", "configMap", _config_map),
    "azureFile": ("azureFile", "azureFile", needs("secretName", "shareName")),
    "vsphereVolume": ("vsphereVolume", "vsphereVolume", needs("volumePath")),
    "photonPersistentDisk": ("photonPersistentDisk", "photonPersistentDisk", needs("pdID")),
    "portworxVolume": ("portworxVolume", "portworxVolume", needs("volumeID")),
    "azureDisk": ("azureDisk", "azureDisk", _azure_disk),
    "storageos": ("storageos", "storageos", _storageos),
    "projected": ("projected", "projected", validate_projected),
    "scaleIO": ("scaleIO", "scaleIO", needs("gateway", "system", "volumeName")),
    "csi": ("csi", "csi", _csi),
    "ephemeral": ("ephemeral", "ephemeral", _ephemeral),
    "image": ("image", "image", _image),
}
