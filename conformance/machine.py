"""What a machine of the fuzzer is: generated steps, what they should show, and what they show on a server.

A step is a tuple of plain values, the first one its name; whoever takes steps (a model, a run on a server) has a method
for each, and what it returns is compared. crud.py, ownership.py, patches.py and definitions.py each hold one machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st
from msgspec import Struct

from conformance.target import Session

Step = tuple[Any, ...]
Outcome = dict[str, Any]


class SetupError(Exception):
    """The server cannot be fuzzed; the message is one line for a person."""


class Steps:
    """Takes steps: ("create", "a") is self._create("a")."""

    def step(self, step: Step) -> Outcome:
        """Take it; what it showed."""
        kind, *arguments = step
        outcome: Outcome = getattr(self, f"_{kind}")(*arguments)
        return outcome


class Machine(Struct, frozen=True):
    """predict and observe give one outcome a step; further outcomes at the end are of a watch over all of them.

    controllers: the steps show the same where a kube-controller-manager runs."""

    name: str
    sequences: st.SearchStrategy[list[Step]]
    predict: Callable[[Sequence[Step]], list[Outcome]]
    observe: Callable[[Session, Sequence[Step]], list[Outcome]]
    controllers: bool = True
