"""Components that attach from outside: a server, controllers, a scheduler and nodes, each a process of its own."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

from tests.e2e.manifests import deployment
from tests.e2e.processes import Kubectl, cluster, eventually, fakekube


def test_a_deployment_of_100_replicas_on_50_nodes(kubectl_path: str, kubectl_cache: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        kubeconfig = stack.enter_context(cluster(tmp_path, "--authorization-mode", "Node,RBAC", command="serve"))
        apart = "--use-service-account-credentials"
        for part in (["controllers", apart], ["scheduler"], ["nodes", "--count", "50"]):
            stack.enter_context(fakekube(*part, "--kubeconfig", str(kubeconfig), log=tmp_path / f"{part[0]}.log"))
        kubectl = Kubectl(kubectl_path, kubeconfig, "default", kubectl_cache)
        eventually(lambda: kubectl("get", "nodes", "--no-headers").stdout.count(" Ready ") == 50, "50 ready nodes")
        taints = ("get", "nodes", "-o", "jsonpath={.items[*].spec.taints}")
        eventually(lambda: not kubectl(*taints).stdout, "nodes without the taint of one that is not ready")
        kubectl("apply", "-f", "-", stdin=deployment(replicas=100))
        kubectl("wait", "deployment/web", "--for=condition=Available", "--timeout=90s")
        kubectl("rollout", "status", "deployment/web", "--timeout=90s")
        assert kubectl.jsonpath("deployment/web", "{.status.availableReplicas}") == "100"
        used = kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].spec.nodeName}").stdout.split()
        assert len(set(used)) == 50
        asked = json.loads(kubectl("get", "--raw", "/fakekube/requests").stdout)["requests"]
        accounts = [r for r in asked if r["user"].startswith("system:serviceaccount:kube-system:")]
        assert {r["user"].rpartition(":")[2] for r in accounts} >= {"deployment-controller", "replicaset-controller"}
        assert not [r for r in accounts if r["status"] == 403]
