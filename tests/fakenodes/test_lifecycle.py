"""The state table of pods: what happens when, and what the status says of it."""

from __future__ import annotations

import pytest

from fakenodes.kubelet import podstate, references, status, termination
from fakenodes.kubelet.runtime.commandline import from_command
from fakenodes.kubelet.runtime.imagenames import full_name, image_size
from fakenodes.kubelet.runtime.runtime import Runtime
from fakenodes.kubelet.runtime.script import Script, parse_script
from tests.fakenodes.lives import T0, Life, box, spec


@pytest.mark.parametrize(("containers", "policy", "until", "expected"), [
    ([box()], "Always", 9, [(0, "Running", ("running",))]),
    ([box("c", "sleep", "2")], "Never", 9, [(0, "Running", ("running",)), (2, "Succeeded", ("Completed",))]),
    ([box("c", "sh", "-c", "sleep 1; exit 3")], "Never", 9, [(0, "Running", ("running",)), (1, "Failed", ("Error",))]),
    ([box("c", "false")], "OnFailure", 35, [
        (0, "Running", ("CrashLoopBackOff",)), (10, "Running", ("CrashLoopBackOff",)),
        (30, "Running", ("CrashLoopBackOff",))]),
    ([box("a", "sleep", "1"), box("b", "sleep", "3")], "Never", 9, [
        (0, "Running", ("running", "running")), (1, "Running", ("Completed", "running")),
        (3, "Succeeded", ("Completed", "Completed"))]),
])  # fmt: skip
def test_phases(containers, policy, until, expected):
    assert Life(spec(*containers, restartPolicy=policy)).run(until) == expected


def test_a_running_pod_is_told_as_the_kubelet_tells_it():
    life = Life(spec(box()))
    found = life.at(0)
    assert [(c["type"], c["status"], c.get("reason")) for c in found["conditions"]] == [
        ("PodReadyToStartContainers", "True", None),
        ("Initialized", "True", None),
        ("Ready", "True", None),
        ("ContainersReady", "True", None),
        ("PodScheduled", "True", None),
    ]
    assert [reason for reason, _ in life.told] == ["Pulling", "Pulled", "Created", "Started"]
    assert found["containerStatuses"][0]["lastState"] == {}
    assert found["resources"] == {}


def test_images_are_pulled_once_a_node_and_back_off_when_they_cannot_be():
    runtime = Runtime()
    runtime.image("bad*", Script(pull_error="no such image"))
    life = Life(spec(box("a"), box("b"), box("x", image="bad:1")), runtime)
    seen = life.run(12)
    assert [states for _, _, states in seen] == [
        ("running", "running", "ErrImagePull"),
        ("running", "running", "ImagePullBackOff"),
        ("running", "running", "ErrImagePull"),
        ("running", "running", "ImagePullBackOff"),
    ]
    assert [phase for _, phase, _ in seen] == ["Pending"] * 4
    assert [m for r, m in life.told if r == "Pulled"] == [
        'Successfully pulled image "nginx:1" in 0s (0s including waiting). Image size: '
        f"{image_size('nginx:1', Script())} bytes.",
        'Container image "nginx:1" already present on machine and can be accessed by the pod',
    ]


