"""Probes: when they are looked at, what they say, what follows."""

from __future__ import annotations

import pytest

from fakenodes.kubelet.runtime.script import Script, parse_script
from tests.fakenodes.lives import T0, box, scripted

HTTP = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 2}


def ready(life, moment):
    return life.at(moment)["containerStatuses"][0]["ready"]


def test_a_container_that_is_well_is_not_looked_at_again():
    life = scripted(Script(), box(readinessProbe=HTTP, livenessProbe=HTTP, startupProbe=HTTP))
    assert ready(life, 0)
    assert life.wake is None


def test_readiness_over_time():
    script = parse_script({"readiness": [[3, True], [10, False], [20, True]]})
    life = scripted(script, box(readinessProbe=HTTP))
    seen, moment = [(0.0, ready(life, 0))], 0.0
    while life.wake is not None:
        moment = life.wake - T0
        seen.append((moment, ready(life, moment)))
    changes = [at for (at, new), (_, old) in zip(seen[1:], seen, strict=False) if new is not old]
    assert changes == [4, 14, 20]  # three failures make it unready, one success ready
    text = "Readiness probe failed: HTTP probe failed with statuscode: 503"
    assert [m for r, m in life.told if r == "Unhealthy"] == [text] * (2 + 5)


@pytest.mark.parametrize(
    ("probe", "text"),
    [
        ({"httpGet": {"port": 80}}, "HTTP probe failed with statuscode: 503"),
        ({"tcpSocket": {"port": "web"}}, "dial tcp 10.0.0.2:8080: connect: connection refused"),
        ({"grpc": {"port": 1}}, 'service unhealthy (responded with "NOT_SERVING")'),
        ({"exec": {"command": ["x"]}}, ""),
    ],
)
def test_each_kind_of_probe_fails_in_its_words(probe, text):
    life = scripted(Script(ready_after=None), box(readinessProbe=probe, ports=[{"name": "web", "containerPort": 8080}]))
    life.at(0)
    assert ("Unhealthy", f"Readiness probe failed: {text}") in life.told


@pytest.mark.parametrize(
    ("probe", "script", "policy", "at", "message"),
    [
        ("livenessProbe", Script(live_for=5), "Always", 10, "failed liveness probe, will be restarted"),
        ("livenessProbe", Script(live_for=5), "Never", 10, "failed liveness probe"),
        (
            "startupProbe",
            Script(ready_after=None),
            "OnFailure",
            4,
            "failed startup probe, will be restarted",
        ),
    ],
)
def test_a_probe_that_fails_often_enough_kills(probe, script, policy, at, message):
    life = scripted(script, box(**{probe: HTTP}), restartPolicy=policy)
    life.run(at - 0.5)
    assert "Killing" not in [reason for reason, _ in life.told]
    life.at(at)
    assert ("Killing", f"Container c {message}") in life.told
    status = life.status(at)
    assert status["containerStatuses"][0]["restartCount"] == (policy != "Never")
    assert status["phase"] == ("Succeeded" if policy == "Never" else "Running")


def test_the_probes_own_grace_period_is_kept():
    script = Script(live_for=0, stop_seconds=60)
    life = scripted(script, box(livenessProbe={**HTTP, "terminationGracePeriodSeconds": 7}))
    life.run(4)
    assert life.pod.containers[0].state == "stopping"
    life.at(11)
    assert life.status(11)["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 137


def test_others_wait_for_the_startup_probe():
    container = box(startupProbe={**HTTP, "failureThreshold": 9}, livenessProbe=HTTP, readinessProbe=HTTP)
    life = scripted(Script(ready_after=6, live_for=1), container)
    life.run(5.9)
    assert [m.split()[0] for r, m in life.told if r == "Unhealthy"] == ["Startup"] * 3
    assert ready(life, 6)
