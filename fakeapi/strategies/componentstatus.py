"""ComponentStatus: only its table; handlers/components.py makes the objects. Stands for printComponentStatus."""

from __future__ import annotations

from fakeapi.strategies.base import Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, Cell, column, table

_SHOWN = {"True": "Healthy", "False": "Unhealthy"}


def _healthy(field: str) -> Cell:
    def cell(obj: Obj) -> str:
        for condition in obj.get("conditions") or ():
            if condition.get("type") == "Healthy":
                text: str = condition.get(field, "")
                return _SHOWN.get(text, "Unknown") if field == "status" else text
        return "Unknown" if field == "status" else ""

    return cell


STRATEGY = Strategy(
    printer=table(
        NAME,
        column("Status", _healthy("status")),
        column("Message", _healthy("message")),
        column("Error", _healthy("error")),
        AGE,
    )
)
