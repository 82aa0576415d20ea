"""Numbers with more digits than Python makes numbers of are refused, or stay text, as Go has it."""

from __future__ import annotations

import pytest

from fakeapi import goduration, selectors
from fakeapi.errors import ApiError
from fakeapi.gojson import parse_yaml
from fakeapi.handlers import connect
from fakeapi.paging import _list_revision
from fakeapi.strategies import schedule

LONG = "9" * 5000


def test_selectors() -> None:
    with pytest.raises(selectors.SelectorError, match="'Lt' operators, the value must be an integer"):
        selectors.parse_labels(f"a>{LONG}")


def test_resource_versions() -> None:
    with pytest.raises(ApiError, match="value out of range"):
        _list_revision(LONG)


def test_options() -> None:
    with pytest.raises(ValueError, match="value out of range"):
        connect._integer(64)([LONG])
    assert goduration.problem(f"{LONG}s").startswith("time: invalid duration")
    assert goduration.problem("0" * 5000 + "1s") == ""


@pytest.mark.parametrize("text", [LONG, f"-{LONG}", "0x" + "f" * 5000])
def test_yaml(text: str) -> None:
    assert parse_yaml(f"a: {text}".encode()) == {"a": text}


def test_schedules() -> None:
    assert "value out of range" in schedule.schedule_error(f"{LONG} * * * *")
