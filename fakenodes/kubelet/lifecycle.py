"""What a pod's containers do as time goes by: a state table over (spec, state, time), without any input or output.

Stands for the kubelet's kuberuntime manager (computePodActions, start and kill, images, CrashLoopBackOff), its probes
and its active-deadline handler. advance() moves a pod as far as the time allows and says what happened and when to
come back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from fakeapi.quantity import parse
from fakenodes.kubelet.runtime.script import Runtime, Script, image_size

Obj = Mapping[str, Any]

BACKOFF_BASE, BACKOFF_MAX = 10.0, 300.0
BACKOFF_RESET = 600.0
RETRY_SECONDS = 1.0  # between an image error and the back-off that follows it, and between looks for what is missing
DEADLINE_MESSAGE = "Pod was active on the node longer than the specified deadline"

EVICTED = "Evicted"
RESIZE = "resize"
# What makes a running container start again, noted as its message, and what is said of it.
RESTARTS = {
    "image changed": "Container {} definition changed, will be restarted",
    RESIZE: "Container {} resize requires restart",
}
COMPLETED, DELETED = "completed", "deleted"  # reasons for an end that the status does not name
INIT, SIDECAR, MAIN, EPHEMERAL = "init", "sidecar", "main", "ephemeral"


@dataclass(frozen=True, slots=True)
class Happened:
    """An event to tell: type, reason, message and, for a container's, its field path."""

    type: str
    reason: str
    message: str
    field_path: str = ""


@dataclass(slots=True)
class Container:
    """One container. `state` is a row of STEPS; `due` is when it will change by itself, None for never.

    `last` is how its previous run ended, as a terminated state.
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
    crashes: int = 0
    pulls: int = 0
    pulled_from: float = 0.0
    exits_at: float | None = None
    last: tuple[float, float, int, str, str, str] | None = None  # started, finished, code, reason, message, id
    resources: Obj = field(default_factory=dict)  # what the node has given it; a resize may ask for something else

    @property
    def oom(self) -> bool:
        """Does it use more memory than it may?"""
        limit = (self.resources.get("limits") or {}).get("memory")
        return limit is not None and parse(self.script.memory).nano > parse(str(limit)).nano

    @property
    def running(self) -> bool:
        """Is there a process?"""
        return self.state in ("running", "stopping")

    @property
    def succeeded(self) -> bool:
        """Has it ended well, for good?"""
        return self.state in ("exited", "done") and self.exit_code == 0

    @property
    def path(self) -> str:
        """Its field path in events."""
        part = {INIT: "initContainers", SIDECAR: "initContainers", EPHEMERAL: "ephemeralContainers"}
        return f"spec.{part.get(self.kind, 'containers')}{{{self.name}}}"


@dataclass(slots=True)
class Pod:
    """A pod on its node. ending: why it is being stopped: "" not at all, COMPLETED, DELETED or a status's reason."""

    obj: Obj
    uid: str
    full_name: str
    containers: list[Container]
    started_at: float
    sandbox: bool = False
    ending: str = ""
    message: str = ""
    stop_by: float | None = None
    finished: bool = False
    complained: float = 0.0
    pending: tuple[str, str] | None = None  # why a resize waits: Infeasible or Deferred, and a message

    def of(self, *kinds: str) -> list[Container]:
        """The containers of these kinds, in order."""
        return [c for c in self.containers if c.kind in kinds]


@dataclass(slots=True)
class World:
    """What the node knows: images that it has, references that lead nowhere (`("configmap", "absent")`)."""

    images: set[str]
    missing: Set[tuple[str, str]] = frozenset()
    happened: list[Happened] = field(default_factory=list)

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
                made.resources = found.get("resources") or {}
                pod.containers.append(made)
            elif mine.spec is not found:
                if mine.spec.get("image") != found.get("image") and mine.state in (
                    "running",
                    "pull error",
                    "pull back-off",
                ):
                    mine.due = 0.0  # the image was changed: start anew with it
                    mine.message = "image changed"
                    mine.script = runtime.script(obj, found)
                mine.spec = found


def resized(pod: Pod) -> list[Container]:
    """The containers whose spec asks for other resources than they have."""
    return [c for c in pod.containers if (c.spec.get("resources") or {}) != c.resources]


