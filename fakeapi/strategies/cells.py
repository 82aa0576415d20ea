"""A way to write a printer as pairs of column and cell, and cells that many kinds share.

Stands for the table helpers of pkg/printers/internalversion; ages, selectors and label maps are podspec/printing.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from fakeapi.strategies.base import Column, Obj, Printer
from fakeapi.strategies.podspec.printing import AGE as AGE
from fakeapi.strategies.podspec.printing import NAME as NAME_COLUMN
from fakeapi.strategies.podspec.printing import age

Cell = Callable[[Obj], Any]


def name(obj: Obj) -> str:
    """The Name column."""
    found: str = obj["metadata"].get("name", "")
    return found


NAME = (NAME_COLUMN, name)


def column(title: str, cell: Cell, kind: str = "string", *, wide: bool = False, about: str = "") -> tuple[Column, Cell]:
    """A column with its cell; wide: shown with -o wide only."""
    return Column(title, kind, priority=1 if wide else 0, description=about or title), cell


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


def first_of(items: Iterable[str], shown: int, separator: str = ",") -> str:
    """`a,b,c + 2 more...`."""
    found = list(items)
    text = separator.join(found[:shown])
    return text if len(found) <= shown else f"{text} + {len(found) - shown} more..."
