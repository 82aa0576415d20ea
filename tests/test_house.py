"""Rules of the house that neither ruff nor import-linter can say."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("fakeapi", "fakenodes", "kubeconfig", "conformance")
LOOP_TIMERS = {"call_later", "call_at"}


def foreign_timers(source: str) -> Iterator[int]:
    """Lines that set a timer on anything but a clock."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOOP_TIMERS:
            holder = node.func.value
            name = (
                holder.attr if isinstance(holder, ast.Attribute) else holder.id if isinstance(holder, ast.Name) else ""
            )
            if name.lstrip("_") != "clock":
                yield node.lineno


def test_timers_are_set_on_a_clock_only() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for line in foreign_timers(path.read_text())
    ]
    assert [place for place in found if not place.startswith("fakeapi/clock.py:")] == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("loop.call_later(1, f)", [1]),
        ("self._clock.call_later(1, f)", []),
        ("asyncio.get_running_loop().call_at(1, f)", [1]),
    ],
)
def test_the_rule_itself(source: str, lines: list[int]) -> None:
    assert list(foreign_timers(source)) == lines


def test_the_coverage_document_is_current() -> None:
    from scripts import coverage

    assert coverage.TARGET.read_text() == coverage.render()