def resize(container: Container) -> None:
    """Give the container what its spec asks for, with a restart where its policy wants one."""
    old, new = container.resources, container.spec.get("resources") or {}
    container.resources = new
    policies = {p["resourceName"]: p["restartPolicy"] for p in container.spec.get("resizePolicy") or ()}
    changed = {
        name
        for kind in ("requests", "limits")
        for name in policies
        if (old.get(kind) or {}).get(name) != (new.get(kind) or {}).get(name)
    }
    if container.state == "running" and any(policies[name] == "RestartContainer" for name in changed):
        container.message, container.due = RESIZE, 0.0


def advance(pod: Pod, world: World, now: float) -> float | None:
    """Move the pod on; world.happened gets its events. When to come back, None for not before something changes."""
    _deadline(pod, world, now)
    for _ in range(1000):  # every step leads to another state, so this ends long before
        moved = _end(pod, world, now) if pod.ending else _begin(pod, world, now)
        for container in pod.containers:
            if container.due is not None and container.due <= now:
                container.due = None
                STEPS[container.state](pod, container, world, now)
                moved = True
        if not moved and (pod.ending or not _complete(pod)):
            break
    return _wake(pod, world)


def _wake(pod: Pod, world: World) -> float | None:
    dues = [c.due for c in pod.containers if c.due is not None]
    limit = pod.obj["spec"].get("activeDeadlineSeconds")
    if limit is not None and not pod.ending and not pod.finished:
        dues.append(pod.started_at + limit)
    if world.missing and not pod.ending:
        dues.append(pod.complained + RETRY_SECONDS)
    return min(dues, default=None)


def _deadline(pod: Pod, world: World, now: float) -> None:
    limit = pod.obj["spec"].get("activeDeadlineSeconds")
    if limit is not None and not pod.ending and not pod.finished and now >= pod.started_at + limit:
        stop(pod, "DeadlineExceeded", DEADLINE_MESSAGE, now, pod.obj["spec"].get("terminationGracePeriodSeconds"))
        world.tell(None, "DeadlineExceeded", DEADLINE_MESSAGE)


def stop(pod: Pod, reason: str, message: str, now: float, grace: float | None) -> None:
    """Begin to end the pod; a later call can only shorten the grace period (seconds)."""
    by = now + (30.0 if grace is None else grace)
    if not pod.ending:
        pod.ending, pod.message = reason, message
    pod.stop_by = by if pod.stop_by is None else min(pod.stop_by, by)


def crash(pod: Pod, now: float) -> None:
    """The node has lost power: what ran is gone without a word."""
    for container in pod.containers:
        if container.running:
            container.exit_code, container.finished_at = 255, now
            container.ready = container.started = False
            container.reason, container.message = "Unknown", ""
            container.state, container.due = "exited", now


# Starting


def _begin(pod: Pod, world: World, now: float) -> bool:
    """Start what should run by now."""
    if not pod.sandbox:
        problem = _volume_problem(pod, world)
        if problem:
            if now >= pod.complained + 60 * RETRY_SECONDS or not pod.complained:
                world.tell(None, "FailedMount", problem, "Warning")
            pod.complained = now
            return False
        pod.sandbox = True
    moved = False
    for container in _wanted(pod):
        if container.state == "idle":
            _pull(pod, container, world, now)
            moved = True
        if container.state in ("pulling", "starting") and not container.reason:
            break  # one after the other: the next one then finds the image there
    return moved


def _wanted(pod: Pod) -> Iterable[Container]:
    """Containers that should run now: init containers one after the other, then all others."""
    for container in pod.of(INIT, SIDECAR):
        yield container
        if container.kind == SIDECAR:
            if not container.started:
                return
        elif not container.succeeded:
            return
    yield from pod.of(MAIN, EPHEMERAL)


def references(pod: Obj) -> set[tuple[str, str]]:
    """ConfigMaps and Secrets that the pod cannot do without: ("configmap"|"secret", name)."""
    found: set[tuple[str, str]] = set()
    for volume in pod["spec"].get("volumes") or ():
        found |= set(_volume_references(volume))
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for container in pod["spec"].get(key) or ():
            found |= set(_environment_references(container))
    return found


