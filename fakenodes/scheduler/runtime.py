"""A profile at work: its plugins sorted by extension point, and what pods of like signature have in common.

Stands for the scheduler's framework/runtime. Plugins that sign stand apart, since their answers are remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeGuard, TypeVar

from fakenodes.scheduler.framework import (
    Bind,
    EventHints,
    Filter,
    Handle,
    Normalize,
    Permit,
    Plugin,
    PostBind,
    PostFilter,
    PreBind,
    PreBindPreFlight,
    PreEnqueue,
    PreFilter,
    PreFilterExtensions,
    PreScore,
    QueueSort,
    Reserve,
    Score,
    Signer,
)
from fakenodes.scheduler.snapshot import PodInfo

SIGNATURE_LIMIT = 4096

P = TypeVar("P")

_KNOWN: dict[tuple[type, type], bool] = {}


def _is(plugin: Plugin, point: type[P]) -> TypeGuard[P]:
    """Whether the plugin takes part at an extension point; asked once a class, since runtime protocols are slow."""
    key = (type(plugin), point)
    if key not in _KNOWN:
        _KNOWN[key] = isinstance(plugin, point)
    return _KNOWN[key]


class Profile:
    """A set of plugins under a scheduler name, sorted by extension point."""

    def __init__(
        self, handle: Handle, plugins: Sequence[tuple[Callable[[Handle], Plugin], int]], name: str = "default-scheduler"
    ) -> None:
        self.name = name
        self.handle = handle
        made = [(factory(handle), weight) for factory, weight in plugins]
        self._plugins = [plugin for plugin, _ in made]
        self.pre_enqueue = [p for p in self._plugins if _is(p, PreEnqueue)]
        self.sort = next(p for p in self._plugins if _is(p, QueueSort))
        self.pre_filters = [p for p in self._plugins if _is(p, PreFilter)]
        self.extensions = [p for p in self._plugins if _is(p, PreFilterExtensions)]
        filters = [p for p in self._plugins if _is(p, Filter)]
        split = next((i for i, plugin in enumerate(filters) if not _is(plugin, Signer)), len(filters))
        self.signed_filters, self.filters = filters[:split], filters[split:]
        self.post_filters = [p for p in self._plugins if _is(p, PostFilter)]
        pre_scores = [p for p in self._plugins if _is(p, PreScore)]
        named = {p.name: p for p in self._plugins if _is(p, Signer)}
        self.signed_pre_scores = [p for p in pre_scores if p.name in named]
        self.pre_scores = [p for p in pre_scores if p.name not in named]
        scores = [(plugin, weight or 1) for plugin, weight in made if _is(plugin, Score)]
        signed = [(plugin, weight) for plugin, weight in scores if plugin.name in named]
        self.signed_plain = [(p, w) for p, w in signed if not _is(p, Normalize)]
        self.signed_normalized = [(p, w) for p, w in signed if _is(p, Normalize)]
        self.scores = [(p, w, p.normalize if _is(p, Normalize) else None) for p, w in scores if p.name not in named]
        self.reserves = [p for p in self._plugins if _is(p, Reserve)]
        self.permits = [p for p in self._plugins if _is(p, Permit)]
        self.pre_binds = [p for p in self._plugins if _is(p, PreBind)]
        self.pre_flights = [p for p in self.pre_binds if _is(p, PreBindPreFlight)]
        self.binds = [p for p in self._plugins if _is(p, Bind)]
        self.post_binds = [p for p in self._plugins if _is(p, PostBind)]
        self.hints = {p.name: p for p in self._plugins if _is(p, EventHints)}
        self._signers = list(named.values())
        self._signatures: dict[tuple[Any, ...], int] = {}
        self._last_signature = 0

    def sign(self, pod: PodInfo) -> tuple[str, int]:
        """Pods with this in common get the same answers from signing plugins. Short: every node is asked for it."""
        signature = tuple(plugin.sign(pod) for plugin in self._signers)
        found = self._signatures.get(signature)
        if found is None:
            if len(self._signatures) >= SIGNATURE_LIMIT:
                self._signatures.clear()
            self._last_signature += 1
            found = self._signatures[signature] = self._last_signature
        return self.name, found
