"""What a pod's status says as it ends, restarts or waits: phases, conditions and container statuses."""

from __future__ import annotations

import pytest

from fakenodes.kubelet import podstate, status, termination
from fakenodes.kubelet.logs import LogError, choose_run, written
from fakenodes.kubelet.reboot import crash
from fakenodes.kubelet.runtime.script import Script
from fakenodes.kubelet.sysctls import forbidden
from tests.fakenodes.lives import T0, Life, box, scripted, spec

STUBBORN = Script(stop_seconds=5)
LOST = "The container could not be located when the pod was terminated"


def condition(found, name):
    return next((c for c in found["conditions"] if c["type"] == name), None)


def states(found, key="containerStatuses"):
    return [next(iter(s["state"].items())) for s in found[key]]


def cut_short(reason, script=STUBBORN):
    """A pod whose node ends it at second 1, and its status before and after its container has ended."""
    life = scripted(script, box(), terminationGracePeriodSeconds=30)
    life.at(0)
    termination.stop(life.pod, reason, "why", T0 + 1, 30)
    return life.at(1), life.at(6)


@pytest.mark.parametrize(
    ("reason", "disruption", "meanwhile"),
    [
        (podstate.EVICTED, "why", "True"),
        (podstate.PREEMPTED, "Pod was preempted by Kubelet to accommodate a critical pod.", "True"),
        (podstate.DEADLINE, None, "False"),
    ],
)
def test_a_pod_fails_when_nothing_of_it_runs_any_more(reason, disruption, meanwhile):
    before, after = cut_short(reason)
    assert (before["phase"], before.get("reason")) == ("Running", None)
    assert condition(before, "DisruptionTarget") is None
    assert condition(before, "Ready")["status"] == meanwhile
    assert (after["phase"], after["reason"], after["message"]) == ("Failed", reason, "why")
    assert condition(after, "Ready")["reason"] == "PodFailed"
    assert (condition(after, "DisruptionTarget") or {}).get("message") == disruption


def test_conditions_of_others_come_before_the_kubelets():
    life = scripted(Script(), box())
    life.at(0)
    termination.stop(life.pod, podstate.EVICTED, "why", T0 + 1, 30)
    life.at(1)
    mine = {"type": "example.com/ok", "status": "True"}
    found = status.build(life.pod, {"conditions": [mine]}, ("1.2.3.4", "10.0.0.2"), T0 + 1)
    assert [c["type"] for c in found["conditions"]] == [
        "example.com/ok",
        "DisruptionTarget",
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ]


def test_a_pod_that_is_deleted_before_it_runs_has_failed():
    life = scripted(Script(pull_error="no such image"), box("a"), box("b"))
    assert life.at(0)["phase"] == "Pending"
    termination.stop(life.pod, podstate.DELETED, "", T0 + 1, 30)
    found = life.at(1)
    assert found["phase"] == "Failed"
    assert states(found) == [("terminated", status.LOST)] * 2
    assert (status.LOST["reason"], status.LOST["exitCode"], status.LOST["message"]) == (
        "ContainerStatusUnknown",
        137,
        LOST,
    )


def test_of_init_containers_those_up_to_the_last_that_ran_have_failed():
    life = Life(spec(box(), init=[box("i", "sleep", "9"), box("j")]))
    life.at(0)
    termination.stop(life.pod, podstate.DELETED, "", T0 + 1, 30)
    found = life.at(1)
    assert found["phase"] == "Failed"
    assert [kind for kind, _ in states(found, "initContainerStatuses")] == ["terminated", "waiting"]
    assert states(found) == [("waiting", {"reason": "PodInitializing"})]


def test_all_containers_of_a_pod_with_init_containers_wait_for_its_initialization():
    life = scripted(Script(pull_seconds=3), box(), init=[box("i")])
    found = life.at(0)
    assert states(found, "initContainerStatuses") == [("waiting", {"reason": "PodInitializing"})]
    assert states(found) == [("waiting", {"reason": "PodInitializing"})]


def test_a_container_that_has_ended_keeps_what_it_was_given():
    requests = {"cpu": "1"}
    life = Life(spec(box("c", "true", resources={"requests": requests}), restartPolicy="Never"))
    found = life.at(0)["containerStatuses"][0]
    assert (found["allocatedResources"], found["resources"]) == (requests, {"requests": requests})


