"""DefaultPreemption: makes room for a pod by deleting pods of lower priority, as few and as unimportant as will do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from fakeapi.clock import rfc3339
from fakenodes.client.base import GVR, ClientError
from fakenodes.scheduler.framework import Code, Diagnosis, Filters, Handle, State, Status
from fakenodes.scheduler.matching import everything, label_selector
from fakenodes.scheduler.snapshot import NodeInfo, Obj, PodInfo

POD_RESOURCE = GVR("", "v1", "pods")
NO_VICTIMS = Status(Code.UNRESOLVABLE, ("No preemption victims found for incoming pod",))
NOT_HELPFUL = Status(Code.UNRESOLVABLE, ("Preemption is not helpful for scheduling",))
MIN_CANDIDATES, MIN_PERCENTAGE = 100, 10


class Candidate(Struct, frozen=True):
    """A node where the pod would fit without the victims (most important first); violations: broken budgets."""

    node: str
    victims: tuple[PodInfo, ...]
    violations: int


def importance(pod: PodInfo) -> tuple[int, str]:
    """Sorts pods from the most important: higher priority, then started earlier; not started is the latest."""
    return -pod.priority, (pod.obj.get("status") or {}).get("startTime") or "9999"


def split_by_budgets(pods: Sequence[PodInfo], budgets: Sequence[Obj]) -> tuple[list[PodInfo], list[PodInfo]]:
    """(pods whose eviction breaks a PodDisruptionBudget, the others), order kept."""
    left = [(budget.get("status") or {}).get("disruptionsAllowed", 0) for budget in budgets]
    selectors = [label_selector((budget.get("spec") or {}).get("selector")) for budget in budgets]
    breaking: list[PodInfo] = []
    harmless: list[PodInfo] = []
    for pod in pods:
        broken = False
        for i, budget in enumerate(budgets):
            if budget["metadata"].get("namespace") != pod.namespace or not pod.labels:
                continue
            if selectors[i] is everything or not selectors[i](pod.labels):
                continue
            if pod.name in ((budget.get("status") or {}).get("disruptedPods") or {}):
                continue
            left[i] -= 1
            broken = broken or left[i] < 0
        (breaking if broken else harmless).append(pod)
    return breaking, harmless


def best(candidates: Sequence[Candidate]) -> Candidate:
    """Fewest broken budgets, lowest highest priority, lowest sum, fewest victims, latest start of the foremost."""

    def rank(candidate: Candidate) -> tuple[int, int, int, int]:
        victims = candidate.victims
        offset = 2**31  # so that many victims of negative priority count for more
        return candidate.violations, victims[0].priority, sum(v.priority + offset for v in victims), len(victims)

    low = min(rank(c) for c in candidates)
    ties = [c for c in candidates if rank(c) == low]

    def youngest(candidate: Candidate) -> str:
        top = candidate.victims[0].priority
        return min(importance(v)[1] for v in candidate.victims if v.priority == top)

    return max(ties, key=youngest)


class DefaultPreemption:
    """The PostFilter plugin."""

    name = "DefaultPreemption"
    events = ("AssignedPod/Delete",)

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._preempting: dict[str, str] = {}  # uids of pods whose victims are being told, and the nodes

    def hint(self, pod: PodInfo, event: object) -> bool:
        """The plugins that rejected the pod decide."""
        return False

    def post_filter(
        self, state: State, pod: PodInfo, statuses: Mapping[str, Status], cycle: Filters
    ) -> tuple[str | None, Status | None]:
        """(nominated node, None) when victims are being deleted."""
        if pod.uid in self._preempting:
            return self._preempting[pod.uid], None
        refusal = self._ineligible(pod, cycle.nominated(pod), statuses)
        if refusal:
            return None, self._status(refusal)
        nodes = self._handle.snapshot.nodes
        hopeful = [n for n in nodes if n.name in statuses and statuses[n.name].code is Code.UNSCHEDULABLE]
        candidates, failures = self._candidates(state, pod, hopeful, cycle)
        if not candidates:
            answer = Diagnosis(len(nodes), {n.name: failures.get(n.name, NOT_HELPFUL) for n in nodes})
            return "", self._status(answer.message)
        chosen = best(candidates)
        if not all(victim.terminating for victim in chosen.victims):
            self._preempting[pod.uid] = chosen.node
            self._handle.start(self._preempt(chosen, pod, cycle.outranked(pod, chosen.node)))
        return chosen.node, None

    def _status(self, message: str) -> Status:
        return Status(Code.UNSCHEDULABLE, (f"preemption: {message}",), self.name)

    def _ineligible(self, pod: PodInfo, nominated: str, statuses: Mapping[str, Status]) -> str:
        if pod.spec.get("preemptionPolicy") == "Never":
            return "not eligible due to preemptionPolicy=Never."
        info = self._handle.snapshot.infos.get(nominated) if nominated else None
        if info is None or (nominated in statuses and statuses[nominated].code is Code.UNRESOLVABLE):
            return ""
        if any(_preempted(other) and other.priority < pod.priority for other in info.pods.values()):
            return "not eligible due to a terminating pod on the nominated node."
        return ""

    def _candidates(
        self, state: State, pod: PodInfo, nodes: list[NodeInfo], cycle: Filters
    ) -> tuple[list[Candidate], dict[str, Status]]:
        found: list[Candidate] = []
        failures: dict[str, Status] = {}
        if not nodes:
            return found, failures
        budgets = list(self._handle.listers["poddisruptionbudgets"].list())
        enough = max(MIN_CANDIDATES, len(nodes) * MIN_PERCENTAGE // 100)
        start = self._handle.rng.randrange(len(nodes))
        for node in nodes[start:] + nodes[:start]:
            outcome = self._try(state, pod, node, budgets, cycle)
            if isinstance(outcome, Status):
                failures[node.name] = outcome
                continue
            found.append(outcome)
            if len(found) >= enough and any(not candidate.violations for candidate in found):
                break
        return found, failures

    def _try(
        self, state: State, pod: PodInfo, node: NodeInfo, budgets: Sequence[Obj], cycle: Filters
    ) -> Candidate | Status:
        """Take all pods of lower priority off the node, and put back those that need not go."""
        lower = sorted((p for p in node.pods.values() if p.priority < pod.priority), key=importance)
        if not lower:
            return NO_VICTIMS
        trial, tried = node.clone(), cycle.copy_state(state)
        for other in lower:
            trial.remove(other.uid)
            cycle.removed(tried, pod, other, trial)
        failure = cycle.passes(tried, pod, trial)
        if failure is not None:
            return failure
        victims: list[PodInfo] = []
        violations = 0
        breaking, harmless = split_by_budgets(lower, budgets)
        for i, other in enumerate((*breaking, *harmless)):
            trial.add(other)
            cycle.added(tried, pod, other, trial)
            if cycle.passes(tried, pod, trial) is not None:
                trial.remove(other.uid)
                cycle.removed(tried, pod, other, trial)
                victims.append(other)
                violations += i < len(breaking)
        if not victims:  # what stood in the way is gone already
            return NO_VICTIMS
        return Candidate(node.name, tuple(sorted(victims, key=importance)), violations)

    async def _preempt(self, chosen: Candidate, pod: PodInfo, outranked: Sequence[PodInfo]) -> None:
        """Take the node from those that waited for it, and delete the victims; if that fails, the pod tries again."""
        try:
            for other in outranked:
                await self._patch(other, {"nominatedNodeName": None})
            for victim in chosen.victims:
                if not victim.terminating and await self._evict(victim, pod):
                    note = f"Preempted by pod {pod.uid} on node {chosen.node}"
                    self._handle.record(victim.obj, pod.obj, "Normal", "Preempted", "Preempting", note)
        except (ClientError, OSError):
            self._handle.activate(pod)
            raise
        finally:
            self._preempting.pop(pod.uid, None)

    async def _evict(self, victim: PodInfo, pod: PodInfo) -> bool:
        """Mark the victim and delete it; False when it is gone already."""
        condition = _condition(victim, pod, rfc3339(self._handle.clock.now()))
        if not await self._patch(victim, {"conditions": [condition]}):
            return False
        try:
            await self._handle.client.delete(POD_RESOURCE, victim.name, victim.namespace, uid=victim.uid)
        except ClientError as error:
            if error.code not in (404, 409):  # 409: another pod of that name
                raise
            return False
        return True

    async def _patch(self, pod: PodInfo, status: Obj) -> bool:
        try:
            await self._handle.client.patch(
                POD_RESOURCE, pod.name, {"status": status}, pod.namespace, subresource="status"
            )
        except ClientError as error:
            if error.code != 404:
                raise
            return False
        return True


def _condition(victim: PodInfo, pod: PodInfo, now: str) -> Obj:
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "PreemptionByScheduler",
        "message": f"{pod.spec.get('schedulerName', '')}: preempting to accommodate a higher priority pod",
        "lastTransitionTime": now,
    }
    generation = victim.obj["metadata"].get("generation")
    if generation:
        condition["observedGeneration"] = generation
    return condition


def _preempted(pod: PodInfo) -> bool:
    if not pod.terminating:
        return False
    conditions = (pod.obj.get("status") or {}).get("conditions") or ()
    return any(
        c.get("type") == "DisruptionTarget" and c.get("status") == "True" and c.get("reason") == "PreemptionByScheduler"
        for c in conditions
    )
