"""The pytest plugin, as a session of tests sees it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.processes import run

pytest_plugins = ["pytester"]

ISOLATED = """
import pytest

from tests.e2e.processes import run

MANIFEST = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}}
URLS = set()

@pytest.mark.parametrize("turn", range(3))
def test_isolated(cluster, turn):
    URLS.add(cluster.url)
    assert "mine" not in cluster.kubectl("get", "configmaps", "-o", "name")
    cluster.apply(MANIFEST)
    assert len(URLS) == 1

@pytest.mark.cluster(nodes=1)
class TestOptions:
    def test_nearest_wins_and_others_hold(self, cluster):
        assert cluster.nodes.names == ["node-0"]
        assert cluster.url not in URLS

    @pytest.mark.cluster(nodes=2, kubernetes="1.34")
    def test_own(self, cluster):
        assert len(cluster.nodes) == 2
        assert "1.34" in cluster.kubectl("version")

def test_async(async_cluster):
    import asyncio
    assert "node-2" in asyncio.run(async_cluster.kubectl("get", "nodes"))
"""

FAILING = """
def test_it(cluster):
    cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "hungry"}, "spec": {"containers": [
        {"name": "c", "image": "i", "resources": {"requests": {"cpu": "5000"}}}]}})
    cluster.wait("pod/hungry", "PodScheduled=False")
    cluster.settle()
    cluster.wait("pod/hungry", timeout=0.5)
"""

UNITTEST = """
import unittest
from fakeapi import Cluster

class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.enterClassContext(Cluster(nodes=1))

    def setUp(self):
        self.cluster.reset()

    def test_a(self):
        self.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}})

    def test_b(self):
        self.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}})

unittest.main()
"""


def test_tests_are_isolated_and_share_servers(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(ISOLATED)
    pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider").assert_outcomes(passed=6)


def test_under_xdist(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_a(cluster): cluster.wait('nodes')\ndef test_b(cluster): cluster.wait('nodes')\n")
    pytester.runpytest_subprocess("-q", "-n", "2", "-p", "no:cacheprovider").assert_outcomes(passed=2)


def test_a_failure_is_reported_with_the_clusters_state(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FAILING)
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*WaitTimeout: not so after 0.5 s: pod/hungry in namespace default: *Insufficient cpu*",
            "*- cluster fakekube -*",
            "pod default/hungry: Pending (Unschedulable: 0/3 nodes are available: 3 Insufficient cpu.*",
            "Warning FailedScheduling pod/hungry: *",
        ]
    )


def test_a_marker_with_a_positional_argument_is_a_mistake(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import pytest\n@pytest.mark.cluster(5)\ndef test_it(cluster): pass\n")
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*@pytest.mark.cluster takes keyword arguments only, such as nodes=5*"])


BROKEN = """
import pytest

def test_stops_it(cluster):
    cluster.stop()

def test_finds_another(cluster):
    cluster.wait("nodes")

@pytest.mark.cluster(nods=5)
def test_mistyped(cluster):
    pass

@pytest.fixture
def app(cluster):
    cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "hungry"}, "spec": {"containers": [
        {"name": "c", "image": "i", "resources": {"requests": {"cpu": "5000"}}}]}})
    cluster.wait("pod/hungry", timeout=0.5)

def test_never_begins(app):
    pass
"""


def test_a_broken_cluster_harms_no_other_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(BROKEN)
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(
        ["*@pytest.mark.cluster: got an unexpected keyword argument 'nods'*", "pod default/hungry: Pending *"]
    )


OPTIONS = """
import pathlib
import pytest
from kubernetes import client

@pytest.mark.cluster(nodes=1, authorization="RBAC", disable_admission=["DefaultTolerationSeconds"], kubernetes="1.34",
                     data=pathlib.Path("state"), tls_san=["cluster.test"])
def test_all(cluster):
    cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
                   "spec": {"containers": [{"name": "c", "image": "i"}]}})
    (pod,) = cluster.wait("pod/a", "exists")
    assert "tolerations" not in pod["spec"]
    assert cluster.kubectl("auth", "can-i", "get", "pods", "--as", "joe", check=False) == "no\\n"
    assert "v1.34." in cluster.kubectl("version")
    cluster.kubectl("get", "nodes", "--tls-server-name", "cluster.test")
    cluster.stop()
    cluster.start()
    cluster.wait("pod/a", "exists")
"""


def test_every_option_can_be_marked_and_state_on_disk_outlives_a_restart(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(OPTIONS)
    pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_unittest_uses_it_too(pytester: pytest.Pytester) -> None:
    path = pytester.makepyfile(UNITTEST)
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr
    assert "Ran 2 tests" in done.stderr


@pytest.mark.parametrize("loaded", ["fakeapi.pytest_plugin", "fakeapi.cli"])
def test_loading_is_light(loaded: str) -> None:
    check = f"import sys, {loaded}; print([m for m in ('fakenodes', 'kubernetes', 'fakeapi.app') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


TIMED = "import time; begun = time.process_time()\n{}\nprint(time.process_time() - begun)\n{}"
IMPORTED = TIMED.format("import kubernetes.client", "")
STARTED = TIMED.format(
    "from fakeapi import Cluster\ncluster = Cluster(nodes=3).start()",
    "cluster.stop()\nimport sys\nassert 'kubernetes' not in sys.modules",
)


def processor_seconds(code: str) -> float:
    done = run(sys.executable, "-c", code)
    assert done.status == 0, done.stderr
    return float(done.stdout)


def test_a_cold_process_is_ready_soon() -> None:
    # Nine tenths of it are imports, so it is held against another import: 0.25 s and 0.7 s on a quiet machine, three
    # times as much on a busy one. benchmarks/startup.py measures what a person waits.
    started, imported = (min(processor_seconds(code) for _ in range(3)) for code in (STARTED, IMPORTED))
    assert started < 6 * imported


CRASHING = """
import os, signal
def test_it(cluster):
    with open("told", "w") as told:
        told.write(f"{os.getpid()} {cluster.url} {cluster.kubeconfig}")
    os.kill(os.getpid(), signal.SIG%s)
    cluster.wait("pod/none", timeout=20)
"""


@pytest.mark.parametrize("name", ["INT", "KILL"])
def test_nothing_runs_on_after_an_interrupt_or_a_crash(pytester: pytest.Pytester, name: str) -> None:
    pytester.makepyfile(CRASHING % name)
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    assert result.ret == (pytest.ExitCode.INTERRUPTED if name == "INT" else -signal.SIGKILL)
    pid, url, kubeconfig = (pytester.path / "told").read_text().split()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
    assert pid not in run("ps", "-A", "-o", "ppid=,pgid=").stdout.split()
    if name == "INT":
        assert not Path(kubeconfig).exists()
