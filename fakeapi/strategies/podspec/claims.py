"""PersistentVolumeClaimSpecs inside other kinds: ephemeral volumes and StatefulSets' templates.

Stands for ValidatePersistentVolumeClaimSpec and ValidateTemplateObjectMeta of pkg/apis/core/validation.
"""

from __future__ import annotations

from typing import Any

from fakeapi.errors import FieldError, forbidden, invalid, not_supported, required
from fakeapi.names import (
    check,
    check_annotations,
    check_label_selector,
    check_labels,
    is_dns1123_subdomain,
    name_is_dns_label,
    name_is_dns_subdomain,
)
from fakeapi.quantity import parse

Obj = dict[str, Any]
Errors = list[FieldError]

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")
_TEMPLATE_METADATA = ("annotations", "labels")


def validate_claim_template(template: Obj, path: str) -> Errors:
    """A volumeClaimTemplate: nothing but labels and annotations beside its spec."""
    metadata = template.get("metadata") or {}
    errors = check_annotations(f"{path}.metadata.annotations", metadata.get("annotations"))
    errors += check_labels(f"{path}.metadata.labels", metadata.get("labels"))
    others = [key for key in metadata if key not in _TEMPLATE_METADATA and metadata[key]]
    errors += [forbidden(f"{path}.metadata.{key}", "cannot be set") for key in others]
    return errors + validate_claim_spec(template.get("spec") or {}, f"{path}.spec")


def validate_claim_spec(spec: Obj, path: str) -> Errors:
    """ValidatePersistentVolumeClaimSpec."""
    modes = spec.get("accessModes") or ()
    errors: Errors = []
    if not modes:
        errors.append(required(f"{path}.accessModes", "at least 1 access mode is required"))
    if spec.get("selector") is not None:
        errors += check_label_selector(f"{path}.selector", spec["selector"])
    bad = [mode for mode in modes if mode not in ACCESS_MODES]
    errors += [not_supported(f"{path}.accessModes", mode, ACCESS_MODES) for mode in bad]
    if "ReadWriteOncePod" in modes and any(m in ACCESS_MODES and m != "ReadWriteOncePod" for m in modes):
        errors.append(forbidden(f"{path}.accessModes", "may not use ReadWriteOncePod with other access modes"))
    errors += _storage(spec, f"{path}.resources[storage]")
    storage_class, mode = spec.get("storageClassName"), spec.get("volumeMode")
    if storage_class:
        errors += check(f"{path}.storageClassName", storage_class, name_is_dns_subdomain(storage_class, False))
    if mode is not None and mode not in VOLUME_MODES:
        errors.append(not_supported(f"{path}.volumeMode", mode, VOLUME_MODES))
    errors += _data_sources(spec, path)
    attributes = spec.get("volumeAttributesClassName")
    if attributes:
        errors += check(f"{path}.volumeAttributesClassName", attributes, name_is_dns_subdomain(attributes, False))
    return errors


def _storage(spec: Obj, path: str) -> Errors:
    amount = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if amount is None:
        return [required(path)]
    return [] if parse(amount).nano > 0 else [invalid(path, amount, "must be greater than zero")]


def _data_sources(spec: Obj, path: str) -> Errors:
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    errors: Errors = []
    if source is not None:
        errors += _data_source(source, f"{path}.dataSource")
    if reference is not None:
        errors += _data_source(reference, f"{path}.dataSourceRef")
        namespace = reference.get("namespace")
        if namespace:
            errors += check(f"{path}.dataSourceRef.namespace", namespace, name_is_dns_label(namespace, False))
        if namespace and source is not None:
            text = "may not be specified when dataSourceRef.namespace is specified"
            errors.append(invalid(path, {}, text))
        elif source is not None and any(source.get(k) != reference.get(k) for k in ("apiGroup", "kind", "name")):
            errors.append(invalid(path, {}, "must match dataSourceRef"))
    return errors


def _data_source(source: Obj, path: str) -> Errors:
    errors = [required(f"{path}.{name}") for name in ("name", "kind") if not source.get(name)]
    group, kind = source.get("apiGroup") or "", source.get("kind") or ""
    if not group and kind != "PersistentVolumeClaim":
        text = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        errors.append(invalid(path, kind, text))
    if group:
        errors += check(f"{path}.apiGroup", group, is_dns1123_subdomain(group))
    return errors