def test_a_container_between_its_runs_shows_the_image_that_it_ran():
    life = Life(spec(box("c", "false")))
    found = life.at(0)["containerStatuses"][0]
    assert found["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert found["image"] == "docker.io/library/nginx:1"


def test_ephemeral_containers_are_never_ready():
    life = Life(spec(box(), ephemeralContainers=[box("debug")]))
    found = life.at(0)["ephemeralContainerStatuses"][0]
    assert (next(iter(found["state"])), found["ready"]) == ("running", False)


def rules(operator, *codes, policy="Never"):
    exit_codes = {"operator": operator, "values": list(codes)}
    return {"restartPolicy": policy, "restartPolicyRules": [{"action": "Restart", "exitCodes": exit_codes}]}


@pytest.mark.parametrize(
    ("own", "policy", "code", "restarts"),
    [
        (rules("In", 42), "Always", 42, True),
        (rules("In", 42), "Always", 1, False),
        (rules("NotIn", 42), "Never", 1, True),
        (rules("NotIn", 42), "Always", 42, False),
        (rules("In", 42, policy="OnFailure"), "Never", 7, True),
        (rules("In", 0, policy="OnFailure"), "Never", 0, True),
        ({"restartPolicy": "Never"}, "Always", 1, False),
        ({"restartPolicy": "Always"}, "Never", 0, True),
        ({}, "OnFailure", 0, False),
    ],
)
def test_a_container_s_own_rules_and_policy_go_before_its_pod_s(own, policy, code, restarts):
    life = Life(spec(box("c", "sh", "-c", f"sleep 1; exit {code}", **own), restartPolicy=policy))
    life.at(0)
    found = life.at(1)
    assert found["containerStatuses"][0]["restartCount"] == int(restarts)
    assert found["phase"] == ("Running" if restarts else "Failed" if code else "Succeeded")


def test_a_failed_init_container_restarts_by_its_own_rules():
    init = box("i", "sh", "-c", "exit 42", **rules("In", 42))
    life = Life(spec(box(), init=[init], restartPolicy="Never"))
    assert life.at(0)["phase"] == "Pending"
    assert life.status(0)["initContainerStatuses"][0]["restartCount"] == 1


@pytest.mark.parametrize(("own", "again"), [({"restartPolicy": "Never"}, False), (rules("In", 9), True), ({}, True)])
def test_a_dead_container_restarts_only_if_its_own_policy_lets_it(own, again):
    probe = {"livenessProbe": {"periodSeconds": 1, "failureThreshold": 1}}
    life = scripted(Script(live_for=2), box(**probe, **own))
    life.run(4)
    will = ", will be restarted" if again else ""
    assert ("Killing", f"Container c failed liveness probe{will}") in life.told


@pytest.mark.parametrize(
    ("policy", "code", "message"),
    [
        ("FallbackToLogsOnError", 1, "one\ntwo\n"),
        ("FallbackToLogsOnError", 0, None),
        ("File", 1, None),
    ],
)
def test_the_end_of_the_log_may_stand_for_a_termination_message(policy, code, message):
    script = Script(run_seconds=2, exit_code=code, logs=((0.0, "one"), (1.0, "two"), (3.0, "late")))
    life = scripted(script, box(terminationMessagePolicy=policy), restartPolicy="Never")
    life.at(0)
    assert states(life.at(2))[0][1].get("message") == message


def test_a_long_log_is_cut_to_its_last_lines_and_bytes():
    short, long = (Script(run_seconds=0, exit_code=1, logs=((0.0, text),) * 100) for text in ("x", "x" * 99))
    for script, length in ((short, 160), (long, 2048)):
        life = scripted(script, box(terminationMessagePolicy="FallbackToLogsOnError"), restartPolicy="Never")
        assert len(states(life.at(0))[0][1]["message"]) == length


def test_a_container_that_is_lost_has_no_log():
    life = scripted(Script(pull_error="no such image"), box())
    life.at(0)
    with pytest.raises(LogError, match="waiting to start: image can't be pulled"):
        choose_run(life.pod, life.pod.containers[0], False)
    termination.stop(life.pod, podstate.EVICTED, "why", T0 + 1, 30)
    life.at(1)
    with pytest.raises(LogError, match='container "c" in pod "p" is terminated'):
        choose_run(life.pod, life.pod.containers[0], False)


def test_containers_are_told_by_name_and_init_containers_in_their_order():
    life = Life(spec(box("b"), box("a"), init=[box("z", "true"), box("y", "sleep", "9")]))
    found = life.at(0)
    assert [s["name"] for s in found["containerStatuses"]] == ["a", "b"]
    assert [s["name"] for s in found["initContainerStatuses"]] == ["z", "y"]
    assert condition(found, "ContainersReady")["message"] == "containers with unready status: [b a]"


def test_a_pod_may_set_safe_parameters_of_its_own_namespaces():
    names = ("net.ipv4.tcp_rmem", "kernel/shm_rmid_forced")
    allowed = spec(box(), securityContext={"sysctls": [{"name": name, "value": "1"} for name in names]})
    assert forbidden(allowed) == ""
    assert "host IPC" in forbidden({**allowed, "spec": {**allowed["spec"], "hostIPC": True}})


def rebooted(policy="Always", **init):
    """A pod of an init container, a sidecar and a main container, 10 seconds after it began; its node has crashed."""
    inits = [box("i", "sleep", "2", **init), box("s", restartPolicy="Always")]
    life = Life(spec(box("m"), init=inits, restartPolicy=policy))
    life.at(0)
    assert life.at(2)["phase"] == "Running"
    crash(life.pod, T0 + 10)
    return life


def test_after_a_crash_init_containers_run_again_before_the_others():
    life = rebooted()
    found = life.at(10)
    assert found["phase"] == "Pending"
    assert [kind for kind, _ in states(found, "initContainerStatuses")] == ["running", "terminated"]
    kind, lost = states(found)[0]
    assert (kind, lost["exitCode"], lost["reason"]) == ("terminated", 255, "Unknown")
    found = life.at(12)
    assert found["phase"] == "Running"
    assert [s["restartCount"] for s in found["initContainerStatuses"] + found["containerStatuses"]] == [1, 1, 1]


def test_after_a_crash_a_pod_that_is_not_to_restart_has_failed():
    life = rebooted("Never")
    found = life.at(10)
    assert found["phase"] == "Failed"
    assert found["initContainerStatuses"][0]["restartCount"] == 0


def test_an_address_takes_the_place_of_the_one_before():
    old, new = ({"podIP": ip, "podIPs": [{"ip": ip}]} for ip in ("10.0.0.2", "10.0.0.3"))
    found = status.patch(old, new, "u")
    assert found is not None
    assert found["status"]["podIPs"] == [{"ip": "10.0.0.3"}, {"$patch": "delete", "ip": "10.0.0.2"}]


NO_COMMAND = 'exec: "nope": executable file not found in $PATH: unknown'


def test_a_container_that_cannot_be_run_is_tried_again_as_one_that_crashes():
    life = scripted(Script(start_error=NO_COMMAND), box())
    found = life.at(0)
    assert states(found) == [("waiting", {"reason": "RunContainerError", "message": NO_COMMAND})]
    assert found["phase"] == "Running"
    last = found["containerStatuses"][0]["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"], last["startedAt"]) == (128, "StartError", "1970-01-01T00:00:00Z")
    assert life.told[-2:] == [("Created", "Container created"), ("Failed", f"Error: {NO_COMMAND}")]
    assert states(life.at(1))[0][1]["reason"] == "RunContainerError"
    found = life.at(2)
    assert states(found)[0][1]["reason"] == "CrashLoopBackOff"
    assert states(found)[0][1]["message"].startswith("back-off 10s restarting failed container=c ")
    assert found["containerStatuses"][0]["restartCount"] == 1


