"""PersistentVolume: one source, access modes, capacity, node affinity.

Stands for pkg/registry/core/persistentvolume, ValidatePersistentVolume* and SetDefaults_PersistentVolume. The
sources' own rules are persistentvolumesources.py's.
"""

from __future__ import annotations

import posixpath

from fakeapi.errors import FieldError, forbidden, invalid, not_supported, required
from fakeapi.gofmt import GoText, go_value
from fakeapi.names import IMMUTABLE, check, check_immutable, name_is_dns_subdomain
from fakeapi.quantity import parse
from fakeapi.strategies import nodelabels
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table
from fakeapi.strategies.limits import check_basic_amount
from fakeapi.strategies.persistentvolumeclaim import access_modes, class_warning, storage_class
from fakeapi.strategies.persistentvolumesources import SOURCES, check_target
from fakeapi.strategies.podspec.claims import ACCESS_MODES, VOLUME_MODES
from fakeapi.strategies.podspec.defaults import VOLUME_DEFAULTS, fill
from fakeapi.strategies.podspec.internal import go_diff, go_struct, to_go
from fakeapi.strategies.podspec.scheduling import validate_node_selector

_RECLAIM = ("Delete", "Recycle", "Retain")
_RECYCLE = "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."
_STABLE = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
}
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


def _sources(spec: Obj, name: str, at: str) -> list[FieldError]:
    found: list[FieldError] = []
    count = 0
    for key, (child, extra, rule) in SOURCES.items():
        source = spec.get(key)
        if source is None:
            continue
        # Upstream's slip: a flexVolume is never one too many.
        if count and key != "flexVolume":
            found.append(forbidden(f"{at}.{extra}", "may not specify more than 1 volume type"))
            continue
        count = 1
        found += rule(source, f"{at}.{child}")
        if key == "iscsi":
            found += check_target(source, name, f"{at}.{child}")
        if key == "local" and spec.get("nodeAffinity") is None:
            found.append(required(f"{at}.nodeAffinity", "Local volume requires node affinity"))
    return found if count else [required(at, "must specify a volume type")]


def _capacity(spec: Obj, at: str) -> list[FieldError]:
    amounts = spec.get("capacity") or {}
    found: list[FieldError] = []
    if "storage" not in amounts or len(amounts) > 1:
        shown = GoText(go_value({k: amounts[k] for k in sorted(amounts)} if amounts else None))
        found.append(not_supported(f"{at}.capacity", shown, ("storage",)))
    for name in sorted(amounts):
        where = f"{at}.capacity[{name}]"
        found += check_basic_amount(where, amounts[name])
        if parse(amounts[name]).nano <= 0:
            found.append(invalid(where, amounts[name], "must be greater than zero"))
    return found


def _affinity(affinity: Obj, at: str) -> list[FieldError]:
    if affinity.get("required") is None:
        return [required(f"{at}.required", "must specify required node constraints")]
    return validate_node_selector(affinity["required"], f"{at}.required")


_INLINE = "in the context of inline volumes"
_VAC = "volumeAttributesClassName"


def _modes(spec: Obj, at: str) -> list[FieldError]:
    modes = spec.get("accessModes") or []
    if not modes:
        return [required(f"{at}.accessModes")]
    found = [not_supported(f"{at}.accessModes", m, ACCESS_MODES) for m in modes if m not in ACCESS_MODES]
    if "ReadWriteOncePod" in modes and any(m in ACCESS_MODES and m != "ReadWriteOncePod" for m in modes):
        found.append(forbidden(f"{at}.accessModes", "may not use ReadWriteOncePod with other access modes"))
    return found


def _attributes_class(spec: Obj, at: str) -> list[FieldError]:
    name = spec.get(_VAC)
    if name is None:
        return []
    found = check(f"{at}.{_VAC}", name, name_is_dns_subdomain(name, False))
    if not name:
        found = [required(f"{at}.{_VAC}", "an empty string is disallowed")]
    if spec.get("csi") is None:
        found.append(required(f"{at}.csi", f"has to be specified when using {_VAC}"))
    return found


