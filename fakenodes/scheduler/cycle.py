"""One scheduling cycle: from a pod to the node it should go to, or the reasons why there is none.

Stands for schedule_one.go's schedulingCycle. Leaves out extenders. What signing plugins say of a node is remembered
there until the node changes, so that the cycles of like pods cost a dictionary look-up a node.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NoReturn

from msgspec import Struct

from fakenodes.scheduler.framework import (
    Code,
    CycleError,
    Diagnosis,
    NoNodes,
    PreFilterResult,
    State,
    Status,
    Unfit,
)
from fakenodes.scheduler.nominator import Nominations
from fakenodes.scheduler.runtime import Profile
from fakenodes.scheduler.snapshot import NodeInfo, PodInfo

MIN_FEASIBLE = 100
MIN_PERCENTAGE = 5


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
        refusal: tuple[Status, str] | None = None
        skipped = state["skipped"] = set()
        for plugin in self.profile.pre_filters:
            found = plugin.pre_filter(state, pod)
            if isinstance(found, PreFilterResult):
                if found.nodes is not None:
                    narrowing.append(plugin.name)
                    allowed = found.nodes if allowed is None else allowed & found.nodes
                if allowed is not None and not allowed:
                    self._refuse(diagnosis, nodes, Status(Code.UNRESOLVABLE, (_narrowed(narrowing),)), narrowing)
            elif found is not None and found.code is Code.SKIP:
                skipped.add(plugin.name)
            elif found is not None and found.code is Code.ERROR:
                raise CycleError(f'running PreFilter plugin "{plugin.name}": {found.message}')
            elif found is not None and found.code is Code.UNRESOLVABLE:
                self._refuse(diagnosis, nodes, found, (plugin.name,))
            elif found is not None:  # preemption may help, and needs what all plugins keep
                refusal = found, plugin.name
        self._prepare(state, pod)
        if refusal is not None:
            self._refuse(diagnosis, nodes, refusal[0], (refusal[1],))
        if allowed is None:
            return nodes
        reason = Status(Code.UNRESOLVABLE, (f"node(s) didn't satisfy plugin(s) [{' '.join(sorted(narrowing))}]",))
        diagnosis.statuses.update((node.name, reason) for node in nodes if node.name not in allowed)
        diagnosis.plugins.update(narrowing)
        return [node for node in nodes if node.name in allowed]

    def _refuse(
        self, diagnosis: Diagnosis, nodes: list[NodeInfo], rejection: Status, plugins: Sequence[str]
    ) -> NoReturn:
        diagnosis.pre_filter = rejection.message
        diagnosis.plugins.update(plugins)
        diagnosis.statuses.update((node.name, rejection) for node in nodes)
        raise Unfit(diagnosis)

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
        self._start = (self._start + looked_at) % len(self.handle.snapshot.nodes)
        return feasible, looked_at

    def _note(self, diagnosis: Diagnosis, node: NodeInfo, rejection: Status) -> None:
        if rejection.code is Code.ERROR:
            raise CycleError(f'running "{rejection.plugin}" filter plugin: {rejection.message}')
        diagnosis.statuses[node.name] = rejection
        diagnosis.plugins.add(rejection.plugin)

    def _nominated_first(
        self, state: State, pod: PodInfo, nodes: list[NodeInfo], diagnosis: Diagnosis
    ) -> list[NodeInfo]:
        """The node that was made free for the pod, if it still does."""
        name = self.nominated(pod)
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

    def nominated(self, pod: PodInfo) -> str:
        """The node on which room is being made for the pod, or ""."""
        return self._nominations.node_of(pod.uid) or pod.nominated

    def outranked(self, pod: PodInfo, node: str) -> list[PodInfo]:
        """Pods of lower priority that the node is nominated for, too."""
        return self._nominations.lower(node, pod.priority)

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
            if status.code is not Code.UNSCHEDULABLE:
                diagnosis.post_filter = status.message
                return node
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
