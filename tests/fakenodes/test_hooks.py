"""Lifecycle hooks, and how containers are killed: what is told, how long it takes, what comes after."""

from __future__ import annotations

import pytest

from fakenodes.kubelet import podstate, termination
from fakenodes.kubelet.runtime.script import Script
from tests.fakenodes.lives import T0, box, scripted

SLOW = {"sleep": {"seconds": 3}}
FALSE = {"exec": {"command": ["false"]}}


def hooked(hook, handler, *command, **more):
    return box("c", *command, lifecycle={hook: handler}, **more)


def reasons(life):
    return [reason for reason, _ in life.told if reason not in ("Pulling", "Pulled", "Created")]


def test_a_container_waits_for_its_post_start_and_the_next_one_for_it():
    life = scripted(Script(), hooked("postStart", SLOW), box("d"))
    first = life.at(0)
    assert [s["state"] for s in first["containerStatuses"]] == [{"waiting": {"reason": "ContainerCreating"}}] * 2
    assert (first["phase"], life.wake) == ("Pending", T0 + 3)
    found = life.at(3)
    assert [next(iter(s["state"])) for s in found["containerStatuses"]] == ["running", "running"]
    assert reasons(life) == ["Started", "Started"]


MESSAGE = 'for Container "c" in Pod "p_ns(u)" failed - error: '


@pytest.mark.parametrize(
    ("handler", "script", "problem"),
    [
        (
            {"exec": {"command": ["sh", "-c", "echo no; exit 3"]}},
            Script(),
            f"Exec lifecycle hook ([sh -c echo no; exit 3]) {MESSAGE}command 'sh -c echo no; exit 3' exited with 3: , "
            'message: "no\\n"',
        ),
        (
            {"exec": {"command": ["warm", "up"]}},
            Script(exec=lambda argv: (2, "cold")),
            f"Exec lifecycle hook ([warm up]) {MESSAGE}command 'warm up' exited with 2: , message: \"cold\"",
        ),
        (
            {"httpGet": {"path": "/up", "port": 81}},
            Script(),
            f'HTTP lifecycle hook (/up) {MESSAGE}Get "http://10.0.0.2:81/up": dial tcp 10.0.0.2:81: connect: '
            "connection refused",
        ),
        (SLOW, Script(post_start_error="no"), f"Sleep lifecycle hook (3) {MESSAGE}no"),
    ],
)
def test_a_post_start_that_fails_kills_the_container(handler, script, problem):
    life = scripted(script, hooked("postStart", handler))
    found = life.at(0)
    if handler is SLOW:
        found = life.at(3)
    assert found["containerStatuses"][0]["state"] == {"waiting": {"reason": "PostStartHookError", "message": problem}}
    assert reasons(life)[:3] == ["Started", "FailedPostStartHook", "Killing"]
    assert ("FailedPostStartHook", "PostStartHook failed") in life.told
    assert ("Killing", "FailedPostStartHook") in life.told
    for _ in range(6):
        found = life.at(life.wake - T0)
    assert "BackOff" in reasons(life)


@pytest.mark.parametrize(
    ("policy", "phase"), [("Never", "Succeeded"), ("OnFailure", "Succeeded"), ("Always", "Running")]
)
def test_what_comes_after_follows_the_restart_policy(policy, phase):
    life = scripted(Script(), hooked("postStart", FALSE), restartPolicy=policy)
    assert life.at(0)["phase"] == phase


def test_a_hook_asks_a_served_port():
    ports = [{"name": "web", "containerPort": 8080}]
    handler = {"httpGet": {"path": "up?x=1", "port": "web"}}
    life = scripted(Script(serve=lambda request: ""), hooked("postStart", handler, ports=ports))
    assert life.at(0)["phase"] == "Running"
    assert [(r.method, r.path, r.port, r.headers["host"]) for r in life.asked] == [
        ("GET", "/up?x=1", 8080, "10.0.0.2:8080")
    ]


@pytest.mark.parametrize(
    ("handler", "script", "grace", "ends", "code", "failed"),
    [
        (SLOW, Script(), 30, 3, 0, False),
        (SLOW, Script(stop_seconds=5), 30, 8, 0, False),
        (SLOW, Script(stop_seconds=50), 10, 10, 137, False),
        (FALSE, Script(), 30, 0, 0, True),
        (SLOW, Script(pre_stop_seconds=1, pre_stop_error="no"), 30, 1, 0, True),
        # A hook that does not end in time is left alone, and SIGTERM still has its two seconds.
        (SLOW, Script(pre_stop_seconds=90, pre_stop_error="no", stop_seconds=1), 10, 11, 0, False),
        (SLOW, Script(pre_stop_seconds=90, stop_seconds=5), 10, 12, 137, False),
        # Without a grace period there is no hook.
        (FALSE, Script(stop_seconds=5), 0, 2, 137, False),
    ],
)
def test_pre_stop_runs_within_the_grace_period(handler, script, grace, ends, code, failed):
    life = scripted(script, hooked("preStop", handler))
    life.at(0)
    termination.stop(life.pod, podstate.DELETED, "", T0 + 100, grace)
    found = life.at(100)
    while not life.pod.finished:
        found = life.at(life.wake - T0)
    ended = found["containerStatuses"][0]["state"]["terminated"]
    assert (life.pod.containers[0].finished_at - T0 - 100, ended["exitCode"]) == (ends, code)
    assert (("FailedPreStopHook", "PreStopHook failed") in life.told) is failed


def test_a_second_deletion_shortens_the_grace_period():
    life = scripted(Script(stop_seconds=60), box())
    life.at(0)
    termination.stop(life.pod, podstate.DELETED, "", T0, 30)
    life.at(0)
    termination.stop(life.pod, podstate.DELETED, "", T0 + 1, 4)
    life.at(1)
    assert life.wake == T0 + 5


def sidecar(name, **more):
    return box(name, restartPolicy="Always", **more)


def ends(life, until):
    """At which second each container's process ends, from a deletion at second 10 with 30 seconds' grace."""
    life.at(0)
    termination.stop(life.pod, podstate.DELETED, "", T0 + 10, 30)
    found, moment = {}, 10.0
    while moment is not None and moment <= until:
        life.at(moment)
        for container in life.pod.containers:
            if container.ended:
                found.setdefault(container.name, moment)
        moment = None if life.wake is None else life.wake - T0
    return found


def test_sidecars_go_in_reverse_order_after_the_main_containers():
    life = scripted(Script(stop_seconds=2), box("m"), init=[sidecar("a"), sidecar("b")])
    assert ends(life, 60) == {"m": 12, "b": 14, "a": 16}
    killing = [message for reason, message in life.told if reason == "Killing"]
    assert sorted(killing) == [f"Stopping container {name}" for name in "abm"]


def test_all_pre_stop_hooks_run_at_once():
    hook = {"lifecycle": {"preStop": {"sleep": {"seconds": 4}}}}
    life = scripted(Script(), box("m", **hook), init=[sidecar("a", **hook)])
    assert ends(life, 60) == {"m": 14, "a": 14}


def test_a_sidecar_waits_no_longer_than_the_grace_period():
    life = scripted(Script(stop_seconds=100), box("m"), init=[sidecar("a")])
    assert ends(life, 60) == {"m": 40, "a": 42}
