"""Restores OpenAPI v3 from the JSON Schema rewriting that kubernetes-validate ships.

Decides how one definition looks under components/schemas: null widening and added enums go, references point to
components, special types get upstream's formats, enumerated strings their values. Stands for openapi-gen's output.
Leaves out what the values mean, which upstream adds to descriptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fakeapi.schema import gofacts

_WHOLE = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"format": "int-or-string", "type": "string"},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": "string"},
}

# Definitions of Go types that write their own JSON.
NO_STRUCTS = frozenset(
    {
        "io.k8s.apimachinery.pkg.api.resource.Quantity",
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
        "io.k8s.apimachinery.pkg.runtime.RawExtension",
        "io.k8s.apimachinery.pkg.apis.meta.v1.Time",
        "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime",
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON",
    }
)

# Defaults that are no zero values (Go's `+default` markers), on fields and on the keys of associative lists.
_TCP = {"protocol": "TCP"}
_RBD = {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"}
_SCALE_IO = {"storageMode": "ThinProvisioned", "fsType": "xfs"}
_ISCSI = {"iscsiInterface": "default"}
_AZURE = {"cachingMode": "ReadWrite", "fsType": "ext4", "readOnly": False, "kind": "Shared"}
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "io.k8s.api.autoscaling.v1.ScaleSpec": {"replicas": 0},
    "io.k8s.api.certificates.v1beta1.PodCertificateRequestSpec": {"maxExpirationSeconds": 86400},
    "io.k8s.api.core.v1.AzureDiskVolumeSource": _AZURE,
    "io.k8s.api.core.v1.ContainerPort": _TCP,
    "io.k8s.api.core.v1.FileKeySelector": {"optional": False},
    "io.k8s.api.core.v1.GRPCAction": {"service": ""},
    "io.k8s.api.core.v1.ISCSIPersistentVolumeSource": _ISCSI,
    "io.k8s.api.core.v1.ISCSIVolumeSource": _ISCSI,
    "io.k8s.api.core.v1.LocalObjectReference": {"name": ""},
    "io.k8s.api.core.v1.RBDPersistentVolumeSource": _RBD,
    "io.k8s.api.core.v1.RBDVolumeSource": _RBD,
    "io.k8s.api.core.v1.ReplicationControllerSpec": {"replicas": 1, "minReadySeconds": 0},
    "io.k8s.api.core.v1.ScaleIOPersistentVolumeSource": _SCALE_IO,
    "io.k8s.api.core.v1.ScaleIOVolumeSource": _SCALE_IO,
    "io.k8s.api.core.v1.ServicePort": _TCP,
    "io.k8s.api.resource.v1.DeviceToleration": {"operator": "Equal"},
    "io.k8s.api.resource.v1alpha3.ResourcePoolStatusRequestSpec": {"limit": 100},
    "io.k8s.api.resource.v1beta1.DeviceToleration": {"operator": "Equal"},
    "io.k8s.api.resource.v1beta2.DeviceToleration": {"operator": "Equal"},
    "io.k8s.api.scheduling.v1alpha2.PodGroupSpec": {"disruptionMode": "Pod"},
}
_PREFIX = "#/components/schemas/"


def restore(name: str, schema: Mapping[str, Any], *, nested_defaults: bool = False) -> dict[str, Any]:
    """One definition, as served. nested_defaults: those of items and map values too, which CRDs' documents lack."""
    if name in _WHOLE:
        return {**{k: schema[k] for k in schema if k == "description"}, **_WHOLE[name]}
    found = _node(schema, nested_defaults)
    defaults = field_defaults(name, schema)
    for field, inner in found.get("properties", {}).items():
        if field in ("apiVersion", "kind"):
            inner.pop("enum", None)
        if field in defaults:
            inner["default"] = defaults[field]
        if values := gofacts.enum(name, field):
            inner.get("items", inner)["enum"] = values
    return found


def field_defaults(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A definition's defaults: the marked ones, zero values of what Go always encodes, {} for structs held by value."""
    facts = gofacts.fields(name)
    found: dict[str, Any] = {}
    for field, inner in schema.get("properties", {}).items():
        fact = facts.get(field)
        if fact is None or fact.pointer or fact.omitzero:
            continue
        if "$ref" in inner:
            if _is_struct(inner):
                found[field] = {}
        elif not fact.omitempty and json_type(inner) in gofacts.ZERO:
            found[field] = gofacts.ZERO[json_type(inner)]
    return {**found, **_DEFAULTS.get(name, {})}


def json_type(schema: Mapping[str, Any]) -> str:
    """The JSON Schema type without the null that the package adds; "" when any value will do."""
    kind = schema.get("type", "")
    return kind if isinstance(kind, str) else next(k for k in kind if k != "null")


def _is_struct(schema: Mapping[str, Any]) -> bool:
    """Whether a reference leads to a plain struct, which has the default {}: not to what marshals itself."""
    return schema["$ref"].rpartition("/")[2] not in NO_STRUCTS


def _node(schema: Mapping[str, Any], nested_defaults: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "type" and isinstance(value, list):
            found[key] = json_type(schema)
        elif key == "properties":
            found[key] = {field: _node(inner, nested_defaults) for field, inner in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            found[key] = _element(value, nested_defaults)
        elif key == "$ref":
            found[key] = _PREFIX + value.rpartition("/")[2]
        else:
            found[key] = value
    return _wrapped(found)


def _element(schema: Mapping[str, Any], nested_defaults: bool) -> dict[str, Any]:
    found = _node(schema, nested_defaults)
    if nested_defaults and "$ref" in schema and _is_struct(schema):
        found["default"] = {}
    elif nested_defaults and found.get("type") in gofacts.ZERO:
        found["default"] = gofacts.ZERO[found["type"]]
    return _wrapped(found)


def _wrapped(schema: dict[str, Any]) -> dict[str, Any]:
    """A reference may have no siblings, so with any it goes into allOf."""
    if "$ref" in schema and len(schema) > 1:
        schema["allOf"] = [{"$ref": schema.pop("$ref")}]
    return schema