def _volume_references(volume: Obj) -> Iterable[tuple[str, str]]:
    sources = [volume, *((volume.get("projected") or {}).get("sources") or ())]
    if volume["name"].startswith("kube-api-access-"):
        return  # the service account's: every namespace has it
    for source in sources:
        for key, kind, name in (("configMap", "configmap", "name"), ("secret", "secret", "secretName")):
            ref = source.get(key)
            if ref and not ref.get("optional"):
                yield kind, ref.get(name) or ref.get("name", "")


def _environment_references(container: Obj) -> Iterable[tuple[str, str]]:
    for entry in container.get("envFrom") or ():
        for key, kind in (("configMapRef", "configmap"), ("secretRef", "secret")):
            if entry.get(key) and not entry[key].get("optional"):
                yield kind, entry[key]["name"]
    for entry in container.get("env") or ():
        source = entry.get("valueFrom") or {}
        for key, kind in (("configMapKeyRef", "configmap"), ("secretKeyRef", "secret")):
            if source.get(key) and not source[key].get("optional"):
                yield kind, source[key]["name"]


def _volume_problem(pod: Pod, world: World) -> str:
    for volume in pod.obj["spec"].get("volumes") or () if world.missing else ():
        for ref in _volume_references(volume):
            if ref in world.missing:
                return f'MountVolume.SetUp failed for volume "{volume["name"]}" : {_not_found(ref)}'
    return ""


def _not_found(ref: tuple[str, str]) -> str:
    return f'{ref[0]} "{ref[1]}" not found'


def _pull(pod: Pod, container: Container, world: World, now: float) -> None:
    """Get the image, or find it there."""
    image = container.spec.get("image", "")
    policy = container.spec.get("imagePullPolicy", "IfNotPresent")
    present = image in world.images
    if policy == "Never" and not present and container.script.pull_error:
        message = f'Container image "{image}" is not present with pull policy of Never'
        world.tell(container, "ErrImageNeverPull", message, "Warning")
        world.tell(container, "Failed", "Error: ErrImageNeverPull", "Warning")
        _wait(container, "pull error", "ErrImageNeverPull", message, None)
    elif policy == "Never" or (policy != "Always" and present):
        message = f'Container image "{image}" already present on machine and can be accessed by the pod'
        world.tell(container, "Pulled", message)
        _wait(container, "starting", "", "", now + container.script.start_seconds)
    else:
        world.tell(container, "Pulling", f'Pulling image "{image}"')
        container.pulled_from = now
        _wait(container, "pulling", "", "", now + container.script.pull_seconds)


def _wait(container: Container, state: str, reason: str, message: str, due: float | None) -> None:
    container.state, container.reason, container.message, container.due = state, reason, message, due


def _pulled(pod: Pod, container: Container, world: World, now: float) -> None:
    image, script = container.spec.get("image", ""), container.script
    if script.pull_error:
        world.tell(container, "Failed", f'Failed to pull image "{image}": {script.pull_error}', "Warning")
        world.tell(container, "Failed", "Error: ErrImagePull", "Warning")
        container.pulls += 1
        _wait(container, "pull error", "ErrImagePull", script.pull_error, now + RETRY_SECONDS)
        return
    world.images.add(image)
    took = go_duration(now - container.pulled_from)
    size = image_size(image, script)
    message = f'Successfully pulled image "{image}" in {took} ({took} including waiting). Image size: {size} bytes.'
    world.tell(container, "Pulled", message)
    container.pulls = 0
    _wait(container, "starting", "", "", now + script.start_seconds)


def _pull_failed(pod: Pod, container: Container, world: World, now: float) -> None:
    """After the error comes the back-off."""
    if container.message == "image changed":
        _pull(pod, container, world, now)
        return
    image = container.spec.get("image", "")
    world.tell(container, "BackOff", f'Back-off pulling image "{image}"')
    world.tell(container, "Failed", "Error: ImagePullBackOff", "Warning")
    message = f'Back-off pulling image "{image}": ErrImagePull: {container.script.pull_error}'
    _wait(container, "pull back-off", "ImagePullBackOff", message, now - RETRY_SECONDS + backoff(container.pulls))


def _pull_again(pod: Pod, container: Container, world: World, now: float) -> None:
    _pull(pod, container, world, now)


