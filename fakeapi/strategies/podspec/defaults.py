"""Defaults of a PodSpec, in a Pod or in any kind's template.

Stands for pkg/apis/core/v1/defaults.go and the walk of zz_generated.defaults.go over PodSpec, and what conversion to
the internal type does to serviceAccount and terminationGracePeriodSeconds. Rules that hold in Pods only are in pod.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fakeapi.quantity import canonical_milli
from fakeapi.strategies.podspec.features import drop_disabled
from fakeapi.strategies.podspec.images import pull_policy

Obj = dict[str, Any]

_MODE = {"defaultMode": 0o644}
_RBD = {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"}
_AZURE_DISK = {"cachingMode": "ReadWrite", "fsType": "ext4", "readOnly": False, "kind": "Shared"}
_SCALE_IO = {"storageMode": "ThinProvisioned", "fsType": "xfs"}

# Volume source -> what its absent fields become. An empty string counts as absent (Go's zero value).
VOLUME_DEFAULTS: dict[str, Obj] = {
    "secret": _MODE,
    "configMap": _MODE,
    "downwardAPI": _MODE,
    "projected": _MODE,
    "hostPath": {"type": ""},
    "iscsi": {"iscsiInterface": "default"},
    "rbd": _RBD,
    "azureDisk": _AZURE_DISK,
    "scaleIO": _SCALE_IO,
}
_SPEC_DEFAULTS = {"dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler"}
_PROBE_DEFAULTS = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HOOKS = ("postStart", "preStop")
CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")


def fill(obj: Obj, defaults: Obj) -> None:
    """Set what is absent, null or an empty string."""
    for key, value in defaults.items():
        if obj.get(key) in (None, ""):
            obj[key] = value


def containers_of(spec: Obj) -> Iterator[Obj]:
    """All containers of a PodSpec: init, regular and ephemeral ones."""
    for key in CONTAINER_LISTS:
        yield from spec.get(key) or ()


def default_spec(spec: Obj) -> None:
    """SetDefaults_PodSpec and everything below it, in place."""
    drop_disabled(spec)
    for volume in spec.get("volumes") or ():
        _default_volume(volume)
    for container in containers_of(spec):
        _default_container(container)
    fill(spec, _SPEC_DEFAULTS)
    if spec.get("securityContext") is None:
        spec["securityContext"] = {}
    if spec.get("terminationGracePeriodSeconds") is None:
        spec["terminationGracePeriodSeconds"] = 30
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    if spec.get("overhead"):
        _round(spec["overhead"])
    if spec.get("resources"):
        _default_resources(spec["resources"])


def _default_volume(volume: Obj) -> None:
    source = next((key for key in volume if key != "name" and volume[key] is not None), None)
    if source is None:
        volume["emptyDir"] = {}
        return
    value = volume[source]
    if source in VOLUME_DEFAULTS:
        fill(value, VOLUME_DEFAULTS[source])
    if source == "downwardAPI":
        _default_downward(value)
    elif source == "projected":
        for projection in value.get("sources") or ():
            _default_projection(projection)
    elif source == "ephemeral" and value.get("volumeClaimTemplate"):
        default_claim_spec(value["volumeClaimTemplate"].setdefault("spec", {}))
    elif source == "image":
        fill(value, {"pullPolicy": pull_policy(value.get("reference") or "")})


def _default_projection(projection: Obj) -> None:
    if projection.get("downwardAPI"):
        _default_downward(projection["downwardAPI"])
    if projection.get("serviceAccountToken") is not None:
        fill(projection["serviceAccountToken"], {"expirationSeconds": 3600})


def _default_downward(source: Obj) -> None:
    for item in source.get("items") or ():
        _default_field_ref(item.get("fieldRef"))


def _default_field_ref(reference: Obj | None) -> None:
    if reference is not None:
        fill(reference, {"apiVersion": "v1"})


def default_claim_spec(spec: Obj) -> None:
    """SetDefaults_PersistentVolumeClaimSpec, in place."""
    fill(spec, {"volumeMode": "Filesystem"})
    _default_resources(spec.get("resources") or {})


def _default_container(container: Obj) -> None:
    for port in container.get("ports") or ():
        fill(port, {"protocol": "TCP"})
    for env in container.get("env") or ():
        source = env.get("valueFrom")
        if source:
            _default_field_ref(source.get("fieldRef"))
            if source.get("fileKeyRef") is not None and source["fileKeyRef"].get("optional") is None:
                source["fileKeyRef"]["optional"] = False
    resources = container.get("resources")
    if resources:
        _default_resources(resources)
    elif resources is None:
        container["resources"] = {}
    for name in _PROBES:
        if container.get(name) is not None:
            _default_probe(container[name])
    hooks = container.get("lifecycle")
    if hooks:
        for name in _HOOKS:
            if hooks.get(name):
                _default_http_get(hooks[name].get("httpGet"))
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = pull_policy(container.get("image") or "")
    fill(container, {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"})


def _default_probe(probe: Obj) -> None:
    for key, value in _PROBE_DEFAULTS.items():
        if not probe.get(key):
            probe[key] = value
    _default_http_get(probe.get("httpGet"))
    if probe.get("grpc") is not None and probe["grpc"].get("service") is None:
        probe["grpc"]["service"] = ""


def _default_http_get(action: Obj | None) -> None:
    if action is not None:
        fill(action, {"path": "/", "scheme": "HTTP"})


def _default_resources(resources: Obj) -> None:
    for key in ("limits", "requests"):
        if resources.get(key):
            _round(resources[key])


def _round(amounts: Obj) -> None:
    for name, value in amounts.items():
        amounts[name] = canonical_milli(value)
