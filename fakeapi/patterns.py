"""Regular expressions that are compiled when they are first used.

There are over a hundred in the server, most for values that a run never meets, and compiling them all would be a third
of the time it takes to start.
"""

from __future__ import annotations

import re
from typing import Any, cast


class _Lazy:
    """Stands in for a re.Pattern until somebody asks it something; then it has the pattern's own methods."""

    def __init__(self, text: str, flags: int) -> None:
        self._text = text
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        compiled = re.compile(self._text, self._flags)
        for method in ("match", "fullmatch", "search", "sub", "split", "findall", "finditer", "pattern"):
            setattr(self, method, getattr(compiled, method))
        return getattr(compiled, name)


def lazy(text: str, flags: int = 0) -> re.Pattern[str]:
    """re.compile(text, flags), later."""
    return cast("re.Pattern[str]", _Lazy(text, flags))
