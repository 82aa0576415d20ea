"""What a DaemonSet does about its nodes: which need a pod, which pods go, how far a rolling update may go on. Pure.

Stands for the decisions of kube-controller-manager's pkg/controller/daemon: NodeShouldRunDaemonPod, podsShouldBeOnNode,
rollingUpdate (maxUnavailable, or surge), updateDaemonSetStatus.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from msgspec import Struct, field

from fakenodes.client.base import Obj
from fakenodes.controllers.deployments.sets import created, scaled
from fakenodes.controllers.history import REVISION_LABEL
from fakenodes.controllers.pods import available_in, is_available, is_ready, is_terminated, phase
from fakenodes.scheduler.matching import node_terms, untolerated

BURST = 250
# util.AddOrUpdateDaemonPodTolerations: what every daemon pod tolerates. key, effect
_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
_HOST_NETWORK = (("node.kubernetes.io/network-unavailable", "NoSchedule"),)


class Plan(Struct):
    """Nodes that need a pod, pods to delete (ended ones apart: they are told of), the status, when to look again."""

    create: list[str] = field(default_factory=list)
    delete: list[Obj] = field(default_factory=list)
    failed: list[Obj] = field(default_factory=list)
    succeeded: list[Obj] = field(default_factory=list)
    status: Obj = field(default_factory=dict)
    again: float | None = None

    @property
    def idle(self) -> bool:
        """Whether there is nothing to create or delete."""
        return not (self.create or self.delete or self.failed or self.succeeded)


def tolerations(owner: Obj) -> list[Obj]:
    """The template's tolerations and those that every daemon pod has."""
    spec = owner["spec"]["template"]["spec"]
    found: list[Obj] = list(spec.get("tolerations") or ())
    for key, effect in (*_TOLERATED, *(_HOST_NETWORK if spec.get("hostNetwork") else ())):
        found = [
            t
            for t in found
            if not (t.get("key") == key and t.get("effect") == effect and t.get("operator") == "Exists")
        ]
        found.append({"key": key, "operator": "Exists", "effect": effect})
    return found


def fits(owner: Obj, node: Obj) -> tuple[bool, bool]:
    """(whether a pod should be started there, whether one that is there may stay)."""
    spec = owner["spec"]["template"]["spec"]
    labels = node["metadata"].get("labels") or {}
    if spec.get("nodeName") not in (None, "", node["metadata"]["name"]):
        return False, False
    if any(labels.get(k) != v for k, v in (spec.get("nodeSelector") or {}).items()):
        return False, False
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    if required is not None and not any(
        t.matches(node["metadata"]["name"], labels) for t in node_terms(required.get("nodeSelectorTerms"))
    ):
        return False, False
    taints, tolerated = (node["spec"].get("taints") or ()) if node.get("spec") else (), tolerations(owner)
    stays = untolerated(taints, tolerated, ("NoExecute",)) is None
    return stays and untolerated(taints, tolerated, ("NoSchedule",)) is None, stays


def node_of(pod: Obj) -> str:
    """The node that the pod is on, or is meant for."""
    if pod["spec"].get("nodeName"):
        return str(pod["spec"]["nodeName"])
    affinity = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ) or {}
    for term in affinity.get("nodeSelectorTerms") or ():
        for each in term.get("matchFields") or ():
            if each.get("key") == "metadata.name" and each.get("operator") == "In" and len(each["values"]) == 1:
                return str(each["values"][0])
    return ""


def revision_label(pod: Obj) -> str:
    """The revision that a pod was made from."""
    return str((pod["metadata"].get("labels") or {}).get(REVISION_LABEL, ""))


def going(pod: Obj) -> bool:
    """Whether the pod is being deleted."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def _seniority(pod: Obj) -> tuple[bool, tuple[str, str]]:
    """podByCreationTimestampAndPhase: scheduled pods first, then by age and name."""
    return not pod["spec"].get("nodeName"), created(pod)


class _Daemons:
    """The set's pods by node, and what the nodes think of them: (should run, may stay)."""

    def __init__(self, owner: Obj, nodes: Iterable[Obj], pods: Iterable[Obj], revision: str, now: float) -> None:
        self.owner, self.revision, self.now = owner, revision, now
        self.seconds = int(owner["spec"].get("minReadySeconds", 0))
        self.verdicts = {str(n["metadata"]["name"]): fits(owner, n) for n in nodes}
        self.by_node: dict[str, list[Obj]] = {}
        for pod in pods:
            # Those that are over and only wait for a finalizer are nobody's concern.
            if node_of(pod) and not (is_terminated(pod) and going(pod)):
                self.by_node.setdefault(node_of(pod), []).append(pod)
        self.desired = sum(run for run, _ in self.verdicts.values())

    def on(self, node: str) -> list[Obj]:
        return self.by_node.get(node, [])

    def runs(self, node: str) -> bool:
        return self.verdicts.get(node, (False, False))[0]

    def available(self, pod: Obj) -> bool:
        return is_available(pod, self.seconds, self.now)

    def halves(self, node: str) -> tuple[Obj | None, Obj | None] | None:
        """The node's (new, old) pod; None when there are several of a kind, which are to go first."""
        alive = [p for p in self.on(node) if not going(p)]
        new = [p for p in alive if revision_label(p) == self.revision]
        old = [p for p in alive if revision_label(p) != self.revision]
        if len(new) > 1 or len(old) > 1:
            return None
        return next(iter(new), None), next(iter(old), None)

    def concerned(self) -> list[str]:
        """The nodes that have pods of the set or should have one."""
        return list(dict.fromkeys([*self.by_node, *(n for n in self.verdicts if self.runs(n))]))


