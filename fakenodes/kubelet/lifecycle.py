"""What a pod's containers do as time goes by: a state table over (spec, state, time), without any input or output.

Stands for the kubelet's kuberuntime manager (computePodActions, start, CrashLoopBackOff) and its active-deadline
handler. advance() moves a pod as far as the time allows and says what happened and when to come back. How containers
get their images is in images.py, how they are ended in termination.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fakenodes.kubelet import hooks, images, probes, references, termination
from fakenodes.kubelet.backoff import BASE, MAX, RESET_SECONDS, go_duration
from fakenodes.kubelet.podstate import (
    COMPLETED,
    DEADLINE,
    EPHEMERAL,
    IMAGE_CHANGED,
    INIT,
    MAIN,
    RESTARTS,
    SIDECAR,
    Container,
    Pod,
    World,
)
from fakenodes.kubelet.reboot import begin_anew
from fakenodes.kubelet.restartpolicy import restartable, restarts
from fakenodes.kubelet.termination import ended

Obj = Mapping[str, Any]

CONFIG_ERROR = "CreateContainerConfigError"
START_ERROR = 128  # the exit code of a container that cannot be run
RETRY_SECONDS = 1.0  # between looks for what is missing, and until a container whose hook failed starts again
DEADLINE_MESSAGE = "Pod was active on the node longer than the specified deadline"
PROBE_NAMES = {probes.LIVENESS: "livenessProbe", probes.STARTUP: "startupProbe"}


def advance(pod: Pod, world: World, now: float) -> float | None:
    """Move the pod on; world.happened gets its events. When to come back, None for not before something changes."""
    _deadline(pod, world, now)
    for _ in range(1000):  # every step leads to another state, so this ends long before
        moved = termination.end(pod, world, now) if pod.ending else _begin(pod, world, now)
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
        termination.stop(pod, DEADLINE, DEADLINE_MESSAGE, now, pod.obj["spec"].get("terminationGracePeriodSeconds"))
        world.tell(None, DEADLINE, DEADLINE_MESSAGE)


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
        if pod.rebooted:
            world.tell(None, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
            begin_anew(pod)
        pod.sandbox, pod.rebooted = True, False
    moved = False
    for container in _wanted(pod):
        if container.state == "idle":
            images.pull(pod, container, world, now)
            moved = True
        if container.state in ("pulling", "starting", "post start") and not container.reason:
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


def _volume_problem(pod: Pod, world: World) -> str:
    for volume in pod.obj["spec"].get("volumes") or ():
        if problem := references.of_mount(volume, world.missing):
            return f'MountVolume.SetUp failed for volume "{volume["name"]}" : {problem}'
    return ""


def _start(pod: Pod, container: Container, world: World, now: float) -> None:
    """Create and start, unless something that it is configured by is missing."""
    missing = references.of_start(container.spec, world.missing, pod.obj["metadata"]["namespace"])
    if missing:
        if (container.reason, container.message) != (CONFIG_ERROR, missing):
            world.tell(container, "Failed", f"Error: {missing}", "Warning")
        pod.complained = now
        container.wait("starting", now + RETRY_SECONDS, CONFIG_ERROR, missing)
        return
    if container.last is not None:
        container.restarts += 1
    container.id = hashlib.sha256(f"{pod.uid}/{container.name}/{container.restarts}".encode()).hexdigest()
    world.tell(container, "Created", "Container created")
    if container.script.start_error:
        _not_started(pod, container, world, now)
        return
    world.tell(container, "Started", "Container started")
    container.started_at = now
    container.exits_at = None if container.script.run_seconds is None else now + container.script.run_seconds
    container.started = container.ready = container.again = False
    container.problem = container.restart_for = ""
    container.wait("post start", None)
    hook = hooks.run(pod, container, world, hooks.POST_START)
    if hook is None:
        _up(pod, container, world, now)
        return
    container.problem = hook.problem
    over = min(now + hook.seconds, float("inf") if container.exits_at is None else container.exits_at)
    container.due = None if over == float("inf") else over


def _not_started(pod: Pod, container: Container, world: World, now: float) -> None:
    """The runtime has made the container and cannot run it, as containerd says of a command that there is not."""
    error = container.script.start_error
    world.tell(container, "Failed", f"Error: {error}", "Warning")
    container.started_at, container.finished_at, container.exit_code = 0.0, now, START_ERROR
    container.wait("done", None, "StartError", error)
    if restarts(pod.obj, container):
        container.last = container.outcome
        container.wait("failed start", now + RETRY_SECONDS, "RunContainerError", error)


def _post_started(pod: Pod, container: Container, world: World, now: float) -> None:
    """The postStart hook is through; a container whose hook fails is killed."""
    if container.problem:
        world.tell(container, "FailedPostStartHook", "PostStartHook failed", "Warning")
        termination.kill(pod, container, world, now, "FailedPostStartHook", termination.grace_of(pod))
    else:
        _up(pod, container, world, now)


def _up(pod: Pod, container: Container, world: World, now: float) -> None:
    probes.begin(container, now - container.started_at)
    container.wait("running", now)


# Running


def _run(pod: Pod, container: Container, world: World, now: float) -> None:
    """Look at the process: has it ended, is it alive, is it ready? Sets when to look again."""
    if container.exits_at is not None and now >= container.exits_at:
        ended(container, now, container.script.exit_code)
        return
    if container.oom:
        ended(container, now, 137)
        return
    if container.restart_for:
        if container.restart_for == IMAGE_CHANGED:
            container.delay = 0.0  # another image is another container to the back-off
        container.again = True
        message = RESTARTS[container.restart_for].format(container.name)
        termination.kill(pod, container, world, now, message, termination.grace_of(pod))
        return
    failures, dead = probes.look(container, now - container.started_at, world.address)
    for failure in failures:
        world.tell(container, "Unhealthy", failure, "Warning")
    if dead:
        message = f"Container {container.name} failed {dead} probe"
        container.again = restartable(pod.obj, container)
        message += ", will be restarted" if container.again else ""
        grace = container.spec[PROBE_NAMES[dead]].get("terminationGracePeriodSeconds")
        termination.kill(pod, container, world, now, message, termination.grace_of(pod) if grace is None else grace)
        return
    look = probes.due(container)
    ends = [container.exits_at] if container.exits_at is not None else []
    container.due = min([*ends, *([container.started_at + look] if look is not None else [])], default=None)


# After the end


def _exited(pod: Pod, container: Container, world: World, now: float) -> None:
    """Start again, now or after a back-off, or leave it at that."""
    if pod.ending or not restarts(pod.obj, container):
        container.state = "done"
        return
    before, container.last = container.last, container.outcome
    if container.problem:
        container.wait("failed start", now + RETRY_SECONDS, "PostStartHookError", container.problem)
    elif not container.again:
        _again(pod, container, world, now)
    elif before is not None:  # it was killed: upstream starts it anew by what it knows of the run before
        _after(pod, container, world, now, before[1])
    else:
        images.pull(pod, container, world, now)


def _again(pod: Pod, container: Container, world: World, now: float) -> None:
    _after(pod, container, world, now, container.finished_at)


def _after(pod: Pod, container: Container, world: World, now: float, ended_at: float) -> None:
    """Start again, unless a run ended so lately that there is a back-off to wait for."""
    if ended_at - container.delayed_at > RESET_SECONDS:
        container.delay = 0.0
    if now - ended_at >= container.delay:
        _delayed(pod, container, world, now)
        return
    full_name, delay = pod.full_name, go_duration(container.delay)
    told = f"Back-off restarting failed container {container.name} in pod {full_name}"
    world.tell(container, "BackOff", told, "Warning")
    message = f"back-off {delay} restarting failed container={container.name} pod={full_name}"
    container.wait("crash back-off", container.finished_at + container.delay, "CrashLoopBackOff", message)


def _delayed(pod: Pod, container: Container, world: World, now: float) -> None:
    """Start again; the next time it will have to wait, or longer."""
    container.delay = min(2 * container.delay, MAX) if container.delay else BASE
    container.delayed_at = now
    images.pull(pod, container, world, now)


def _complete(pod: Pod) -> bool:
    """Are all main containers done for good? Then the pod has ended, and its sidecars with it."""
    mains = pod.of(MAIN)
    failed_init = any(c.state == "done" and c.exit_code for c in pod.of(INIT))
    if mains and (failed_init or all(c.state == "done" for c in mains)):
        pod.ending = COMPLETED
    return bool(pod.ending)


Step = Callable[[Pod, Container, World, float], None]

# State to what happens when its time is up. "idle" waits for its turn, "done" has ended, "never" will not start; "last"
# is a sidecar that is to go after others.
STEPS: dict[str, Step] = {
    "no image": images.pull_again,
    "pulling": images.pulled,
    "pull error": images.pull_failed,
    "pull back-off": images.pull_again,
    "starting": _start,
    "post start": _post_started,
    "running": _run,
    "pre stop": termination.pre_stopped,
    "last": termination.waited,
    "stopping": termination.stopped,
    "exited": _exited,
    "failed start": _again,
    "crash back-off": _delayed,
}
