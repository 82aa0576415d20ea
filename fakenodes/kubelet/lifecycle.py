"""What a pod's containers do as time goes by: a state table over (spec, state, time), without any input or output.

Stands for the kubelet's kuberuntime manager (computePodActions, start and kill, images, CrashLoopBackOff) and its
active-deadline handler. advance() moves a pod as far as the time allows and says what happened and when to
come back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fakenodes.kubelet.podstate import (
    COMPLETED,
    EPHEMERAL,
    INIT,
    MAIN,
    RESTARTS,
    SIDECAR,
    Container,
    Pod,
    World,
)
from fakenodes.kubelet.probes import probed, turning_points
from fakenodes.kubelet.references import not_found, of_environment, of_volume
from fakenodes.kubelet.runtime.script import image_size

Obj = Mapping[str, Any]

BACKOFF_BASE, BACKOFF_MAX = 10.0, 300.0
BACKOFF_RESET = 600.0
RETRY_SECONDS = 1.0  # between an image error and the back-off that follows it, and between looks for what is missing
DEADLINE_MESSAGE = "Pod was active on the node longer than the specified deadline"


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


def _volume_problem(pod: Pod, world: World) -> str:
    for volume in pod.obj["spec"].get("volumes") or () if world.missing else ():
        for ref in of_volume(volume):
            if ref in world.missing:
                return f'MountVolume.SetUp failed for volume "{volume["name"]}" : {not_found(ref)}'
    return ""


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
    missing = next((r for r in of_environment(container.spec) if r in world.missing), None)
    if missing or container.script.start_error:
        reason = "CreateContainerConfigError" if missing else "RunContainerError"
        message = not_found(missing) if missing else container.script.start_error
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
    times = [t for t in turning_points(container) if t > age]
    started_at, ready_at, dies_at = probed(container)
    if dies_at is not None and age >= dies_at:
        world.tell(container, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", "Warning")
        world.tell(container, "Killing", f"Container {container.name} failed liveness probe, will be restarted")
        _exit(pod, container, world, now, 137)
        return
    container.started = age >= started_at
    container.ready = container.started and ready_at is not None and age >= ready_at
    ends = [container.exits_at] if container.exits_at is not None else []
    container.due = min([*(container.started_at + t for t in times), *ends], default=None)


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