def test_init_containers_run_one_by_one_and_sidecars_stay():
    life = Life(
        spec(
            box("m", "sleep", "2"),
            init=[box("i", "sleep", "1"), {**box("s"), "restartPolicy": "Always"}],
            restartPolicy="Never",
        )
    )
    first = life.at(0)
    assert first["phase"] == "Pending"
    assert first["conditions"][1]["message"] == "containers with incomplete status: [i s]"
    assert first["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert life.at(1)["phase"] == "Running"
    last = life.at(3)
    assert last["phase"] == "Succeeded"
    assert [s["state"]["terminated"]["exitCode"] for s in last["initContainerStatuses"]] == [0, 0]
    assert [(c["type"], c["status"], c.get("reason")) for c in last["conditions"]][:4] == [
        ("PodReadyToStartContainers", "False", None),
        ("Initialized", "True", "PodCompleted"),
        ("Ready", "False", "PodCompleted"),
        ("ContainersReady", "False", "PodCompleted"),
    ]


@pytest.mark.parametrize(("stop_seconds", "grace", "ends", "code"), [(0, 30, 0, 0), (5, 30, 5, 0), (60, 30, 30, 137)])
def test_termination_keeps_the_grace_period(stop_seconds, grace, ends, code):
    runtime = Runtime()
    runtime.image("*", Script(stop_seconds=stop_seconds))
    life = Life(spec(box()), runtime)
    life.at(0)
    termination.stop(life.pod, podstate.DELETED, "", T0 + 10, grace)
    life.at(10)
    assert life.pod.finished is (ends == 0)
    found = life.at(10 + ends)
    assert life.pod.finished
    assert found["containerStatuses"][0]["state"]["terminated"]["exitCode"] == code
    assert ("Killing", "Stopping container c") in life.told


def test_the_active_deadline_fails_the_pod():
    life = Life(spec(box(), activeDeadlineSeconds=2))
    life.at(0)
    assert life.wake == T0 + 2
    found = life.at(2)
    assert (found["phase"], found["reason"], found["message"]) == (
        "Failed",
        "DeadlineExceeded",
        "Pod was active on the node longer than the specified deadline",
    )


@pytest.mark.parametrize(
    ("obj", "reason", "message", "sandbox"),
    [
        (
            spec({**box(), "envFrom": [{"configMapRef": {"name": "absent"}}]}),
            "CreateContainerConfigError",
            'configmap "absent" not found',
            True,
        ),
        (
            spec({**box(), "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "here", "key": "k"}}}]}),
            "CreateContainerConfigError",
            "couldn't find key k in ConfigMap ns/here",
            True,
        ),
        (spec(box(), volumes=[{"name": "v", "configMap": {"name": "absent"}}]), "ContainerCreating", None, False),
    ],
)
def test_what_is_missing_is_waited_for(obj, reason, message, sandbox):
    life = Life(obj, missing={("configmap", "absent", ""), ("configmap", "here", "k")})
    waiting = life.at(0)["containerStatuses"][0]["state"]["waiting"]
    assert (waiting["reason"], waiting.get("message")) == (reason, message)
    assert life.pod.sandbox is sandbox
    life.missing = frozenset()
    assert life.at(5)["phase"] == "Running"


def test_another_thing_that_is_missing_is_told_of_too():
    env = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}}]
    life = Life(spec(box(env=env)), missing={("configmap", "m", "")})
    life.at(0)
    life.missing = {("configmap", "m", "k")}
    for moment in (1, 2):
        life.at(moment)
    assert [message for reason, message in life.told if reason == "Failed"] == [
        'Error: configmap "m" not found',
        "Error: couldn't find key k in ConfigMap ns/m",
    ]


@pytest.mark.parametrize(
    ("volume", "problem"),
    [
        ({"configMap": {"name": "c", "items": [{"key": "k"}]}}, "configmap references non-existent config key: k"),
        ({"secret": {"secretName": "s", "items": [{"key": "k"}]}}, "references non-existent secret key: k"),
        ({"secret": {"secretName": "gone", "items": [{"key": "k"}]}}, 'secret "gone" not found'),
        ({"projected": {"sources": [{"configMap": {"name": "c", "items": [{"key": "k"}]}}]}},
         "configmap references non-existent config key: k"),
        ({"configMap": {"name": "c", "items": [{"key": "k"}], "optional": True}}, ""),
        ({"configMap": {"name": "c", "items": [{"key": "here"}]}}, ""),
    ],
)  # fmt: skip
def test_keys_of_volumes_have_to_be_there(volume, problem):
    volume = {"name": "v", **volume}
    wanted = references.references(spec(box(), volumes=[volume]))
    missing = references.lacking(wanted, "configmap", "c", {"data": {"here": ""}})
    missing |= references.lacking(wanted, "secret", "s", {}) | references.lacking(wanted, "secret", "gone", None)
    life = Life(spec(box(), volumes=[volume]), missing=missing)
    life.at(0)
    said = f'MountVolume.SetUp failed for volume "v" : {problem}'
    assert [m for reason, m in life.told if reason == "FailedMount"] == ([said] if problem else [])


