"""Custom resources: the Strategy of one version of a CustomResourceDefinition.

Stands for apiextensions' registry/customresource (strategy, status_strategy, tableconvertor). What a schema demands of
values is schema/validation.py's and its rules in CEL are cel/'s; here they are put in upstream's order. Objects are in
the row's own version. Leaves out nothing but metrics.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fakeapi import jsonpath, names
from fakeapi.clock import parse_rfc3339
from fakeapi.crds.kinds import Version
from fakeapi.crds.validation import Validator
from fakeapi.errors import FieldError
from fakeapi.gofmt import go_quote
from fakeapi.strategies.base import Column, Context, Obj, Printer, Strategy
from fakeapi.strategies.podspec.printing import NAME, human_duration

_STANDARD_FINALIZERS = frozenset(("orphan", "foregroundDeletion", "kubernetes"))


def strategy(version: Version) -> Strategy:
    """The rules of a version's objects; compiles nothing yet."""
    validator = Validator(version)
    return Strategy(
        bare_finalizers=True,
        default=version.default,
        prepare_create=_preparer(version),
        prepare_update=_prepare_update(version),
        validate=lambda obj, ctx: validator.create(obj),
        validate_update=lambda new, old, ctx: validator.update(new, old, ctx.warnings),
        warnings=lambda new, old, ctx: finalizer_warnings(new, old),
        prepare_status=_prepare_status,
        validate_status=lambda new, old, ctx: validator.update_status(new, old, ctx.warnings),
        generation=True,
        fields={name: _field(path) for name, path in _fields(version).items()},
        printer=_printer(version),
        unconditional_update=False,
        main_reset=("status",) if version.has_status else (),
        status_reset=("metadata", "spec", *(k for k in (version.schema or {}).get("properties", {}) if k not in _KEPT)),
    )


_KEPT = ("status", "spec", "metadata", "apiVersion", "kind")


def _preparer(version: Version) -> Callable[[Obj, Context], None]:
    def prepare(obj: Obj, ctx: Context) -> None:
        if version.has_status:
            obj.pop("status", None)

    return prepare


def _prepare_update(version: Version) -> Callable[[Obj, Obj, Context], None]:
    def prepare(new: Obj, old: Obj, ctx: Context) -> None:
        # The registry counts every other change; without /status the status is like any field.
        if not version.has_status and new.get("status") != old.get("status"):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1

    return prepare


def _prepare_status(new: Obj, old: Obj, ctx: Context) -> None:
    """Of metadata, /status changes managedFields alone."""
    metadata = dict(old["metadata"])
    for field in ("managedFields", "resourceVersion"):
        metadata.pop(field, None)
        if field in new["metadata"]:
            metadata[field] = new["metadata"][field]
    new["metadata"] = metadata


def finalizer_warnings(new: Obj, old: Obj | None) -> list[str]:
    """What is said of finalizers that an object did not have before."""
    added = set(new["metadata"].get("finalizers") or ()) - set(
        (old or {"metadata": {}})["metadata"].get("finalizers") or ()
    )
    found = []
    for name in sorted(added):
        found += [f"metadata.finalizers: {go_quote(name)}: {text}" for text in names.is_qualified_name(name)]
        if "/" not in name and name not in _STANDARD_FINALIZERS:
            path = " including a path (/)" if "." in name else ""
            why = "to avoid accidental conflicts with other finalizer writers"
            text = f"prefer a domain-qualified finalizer name{path} {why}"
            found.append(f"metadata.finalizers: {go_quote(name)}: {text}")
    return found


def _fields(version: Version) -> dict[str, jsonpath.Path]:
    return dict(version.fields)


def _field(path: jsonpath.Path) -> Callable[[Obj], str]:
    def value(obj: Obj) -> str:
        found = path.find(obj)
        return _text(found[0]) if found and found[0] is not None else ""

    return value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _printer(version: Version) -> Printer | None:
    """Columns: the name, then the version's own, or the age where it names none; none from the first bad path on."""
    given = version.spec.get("additionalPrinterColumns")
    if not given:
        given = [{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]
    columns = [NAME]
    paths: list[tuple[str, jsonpath.Path]] = []
    for entry in given:
        text = entry["jsonPath"]
        path = _compiled(text)
        if path is None:
            break
        about = entry.get("description") or f"Custom resource definition column (in JSONPath format): {text}"
        columns.append(Column(entry["name"], entry["type"], entry.get("format", ""), entry.get("priority", 0), about))
        paths.append((entry["type"], path))

    def cells(obj: Obj, now: float) -> list[Any]:
        return [obj["metadata"].get("name", ""), *(_cell(kind, path, obj, now) for kind, path in paths)]

    return Printer(tuple(columns), cells)


def _compiled(text: str) -> jsonpath.Path | None:
    try:
        return jsonpath.compile(text)
    except jsonpath.JSONPathError:
        return None


def _cell(kind: str, path: jsonpath.Path, obj: Obj, now: float) -> Any:
    """The first value found, if it fits the column's type."""
    try:
        found = path.find(obj)
    except jsonpath.JSONPathError:
        return None
    if not found:
        return None
    return _CELLS[kind](found[0], now)


def _string(value: Any, now: float) -> Any:
    if value is None:
        return "<no value>"
    if isinstance(value, (dict, list)):
        import orjson

        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    return _text(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _date(value: Any, now: float) -> Any:
    if not isinstance(value, str):
        return None
    if value in ("", "null"):
        return "<unknown>"
    try:
        return human_duration(now - parse_rfc3339(value))
    except ValueError:
        return "<invalid>"


_CELLS: dict[str, Callable[[Any, float], Any]] = {
    "string": _string,
    "integer": lambda value, now: int(value) if _is_number(value) else None,
    "number": lambda value, now: value if _is_number(value) else None,
    "boolean": lambda value, now: value if isinstance(value, bool) else None,
    "date": _date,
}


__all__ = ["FieldError", "finalizer_warnings", "strategy"]
