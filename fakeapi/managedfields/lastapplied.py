"""The annotation in which `kubectl apply` keeps its last configuration, as server-side apply treats it.

When the field manager is "kubectl", conflicts with values that the annotation shows to be kubectl's own are none, and
the annotation, once there, follows what is applied. Stands for apimachinery's managedfields/internal/lastapplied*.go.
"""

from __future__ import annotations

from typing import Any

import orjson

from fakeapi.managedfields.elements import ItemError
from fakeapi.managedfields.fieldset import FieldSet, difference
from fakeapi.managedfields.typed import compare, field_set
from fakeapi.managedfields.validate import problems
from fakeapi.schema.types import Type

Obj = dict[str, Any]

ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"
MANAGER = "kubectl"
MAX_ANNOTATIONS = 256 * 1024

_HTML = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def _annotation(obj: Obj) -> str:
    annotations = (obj.get("metadata") or {}).get("annotations") or {}
    found: str = annotations.get(ANNOTATION) or ""
    return found


def allowed(live: Obj, type: Type, api_version: str) -> FieldSet | None:
    """The fields whose live values are those last applied with client-side apply; None when nobody can tell."""
    text = _annotation(live)
    if not text:
        return None
    try:
        last = orjson.loads(text)
    except ValueError:
        return None
    if not isinstance(last, dict) or last.get("apiVersion") != api_version or problems(last, type):
        return None
    try:
        fields = field_set(last, type)
        found = compare(last, live, type)
    except ItemError:
        return None
    return difference(difference(difference(fields, found.modified), found.added), found.removed)


def follow(obj: Obj, applied: Obj) -> None:
    """Write the applied configuration into the annotation of obj (in place) when it has one; too much is dropped."""
    if not _annotation(obj):
        return
    kept = dict(applied)
    metadata = kept.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("annotations"), dict):
        rest = {k: v for k, v in metadata["annotations"].items() if k != ANNOTATION}
        kept["metadata"] = {**metadata, "annotations": rest}
    annotations = obj["metadata"]["annotations"]
    annotations[ANNOTATION] = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode().translate(_HTML) + "\n"
    if sum(len(k.encode()) + len(str(v).encode()) for k, v in annotations.items()) > MAX_ANNOTATIONS:
        del annotations[ANNOTATION]