@pytest.mark.parametrize(("probes", "script", "moments"), [
    ({"readinessProbe": {"initialDelaySeconds": 3, "periodSeconds": 2}}, Script(), {0: False, 2.9: False, 3: True}),
    ({"readinessProbe": {"periodSeconds": 2}}, Script(ready_after=3), {0: False, 3: False, 4: True}),
    ({"readinessProbe": {}}, Script(ready_after=None), {0: False, 500: False}),
    ({"startupProbe": {"periodSeconds": 1}}, Script(ready_after=2), {1: False, 2: True}),
])  # fmt: skip
def test_probes_decide_on_readiness(probes, script, moments):
    runtime = Runtime()
    runtime.image("*", script)
    life = Life(spec({**box(), **probes}), runtime)
    life.at(0)
    assert {t: life.at(t)["containerStatuses"][0]["ready"] for t in moments} == moments


def test_a_dead_container_is_restarted_by_its_liveness_probe():
    runtime = Runtime()
    runtime.image("*", Script(live_for=5))
    life = Life(spec({**box(), "livenessProbe": {"periodSeconds": 1, "failureThreshold": 3}}), runtime)
    life.run(9)
    assert life.status(9)["containerStatuses"][0]["restartCount"] == 1
    assert ("Killing", "Container c failed liveness probe, will be restarted") in life.told


@pytest.mark.parametrize(("command", "in_job", "seconds", "code", "lines"), [
    ((), True, None, 0, []),
    (("sleep", "5"), False, 5, 0, []),
    (("sleep", "infinity"), False, None, 0, []),
    (("sh", "-c", "echo hi && sleep 1m; exit 7"), False, 60, 7, ["hi"]),
    (("sh", "-c", "false || echo no && true"), False, 0, 0, ["no"]),
    (("/bin/sh", "-ec", "false\nsleep 9"), False, 0, 1, []),
    (("perl", "-e", "1"), True, 0, 0, []),
    (("perl", "-e", "1"), False, None, 0, []),
    (("sh", "-c", "while true; do sleep 1; done"), False, None, 0, []),
    (("sh", "-c", "cat /x | wc"), True, 0, 0, []),
])  # fmt: skip
def test_known_commands_do_what_they_say(command, in_job, seconds, code, lines):
    found = from_command(command, in_job)
    assert (found.run_seconds, found.exit_code, [text for _, text in found.logs]) == (seconds, code, lines)


def test_annotations_say_what_a_container_does():
    obj = spec(box())
    obj["metadata"]["annotations"] = {"fakekube.io/container.c": '{"runSeconds": 1, "exitCode": 2, "logs": ["x"]}'}
    assert Runtime().script(obj, obj["spec"]["containers"][0]) == Script(run_seconds=1, exit_code=2, logs=((0.0, "x"),))
    with pytest.raises(ValueError, match="unknown script field 'nope'"):
        parse_script({"nope": 1})


@pytest.mark.parametrize(("image", "name"), [
    ("nginx", "docker.io/library/nginx:latest"), ("a/b:1", "docker.io/a/b:1"), ("r.io/x", "r.io/x:latest"),
    ("localhost:5000/x:2", "localhost:5000/x:2"),
])  # fmt: skip
def test_image_names(image, name):
    assert full_name(image) == name


def test_a_status_patch_holds_only_what_differs():
    life = Life(spec(box()))
    old = life.status(0)
    new = life.at(0)
    found = status.patch(old, new, "u")
    assert found is not None
    assert sorted(found["status"]) == ["$setElementOrder/conditions", "conditions", "containerStatuses", "phase"]
    assert [c["type"] for c in found["status"]["conditions"]] == [
        "PodReadyToStartContainers",
        "Ready",
        "ContainersReady",
    ]
    assert found["status"]["conditions"][1]["reason"] is None
    assert status.patch(new, new, "u") is None
