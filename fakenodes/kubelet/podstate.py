"""A pod on its node as data: its containers, what state they are in, what they have been given.

lifecycle.py moves it on as time goes by; status.py tells of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from msgspec import Struct, field

from fakeapi.quantity import parse
from fakenodes.kubelet.runtime.runtime import Runtime
from fakenodes.kubelet.runtime.script import HttpRequest, Script, Serve

Obj = Mapping[str, Any]
Outcome = tuple[float, float, int, str, str, str]  # started, finished, code, reason, message, id

# Reasons of a status for the end of a pod that its node brings about.
EVICTED, PREEMPTED, DEADLINE = "Evicted", "Preempting", "DeadlineExceeded"
# Those that are disruptions, and what their condition says, "" for the same as the status.
DISRUPTIONS = {EVICTED: "", PREEMPTED: "Pod was preempted by Kubelet to accommodate a critical pod."}
IMAGE_CHANGED, RESIZE = "image changed", "resize"
# Why a running container is to start again, and what is said of it.
RESTARTS = {
    IMAGE_CHANGED: "Container {} definition changed, will be restarted",
    RESIZE: "Container {} resize requires restart",
}
COMPLETED, DELETED = "completed", "deleted"  # reasons for an end that the status does not name
INIT, SIDECAR, MAIN, EPHEMERAL = "init", "sidecar", "main", "ephemeral"


class Happened(Struct, frozen=True):
    """An event to tell: type, reason, message and, for a container's, its field path."""

    type: str
    reason: str
    message: str
    field_path: str = ""


class Probe(Struct):
    """A probe of a running container. due: seconds after the start of its next look, None for not before a restart."""

    kind: str
    spec: Obj
    due: float | None
    streak: int = 0  # looks in a row with the same outcome
    well: bool | None = None  # the outcome of the last look
    passed: bool | None = None  # what as many looks in a row as its thresholds ask for have shown


class Container(Struct):
    """One container. `state` is a row of STEPS; `due` is when it will change by itself, None for never.

    `last` is how its previous run ended, as a terminated state. `restart_for`: why it is to be killed and started
    again, a key of RESTARTS. `again`: it has been killed for that, so that it starts again however it ends. `problem`
    and `stop_problem`: what its postStart and its preStop hook fail with.
    """

    name: str
    kind: str
    spec: Obj
    script: Script
    index: int
    state: str = "idle"
    due: float | None = None
    reason: str = ""
    message: str = ""
    id: str = ""
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    ready: bool = False
    started: bool = False
    restarts: int = 0
    delay: float = 0.0  # seconds that it is left alone when it ends again, counted from delayed_at on
    delayed_at: float = 0.0
    pulls: int = 0
    pulled_from: float = 0.0
    exits_at: float | None = None
    kill_at: float | None = None
    restart_for: str = ""
    again: bool = False
    problem: str = ""
    stop_problem: str = ""
    probes: list[Probe] = field(default_factory=list)
    last: Outcome | None = None
    allocated: Obj = field(default_factory=dict)  # what its node has set aside for it; a resize may ask for other
    resources: Obj = field(default_factory=dict)  # what it has

    @property
    def oom(self) -> bool:
        """Does it use more memory than it may?"""
        limit = (self.resources.get("limits") or {}).get("memory")
        return limit is not None and parse(self.script.memory).nano > parse(str(limit)).nano

    @property
    def running(self) -> bool:
        """Is there a process?"""
        return self.state in ("post start", "running", "pre stop", "last", "stopping")

    @property
    def told_running(self) -> bool:
        """Does the status call it running? Not before its postStart hook is through."""
        return self.running and self.state != "post start"

    @property
    def ended(self) -> bool:
        """Was its last run its last for now?"""
        return self.state in ("exited", "done")

    @property
    def outcome(self) -> Outcome:
        """How its run has ended."""
        return self.started_at, self.finished_at, self.exit_code, self.reason, self.message, self.id

    @property
    def unborn(self) -> bool:
        """Has it never run?"""
        return not self.told_running and not self.ended and self.last is None

    @property
    def succeeded(self) -> bool:
        """Has it ended well, for good?"""
        return self.ended and self.exit_code == 0

    def wait(self, state: str, due: float | None, reason: str = "", message: str = "") -> None:
        """Be in that state until `due`; reason and message of what the status shows as waiting."""
        self.state, self.due, self.reason, self.message = state, due, reason, message

    @property
    def path(self) -> str:
        """Its field path in events."""
        part = {INIT: "initContainers", SIDECAR: "initContainers", EPHEMERAL: "ephemeralContainers"}
        return f"spec.{part.get(self.kind, 'containers')}{{{self.name}}}"


