"""Plain JSON values: copying them."""

from __future__ import annotations

import copy
from typing import Any

import orjson


def copied(value: Any) -> Any:
    """A deep copy; through JSON, which is ten times faster than copy.deepcopy, but for numbers that orjson does not
    write.
    """
    try:
        return orjson.loads(orjson.dumps(value))
    except TypeError:
        return copy.deepcopy(value)
