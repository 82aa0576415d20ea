"""kubectl's commands on nodes: cordon, drain, taint. Each puts the node back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.manifests import deployment
from tests.e2e.processes import Kubectl, eventually

NODE = "node-1"


@pytest.fixture(autouse=True)
def _restored(kubectl: Kubectl) -> Iterator[None]:
    left = ("get", "pods", "-A", f"--field-selector=spec.nodeName={NODE}", "-o", "name")
    eventually(lambda: not kubectl(*left).stdout, "the pods of other tests are gone")
    yield
    kubectl("uncordon", NODE)
    kubectl("patch", "node", NODE, "--type=merge", "-p", '{"spec":{"taints":null}}')


def nodes_of(kubectl: Kubectl) -> set[str]:
    """Where the pods of `web` run."""
    return set(kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].spec.nodeName}").stdout.split())


def test_a_cordoned_node_gets_no_pods(kubectl: Kubectl) -> None:
    assert kubectl("cordon", NODE).stdout.strip() == f"node/{NODE} cordoned"
    assert kubectl("get", "node", NODE).lines()[1][1] == "Ready,SchedulingDisabled"
    kubectl("apply", "-f", "-", stdin=deployment(replicas=6))
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    assert nodes_of(kubectl) == {"node-0", "node-2"}
    assert kubectl("uncordon", NODE).stdout.strip() == f"node/{NODE} uncordoned"


def test_drain_moves_the_pods_away(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=deployment(replicas=6))
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    assert NODE in nodes_of(kubectl)
    done = kubectl("drain", NODE, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=90s")
    assert f"node/{NODE} drained" in done.stdout
    assert f"evicting pod {kubectl.namespace}/web-" in done.stdout + done.stderr
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    assert nodes_of(kubectl) == {"node-0", "node-2"}


def test_drain_respects_a_disruption_budget(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=deployment(replicas=3))
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    kubectl("create", "poddisruptionbudget", "web", "--selector=app=web", "--min-available=3")
    refused = kubectl("drain", NODE, "--ignore-daemonsets", "--timeout=3s", status=1)
    assert "Cannot evict pod as it would violate the pod's disruption budget." in refused.stderr


def test_a_taint_keeps_pods_away_and_noexecute_evicts_them(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=deployment(replicas=6))
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    assert NODE in nodes_of(kubectl)
    assert kubectl("taint", "node", NODE, "gpu=yes:NoSchedule").stdout.strip() == f"node/{NODE} tainted"
    kubectl("rollout", "restart", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    eventually(lambda: nodes_of(kubectl) == {"node-0", "node-2"}, "pods off the tainted node")
    kubectl("taint", "node", NODE, "gpu-")
    kubectl("set", "image", "deployment/web", "main=nginx:2")
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    assert NODE in nodes_of(kubectl)
    kubectl("taint", "node", NODE, "gpu=yes:NoExecute")
    eventually(lambda: nodes_of(kubectl) == {"node-0", "node-2"}, "pods evicted by the taint")
