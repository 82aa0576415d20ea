"""The timeout a request names for itself."""

from __future__ import annotations

import pytest

from fakeapi import goduration
from tests.fakeapi.inprocess import in_process


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1h2m3.5s", ""),
        ("-5s", ""),
        ("0", ""),
        (".5ms", ""),
        ("", "invalid duration"),
        ("-", "invalid duration"),
        ("x", "invalid duration"),
        (".s", "invalid duration"),
        ("1.2.3s", "missing unit in duration"),
        ("5", "missing unit in duration"),
        ("5x", 'unknown unit "x" in duration'),
        ("9999999h", "invalid duration"),
    ],
)
def test_durations(text: str, problem: str) -> None:
    assert goduration.problem(text) == (f'time: {problem} "{text}"' if problem else "")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/namespaces?timeout=5s", 401),
        ("/api/v1/namespaces?timeout=", 401),
        ("/api/v1/namespaces?timeout=soon", 400),
        ("/version?timeout=soon", 400),
        ("/api/v1/namespaces?watch=1&timeout=soon", 401),
        ("/api/v1/namespaces/default/pods/x/log?timeout=soon", 401),
    ],
)
def test_the_timeout_is_looked_at_before_who_asks(path: str, status: int) -> None:
    with in_process() as api:
        refused = api.ask_as_bearer(path, "nobody's")
    assert refused.status == status
    if status == 400:
        assert refused.message == 'invalid timeout specified in the request URL - time: invalid duration "soon"'
