"""What functions ask of their arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fakeapi.cel.values import CelError, no_overload


def need_text(value: Any) -> str:
    """A string. CelError for anything else."""
    if not isinstance(value, str):
        raise no_overload()
    return value


def need_list(value: Any) -> list[Any]:
    """A list. CelError for anything else."""
    if not isinstance(value, list):
        raise no_overload()
    return list(value)


def is_valid(make: Callable[..., Any]) -> Callable[..., bool]:
    """Whether a value can be made of the arguments."""

    def function(*arguments: Any) -> bool:
        try:
            make(*arguments)
        except CelError:
            return False
        return True

    return function