def test_a_container_that_cannot_be_run_fails_a_pod_that_is_not_to_restart():
    life = scripted(Script(start_error=NO_COMMAND, logs=((0.0, "x"),)), box(), restartPolicy="Never")
    found = life.at(0)
    assert (found["phase"], states(found)[0][1]["reason"]) == ("Failed", "StartError")
    container = life.pod.containers[0]
    assert written(container, choose_run(life.pod, container, False), T0 + 9) == []


def test_ten_minutes_forgive_crashes():
    life = scripted(Script(run_seconds=601, exit_code=1), box())
    for moment in (0, 601, 1202, 1803):
        found = life.at(moment)
    assert [kind for kind, _ in states(found)] == ["running"]
    assert found["containerStatuses"][0]["restartCount"] == 3


def test_what_is_killed_by_a_probe_backs_off_by_the_run_before():
    life = scripted(Script(live_for=5), box(livenessProbe={"periodSeconds": 1, "failureThreshold": 1}))
    seen, moment = [], 0.0
    while moment <= 30:
        found = life.at(moment)["containerStatuses"][0]
        waiting = found["state"].get("waiting") or {}
        entry = (found["restartCount"], waiting.get("message", "").partition(" restarting")[0])
        if not seen or seen[-1][1:] != entry:
            seen.append((moment, *entry))
        moment = life.wake - T0
    assert seen == [(0, 0, ""), (5, 1, ""), (10, 2, ""), (15, 2, "back-off 10s"), (25, 3, ""), (30, 3, "back-off 20s")]


def test_until_it_starts_again_a_container_shows_how_it_has_ended():
    life = scripted(Script(run_seconds=5, exit_code=1, pull_seconds=3), box(imagePullPolicy="Always"))
    life.at(0)
    life.at(3)
    found = life.at(8)
    told = found["containerStatuses"][0]
    assert (found["phase"], told["restartCount"], told["lastState"]) == ("Running", 0, {})
    assert told["state"]["terminated"]["exitCode"] == 1
    told = life.at(11)["containerStatuses"][0]
    assert (next(iter(told["state"])), told["restartCount"]) == ("running", 1)
    assert told["lastState"]["terminated"]["exitCode"] == 1
