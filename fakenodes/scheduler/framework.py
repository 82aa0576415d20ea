"""The extension points of the scheduler, what plugins see, and how their answers are put into words.

Stands for k8s.io/kube-scheduler/framework and the scheduler's framework/types.go (FitError, Diagnosis). A plugin is
any object with a `name` and the methods of the points it extends; a profile finds out which by looking. Its class takes
a Handle.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Mapping, Sequence
from enum import IntEnum
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct, field

from fakeapi.clock import Clock
from fakenodes.client.base import Client
from fakenodes.scheduler.snapshot import NodeInfo, Obj, PodInfo, Snapshot

State = dict[str, Any]  # what a plugin keeps during one cycle, under its name

MAX_SCORE = 100


class Code(IntEnum):
    """What became of a pod at an extension point."""

    ERROR = 1
    UNSCHEDULABLE = 2
    UNRESOLVABLE = 3  # taking pods away from the node would not help
    WAIT = 4
    SKIP = 5


class Status(Struct, frozen=True):
    """An answer other than success, which is None."""

    code: Code
    reasons: tuple[str, ...] = ()
    plugin: str = ""

    @property
    def message(self) -> str:
        """All reasons in one line."""
        return ", ".join(self.reasons)


class PreFilterResult(Struct, frozen=True):
    """The only nodes that can do, by name; None is all of them."""

    nodes: frozenset[str] | None = None


SKIP = Status(Code.SKIP)


class Event(Struct, frozen=True):
    """Something that may make a waiting pod schedulable: `Node/Add`, `AssignedPod/Delete`, ..., before and after."""

    kind: str
    old: Obj | None = None
    new: Obj | None = None


class Lister(Protocol):
    """A read-only view of one resource: its Informer."""

    def get(self, key: str) -> Obj | None:
        """One object by `namespace/name` or `name`, or None."""

    def list(self, namespace: str = "") -> Sequence[Obj]:
        """All objects, of one namespace if given."""


class Handle(Struct):
    """What plugins may use. `listers` by resource name; `filters` runs a profile's filters on one node."""

    snapshot: Snapshot
    client: Client
    clock: Clock
    rng: random.Random
    listers: Mapping[str, Lister]
    record: Callable[[Obj, Obj | None, str, str, str, str], None]  # about, related, type, reason, action, note
    start: Callable[[Any], None]  # run a coroutine beside the scheduling loop
    activate: Callable[[PodInfo], None] = lambda pod: None  # try a waiting pod at once


@runtime_checkable
class Plugin(Protocol):
    """What every plugin has: its name."""

    name: str


@runtime_checkable
class PreEnqueue(Plugin, Protocol):
    """May keep a pod out of the queue."""

    def pre_enqueue(self, pod: PodInfo) -> Status | None:
        """None lets it in."""


@runtime_checkable
class QueueSort(Plugin, Protocol):
    """Orders the active queue; a profile has one."""

    def sort_key(self, pod: PodInfo, since: float) -> tuple[Any, ...]:
        """Smaller goes first; since: when the pod entered the queue."""


@runtime_checkable
class PreFilter(Plugin, Protocol):
    """Looks at the whole cluster once a cycle."""

    def pre_filter(self, state: State, pod: PodInfo) -> PreFilterResult | Status | None:
        """SKIP leaves the plugin's filter out of this cycle; another Status ends the cycle."""


@runtime_checkable
class PreFilterExtensions(Plugin, Protocol):
    """Keeps pre_filter's state right while pods are tried on or off a node."""

    def add_pod(self, state: State, pod: PodInfo, other: PodInfo, node: NodeInfo) -> None:
        """As if `other` were on the node."""

    def remove_pod(self, state: State, pod: PodInfo, other: PodInfo, node: NodeInfo) -> None:
        """As if `other` were not on the node."""


@runtime_checkable
class Filter(Plugin, Protocol):
    """Says whether a node can take the pod."""

    def filter(self, state: State, pod: PodInfo, node: NodeInfo) -> Status | None:
        """None is yes."""


@runtime_checkable
class Signer(Plugin, Protocol):
    """A plugin whose answers depend on its signature of the pod and on the node alone: they are remembered."""

    def sign(self, pod: PodInfo) -> Hashable:
        """Pods of equal signature are alike to the plugin."""


@runtime_checkable
class PostFilter(Plugin, Protocol):
    """Is asked when no node can take the pod."""

    def post_filter(
        self, state: State, pod: PodInfo, statuses: Mapping[str, Status], cycle: Filters
    ) -> tuple[str | None, Status | None]:
        """(nominated node, None) when room is being made; otherwise ("" to clear or None to keep, why not)."""


@runtime_checkable
class PreScore(Plugin, Protocol):
    """Looks at the feasible nodes before they are scored."""

    def pre_score(self, state: State, pod: PodInfo, nodes: Sequence[NodeInfo]) -> Status | None:
        """SKIP leaves the plugin's score out of this cycle."""