def _start(pod: Pod, container: Container, world: World, now: float) -> None:
    """Create and start, unless something that it is configured by is missing."""
    missing = next((r for r in _environment_references(container.spec) if r in world.missing), None)
    if missing or container.script.start_error:
        reason = "CreateContainerConfigError" if missing else "RunContainerError"
        message = _not_found(missing) if missing else container.script.start_error
        if container.reason != reason:
            world.tell(container, "Failed", f"Error: {message}", "Warning")
        pod.complained = now
        _wait(container, "starting", reason, message, now + RETRY_SECONDS)
        return
    container.id = hashlib.sha256(f"{pod.uid}/{container.name}/{container.restarts}".encode()).hexdigest()
    world.tell(container, "Created", "Container created")
    world.tell(container, "Started", "Container started")
    container.started_at = now
    container.exits_at = None if container.script.run_seconds is None else now + container.script.run_seconds
    container.started = container.ready = False
    _wait(container, "running", "", "", now)


# Running


def _run(pod: Pod, container: Container, world: World, now: float) -> None:
    """Look at the process: has it ended, is it alive, is it ready? Sets when to look again."""
    if container.message in RESTARTS:
        world.tell(container, "Killing", RESTARTS[container.message].format(container.name))
        _exit(pod, container, world, now, 0)
        return
    if container.oom:
        _exit(pod, container, world, now, 137)
        return
    if container.exits_at is not None and now >= container.exits_at:
        _exit(pod, container, world, now, container.script.exit_code)
        return
    age = now - container.started_at
    times = [t for t in _turning_points(container) if t > age]
    started_at, ready_at, dies_at = _probed(container)
    if dies_at is not None and age >= dies_at:
        world.tell(container, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", "Warning")
        world.tell(container, "Killing", f"Container {container.name} failed liveness probe, will be restarted")
        _exit(pod, container, world, now, 137)
        return
    container.started = age >= started_at
    container.ready = container.started and ready_at is not None and age >= ready_at
    ends = [container.exits_at] if container.exits_at is not None else []
    container.due = min([*(container.started_at + t for t in times), *ends], default=None)


def _turning_points(container: Container) -> list[float]:
    return [t for t in _probed(container) if t is not None]


def _probed(container: Container) -> tuple[float, float | None, float | None]:
    """Seconds after the start at which it counts as started, as ready (None never), and is killed (None never)."""
    script, spec = container.script, container.spec
    up = script.ready_after if script.ready_after is not None else None
    startup = spec.get("startupProbe")
    started_at = _first_success(startup, 0.0, up) if startup is not None else 0.0
    if started_at is None:
        limit = (startup or {}).get("failureThreshold", 3) * (startup or {}).get("periodSeconds", 10)
        return float("inf"), None, float((startup or {}).get("initialDelaySeconds", 0) + limit)
    ready_at = (
        _first_success(spec["readinessProbe"], started_at, up) if spec.get("readinessProbe") is not None else started_at
    )
    dies_at = None
    probe = spec.get("livenessProbe")
    if probe is not None and script.live_for is not None:
        dies_at = max(script.live_for, started_at) + probe.get("failureThreshold", 3) * probe.get("periodSeconds", 10)
    return started_at, ready_at, dies_at


def _first_success(probe: Obj, since: float, up: float | None) -> float | None:
    """When enough probes have succeeded: they come every period, the first after the initial delay."""
    if up is None:
        return None
    period = float(probe.get("periodSeconds", 10))
    first = since + float(probe.get("initialDelaySeconds", 0))
    late = max(up - first, 0.0)
    misses = int(-(-late // period))
    return first + (misses + int(probe.get("successThreshold", 1)) - 1) * period


def _exit(pod: Pod, container: Container, world: World, now: float, code: int) -> None:
    container.exit_code, container.finished_at = code, now
    container.ready = container.started = False
    killed = code and (container.script.oom or container.oom)
    container.reason = "OOMKilled" if killed else "Error" if code else "Completed"
    container.message = container.script.message
    container.state, container.due = "exited", now


# After the end


def _exited(pod: Pod, container: Container, world: World, now: float) -> None:
    """Start again, now or after a back-off, or leave it at that."""
    if pod.ending or not restarts(pod.obj, container):
        container.state = "done"
        return
    if now - container.started_at >= BACKOFF_RESET:
        container.crashes = 0
    container.crashes += 1
    container.last = (container.started_at, container.finished_at, container.exit_code, container.reason,
                      container.message, container.id)  # fmt: skip
    if container.crashes == 1:
        _restart(pod, container, world, now)
        return
    wait = backoff(container.crashes - 1)
    world.tell(
        container, "BackOff", f"Back-off restarting failed container {container.name} in pod {pod.full_name}", "Warning"
    )
    message = f"back-off {go_duration(wait)} restarting failed container={container.name} pod={pod.full_name}"
    _wait(container, "crash back-off", "CrashLoopBackOff", message, now + wait)


def _restart(pod: Pod, container: Container, world: World, now: float) -> None:
    container.restarts += 1
    _pull(pod, container, world, now)


def restarts(pod: Obj, container: Container) -> bool:
    """Does the container start again after it has ended as it has?"""
    if container.kind == EPHEMERAL:
        return False
    if container.kind == SIDECAR:
        return True
    policy = container.spec.get("restartPolicy") or pod["spec"].get("restartPolicy", "Always")
    if container.kind == INIT:
        return container.exit_code != 0 and policy != "Never"
    return bool(policy == "Always" or (policy == "OnFailure" and container.exit_code != 0))


def backoff(failures: int) -> float:
    """10, 20, 40, ... 300 seconds."""
    return float(min(BACKOFF_BASE * 2.0 ** min(failures - 1, 10), BACKOFF_MAX))


def _complete(pod: Pod) -> bool:
    """Are all main containers done for good? Then the pod has ended, and its sidecars with it."""
    mains = pod.of(MAIN)
    failed_init = any(c.state == "done" and c.exit_code for c in pod.of(INIT))
    if mains and (failed_init or all(c.state == "done" for c in mains)):
        pod.ending = COMPLETED
    return bool(pod.ending)


# Ending


def _end(pod: Pod, world: World, now: float) -> bool:
    """Stop what runs, sidecars last; nothing new starts."""
    moved = False
    for container in pod.containers:
        if container.state in ("running", "starting", "pulling", "pull error", "pull back-off", "crash back-off"):
            if container.kind == SIDECAR and any(c.running for c in pod.of(MAIN, INIT)):
                continue
            _terminate(pod, container, world, now)
            moved = True
    if not moved and not any(c.running or c.state == "exited" for c in pod.containers):
        pod.sandbox, pod.finished = False, True
    return moved


def _terminate(pod: Pod, container: Container, world: World, now: float) -> None:
    if container.state != "running":
        container.due = None
        if container.last is not None:  # it had run: what it came to stands
            started, finished, code, reason, message, identity = container.last
            container.started_at, container.finished_at, container.exit_code = started, finished, code
            container.reason, container.message, container.id = reason, message, identity
            container.last = None
            container.state = "done"
        else:
            container.state = "never"
        return
    world.tell(container, "Killing", f"Stopping container {container.name}")
    hook = ((container.spec.get("lifecycle") or {}).get("preStop") or {}).get("sleep") or {}
    takes = float(hook.get("seconds", 0)) + container.script.stop_seconds
    ends = now + takes
    if pod.stop_by is not None and ends > pod.stop_by:
        ends = max(pod.stop_by, now)
    container.exits_at = now + takes
    container.state, container.due = "stopping", ends


def _stopped(pod: Pod, container: Container, world: World, now: float) -> None:
    in_time = container.exits_at is not None and now >= container.exits_at
    _exit(pod, container, world, now, container.script.stop_code if in_time else 137)


Step = Callable[[Pod, Container, World, float], None]

# State to what happens when its time is up. "idle" waits for its turn, "done" has ended, "never" will not start.
STEPS: dict[str, Step] = {
    "pulling": _pulled,
    "pull error": _pull_failed,
    "pull back-off": _pull_again,
    "starting": _start,
    "running": _run,
    "exited": _exited,
    "crash back-off": _restart,
    "stopping": _stopped,
}


def go_duration(seconds: float) -> str:
    """As Go prints a Duration cut to milliseconds: `0s`, `250ms`, `1.5s`, `1m20s`."""
    total = int(seconds * 1000 + 1e-6)
    if total < 1000:
        return f"{total}ms" if total else "0s"
    hours, rest = divmod(total, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    return f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}" if minutes else text
