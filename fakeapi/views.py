"""Table and PartialObjectMetadata: the shapes of an answer that are not the object itself.

Stands for apiserver's endpoints/handlers/response.go and registry/rest/table.go. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fakeapi import errors
from fakeapi.clock import parse_rfc3339
from fakeapi.codec import Form
from fakeapi.strategies.base import Column, Obj, Printer

INCLUDE = ("None", "Metadata", "Object")


def age(timestamp: str | None, now: float) -> str:
    """How long ago, as duration.HumanDuration prints it; `<unknown>` without a time."""
    if not timestamp:
        return "<unknown>"
    return human_duration(now - parse_rfc3339(timestamp))


def human_duration(seconds: float) -> str:
    """duration.HumanDuration: `5s`, `3m20s`, `5h`, `2d3h`, `3y`."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    total = max(total, 0)
    minutes, hours, days = total // 60, total // 3600, total // 86400
    if total < 120:
        return f"{total}s"
    if minutes < 10:
        return f"{minutes}m{total % 60}s" if total % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 730:
        return f"{days}d"
    years = days // 365
    if days < 2920:
        return f"{years}y{days % 365}d" if days % 365 else f"{years}y"
    return f"{years}y"


DEFAULT_PRINTER = Printer(
    (
        Column("Name", format="name", description="Name must be unique within a namespace."),
        Column("Created At", type="date", description="CreationTimestamp is a timestamp representing the server time when this object was created."),
    ),
    lambda obj, now: [obj["metadata"].get("name", ""), obj["metadata"].get("creationTimestamp", "")],
)


def column_definitions(printer: Printer) -> list[dict[str, Any]]:
    """The Table's columnDefinitions."""
    return [{"name": c.name, "type": c.type, "format": c.format, "description": c.description, "priority": c.priority} for c in printer.columns]


def partial(obj: Obj, version: str = "v1") -> Obj:
    """The object's metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{version}", "metadata": obj.get("metadata", {})}


def check_include(value: str) -> str:
    """The includeObject option, "Metadata" by default. ApiError 400 for anything unknown."""
    if value and value not in INCLUDE:
        found = errors.invalid("includeObject", value, "must be 'Metadata', 'Object', 'None', or empty")
        raise errors.bad_request(f"Unable to convert to Table as requested: {found}")
    return value or "Metadata"


def row(obj: Obj, printer: Printer, now: float, include: str, version: str) -> dict[str, Any]:
    """One Table row."""
    made: dict[str, Any] = {"cells": printer.cells(obj, now)}
    if printer.conditions is not None and (conditions := printer.conditions(obj)):
        made["conditions"] = conditions
    made["object"] = obj if include == "Object" else partial(obj, version) if include == "Metadata" else None
    return made


def table(objects: Iterable[Obj], metadata: Obj, printer: Printer | None, form: Form, now: float, include: str, columns: bool = True) -> Obj:
    """The Table of some objects; metadata is the list's (or {resourceVersion} of a single object)."""
    shown = printer or DEFAULT_PRINTER
    rows = [row(obj, shown, now, include, form.version) for obj in objects]
    if not rows and printer is None:
        rows = None  # upstream's default convertor never makes the slice
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{form.version}",
        "metadata": metadata,
        "columnDefinitions": column_definitions(shown) if columns else None,
        "rows": rows,
    }
