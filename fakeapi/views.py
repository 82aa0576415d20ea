"""Table and PartialObjectMetadata: the shapes of an answer that are not the object itself.

Stands for apiserver's endpoints/handlers/response.go and registry/rest/table.go. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from fakeapi import errors
from fakeapi.codec import Form
from fakeapi.strategies.base import Column, Obj, Printer
from fakeapi.strategies.podspec.printing import CREATED_TEXT, NAME_TEXT

INCLUDE = ("None", "Metadata", "Object")


DEFAULT_PRINTER = Printer(
    (
        Column("Name", format="name", description=NAME_TEXT),
        Column("Created At", type="date", description=CREATED_TEXT),
    ),
    lambda obj, now: [obj["metadata"].get("name", ""), obj["metadata"].get("creationTimestamp", "")],
)


def column_definitions(printer: Printer) -> list[dict[str, Any]]:
    """The Table's columnDefinitions."""
    fields = ("name", "type", "format", "description", "priority")
    return [{field: getattr(column, field) for field in fields} for column in printer.columns]


def partial(obj: Obj, version: str = "v1", hidden: Iterable[str] = ()) -> Obj:
    """The object's metadata alone, without the annotations that are hidden."""
    metadata = obj.get("metadata", {})
    annotations = metadata.get("annotations")
    if annotations and any(name in annotations for name in hidden):
        kept = {k: v for k, v in annotations.items() if k not in hidden}
        metadata = {k: v for k, v in metadata.items() if k != "annotations"} | ({"annotations": kept} if kept else {})
    return {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{version}", "metadata": metadata}


def check_include(value: str) -> str:
    """The includeObject option, "Metadata" by default. ApiError 400 for anything unknown."""
    if value and value not in INCLUDE:
        found = errors.invalid("includeObject", value, "must be 'Metadata', 'Object', 'None', or empty")
        raise errors.bad_request(f"Unable to convert to Table as requested: {found}")
    return value or "Metadata"


def _same(obj: Obj) -> Obj:
    return obj


class Tabling(Struct, frozen=True):
    """How rows are made. printer: None for the default columns. served: an object as includeObject=Object shows it;
    cells and metadata are those of the stored one, as upstream's are the internal one's. hidden: annotations that only
    served versions have."""

    printer: Printer | None
    form: Form
    now: float
    include: str
    served: Callable[[Obj], Obj] = _same
    hidden: tuple[str, ...] = ()

    def row(self, obj: Obj) -> dict[str, Any]:
        """One Table row."""
        printer = self.printer or DEFAULT_PRINTER
        made: dict[str, Any] = {"cells": printer.cells(obj, self.now)}
        if printer.conditions is not None and (conditions := printer.conditions(obj)):
            made["conditions"] = conditions
        made["object"] = self._shown(obj)
        return made

    def _shown(self, obj: Obj) -> Obj | None:
        if self.include == "None":
            return None
        return self.served(obj) if self.include == "Object" else partial(obj, self.form.version, self.hidden)


def table(objects: Iterable[Obj], metadata: Obj, how: Tabling, columns: bool = True) -> Obj:
    """The Table of some objects; metadata is the list's (or {resourceVersion} of a single object)."""
    rows = [how.row(obj) for obj in objects] or None
    if rows is None and how.printer is not None:
        rows = []  # upstream's default convertor never makes the slice
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{how.form.version}",
        "metadata": metadata,
        "columnDefinitions": column_definitions(how.printer or DEFAULT_PRINTER) if columns else None,
        "rows": rows,
    }
