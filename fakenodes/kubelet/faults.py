"""Faults of nodes as a plan: which node fails how, when, and for how long.

`node-1:stop@10+30`: ten seconds after the start, node-1's kubelet falls silent for thirty. `node-1:slow=2`: all that it
does comes two seconds late.
"""

from __future__ import annotations

import re
from typing import Protocol

from msgspec import Struct

from fakeapi.clock import Clock
from fakenodes.kubelet.eviction import PRESSURES

STOP, PAUSE, SLOW, PARTITION, CRASH = "stop", "pause", "slow", "partition", "crash"
_PRESSURE = {name.removesuffix("Pressure").lower() + "-pressure": name for name in PRESSURES}
KINDS = (STOP, PAUSE, SLOW, PARTITION, CRASH, *_PRESSURE)
SLOW_SECONDS = 1.0
_NUMBER = r"\d+(?:\.\d+)?"
_FORM = re.compile(
    rf"(?P<node>[a-z0-9.-]+):(?P<kind>[a-z-]+)(?:=(?P<by>{_NUMBER}))?"
    rf"(?:@(?P<after>{_NUMBER}))?(?:\+(?P<lasts>{_NUMBER}))?"
)


class Fault(Struct, frozen=True):
    """Seconds; lasts None is for good, by is how slow a slow node is."""

    node: str
    kind: str
    after: float = 0.0
    lasts: float | None = None
    by: float = SLOW_SECONDS


class Nodes(Protocol):
    """What faults are done to."""

    def stop_node(self, name: str) -> None:
        """See HollowNodes."""

    def pause_node(self, name: str) -> None:
        """See HollowNodes."""

    def slow_node(self, name: str, seconds: float) -> None:
        """See HollowNodes."""

    async def cut_node(self, name: str, on: bool) -> None:
        """See HollowNodes."""

    def crash_node(self, name: str) -> None:
        """See HollowNodes."""

    async def resume_node(self, name: str) -> None:
        """See HollowNodes."""

    async def set_pressure(self, name: str, condition: str, on: bool) -> None:
        """See HollowNodes."""


def parse_fault(text: str) -> Fault:
    """A fault from `NODE:KIND[=BY][@AFTER][+FOR]`. ValueError."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not NODE:KIND[=SECONDS][@SECONDS][+SECONDS]")
    if match["kind"] not in KINDS:
        raise ValueError(f"unknown fault {match['kind']!r}; there are {', '.join(KINDS)}")
    if match["by"] and match["kind"] != SLOW:
        raise ValueError(f"{text!r}: only {SLOW} takes =SECONDS")
    lasts = float(match["lasts"]) if match["lasts"] else None
    return Fault(match["node"], match["kind"], float(match["after"] or 0), lasts, float(match["by"] or SLOW_SECONDS))


async def play(nodes: Nodes, fault: Fault, clock: Clock) -> None:
    """Do it when its time comes, undo it when its time is over."""
    await clock.sleep(fault.after)
    await _switch(nodes, fault, True)
    if fault.lasts is not None:
        await clock.sleep(fault.lasts)
        await _switch(nodes, fault, False)


async def _switch(nodes: Nodes, fault: Fault, on: bool) -> None:
    name = fault.node
    if fault.kind in _PRESSURE:
        await nodes.set_pressure(name, _PRESSURE[fault.kind], on)
    elif fault.kind == PARTITION:
        await nodes.cut_node(name, on)
    elif fault.kind == SLOW:
        nodes.slow_node(name, fault.by if on else 0.0)
    elif not on:
        await nodes.resume_node(name)
    else:
        {STOP: nodes.stop_node, PAUSE: nodes.pause_node, CRASH: nodes.crash_node}[fault.kind](name)
