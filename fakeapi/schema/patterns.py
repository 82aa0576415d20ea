"""RE2 patterns, and how Go's regexp words what is wrong with one."""

from __future__ import annotations

import re

import re2

# RE2's own text -> Go's.
_WORDS = {
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid repetition size": "invalid repeat count",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid named capture group": "invalid named capture",
    "trailing \\": "trailing backslash at end of expression",
}
# What Go quotes whole where RE2 names a part.
_WHOLE = frozenset(("missing closing )", "unexpected )"))
# Go takes the start of a lookbehind for that of a name.
_LOOKBEHIND = re.compile(r"\(\?<[=!]")


def problem(pattern: str) -> str:
    """`error parsing regexp: ...` as Go says it; "" for a pattern that compiles."""
    try:
        re2.compile(pattern)
    except re2.error as error:
        found = error.args[0] if error.args else ""
        text = found.decode() if isinstance(found, bytes) else str(found)
        behind = _LOOKBEHIND.search(pattern)
        if behind and text == f"invalid perl operator: {behind.group()}":
            return f"error parsing regexp: invalid named capture: `{pattern[behind.start() :]}`"
        what, _, part = text.partition(": ")
        go = _WORDS.get(what, what)
        return f"error parsing regexp: {go}: `{pattern if go in _WHOLE else part}`"
    return ""
