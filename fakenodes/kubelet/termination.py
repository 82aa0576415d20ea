"""How containers and pods are ended: preStop hook, SIGTERM, SIGKILL when the grace period is over.

Stands for kuberuntime's killContainer and kuberuntime_termination_order.go. All preStop hooks run at once; then main
containers get their SIGTERM, and each sidecar when the main containers and the sidecars after it have ended, or the
grace period has.
"""

from __future__ import annotations

from fakenodes.kubelet import hooks
from fakenodes.kubelet.podstate import MAIN, SIDECAR, Container, Pod, World

STOPPING = "Stopping container {}"
DEFAULT_GRACE = 30.0
LOG_LINES, LOG_BYTES = 80, 2048  # of a log that stands for a termination message
MINIMUM_GRACE = 2.0  # what is left for SIGTERM, however long the hook takes
NOT_RUNNING = ("starting", "pulling", "no image", "pull error", "pull back-off", "crash back-off", "failed start")


def grace_of(pod: Pod) -> float:
    """Seconds that the spec gives containers to end."""
    grace = pod.obj["spec"].get("terminationGracePeriodSeconds")
    return DEFAULT_GRACE if grace is None else float(grace)


def stop(pod: Pod, reason: str, message: str, now: float, grace: float | None) -> None:
    """Begin to end the pod; a later call can only shorten the grace period (seconds)."""
    by = now + (DEFAULT_GRACE if grace is None else grace)
    if not pod.ending:
        pod.ending, pod.message = reason, message
    if pod.stop_by is not None and by >= pod.stop_by:
        return
    pod.stop_by = by
    for container in pod.containers:
        if container.kill_at is not None and by < container.kill_at and container.due is not None:
            container.kill_at = by
            container.due = min(container.due, by)


def ended(container: Container, now: float, code: int) -> None:
    """The process is gone."""
    container.exit_code, container.finished_at, container.kill_at = code, now, None
    container.ready = container.started = False
    killed = code and (container.script.oom or container.oom)
    message = container.script.message or (_last_words(container, now) if code else "")
    container.wait("exited", now, "OOMKilled" if killed else "Error" if code else "Completed", message)


def _last_words(container: Container, now: float) -> str:
    """The end of its log, if that is to stand for the termination message that it has not written."""
    if container.spec.get("terminationMessagePolicy") != "FallbackToLogsOnError":
        return ""
    lines = [text for after, text in container.script.logs if container.started_at + after <= now]
    said = "".join(f"{line}\n" for line in lines[-LOG_LINES:])
    return said.encode()[-LOG_BYTES:].decode(errors="ignore")


def end(pod: Pod, world: World, now: float) -> bool:
    """Stop what runs, sidecars last; nothing new starts."""
    moved = False
    for container in pod.containers:
        if container.state in ("running", "post start"):
            grace = max(pod.stop_by - now, 0.0) if pod.stop_by is not None else grace_of(pod)
            kill(pod, container, world, now, STOPPING.format(container.name), grace)
            moved = True
        elif container.state == "last" and _turn(pod, container):
            _signal(container, now)
            moved = True
        elif container.state in NOT_RUNNING:
            _leave(container)
            moved = True
    if not moved and not any(c.running or c.state == "exited" for c in pod.containers):
        pod.sandbox, pod.finished = False, True
    return moved


def _turn(pod: Pod, container: Container) -> bool:
    """May it go, or are there others that need it until they have gone?"""
    if not pod.ending or container.kind != SIDECAR:
        return True
    later = [c for c in pod.of(SIDECAR) if c.index > container.index]
    return not any(c.running for c in pod.of(MAIN) + later)


def cut_off(pod: Pod, world: World) -> None:
    """The pod is gone from the API server: what ran is killed, and nobody waits for it."""
    for container in pod.containers:
        if container.running and container.kill_at is None:
            world.tell(container, "Killing", STOPPING.format(container.name))
    pod.finished = True


def _leave(container: Container) -> None:
    """It does not run, and will not: what it came to before stands."""
    container.due = None
    if container.last is None:
        container.wait("never", None)
        return
    started, finished, code, reason, message, identity = container.last
    container.started_at, container.finished_at, container.exit_code, container.id = started, finished, code, identity
    container.wait("done", None, reason, message)
    container.last = None


def kill(pod: Pod, container: Container, world: World, now: float, message: str, grace: float) -> None:
    """Tell why, run the preStop hook, then send SIGTERM; SIGKILL follows when the grace period (seconds) is over."""
    world.tell(container, "Killing", message)
    container.kill_at = now + grace
    hook = hooks.run(pod, container, world, hooks.PRE_STOP) if grace > 0 else None
    if hook is None:
        _in_turn(pod, container, now)
        return
    container.stop_problem = hook.problem if hook.seconds <= grace else ""
    container.wait("pre stop", now + min(hook.seconds, grace))


def pre_stopped(pod: Pod, container: Container, world: World, now: float) -> None:
    """The preStop hook has ended, or its time has."""
    if container.stop_problem:
        world.tell(container, "FailedPreStopHook", "PreStopHook failed", "Warning")
    _in_turn(pod, container, now)


def _in_turn(pod: Pod, container: Container, now: float) -> None:
    assert container.kill_at is not None
    if now >= container.kill_at or _turn(pod, container):
        _signal(container, now)
    else:
        container.wait("last", container.kill_at)


def waited(pod: Pod, container: Container, world: World, now: float) -> None:
    """Its grace period is over before its turn has come."""
    _signal(container, now)


def _signal(container: Container, now: float) -> None:
    """SIGTERM: it ends when its script says, or is killed."""
    assert container.kill_at is not None
    container.kill_at = max(container.kill_at, now + MINIMUM_GRACE)
    container.exits_at = now + container.script.stop_seconds
    container.wait("stopping", min(container.exits_at, container.kill_at))


def stopped(pod: Pod, container: Container, world: World, now: float) -> None:
    """By itself or by SIGKILL."""
    in_time = container.exits_at is not None and now >= container.exits_at
    ended(container, now, container.script.stop_code if in_time else 137)
