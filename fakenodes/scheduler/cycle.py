"""One scheduling cycle: from a pod to the node it should go to, or the reasons why there is none.

Stands for schedule_one.go's schedulingCycle and framework/runtime. Leaves out extenders. What signing plugins say of a
node is remembered there until the node changes, so that the cycles of like pods cost a dictionary look-up a node.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, TypeGuard, TypeVar

from msgspec import Struct

from fakenodes.scheduler.framework import (
    Bind,
    Code,
    CycleError,
    Diagnosis,
    EventHints,
    Filter,
    Handle,
    NoNodes,
    Normalize,
    Permit,
    Plugin,
    PostBind,
    PostFilter,
    PreBind,
    PreEnqueue,
    PreFilter,
    PreFilterExtensions,
    PreFilterResult,
    PreScore,
    QueueSort,
    Reserve,
    Score,
    Signer,
    State,
    Status,
    Unfit,
)
from fakenodes.scheduler.snapshot import NodeInfo, PodInfo

MIN_FEASIBLE = 100
MIN_PERCENTAGE = 5
SIGNATURE_LIMIT = 4096

P = TypeVar("P")


def nodes_to_find(total: int, percentage: int = 0) -> int:
    """How many feasible nodes are enough; percentage 0 is adaptive: 50 less one per 125 nodes, at least 5."""
    if total < MIN_FEASIBLE:
        return total
    share = percentage or max(50 - total // 125, MIN_PERCENTAGE)
    return max(min(total * share // 100, total), MIN_FEASIBLE)


class Remembered(Struct):
    """What the signing plugins say of a node: the first rejection, the weighted sum of plain scores, the others."""

    rejection: Status | None
    base: int
    raw: tuple[int, ...]


class Chosen(Struct):
    """The node, and how many were looked at and found feasible."""

    node: str
    evaluated: int
    feasible: int


class Nominations:
    """Pods that wait for room being made on a node, counted there for pods of lower or equal priority."""

    def __init__(self) -> None:
        self._pods: dict[str, PodInfo] = {}
        self._nodes: dict[str, str] = {}

    def set(self, pod: PodInfo, node: str) -> None:
        """Nominate the node for the pod; "" takes the nomination away."""
        if node:
            self._pods[pod.uid], self._nodes[pod.uid] = pod, node
        else:
            self.remove(pod.uid)

    def remove(self, uid: str) -> None:
        """The pod is placed or gone."""
        self._pods.pop(uid, None)
        self._nodes.pop(uid, None)

    def node_of(self, uid: str) -> str:
        """The nominated node or ""."""
        return self._nodes.get(uid, "")

    def __bool__(self) -> bool:
        return bool(self._nodes)

    def on(self, node: str, besides: PodInfo) -> list[PodInfo]:
        """Nominated pods that `besides` must leave room for."""
        return [
            pod
            for uid, pod in self._pods.items()
            if self._nodes[uid] == node and uid != besides.uid and pod.priority >= besides.priority
        ]

    def lower(self, node: str, priority: int) -> list[PodInfo]:
        """Nominated pods of lower priority than this."""
        return [pod for uid, pod in self._pods.items() if self._nodes[uid] == node and pod.priority < priority]


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


class Cycle:
    """Chooses nodes for the pods of one profile. Remembers only where the last search ended."""

    def __init__(self, profile: Profile, nominations: Nominations, percentage: int = 0) -> None:
        self.profile = profile
        self.handle = profile.handle
        self._nominations = nominations
        self._percentage = percentage
        self._start = 0

    def schedule(self, state: State, pod: PodInfo) -> Chosen:
        """The best node. Raises Unfit, NoNodes or CycleError."""
        nodes = self.handle.snapshot.nodes
        if not nodes:
            raise NoNodes
        diagnosis = Diagnosis(len(nodes))
        candidates = self._pre_filter(state, pod, nodes, diagnosis)
        feasible = self._nominated_first(state, pod, candidates, diagnosis)
        looked_at = 1
        if not feasible:
            feasible, looked_at = self._search(state, pod, candidates, diagnosis)
        if not feasible:
            raise Unfit(diagnosis)
        best = feasible[0] if len(feasible) == 1 else self._best(state, pod, feasible)
        return Chosen(best.name, looked_at, len(feasible))

    # Filtering

    def _pre_filter(self, state: State, pod: PodInfo, nodes: list[NodeInfo], diagnosis: Diagnosis) -> list[NodeInfo]:
        allowed: frozenset[str] | None = None
        narrowing: list[str] = []
        skipped = state["skipped"] = set()
        for plugin in self.profile.pre_filters:
            found = plugin.pre_filter(state, pod)
            if isinstance(found, PreFilterResult):
                if found.nodes is not None:
                    narrowing.append(plugin.name)
                    allowed = found.nodes if allowed is None else allowed & found.nodes
                if allowed is not None and not allowed:
                    self._reject(diagnosis, nodes, plugin.name, _narrowed(narrowing))
                    raise Unfit(diagnosis)
            elif found is not None and found.code is Code.SKIP:
                skipped.add(plugin.name)
            elif found is not None:
                if found.code is Code.ERROR:
                    raise CycleError(found.message)
                self._reject(diagnosis, nodes, plugin.name, found.message)
                raise Unfit(diagnosis)
        self._prepare(state, pod)
        if allowed is None:
            return nodes
        reason = Status(Code.UNRESOLVABLE, (f"node(s) didn't satisfy plugin(s) [{' '.join(sorted(narrowing))}]",))
        diagnosis.statuses.update((node.name, reason) for node in nodes if node.name not in allowed)
        diagnosis.plugins.update(narrowing)
        return [node for node in nodes if node.name in allowed]

    def _reject(self, diagnosis: Diagnosis, nodes: list[NodeInfo], plugin: str, message: str) -> None:
        diagnosis.pre_filter = message
        diagnosis.plugins.add(plugin)
        rejection = Status(Code.UNRESOLVABLE, (message,), plugin)
        diagnosis.statuses.update((node.name, rejection) for node in nodes)

    def _prepare(self, state: State, pod: PodInfo) -> None:
        """Work out once what the search needs: the plugins of this cycle and the pod's signature."""
        skipped = state["skipped"]
        profile = self.profile
        state["signature"] = profile.sign(pod)
        state["signed"] = [p.filter for p in profile.signed_filters if p.name not in skipped]
        state["filters"] = [p.filter for p in profile.filters if p.name not in skipped]
        idle = {
            p.name
            for p in profile.signed_pre_scores
            if (found := p.pre_score(state, pod, ())) is not None and found.code is Code.SKIP
        }
        state["plain"] = [(p.score, w) for p, w in profile.signed_plain if p.name not in idle]
        state["raw"] = [(p, w) for p, w in profile.signed_normalized if p.name not in idle]

    def _look(self, state: State, pod: PodInfo, node: NodeInfo) -> Remembered:
        """Ask the signing plugins, and let the node remember the answer."""
        for check in state["signed"]:
            rejection = check(state, pod, node)
            if rejection is not None:
                found = Remembered(rejection, 0, ())
                break
        else:
            base = sum(weight * score(state, pod, node) for score, weight in state["plain"])
            found = Remembered(None, base, tuple(plugin.score(state, pod, node) for plugin, _ in state["raw"]))
        node.remember(state["signature"], found)
        return found

    def _search(
        self, state: State, pod: PodInfo, nodes: list[NodeInfo], diagnosis: Diagnosis
    ) -> tuple[list[NodeInfo], int]:
        total = len(nodes)
        if not total:
            return [], 0
        enough = nodes_to_find(total, self._percentage)
        start = self._start % total
        signature, filters = state["signature"], state["filters"]
        nominated = self._nominations.on if self._nominations else None
        feasible: list[NodeInfo] = []
        looked_at = 0
        for node in nodes[start:] + nodes[:start] if start else nodes:
            looked_at += 1
            found = node.memo.get(signature) or self._look(state, pod, node)
            rejection = found.rejection
            if rejection is None:
                for check in filters:
                    rejection = check(state, pod, node)
                    if rejection is not None:
                        break
                else:
                    if nominated is not None and nominated(node.name, pod):
                        rejection = self._crowded(state, pod, node)
            if rejection is None:
                feasible.append(node)
                if len(feasible) >= enough:
                    break
            else:
                self._note(diagnosis, node, rejection)
        self._start = (start + looked_at) % total
        return feasible, looked_at

    def _note(self, diagnosis: Diagnosis, node: NodeInfo, rejection: Status) -> None:
        if rejection.code is Code.ERROR:
            raise CycleError(rejection.message)
        diagnosis.statuses[node.name] = rejection
        diagnosis.plugins.add(rejection.plugin)

    def _nominated_first(
        self, state: State, pod: PodInfo, nodes: list[NodeInfo], diagnosis: Diagnosis
    ) -> list[NodeInfo]:
        """The node that was made free for the pod, if it still does."""
        name = self._nominations.node_of(pod.uid) or pod.nominated
        node = self.handle.snapshot.infos.get(name) if name else None
        if node is None or node not in nodes:
            return []
        return [] if self.passes(state, pod, node) else [node]

    def _crowded(self, state: State, pod: PodInfo, node: NodeInfo) -> Status | None:
        """Does the pod fit beside those that are nominated for the node?"""
        trial, tried = node.clone(), self.copy_state(state)
        for other in self._nominations.on(node.name, pod):
            trial.add(other)
            self.added(tried, pod, other, trial)
        return self._run_filters(tried, pod, trial)

    def _run_filters(self, state: State, pod: PodInfo, node: NodeInfo) -> Status | None:
        for check in (*state["signed"], *state["filters"]):
            rejection: Status | None = check(state, pod, node)
            if rejection is not None:
                return rejection
        return None

    # Filters, as post-filters see the cycle

    def passes(self, state: State, pod: PodInfo, node: NodeInfo) -> Status | None:
        """All filters on one node, without and with the pods nominated for it."""
        rejection = self._run_filters(state, pod, node)
        if rejection is None and self._nominations.on(node.name, pod):
            return self._crowded(state, pod, node)
        return rejection

    def added(self, state: State, pod: PodInfo, other: PodInfo, node: NodeInfo) -> None:
        """Tell the plugins that `other` is tried on the node."""
        for plugin in self.profile.extensions:
            if plugin.name not in state["skipped"]:
                plugin.add_pod(state, pod, other, node)

    def removed(self, state: State, pod: PodInfo, other: PodInfo, node: NodeInfo) -> None:
        """Tell the plugins that `other` is tried off the node."""
        for plugin in self.profile.extensions:
            if plugin.name not in state["skipped"]:
                plugin.remove_pod(state, pod, other, node)

    def copy_state(self, state: State) -> State:
        """A state to try things on: what plugins with extensions keep is copied."""
        copied = dict(state)
        for plugin in self.profile.extensions:
            if plugin.name in state:
                copied[plugin.name] = copy.deepcopy(state[plugin.name])
        return copied

    # Scoring

    def _best(self, state: State, pod: PodInfo, nodes: list[NodeInfo]) -> NodeInfo:
        totals = self._totals(state, pod, nodes)
        top = max(totals)
        best = [node for node, total in zip(nodes, totals, strict=True) if total == top]
        return best[0] if len(best) == 1 else self.handle.rng.choice(best)

    def _totals(self, state: State, pod: PodInfo, nodes: list[NodeInfo]) -> list[int]:
        signature = state["signature"]
        found = [node.memo.get(signature) or self._look(state, pod, node) for node in nodes]
        totals = [one.base for one in found]
        for i, (plugin, weight) in enumerate(state["raw"]):
            raw = [one.raw[i] for one in found]
            if any(raw):  # else all are alike
                _weigh(totals, plugin.normalize(state, pod, nodes, raw), weight)
        idle = self._idle_scores(state, pod, nodes)
        for scorer, weight, normalize in self.profile.scores:
            if scorer.name in idle:
                continue
            scores = [scorer.score(state, pod, node) for node in nodes]
            _weigh(totals, normalize(state, pod, nodes, scores) if normalize else scores, weight)
        return totals

    def _idle_scores(self, state: State, pod: PodInfo, nodes: list[NodeInfo]) -> set[str]:
        idle = set()
        for plugin in self.profile.pre_scores:
            found = plugin.pre_score(state, pod, nodes)
            if found is not None:
                if found.code is not Code.SKIP:
                    raise CycleError(found.message)
                idle.add(plugin.name)
        return idle

    # When nothing fits

    def post_filter(self, state: State, pod: PodInfo, diagnosis: Diagnosis) -> str | None:
        """Let plugins make room; fills in diagnosis.post_filter. The node nominated, "" to clear, None to keep it."""
        nomination: str | None = None
        messages: list[str] = []
        for plugin in self.profile.post_filters:
            node, status = plugin.post_filter(state, pod, diagnosis.statuses, self)
            if status is None:
                return node
            if status.code is Code.ERROR:
                diagnosis.post_filter = status.message
                return None
            messages.append(status.message)
            nomination = node if node is not None else nomination
        diagnosis.post_filter = ", ".join(messages)
        return nomination


def _narrowed(plugins: Sequence[str]) -> str:
    names = f"{' '.join(sorted(plugins))}"
    if len(plugins) == 1:
        return f"node(s) didn't satisfy plugin {names}"
    return f"node(s) didn't satisfy plugin(s) [{names}] simultaneously"


def _weigh(totals: list[int], scores: Sequence[int], weight: int) -> None:
    for i, score in enumerate(scores):
        if score:
            totals[i] += weight * score
