"""Faults of nodes as a plan: which node fails how, when, and for how long.

`node-1:stop@10+30`: ten seconds after the start, node-1's kubelet falls silent for thirty.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from fakeapi.clock import Clock
from fakenodes.kubelet.eviction import PRESSURES

STOP, CRASH = "stop", "crash"
_PRESSURE = {name.removesuffix("Pressure").lower() + "-pressure": name for name in PRESSURES}
KINDS = (STOP, CRASH, *_PRESSURE)
_NUMBER = r"\d+(?:\.\d+)?"
_FORM = re.compile(rf"(?P<node>[a-z0-9.-]+):(?P<kind>[a-z-]+)(?:@(?P<after>{_NUMBER}))?(?:\+(?P<lasts>{_NUMBER}))?")


@dataclass(frozen=True, slots=True)
class Fault:
    """Seconds; lasts None is for good."""

    node: str
    kind: str
    after: float = 0.0
    lasts: float | None = None


class Nodes(Protocol):
    """What faults are done to."""

    def stop_node(self, name: str) -> None:
        """See HollowNodes."""

    def crash_node(self, name: str) -> None:
        """See HollowNodes."""

    async def resume_node(self, name: str) -> None:
        """See HollowNodes."""

    async def set_pressure(self, name: str, condition: str, on: bool) -> None:
        """See HollowNodes."""


def parse_fault(text: str) -> Fault:
    """A fault from `NODE:KIND[@AFTER][+FOR]`. ValueError."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not NODE:KIND[@SECONDS][+SECONDS]")
    if match["kind"] not in KINDS:
        raise ValueError(f"unknown fault {match['kind']!r}; there are {', '.join(KINDS)}")
    lasts = float(match["lasts"]) if match["lasts"] else None
    return Fault(match["node"], match["kind"], float(match["after"] or 0), lasts)


async def play(nodes: Nodes, fault: Fault, clock: Clock) -> None:
    """Do it when its time comes, undo it when its time is over."""
    await clock.sleep(fault.after)
    await _switch(nodes, fault, True)
    if fault.lasts is not None:
        await clock.sleep(fault.lasts)
        await _switch(nodes, fault, False)


async def _switch(nodes: Nodes, fault: Fault, on: bool) -> None:
    if fault.kind in _PRESSURE:
        await nodes.set_pressure(fault.node, _PRESSURE[fault.kind], on)
    elif not on:
        await nodes.resume_node(fault.node)
    elif fault.kind == CRASH:
        nodes.crash_node(fault.node)
    else:
        nodes.stop_node(fault.node)
