"""What clients are told when an apply does not go through, in upstream's words.

Stands for apimachinery's managedfields/internal/conflict.go and the error texts of structuredmerge.go.
"""

from __future__ import annotations

from typing import Any

from fakeapi import errors
from fakeapi.gofmt import go_quote
from fakeapi.managedfields.entries import Id, id_text
from fakeapi.managedfields.fieldset import FieldSet, path_text, paths


def conflict_error(fields: dict[Id, FieldSet]) -> errors.ApiError:
    """409 in upstream's words."""
    found = [(who, [path_text(p) for p in paths(fields[who])]) for who in sorted(fields, key=id_text)]
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {_manager_text(who)}", "field": path}
        for who, texts in found
        for path in texts
    ]
    if len(causes) == 1:
        cause = causes[0]
        return errors.apply_conflict(f"Apply failed with 1 conflict: {cause['message']}: {cause['field']}", causes)
    lines = []
    for who, texts in found:
        lines += [f"conflicts with {_manager_text(who)}:", *(f"- {path}" for path in texts)]
    return errors.apply_conflict(f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines), causes)


def _manager_text(who: Id) -> str:
    text = go_quote(who.manager)
    if who.subresource:
        text += f" with subresource {go_quote(who.subresource)}"
    return f"{text} using {who.api_version}" if who.operation == "Update" else text


def kind_text(api_version: Any, kind: Any) -> str:
    """schema.GroupVersionKind's %v; what cannot be an apiVersion shows as none."""
    version = api_version if isinstance(api_version, str) else ""
    if version.count("/") > 1:
        return "/, Kind="
    group_version = version if "/" in version else f"/{version}"
    return f"{group_version}, Kind={kind if isinstance(kind, str) else ''}"


def object_text(obj: dict[str, Any], api_version: str) -> str:
    """How messages name an object: `namespace/name; group/version, Kind=kind`."""
    metadata = obj.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    where, name = (v if isinstance(v := metadata.get(key), str) else "" for key in ("namespace", "name"))
    return f"{where}/{name}; {kind_text(api_version, obj.get('kind'))}"