class Pod(Struct):
    """A pod on its node. ending: why it is being stopped: "" not at all, COMPLETED, DELETED or a status's reason."""

    obj: Obj
    uid: str
    full_name: str
    containers: list[Container]
    started_at: float
    sandbox: bool = False
    rebooted: bool = False  # its sandbox went down with its node
    ending: str = ""
    message: str = ""
    stop_by: float | None = None
    finished: bool = False
    complained: float = 0.0
    pending: tuple[str, str] | None = None  # why a resize waits: Infeasible or Deferred, and a message
    resizing: bool = False

    def of(self, *kinds: str) -> list[Container]:
        """The containers of these kinds, in order."""
        return [c for c in self.containers if c.kind in kinds]


class World(Struct):
    """What the node knows: images that it has, references that lead nowhere (`("configmap", "absent", "")`)."""

    images: set[str]
    missing: Set[tuple[str, str, str]] = frozenset()
    address: str = ""  # the pod's
    happened: list[Happened] = field(default_factory=list)
    asked: list[tuple[Serve, HttpRequest]] = field(default_factory=list)  # what hooks want to know of served ports

    def tell(self, container: Container | None, reason: str, message: str, type: str = "Normal") -> None:
        """Note an event."""
        self.happened.append(Happened(type, reason, message, container.path if container else ""))


def new_pod(obj: Obj, runtime: Runtime, now: float) -> Pod:
    """The pod as it is when its node first sees it."""
    meta = obj["metadata"]
    pod = Pod(obj, meta["uid"], f"{meta['name']}_{meta['namespace']}({meta['uid']})", [], now)
    adopt(pod, obj, runtime)
    return pod


def adopt(pod: Pod, obj: Obj, runtime: Runtime) -> None:
    """Take over a newer version of the object: new ephemeral containers, changed images."""
    pod.obj = obj
    known = {c.name: c for c in pod.containers}
    spec = obj["spec"]
    for kind, key in ((INIT, "initContainers"), (MAIN, "containers"), (EPHEMERAL, "ephemeralContainers")):
        for index, found in enumerate(spec.get(key) or ()):
            mine = known.get(found["name"])
            if mine is None:
                actual = SIDECAR if kind == INIT and found.get("restartPolicy") == "Always" else kind
                made = Container(found["name"], actual, found, runtime.script(obj, found), index)
                made.resources = made.allocated = found.get("resources") or {}
                made.restarts = _told_restarts(obj, f"{key[:-1]}Statuses", made.name)
                pod.containers.append(made)
            elif mine.spec is not found:
                if mine.spec.get("image") != found.get("image"):
                    mine.script = runtime.script(obj, found)
                    if mine.state in ("running", "pull error", "pull back-off"):
                        mine.due, mine.restart_for = 0.0, IMAGE_CHANGED
                mine.spec = found


def _told_restarts(obj: Obj, key: str, name: str) -> int:
    """How often the container was restarted before this kubelet knew of it: the count goes on when a kubelet comes back
    (upstream's kuberuntime_container.go reads it off the names of the logs)."""
    told = (obj.get("status") or {}).get(key) or ()
    return next((int(status.get("restartCount") or 0) for status in told if status.get("name") == name), 0)
