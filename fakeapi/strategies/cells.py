"""Pieces of Table rows: ages, label selectors, joined lists, and a way to write a printer as pairs of column and cell.

Stands for the helpers of pkg/printers/internalversion (translateTimestampSince, ...) and apimachinery's util/duration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from fakeapi.strategies.base import Column, Obj, Printer

Cell = Callable[[Obj], Any]

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_YEAR = 365 * _DAY


def duration(seconds: float) -> str:
    """duration.HumanDuration: two units at most, coarser as it grows."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    for below, unit, letter, small, small_letter in _SPANS:
        if whole < below:
            rest = whole % unit // small if small else 0
            return f"{whole // unit}{letter}" + (f"{rest}{small_letter}" if rest else "")
    return f"{whole // _YEAR}y"


_SPANS = (
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (48 * _HOUR, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
)


def epoch(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def since(text: str | None, now: float) -> str:
    """The age of a time; `<unknown>` when there is none."""
    return duration(now - epoch(text)) if text else "<unknown>"


def age(obj: Obj, now: float) -> str:
    """The Age column."""
    return since(obj["metadata"].get("creationTimestamp"), now)


def name(obj: Obj) -> str:
    """The Name column."""
    found: str = obj["metadata"].get("name", "")
    return found


NAME = (Column("Name", format="name", description="Name of the object"), name)
AGE = Column("Age", description="Age of the object")


def table(*pairs: tuple[Column, Cell] | Column) -> Printer:
    """A printer from columns with their cells; AGE alone is the object's age."""
    columns = tuple(p if isinstance(p, Column) else p[0] for p in pairs)
    makers = tuple(None if isinstance(p, Column) else p[1] for p in pairs)

    def cells(obj: Obj, now: float) -> list[Any]:
        return [age(obj, now) if make is None else make(obj) for make in makers]

    return Printer(columns, cells)


NAME_AND_AGE = table(NAME, AGE)


def path(*keys: str, default: Any = "") -> Cell:
    """A cell that shows the value at a path, or the default."""

    def cell(obj: Obj) -> Any:
        value: Any = obj
        for key in keys:
            value = (value or {}).get(key)
        return default if value is None else value

    return cell


def count(key: str) -> Cell:
    """A cell with the length of a top-level list or map."""
    return lambda obj: len(obj.get(key) or ())


def labels(found: Mapping[str, str] | None) -> str:
    """labels.FormatLabels: `a=1,b=2`, `<none>`."""
    return ",".join(f"{k}={found[k]}" for k in sorted(found)) if found else "<none>"


_OPERATORS = {"In": "{} in ({})", "NotIn": "{} notin ({})", "Exists": "{}", "DoesNotExist": "!{}"}


def selector(found: Mapping[str, Any] | None) -> str:
    """metav1.FormatLabelSelector: requirements sorted by key, `<none>` when empty."""
    if not found:
        return "<none>"
    terms = [(k, f"{k}={v}") for k, v in (found.get("matchLabels") or {}).items()]
    for term in found.get("matchExpressions") or ():
        shape = _OPERATORS.get(term.get("operator", ""))
        if shape is None:
            return "<error>"
        terms.append((term["key"], shape.format(term["key"], ",".join(sorted(term.get("values") or ())))))
    return ",".join(text for _, text in sorted(terms, key=lambda t: t[0])) or "<none>"


def first_of(items: Iterable[str], shown: int, separator: str = ",") -> str:
    """`a,b,c + 2 more...`."""
    found = list(items)
    text = separator.join(found[:shown])
    return text if len(found) <= shown else f"{text} + {len(found) - shown} more..."