def check_inline_spec(spec: Obj, at: str) -> list[FieldError]:
    """ValidatePersistentVolumeSpec of a volume inside a VolumeAttachment."""
    policy, mode = spec.get("persistentVolumeReclaimPolicy"), spec.get("volumeMode")

    def told(field: str, given: bool) -> list[FieldError]:
        return [forbidden(f"{at}.{field}", f"may not be specified {_INLINE}")] if given else []

    found = told("claimRef", spec.get("claimRef") is not None) + told("capacity", bool(spec.get("capacity")))
    if spec.get("csi") is None:
        found.append(required(f"{at}.csi", f"has to be specified {_INLINE}"))
    found += _modes(spec, at)
    if policy and policy != "Retain":
        found.append(forbidden(f"{at}.persistentVolumeReclaimPolicy", f"may only be Retain {_INLINE}"))
    found += told("nodeAffinity", spec.get("nodeAffinity") is not None) + _sources(spec, "", at)
    found += told("storageClassName", bool(spec.get("storageClassName")))
    if mode is not None and mode != "Filesystem":
        found.append(forbidden(f"{at}.volumeMode", f"may not specify volumeMode other than Filesystem {_INLINE}"))
    return found + _attributes_class(spec, at)


def _check_spec(obj: Obj) -> list[FieldError]:
    """ValidatePersistentVolumeSpec."""
    spec, at = obj["spec"], "spec"
    policy, mode, name = (spec.get(f) for f in ("persistentVolumeReclaimPolicy", "volumeMode", "storageClassName"))
    found = _modes(spec, at)
    if not spec.get("capacity"):
        found.append(required(f"{at}.capacity"))
    found += _capacity(spec, at)
    if policy and policy not in _RECLAIM:
        found.append(not_supported(f"{at}.persistentVolumeReclaimPolicy", policy, _RECLAIM))
    if spec.get("nodeAffinity") is not None:
        found += _affinity(spec["nodeAffinity"], f"{at}.nodeAffinity")
    found += _sources(spec, obj["metadata"].get("name") or "", at)
    root = spec.get("hostPath") is not None and posixpath.normpath(spec["hostPath"].get("path") or ".") == "/"
    if root and policy == "Recycle":
        text = "may not be 'recycle' for a hostPath mount of '/'"
        found.append(forbidden(f"{at}.persistentVolumeReclaimPolicy", text))
    if name:
        found += check(f"{at}.storageClassName", name, name_is_dns_subdomain(name, False))
    if mode is not None and mode not in VOLUME_MODES:
        found.append(not_supported(f"{at}.volumeMode", mode, VOLUME_MODES))
    return found + _attributes_class(spec, at)


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    found = _check_spec(new)
    spec, before = new["spec"], old["spec"]
    after_sources, before_sources = ({k: s[k] for k in SOURCES if s.get(k) is not None} for s in (spec, before))
    secret = "controllerExpandSecretRef"
    if "csi" in before_sources and secret not in before_sources["csi"] and "csi" in after_sources:
        after_sources["csi"] = {k: v for k, v in after_sources["csi"].items() if k != secret}
    if after_sources != before_sources:
        diff = go_diff(*(to_go("PersistentVolumeSource", sources) for sources in (before_sources, after_sources)))
        text = f"spec.persistentvolumesource is immutable after creation\n{diff}"
        found.append(forbidden("spec.persistentvolumesource", text))
    found += check_immutable("volumeMode", spec.get("volumeMode"), before.get("volumeMode"))
    if before.get("nodeAffinity") is not None:
        found += _affinity_update(spec.get("nodeAffinity"), before["nodeAffinity"])
    if before.get(_VAC) is not None and spec.get(_VAC) is None:
        found.append(forbidden(f"spec.{_VAC}", "update from non-nil value to nil is forbidden"))
    return found


def _affinity_update(new: Obj | None, old: Obj) -> list[FieldError]:
    """validatePvNodeAffinity: a label's beta name may become its own."""
    terms, before = _terms(new), _terms(old)
    if new is not None and len(terms) == len(before) and all(map(_same_term, terms, before)):
        return []
    shown = None if new is None else go_struct("VolumeNodeAffinity", new)
    return [invalid("nodeAffinity", shown, f"{IMMUTABLE}, except for updating from beta label to GA")]


def _same_term(new: Obj, old: Obj) -> bool:
    pairs = [(t.get("matchExpressions") or [], t.get("matchFields") or []) for t in (new, old)]
    (expressions, fields), (before, fields_before) = pairs
    renamed = [{**e, "key": _STABLE.get(e.get("key"), e.get("key"))} for e in before]
    same = len(expressions) == len(before) and all(
        e in both for e, *both in zip(expressions, before, renamed, strict=True)
    )
    return same and fields == fields_before


def _terms(affinity: Obj | None) -> list[Obj]:
    return ((affinity or {}).get("required") or {}).get("nodeSelectorTerms") or []


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
    found += nodelabels.of_terms("spec.nodeAffinity.required.nodeSelectorTerms", _terms(spec.get("nodeAffinity")))
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
    validate=lambda obj, ctx: _check_spec(obj),
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
