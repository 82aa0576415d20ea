"""What goes through the API server to a kubelet: logs, exec, cp, attach, port-forward, proxies, debug, top."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client, config
from kubernetes.stream import portforward, stream

from tests.e2e.manifests import deployment
from tests.e2e.processes import Kubectl

SCRIPT = {"logs": ["first", [0.2, "second"], [1.5, "third"]], "files": {"/data/seed": "seed"}, "cpu": "250m"}
# What makes kubectl fall back to the raw SPDY upgrade of older versions.
TRANSPORTS = {
    "websocket": {},
    "spdy": {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"},
}


@pytest.fixture
def pod(kubectl: Kubectl) -> str:
    """A running pod of one container."""
    return make_pod(kubectl, "a")


def make_pod(kubectl: Kubectl, name: str, *command: str, restart: str = "Always") -> str:
    """A pod that is ready, with SCRIPT where it has no command."""
    container = {"name": "main", "image": "app:1", "ports": [{"containerPort": 80}], "command": list(command)}
    notes = {} if command else {"fakekube.io/container.main": json.dumps(SCRIPT)}
    obj = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}, "annotations": notes},
        "spec": {"containers": [container], "restartPolicy": restart, "terminationGracePeriodSeconds": 0},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(obj))
    if restart == "Always":
        kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=90s")
    return name


def test_logs_as_they_come(kubectl: Kubectl, pod: str) -> None:
    with kubectl.start("logs", "-f", pod) as following:
        assert following.stdout is not None
        assert [following.stdout.readline().strip() for _ in range(3)] == ["first", "second", "third"]
        following.terminate()
    stamped = kubectl("logs", pod, "--timestamps", "--tail=2").stdout.splitlines()
    assert [re.fullmatch(r"\d{4}-\d\d-\d\dT\S+Z (\w+)", line)[1] for line in stamped] == ["second", "third"]  # type: ignore[index]
    assert kubectl("logs", "-l", f"app={pod}", "--prefix", "--limit-bytes=5").stdout.endswith("first")
    assert "third" in kubectl("logs", pod, "--since=1h", "--all-containers").stdout
    assert "not found" in kubectl("logs", pod, "--previous", status=1).stderr
    assert "container nope is not valid" in kubectl("logs", pod, "-c", "nope", status=1).stderr


def test_logs_of_the_run_before(kubectl: Kubectl) -> None:
    make_pod(kubectl, "crash", "sh", "-c", "echo one; exit 1", restart="OnFailure")
    kubectl("wait", "--for=jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/crash", "--timeout=90s")
    assert kubectl("logs", "crash", "--previous").stdout == "one\n"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_exec_carries_streams_and_the_exit_code(kubectl: Kubectl, pod: str, transport: str) -> None:
    env = TRANSPORTS[transport]
    result = kubectl("exec", pod, "--", "sh", "-c", "echo out; echo err >&2; exit 3", status=3, env=env)
    assert result.stdout == "out\n"
    assert result.stderr == "err\ncommand terminated with exit code 3\n"
    assert kubectl("exec", "-i", pod, "--", "cat", stdin="typed", env=env).stdout == "typed"
    assert kubectl("exec", pod, "--", "cat", "/data/seed", env=env).stdout == "seed"
    assert f"HOSTNAME={pod}\n" in kubectl("exec", pod, "--", "env", env=env).stdout
    missing = kubectl("exec", pod, "--", "nosuch", status=1, env=env).stderr
    assert 'exec: "nosuch": executable file not found in $PATH' in missing


def test_a_container_sees_its_volumes(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "cm", "--from-literal=key=value")
    kubectl("create", "secret", "generic", "s", "--from-literal=word=hidden")
    container = {
        "name": "main",
        "image": "app:1",
        "volumeMounts": [{"name": "v", "mountPath": "/cfg"}],
        "env": [
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "word"}}},
            {"name": "BOTH", "value": "$(WORD)-$(NODE)"},
        ],
    }
    spec = {"containers": [container], "volumes": [{"name": "v", "configMap": {"name": "cm"}}]}
    obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "v"}, "spec": spec}
    kubectl("apply", "-f", "-", stdin=json.dumps(obj))
    kubectl("wait", "--for=condition=Ready", "pod/v", "--timeout=90s")
    node = kubectl.jsonpath("pod/v", "{.spec.nodeName}")
    told = kubectl("exec", "v", "--", "sh", "-c", "cat /cfg/key; echo; echo $BOTH").stdout
    assert told == f"value\nhidden-{node}\n"
    token = kubectl("exec", "v", "--", "cat", "/var/run/secrets/kubernetes.io/serviceaccount/token").stdout
    assert token.count(".") == 2


def test_cp_in_and_out(kubectl: Kubectl, pod: str, tmp_path: Path) -> None:
    (tmp_path / "tree" / "below").mkdir(parents=True)
    (tmp_path / "tree" / "below" / "file").write_bytes(bytes(range(256)) * 1000)
    kubectl("cp", str(tmp_path / "tree"), f"{pod}:/tmp/tree")
    assert kubectl("exec", pod, "--", "ls", "/tmp/tree/below").stdout == "file\n"
    kubectl("cp", f"{pod}:/tmp/tree", str(tmp_path / "back"))
    assert (tmp_path / "back" / "below" / "file").read_bytes() == bytes(range(256)) * 1000


def test_an_empty_dir_is_shared_by_the_containers_of_a_pod(kubectl: Kubectl) -> None:
    mounts = {"writer": "/out", "reader": "/in/deep"}
    containers = [
        {"name": name, "image": "app:1", "volumeMounts": [{"name": "v", "mountPath": path}]}
        for name, path in mounts.items()
    ]
    spec = {"containers": containers, "volumes": [{"name": "v", "emptyDir": {}}], "terminationGracePeriodSeconds": 0}
    obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pair"}, "spec": spec}
    kubectl("apply", "-f", "-", stdin=json.dumps(obj))
    kubectl("wait", "--for=condition=Ready", "pod/pair", "--timeout=90s")
    kubectl("exec", "pair", "-c", "writer", "--", "sh", "-c", "echo shared > /out/file; echo own > /tmp/file")
    assert kubectl("exec", "pair", "-c", "reader", "--", "cat", "/in/deep/file").stdout == "shared\n"
    assert kubectl("exec", "pair", "-c", "reader", "--", "ls", "/in/deep").stdout == "file\n"
    kubectl("exec", "pair", "-c", "reader", "--", "cat", "/tmp/file", status=1)
    kubectl("exec", "pair", "-c", "reader", "--", "rm", "/in/deep/file")
    assert kubectl("exec", "pair", "-c", "writer", "--", "ls", "/out").stdout == ""


def test_run_attaches_to_a_shell(kubectl: Kubectl) -> None:
    arguments = ("run", "-i", "--rm", "--restart=Never", "--image=busybox", "shell", "--", "sh")
    result = kubectl(*arguments, stdin="echo typed; exit 3\n", status=3)
    assert "typed\n" in result.stdout


def test_exec_in_a_terminal(kubectl: Kubectl, pod: str) -> None:
    ours, theirs = os.openpty()
    command = kubectl.command("exec", "-it", pod, "--", "sh")
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True) as process:
        os.close(theirs)
        shown = read_until(ours, b"/ # ")
        os.write(ours, b"echo $TERM; exit 4\r")
        shown = read_until(ours, b"")
        assert process.wait(90) == 4
    os.close(ours)
    assert b"echo $TERM; exit 4\r\n" in shown
    assert b"\nxterm\r\n" in shown


def read_until(terminal: int, wanted: bytes) -> bytes:
    """What a terminal shows until the text is there, or its other side is closed."""
    shown = b""
    while not wanted or wanted not in shown:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # Linux: the other side is closed
            break
        if not piece:
            break
        shown += piece
    return shown


def test_attach_shows_what_is_logged_from_now_on(kubectl: Kubectl) -> None:
    notes = {"fakekube.io/container.main": json.dumps({"logs": [[n / 5, f"line {n}"] for n in range(200)]})}
    spec = {"containers": [{"name": "main", "image": "app:1"}], "terminationGracePeriodSeconds": 0}
    obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "talker", "annotations": notes}, "spec": spec}
    kubectl("apply", "-f", "-", stdin=json.dumps(obj))
    kubectl("wait", "--for=condition=Ready", "pod/talker", "--timeout=90s")
    with kubectl.start("attach", "talker") as attached:
        assert attached.stdout is not None
        numbers = [int(attached.stdout.readline().split()[1]) for _ in range(3)]
        attached.terminate()
    assert numbers == list(range(numbers[0], numbers[0] + 3))


def test_debug_of_a_node_runs_a_pod_there(kubectl: Kubectl) -> None:
    told = kubectl("debug", "node/node-1", "--image=busybox", "--profile=general", "--", "sleep", "100").stdout
    match = re.search(r"Creating debugging pod (\S+) with container debugger on node node-1", told)
    assert match, told
    kubectl("wait", "--for=condition=Ready", f"pod/{match[1]}", "--timeout=90s")
    assert kubectl.jsonpath(f"pod/{match[1]}", "{.spec.nodeName} {.spec.hostNetwork}") == "node-1 true"


def test_debug_adds_a_container_and_attaches(kubectl: Kubectl, pod: str) -> None:
    kubectl("debug", pod, "--image=busybox", "-c", "dbg", "--profile=general", "--", "sleep", "100")
    kubectl(
        "wait", f"pod/{pod}", "--for=jsonpath={.status.ephemeralContainerStatuses[0].state.running}", "--timeout=90s"
    )
    assert kubectl("exec", pod, "-c", "dbg", "--", "hostname").stdout == f"{pod}\n"


@contextlib.contextmanager
def forwarded(kubectl: Kubectl, target: str, port: int, env: dict[str, str]) -> Iterator[int]:
    """`kubectl port-forward`: the local port."""
    command = kubectl.command("port-forward", target, f":{port}", "--address=127.0.0.1")
    process = subprocess.Popen(["env", *(f"{k}={v}" for k, v in env.items()), *command], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)  # fmt: skip
    with process:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.match(r"Forwarding from 127.0.0.1:(\d+) ->", line)
        assert match, line
        try:
            yield int(match[1])
        finally:
            process.terminate()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_port_forward(kubectl: Kubectl, pod: str, transport: str) -> None:
    with forwarded(kubectl, f"pod/{pod}", 80, TRANSPORTS[transport]) as port:
        for path in ("/x", "/y"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
                assert answer.read().decode() == f"{kubectl.namespace}/{pod}/main: GET {path}\n"


def test_proxies_of_pods_services_and_nodes(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=deployment())
    kubectl("expose", "deployment", "web", "--port=8080", "--target-port=80")
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    root = f"/api/v1/namespaces/{kubectl.namespace}"
    name = kubectl("get", "pods", "-o", "name").stdout.split()[0].removeprefix("pod/")
    assert kubectl("get", "--raw", f"{root}/pods/{name}/proxy/a?b=1").stdout.endswith("/main: GET /a?b=1\n")
    kubectl("wait", "--for=jsonpath={.subsets[0].addresses}", "endpoints/web", "--timeout=90s")
    assert kubectl("get", "--raw", f"{root}/services/web:8080/proxy/").stdout.endswith("/main: GET /\n")
    refused = kubectl("get", "--raw", f"{root}/pods/{name}:81/proxy/", status=1).stderr
    assert "error trying to reach service: dial tcp" in refused
    assert kubectl("get", "--raw", "/api/v1/nodes/node-0/proxy/healthz").stdout == "ok"


def test_top_sums_up_what_scripts_use(kubectl: Kubectl, pod: str) -> None:
    assert kubectl("top", "pod", "-l", f"app={pod}").lines()[1] == [pod, "250m", "10Mi"]
    assert {row[0] for row in kubectl("top", "node").lines()[1:]} == {"node-0", "node-1", "node-2"}


@contextlib.contextmanager
def core(kubectl: Kubectl) -> Iterator[client.CoreV1Api]:
    """The official client; stream() changes the one that it is given."""
    with config.new_client_from_config(str(kubectl.kubeconfig)) as made:
        yield client.CoreV1Api(made)


def test_the_official_clients_exec(kubectl: Kubectl, pod: str) -> None:
    with core(kubectl) as api:
        session = stream(api.connect_get_namespaced_pod_exec, pod, kubectl.namespace, command=["cat"], stdin=True,
                         stdout=True, _preload_content=False)  # fmt: skip
        session.write_stdin("typed\n")
        assert session.readline_stdout(timeout=60) == "typed"
        session.sock.shutdown()
    with core(kubectl) as api:
        command = ["sh", "-c", "echo out; echo err >&2; exit 5"]
        session = stream(api.connect_get_namespaced_pod_exec, pod, kubectl.namespace, command=command, stdout=True,
                         stderr=True, _preload_content=False)  # fmt: skip
        session.run_forever(timeout=60)
        assert (session.read_stdout(), session.read_stderr(), session.returncode) == ("out\n", "err\n", 5)
        session.sock.shutdown()  # its close() leaves open what the other side has closed


def test_the_official_clients_port_forward(kubectl: Kubectl, pod: str) -> None:
    with core(kubectl) as api:
        forward = portforward(api.connect_get_namespaced_pod_portforward, pod, kubectl.namespace, ports="80")
        with contextlib.closing(forward.socket(80)) as socket:
            socket.settimeout(60)
            socket.sendall(b"GET /py HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            answer = b""
            while data := socket.recv(1000):
                answer += data
        assert answer.endswith(b"/main: GET /py\n")
        forward.websocket.shutdown()