@runtime_checkable
class Score(Plugin, Protocol):
    """Ranks a node."""

    def score(self, state: State, pod: PodInfo, node: NodeInfo) -> int:
        """Any number if there is a normalize, else 0 to MAX_SCORE."""


@runtime_checkable
class Normalize(Plugin, Protocol):
    """Brings scores into 0..MAX_SCORE."""

    def normalize(self, state: State, pod: PodInfo, nodes: Sequence[NodeInfo], scores: list[int]) -> list[int]:
        """The scores, in the order of the nodes."""


@runtime_checkable
class Reserve(Plugin, Protocol):
    """Takes something for the pod once its node is chosen."""

    def reserve(self, state: State, pod: PodInfo, node: str) -> Status | None:
        """None when it was free."""

    def unreserve(self, state: State, pod: PodInfo, node: str) -> None:
        """Give it back; may be called without reserve."""


@runtime_checkable
class Permit(Plugin, Protocol):
    """May refuse the chosen node, or hold the binding back."""

    async def permit(self, state: State, pod: PodInfo, node: str) -> Status | None:
        """None when the pod may be bound."""


@runtime_checkable
class PreBind(Plugin, Protocol):
    """Does what must be done before the pod is bound."""

    async def pre_bind(self, state: State, pod: PodInfo, node: str) -> Status | None:
        """None when done."""


@runtime_checkable
class PreBindPreFlight(PreBind, Protocol):
    """Says beforehand whether pre_bind has something to do: the pod's node is told while that takes its time."""

    def pre_flight(self, state: State, pod: PodInfo, node: str) -> Status | None:
        """SKIP when there is nothing to do."""


@runtime_checkable
class Bind(Plugin, Protocol):
    """Binds the pod; the first that does not SKIP has done it."""

    async def bind(self, state: State, pod: PodInfo, node: str) -> Status | None:
        """None when bound."""


@runtime_checkable
class PostBind(Plugin, Protocol):
    """Is told of bound pods."""

    def post_bind(self, state: State, pod: PodInfo, node: str) -> None:
        """The pod is bound."""


@runtime_checkable
class EventHints(Plugin, Protocol):
    """Says which events may help pods that the plugin has rejected."""

    events: tuple[str, ...]


@runtime_checkable
class Hint(EventHints, Protocol):
    """Looks closer at an event of its kinds."""

    def hint(self, pod: PodInfo, event: Event) -> bool:
        """May the pod be schedulable now?"""


class Filters(Protocol):
    """What a post_filter needs of the cycle."""

    handle: Handle

    def nominated(self, pod: PodInfo) -> str:
        """The node on which room is being made for the pod, or ""."""

    def outranked(self, pod: PodInfo, node: str) -> list[PodInfo]:
        """Pods of lower priority that the node is nominated for, too."""

    def passes(self, state: State, pod: PodInfo, node: NodeInfo) -> Status | None:
        """All filters on one node, nominated pods counted."""

    def added(self, state: State, pod: PodInfo, other: PodInfo, node: NodeInfo) -> None:
        """Tell the plugins that `other` is tried on the node."""

    def removed(self, state: State, pod: PodInfo, other: PodInfo, node: NodeInfo) -> None:
        """Tell the plugins that `other` is tried off the node."""

    def copy_state(self, state: State) -> State:
        """A state to try things on."""


class Diagnosis(Struct):
    """Why no node took a pod."""

    total: int
    statuses: dict[str, Status] = field(default_factory=dict)
    plugins: set[str] = field(default_factory=set)
    pre_filter: str = ""
    post_filter: str = ""

    @property
    def message(self) -> str:
        """FitError's text: `0/3 nodes are available: 2 Insufficient cpu, 1 node(s) were unschedulable. ...`."""
        text = f"0/{self.total} nodes are available:"
        if self.pre_filter:
            text += f" {self.pre_filter}."
        else:
            counts: dict[str, int] = {}
            for status in self.statuses.values():
                for reason in status.reasons:
                    counts[reason] = counts.get(reason, 0) + 1
            words = sorted(f"{count} {reason}" for reason, count in counts.items())
            if words:
                text += f" {', '.join(words)}."
        return f"{text} {self.post_filter}" if self.post_filter else text


class Unfit(Exception):
    """No node can take the pod; upstream's FitError."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        super().__init__(diagnosis.message)
        self.diagnosis = diagnosis


class NoNodes(Exception):
    """There is not a single node."""

    def __init__(self) -> None:
        super().__init__("no nodes available to schedule pods")


class CycleError(Exception):
    """A plugin could not do its work; the pod is tried again after its back-off."""


def default_normalize(scores: list[int], reverse: bool = False) -> list[int]:
    """Scale to 0..MAX_SCORE by the largest; reverse makes the largest the worst."""
    top = max(scores, default=0)
    if top == 0:
        return [MAX_SCORE] * len(scores) if reverse else scores
    scaled = [score * MAX_SCORE // top for score in scores]
    return [MAX_SCORE - score for score in scaled] if reverse else scaled
