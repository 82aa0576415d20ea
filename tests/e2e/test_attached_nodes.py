"""Nodes attached from another process: their kubelets' API, static pods and faults, through the real kubectl."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.processes import Kubectl, cluster, eventually, fakekube, run

RUNTIME = """\
images:
  "app:*": {logs: [first, [0.2, second]], files: {/seed: seed}}
"""
STATIC = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "agent", "namespace": "kube-system"},
    "spec": {"containers": [{"name": "c", "image": "agent:1"}], "terminationGracePeriodSeconds": 1},
}


@pytest.fixture(scope="module")
def apart(kubectl_path: str, kubectl_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """An API server alone, and two nodes of another process with static pods of which one stops by and by."""
    place = tmp_path_factory.mktemp("apart")
    (place / "runtime.yaml").write_text(RUNTIME)
    (place / "static").mkdir()
    (place / "static" / "agent.yaml").write_text(json.dumps(STATIC))
    static = f"node-0={place / 'static'}"
    flags = ["--count", "2", "--runtime", str(place / "runtime.yaml"), "--pod-manifest-path", static,
             "--fault", "node-1:stop@10"]  # fmt: skip
    with ExitStack() as stack:
        kubeconfig = stack.enter_context(
            cluster(place, "--disable-admission-plugins", "ServiceAccount", command="serve")
        )
        stack.enter_context(fakekube("nodes", "--kubeconfig", str(kubeconfig), *flags, log=place / "nodes.log"))
        kubectl = Kubectl(kubectl_path, kubeconfig, "default", kubectl_cache)
        eventually(lambda: kubectl("get", "nodes", "--no-headers").stdout.count(" Ready ") == 2, "two ready nodes")
        yield kubectl


@pytest.fixture(scope="module")
def pod(apart: Kubectl) -> str:
    """A running pod on node-0."""
    container = {"name": "main", "image": "app:1", "ports": [{"containerPort": 80}], "command": ["sh"], "stdin": True}
    spec = {"nodeName": "node-0", "containers": [container], "terminationGracePeriodSeconds": 0}
    obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}
    apart("apply", "-f", "-", stdin=json.dumps(obj))
    apart("wait", "--for=condition=Ready", "pod/a", "--timeout=90s")
    return "a"


def test_logs(apart: Kubectl, pod: str) -> None:
    with apart.start("logs", "-f", pod) as following:
        assert following.stdout is not None
        assert [following.stdout.readline().strip() for _ in range(2)] == ["first", "second"]
        following.terminate()


def test_exec_and_cp(apart: Kubectl, pod: str, tmp_path: Path) -> None:
    assert apart("exec", pod, "--", "cat", "/seed").stdout == "seed"
    assert apart("exec", "-i", pod, "--", "cat", stdin="typed").stdout == "typed"
    assert apart("exec", pod, "--", "sh", "-c", "exit 3", status=3).stderr.endswith("exit code 3\n")
    (tmp_path / "in").write_text("carried")
    apart("cp", str(tmp_path / "in"), f"{pod}:/tmp/there")
    assert apart("exec", pod, "--", "cat", "/tmp/there").stdout == "carried"
    apart("cp", f"{pod}:/tmp/there", str(tmp_path / "out"))
    assert (tmp_path / "out").read_text() == "carried"


def test_attach(apart: Kubectl, pod: str) -> None:
    assert "attached\n" in apart("attach", "-i", pod, stdin="echo attached\n").stdout


def test_port_forward(apart: Kubectl, pod: str) -> None:
    command = apart.command("port-forward", f"pod/{pod}", ":80", "--address=127.0.0.1")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        match = re.match(r"Forwarding from 127.0.0.1:(\d+) ->", process.stdout.readline())
        assert match
        with urllib.request.urlopen(f"http://127.0.0.1:{match[1]}/x", timeout=60) as answer:
            assert answer.read() == b"default/a/main: GET /x\n"
        process.terminate()


def test_a_manifest_in_the_directory_is_a_static_pod(apart: Kubectl) -> None:
    apart("wait", "--for=condition=Ready", "pod/agent-node-0", "-n", "kube-system", "--timeout=90s")
    found = apart("get", "pods", "-n", "kube-system", "-o", "name").stdout.split()
    assert found == ["pod/agent-node-0"]
    file = apart.kubeconfig.parent / "static" / "agent.yaml"
    file.unlink()
    apart("wait", "--for=delete", "pod/agent-node-0", "-n", "kube-system", "--timeout=90s")


def test_a_fault_strikes_the_node_that_it_names(apart: Kubectl, pod: str) -> None:
    def refused(node: str) -> bool:
        return "EOF" in run(*apart.command("get", "--raw", f"/api/v1/nodes/{node}/proxy/healthz")).stderr

    eventually(lambda: refused("node-1"), "node-1 hangs up")
    assert not refused("node-0")
