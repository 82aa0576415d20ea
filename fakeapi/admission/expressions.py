"""CEL in admission: what expressions of webhooks and policies may look at, and what comes out of them.

Stands for apiserver's pkg/admission/plugin/cel. The language itself is fakeapi.cel's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fakeapi.admission.base import Attributes, Host
from fakeapi.admission.versions import Versions


@dataclass(frozen=True, slots=True)
class Found:
    """The value of an expression, or why there is none."""

    value: Any = None
    error: str = ""


class Expressions:
    """Makes inputs of requests."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._versions = Versions(host)

    async def inputs(self, attributes: Attributes, version: str = "") -> Inputs:
        """What expressions see of a request."""
        return Inputs()


class Inputs:
    """The variables of one request."""

    def evaluate(self, expression: str) -> Found:
        """The expression's value."""
        return Found(None, "no CEL")
