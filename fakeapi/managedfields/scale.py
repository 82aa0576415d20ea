"""managedFields of the scale subresource: the parent's entries seen through a Scale, and back.

Stands for apimachinery's managedfields/scalehandler.go. `mappings` says, for every served version of the parent, by
which path it holds the number of replicas; a version that maps to None has none, one that is missing is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fakeapi.managedfields.entries import Id, Managed, Owner, decode, encode
from fakeapi.managedfields.fieldset import FieldSet, Path, difference, has, of

SCALE_VERSION = "autoscaling/v1"
REPLICAS: Path = ("f:spec", "f:replicas")

Mappings = Mapping[str, Path | None]


def to_scale(entries: list[dict[str, Any]], mappings: Mappings) -> list[dict[str, Any]]:
    """The entries a Scale shows: those of the parent that own the number of replicas."""
    managed: Managed = {}
    for who, owner in decode(entries).items():
        path = mappings.get(owner.api_version)
        if path and has(owner.fields, path):
            managed[who] = Owner(of(REPLICAS), SCALE_VERSION, owner.applied, owner.time)
    return encode(managed)


def to_parent(
    parent: list[dict[str, Any]], scale: list[dict[str, Any]], api_version: str, mappings: Mappings
) -> list[dict[str, Any]]:
    """The parent's entries after a write to its Scale.

    api_version: the parent's in this request. Update entries of the Scale never match the parent's (their versions
    differ), so they come back without a time, which is what upstream does."""
    left = decode(scale)
    managed: Managed = {}
    times: dict[Id, str] = {}
    for who, owner in decode(parent).items():
        times[who] = owner.time
        if owner.api_version not in mappings:
            continue
        path = mappings[owner.api_version]
        if path and has(owner.fields, path) and left.pop(who, None) is None:
            fields = difference(owner.fields, of(path))
            if fields:
                managed[who] = owner._replace(fields=fields)
            continue
        managed[who] = owner
    for who, owner in left.items():
        if has(owner.fields, REPLICAS):
            replicas: FieldSet = of(mappings[api_version] or REPLICAS)
            managed[who] = Owner(replicas, api_version, owner.applied, times.get(who, ""))
    return encode(managed)
