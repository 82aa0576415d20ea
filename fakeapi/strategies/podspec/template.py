"""What kinds with a pod template have in common beside the template itself: conversion leftovers and selectors.

Stands for pkg/apis/core/v1/conversion.go (annotations dropped on the way in).
"""

from __future__ import annotations

from typing import Any

from fakeapi.strategies.podspec.defaults import default_spec

Obj = dict[str, Any]

# Annotations of the alpha and beta forms of init containers: dropped from every object that comes in.
_DROPPED = tuple(
    f"pod.{stage}.kubernetes.io/{name}"
    for stage in ("beta", "alpha")
    for name in ("init-containers", "init-container-statuses")
)


def drop_init_annotations(metadata: Obj) -> None:
    """dropInitContainerAnnotations."""
    annotations = metadata.get("annotations")
    if annotations:
        for key in _DROPPED:
            annotations.pop(key, None)
        if not annotations:
            del metadata["annotations"]


def default_template(template: Obj) -> None:
    """Defaults of a PodTemplateSpec, in place."""
    drop_init_annotations(template.setdefault("metadata", {}))
    default_spec(template.setdefault("spec", {}))
