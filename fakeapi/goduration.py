"""What Go's time.ParseDuration says of a text that is no duration."""

from __future__ import annotations

import re

from fakeapi.gofmt import go_quote

_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]*)")
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_MOST, _DIGITS = 2**63, 19


def problem(text: str) -> str:
    """`time: missing unit in duration "5"`; "" for a duration."""
    invalid = f"time: invalid duration {go_quote(text)}"
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return ""
    if not rest:
        return invalid
    total = 0
    while rest:
        part = _PART.match(rest)
        if part is None or not (part[1] or part[2]) or len(part[1].lstrip("0")) > _DIGITS:
            return invalid
        if not part[3]:
            return f"time: missing unit in duration {go_quote(text)}"
        if part[3] not in _UNITS:
            return f"time: unknown unit {go_quote(part[3])} in duration {go_quote(text)}"
        total += int(part[1].lstrip("0") or 0) * _UNITS[part[3]]
        if total >= _MOST:
            return invalid
        rest = rest[part.end() :]
    return ""