def plan(
    owner: Obj, nodes: Sequence[Obj], pods: Sequence[Obj], revision: str, now: float, held: Container[str] = ()
) -> Plan:
    """revision: the hash of the current template. held: nodes whose failed pod has to wait before it is replaced."""
    known = _Daemons(owner, nodes, pods, revision, now)
    found = Plan(status=_status(known))
    waits = [w for p in pods if (w := available_in(p, known.seconds, now))]
    found.again = min(waits) if waits else None
    for name in known.verdicts:
        _place(found, known, name, held)
    for name, there in known.by_node.items():
        if name not in known.verdicts:
            # Those that were on a node that is gone are the pod garbage collector's.
            found.delete += [p for p in there if not p["spec"].get("nodeName") and not going(p)]
    if found.idle and (owner["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate":
        surge, unavailable = _bounds(owner, known.desired)
        if surge:
            _surge(found, known, surge)
        else:
            _replace(found, known, unavailable)
    found.create, found.delete = found.create[:BURST], found.delete[:BURST]
    return found


def _place(found: Plan, known: _Daemons, name: str, held: Container[str]) -> None:
    """One live pod on a node that should have one; ended ones and doubles go."""
    (run, stays), there = known.verdicts[name], known.on(name)
    alive = [p for p in there if not going(p)]
    if run and not there:
        found.create.append(name)
        return
    if not stays:
        found.delete += alive
        return
    if name not in held:
        found.failed += [p for p in alive if phase(p) == "Failed"][:1]
    found.succeeded += [p for p in alive if phase(p) == "Succeeded"]
    running = sorted((p for p in alive if not is_terminated(p)), key=_seniority)
    if not _bounds(known.owner, 1)[0]:
        found.delete += running[1:]
    elif not running and run:
        # While surging, a pod on its way out is none.
        found.create.append(name)
    elif len(running) > 1:
        new = [p for p in running if revision_label(p) == known.revision]
        old = [p for p in running if revision_label(p) != known.revision]
        found.delete += [*new[1:], *old[1:]]
        if new and old and (not is_ready(old[0]) or known.available(new[0])):
            found.delete.append(old[0])


def _bounds(owner: Obj, desired: int) -> tuple[int, int]:
    """(surge, unavailable) as pods, not both 0."""
    given = (owner["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    surge = scaled(given.get("maxSurge", 0), desired, True)
    unavailable = scaled(given.get("maxUnavailable", 1), desired, True)
    return surge, unavailable if surge or unavailable else 1


def _replace(found: Plan, known: _Daemons, unavailable: int) -> None:
    """Without surge: old pods that are not available go, of the others as many as may be missed."""
    down, broken, candidates = 0, list[Obj](), list[Obj]()
    for name in known.concerned():
        pair = known.halves(name)
        if pair is None or (pair[0] is None) == (pair[1] is None):
            down += 1
            continue
        new, old = pair
        if new is not None:
            down += not known.available(new)
        elif old is not None and not known.available(old):
            broken.append(old)
            down += 1
        elif old is not None and down < unavailable:
            candidates.append(old)
    found.delete += [*broken, *candidates[: max(unavailable - down, 0)]]


def _surge(found: Plan, known: _Daemons, surge: int) -> None:
    """With surge: a new pod comes beside the old one, which goes once the new one is available."""
    surging = up = 0
    allowed, candidates, leaving = list[str](), list[str](), list[Obj]()
    for name in known.concerned():
        pair = known.halves(name)
        if pair is None:
            surging += 1
            continue
        new, old = pair
        first = old if old is not None else new
        up += first is not None and known.available(first)
        if old is None or name not in known.verdicts:
            continue
        if new is not None and known.available(new):
            found.delete.append(old)
        elif new is not None:
            surging += 1
        elif known.runs(name) and known.available(old):
            candidates += [name] if surging < surge else []
        elif known.runs(name):
            allowed.append(name)
        elif known.available(old):
            leaving.append(old)
        else:
            found.delete.append(old)
    # Nodes that should have none any more keep theirs until enough others are available.
    found.delete += leaving[: max(up - known.desired, 0)]
    found.create += [*allowed, *candidates[: max(surge - surging, 0)]]


_ALWAYS = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
_COUNTS = (*_ALWAYS, "updatedNumberScheduled", "numberAvailable")


def _status(known: _Daemons) -> Obj:
    """The counts: of each node the oldest pod counts."""
    count = dict.fromkeys(_COUNTS, 0)
    for name, (run, _) in known.verdicts.items():
        there = known.on(name)
        count["desiredNumberScheduled"] += run
        count["numberMisscheduled"] += bool(there) and not run
        if run and there:
            oldest = min(there, key=_seniority)
            count["currentNumberScheduled"] += 1
            count["numberReady"] += is_ready(oldest)
            count["numberAvailable"] += known.available(oldest)
            count["updatedNumberScheduled"] += revision_label(oldest) == known.revision
    status: Obj = {k: v for k, v in count.items() if v or k in _ALWAYS}
    status["observedGeneration"] = known.owner["metadata"].get("generation", 0)
    missing = count["desiredNumberScheduled"] - count["numberAvailable"]
    if missing:
        status["numberUnavailable"] = missing
    return status
