"""Two processes of controllers on one lease: the one that leads is killed in the middle of a rollout."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.processes import Kubectl, cluster, eventually, fakekube

REPLICAS = 12
# The one that leads must not lose the lease while it lives, however slow the machine.
QUICK = ("--leader-elect-lease-duration=8s", "--leader-elect-renew-deadline=7s", "--leader-elect-retry-period=300ms")
SLOW = {"fakekube.io/container.c": '{"readyAfter": 0.4}'}
WRITES = ("create", "update", "patch", "delete")


def deployment(image: str) -> str:
    """Pods that take their time to become ready, so that a rollout has a middle."""
    template: dict[str, Any] = {
        "metadata": {"labels": {"app": "web"}, "annotations": SLOW},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {"name": "c", "image": image, "readinessProbe": {"periodSeconds": 1, "exec": {"command": ["true"]}}}
            ],
        },
    }
    spec = {"replicas": REPLICAS, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec})


def kubeconfigs(directory: Path, admin: Path, names: tuple[str, ...]) -> list[Path]:
    """One for each token of that name."""
    found = []
    for name in names:
        content = yaml.safe_load(admin.read_text())
        content["users"][0]["user"] = {"token": name}
        found.append(directory / name)
        found[-1].write_text(yaml.safe_dump(content))
    return found


def test_the_other_takes_over(kubectl_path: str, kubectl_cache: Path, tmp_path: Path) -> None:
    names = ("manager-a", "manager-b")
    tokens = tmp_path / "tokens.csv"
    tokens.write_text("".join(f'{name},{name},{name},"system:masters"\n' for name in names))
    with ExitStack() as stack:
        started = cluster(tmp_path, "--nodes", "2", "--controllers", "", "--token-auth-file", str(tokens))
        admin = stack.enter_context(started)
        kubectl = Kubectl(kubectl_path, admin, "default", kubectl_cache)

        def holder() -> str:
            found = kubectl(
                "-n", "kube-system", "get", "lease", "--ignore-not-found", "-o", "json", "kube-controller-manager"
            ).stdout
            return str(json.loads(found)["spec"]["holderIdentity"]) if found else ""

        def pods() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = json.loads(kubectl("get", "pods", "-o", "json").stdout)["items"]
            return found

        processes = []
        for name, path in zip(names, kubeconfigs(tmp_path, admin, names), strict=True):
            command = fakekube("controllers", "--kubeconfig", str(path), *QUICK, log=tmp_path / f"{name}.log")
            processes.append(stack.enter_context(command))
            eventually(holder, "a leader")
        first = holder()
        eventually(lambda: kubectl("get", "serviceaccounts", "-o", "name").stdout, "a service account")
        kubectl("apply", "-f", "-", stdin=deployment("nginx:1"))
        kubectl("rollout", "status", "deployment/web", "--timeout=90s")
        kubectl("apply", "-f", "-", stdin=deployment("nginx:2"))
        eventually(lambda: any(p["spec"]["containers"][0]["image"] == "nginx:2" for p in pods()), "a new pod")
        processes[0].kill()
        kubectl("rollout", "status", "deployment/web", "--timeout=90s")
        assert holder() not in ("", first)
        eventually(lambda: len(pods()) == REPLICAS, "the old pods gone")
        assert {p["spec"]["containers"][0]["image"] for p in pods()} == {"nginx:2"}
        records = json.loads(kubectl("get", "--raw", "/fakekube/requests").stdout)["requests"]

    writes = [r for r in records if r["user"] in names and r["verb"] in WRITES and r["resource"] != "leases"]
    made = [r for r in writes if r["resource"] == "pods" and r["verb"] == "create" and r["status"] == 201]
    assert len(made) == 2 * REPLICAS, "a pod that was made twice, or in vain"
    by_user = {name: [r["at"] for r in writes if r["user"] == name] for name in names}
    assert {r["user"] for r in made} == set(names), "it was not killed in the middle"
    assert max(by_user["manager-a"]) < min(by_user["manager-b"]), "both acted at once"
