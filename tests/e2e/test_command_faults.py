"""Every kind of fault that `fakekube nodes --fault` knows, as kubectl meets it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.processes import Kubectl, Result, cluster, eventually, fakekube, run

FAULTS = (
    "node-1:memory-pressure@1",
    "node-2:slow=1@1",
    "node-3:partition@1",
    "node-4:pause@1",
    "node-5:crash@1+1",
    "node-6:disk-pressure@1+1",
    "node-7:stop@1",
)


@pytest.fixture(scope="module")
def struck(kubectl_path: str, kubectl_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """A cluster whose nodes are of another process; each but the first fails in its own way, after a second."""
    place = tmp_path_factory.mktemp("struck")
    flags = [flag for fault in FAULTS for flag in ("--fault", fault)]
    with ExitStack() as stack:
        kubeconfig = stack.enter_context(cluster(place, "--nodes", "0"))
        count = ["--count", str(len(FAULTS) + 1)]
        stack.enter_context(fakekube("nodes", "--kubeconfig", str(kubeconfig), *count, *flags, log=place / "nodes.log"))
        kubectl = Kubectl(kubectl_path, kubeconfig, "default", kubectl_cache)
        known = len(FAULTS) + 1
        eventually(lambda: len(kubectl("get", "nodes", "-o", "name").lines()) == known, "all nodes")
        yield kubectl


def healthz(kubectl: Kubectl, node: str, seconds: str = "30s") -> Result:
    """What the node's kubelet says of itself."""
    path = f"/api/v1/nodes/{node}/proxy/healthz"
    return run(*kubectl.command("get", "--raw", path, f"--request-timeout={seconds}"))


def condition(kubectl: Kubectl, node: str, kind: str) -> str:
    """The status of a condition."""
    found = json.loads(kubectl("get", "node", node, "-o", "json").stdout)
    return next(c["status"] for c in found["status"]["conditions"] if c["type"] == kind)


def test_memory_pressure_taints_the_node(struck: Kubectl) -> None:
    eventually(lambda: condition(struck, "node-1", "MemoryPressure") == "True", "pressure on node-1")
    template = "{.spec.taints[*].key}"
    eventually(
        lambda: (
            "node.kubernetes.io/memory-pressure" in struck("get", "node", "node-1", "-o", f"jsonpath={template}").stdout
        ),
        "a taint of node-1",
    )
    assert condition(struck, "node-0", "MemoryPressure") == "False"


def test_pressure_that_ends(struck: Kubectl) -> None:
    reasons = "{.items[*].reason}"
    selector = "involvedObject.name=node-6"
    eventually(
        lambda: (
            {"NodeHasDiskPressure", "NodeHasNoDiskPressure"}
            <= set(struck("get", "events", "--field-selector", selector, "-o", f"jsonpath={reasons}").stdout.split())
        ),
        "pressure on node-6 that comes and goes",
    )


def test_a_slow_kubelet_answers_late(struck: Kubectl) -> None:
    def late() -> bool:
        begin = time.monotonic()
        assert healthz(struck, "node-2").stdout == "ok"
        return time.monotonic() - begin >= 1

    eventually(late, "node-2 is slow")


@pytest.mark.parametrize("node", ["node-3", "node-7"])
def test_a_kubelet_that_is_gone_hangs_up(struck: Kubectl, node: str) -> None:
    eventually(lambda: "EOF" in healthz(struck, node).stderr, f"{node} hangs up")
    assert healthz(struck, "node-0").stdout == "ok"


def test_a_kubelet_that_stands_still_never_answers(struck: Kubectl) -> None:
    eventually(lambda: "Client.Timeout exceeded" in healthz(struck, "node-4", "2s").stderr, "node-4 stands still")


def test_a_node_that_crashed_tells_that_it_has_booted(struck: Kubectl) -> None:
    eventually(
        lambda: "node-5 has been rebooted" in struck("get", "events", "--field-selector", "reason=Rebooted").stdout,
        "node-5 is back",
    )
    eventually(lambda: healthz(struck, "node-5").stdout == "ok", "node-5 answers")
