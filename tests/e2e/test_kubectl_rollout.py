"""Deployments through kubectl: the flow that fakekube exists to run."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.manifests import deployment
from tests.e2e.processes import FAKEKUBE, Kubectl, eventually, run

FLOW = """
kubectl create deployment web --image=nginx --replicas=3
kubectl rollout status deployment/web --timeout=30s
kubectl get pods -o wide
kubectl scale deployment/web --replicas=5
kubectl rollout status deployment/web --timeout=30s
kubectl set image deployment/web nginx=nginx:2
kubectl rollout status deployment/web --timeout=30s
kubectl rollout history deployment/web
kubectl rollout undo deployment/web
kubectl expose deployment/web --port=80
kubectl describe deployment web
kubectl get all
kubectl delete deployment/web --wait
kubectl wait --for=delete pod -l app=web --timeout=30s
"""


def test_up_runs_a_command_against_a_new_cluster(kubectl_path: str, tmp_path: Path) -> None:
    arguments = ("up", "--nodes", "3", "--port", "0", "--kubeconfig", str(tmp_path / "k"))
    path = {"PATH": f"{Path(kubectl_path).parent}:/usr/bin:/bin", "HOME": str(tmp_path)}
    result = run(FAKEKUBE, *arguments, "--", "sh", "-ec", FLOW, env=path)
    assert result.status == 0, result
    for text in (
        "deployment.apps/web created",
        'deployment "web" successfully rolled out',
        "deployment.apps/web scaled",
        "deployment.apps/web image updated",
        "deployment.apps/web rolled back",
        "service/web exposed",
        'deployment.apps "web" deleted',
    ):
        assert text in result.stdout


def test_rollout_history_and_undo_go_back_to_a_revision(kubectl: Kubectl) -> None:
    for image in ("nginx:1", "nginx:2", "nginx:3"):
        kubectl("apply", "-f", "-", stdin=deployment(image=image))
        kubectl("annotate", "deployment/web", f"kubernetes.io/change-cause=to {image}", "--overwrite")
        kubectl("rollout", "status", "deployment/web", "--timeout=90s")
        eventually(
            lambda i=image: ["to", i] in [row[1:] for row in kubectl("rollout", "history", "deployment/web").lines()],
            "the ReplicaSet tells the cause",
        )
    assert kubectl("rollout", "history", "deployment/web").lines()[2:5] == [
        ["1", "to", "nginx:1"],
        ["2", "to", "nginx:2"],
        ["3", "to", "nginx:3"],
    ]
    assert "Image:	nginx:1" in kubectl("rollout", "history", "deployment/web", "--revision=1").stdout
    kubectl("rollout", "undo", "deployment/web", "--to-revision=1")
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    assert kubectl.jsonpath("deployment/web", "{.spec.template.spec.containers[0].image}") == "nginx:1"
    assert [row[0] for row in kubectl("rollout", "history", "deployment/web").lines()[2:5]] == ["2", "3", "4"]
    images = "jsonpath={.items[?(@.status.phase=='Running')].spec.containers[0].image}"
    eventually(
        lambda: set(kubectl("get", "pods", "-l", "app=web", "-o", images).stdout.split()) == {"nginx:1"},
        "only pods of the first image",
    )


def test_rollout_pause_holds_changes_until_resume(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=deployment())
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    kubectl("rollout", "pause", "deployment/web")
    kubectl("set", "image", "deployment/web", "main=nginx:2")
    assert "can't restart paused deployment" in kubectl("rollout", "restart", "deployment/web", status=1).stderr
    kubectl("wait", "deployment/web", "--for=jsonpath={.status.observedGeneration}=3", "--timeout=90s")
    assert len(kubectl("get", "replicasets", "-l", "app=web", "-o", "name").stdout.split()) == 1
    kubectl("rollout", "resume", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    assert len(kubectl("get", "replicasets", "-l", "app=web", "-o", "name").stdout.split()) == 2


def test_a_rollout_that_cannot_progress_is_told_so(kubectl: Kubectl) -> None:
    extra = "      nodeSelector: {disk: nowhere}\n  progressDeadlineSeconds: 1\n"
    kubectl("apply", "-f", "-", stdin=deployment(replicas=1, extra=extra))
    failed = kubectl("rollout", "status", "deployment/web", "--timeout=90s", status=1)
    assert 'error: deployment "web" exceeded its progress deadline' in failed.stderr
    message = kubectl(
        "get",
        "pods",
        "-l",
        "app=web",
        "-o",
        "jsonpath={.items[0].status.conditions[?(@.type=='PodScheduled')].message}",
    ).stdout
    assert message.startswith("0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.")


def test_scale_refuses_another_count_than_expected(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=deployment())
    refused = kubectl("scale", "deployment/web", "--current-replicas=7", "--replicas=1", status=1)
    assert "Expected replicas to be 7, was 2" in refused.stderr
    kubectl("scale", "deployment/web", "--current-replicas=2", "--replicas=1")
    # `rollout status` is content with more Pods than are wanted, so wait for the number itself.
    kubectl("wait", "deployment/web", "--for=jsonpath={.status.replicas}=1", "--timeout=90s")


def test_expose_gives_a_service_with_endpoints(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=deployment())
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    kubectl("expose", "deployment/web", "--port=80", "--target-port=8080", "--type=NodePort")
    kubectl(
        "wait",
        "endpointslices",
        "-l",
        "kubernetes.io/service-name=web",
        "--for=jsonpath={.endpoints[1].conditions.ready}=true",
        "--timeout=90s",
    )
    pods = set(kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].status.podIP}").stdout.split())
    slices = kubectl(
        "get",
        "endpointslices",
        "-l",
        "kubernetes.io/service-name=web",
        "-o",
        "jsonpath={.items[*].endpoints[*].addresses[0]}",
    )
    assert set(slices.stdout.split()) == pods
    assert 30000 <= int(kubectl.jsonpath("service/web", "{.spec.ports[0].nodePort}")) <= 32767
