"""kubectl's commands that look: get in its forms, get -w, describe, explain, api-resources, events, top, auth can-i."""

from __future__ import annotations

import json

import pytest

from tests.e2e.manifests import CONFIG, deployment
from tests.e2e.processes import Kubectl, eventually


def test_get_prints_the_servers_table(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=deployment())
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    assert kubectl("get", "deployment", "-o", "wide").lines()[0] == [
        *("NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR")
    ]
    assert kubectl("get", "deployment").lines()[1][:4] == ["web", "2/2", "2", "2"]
    pods = kubectl("get", "pods", "-o", "wide").lines()
    assert [row[1:4] for row in pods[1:]] == [["1/1", "Running", "0"]] * 2
    assert {row[6] for row in pods[1:]} <= {"node-0", "node-1", "node-2"}
    assert kubectl("get", "pods", "-o", "name", "--field-selector=status.phase!=Running").stdout == ""
    assert (
        kubectl("get", "pods", "-A", "-l", "app=web", "--sort-by=.metadata.name", "--no-headers").stdout.count(
            kubectl.namespace
        )
        == 2
    )


def test_get_watch_tells_each_change(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=CONFIG)
    with kubectl.start("get", "configmap", "settings", "-w", "-o", 'jsonpath={.data.color}{"\\n"}') as watch:
        assert watch.stdout is not None
        seen = [watch.stdout.readline().strip()]
        for color in ("red", "green"):
            kubectl("patch", "configmap", "settings", "--type=merge", "-p", json.dumps({"data": {"color": color}}))
            seen.append(watch.stdout.readline().strip())
        watch.terminate()
    assert seen == ["blue", "red", "green"]


def test_get_watch_prints_table_rows(kubectl: Kubectl) -> None:
    kubectl("run", "first", "--image=nginx")
    kubectl("wait", "pod/first", "--for=condition=Ready", "--timeout=90s")
    with kubectl.start("get", "pods", "-w", "--output-watch-events") as watch:
        assert watch.stdout is not None
        rows = [watch.stdout.readline().split(), watch.stdout.readline().split()]
        kubectl("run", "second", "--image=nginx")
        while "second" not in rows[-1] or "Running" not in rows[-1]:
            rows.append(watch.stdout.readline().split())
        watch.terminate()
    assert rows[0] == ["EVENT", "NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert rows[1][:4] == ["ADDED", "first", "1/1", "Running"]
    assert rows[2][:4] == ["ADDED", "second", "0/1", "Pending"]
    assert rows[-1][:4] == ["MODIFIED", "second", "1/1", "Running"]


EXPLAINED = [
    (
        "deployment.spec",
        ("GROUP:      apps", "KIND:       Deployment", "FIELD: spec <DeploymentSpec>", "replicas\t<integer>"),
    ),
    ("pods.spec.containers.ports", ("FIELD: ports <[]ContainerPort>", "containerPort\t<integer> -required-")),
    ("node", ("KIND:       Node", "VERSION:    v1", "spec\t<NodeSpec>")),
]


@pytest.mark.parametrize(("path", "texts"), EXPLAINED, ids=[row[0] for row in EXPLAINED])
def test_explain(kubectl: Kubectl, path: str, texts: tuple[str, ...]) -> None:
    shown = kubectl("explain", path).stdout
    assert [text for text in texts if text not in shown] == []


def test_explain_recursive_goes_to_the_leaves(kubectl: Kubectl) -> None:
    shown = kubectl("explain", "deployment", "--recursive").stdout
    lines = {line.strip() for line in shown.splitlines()}
    assert {"nodeSelectorTerms\t<[]NodeSelectorTerm> -required-", "progressDeadlineSeconds\t<integer>"} <= lines
    assert "enum: Recreate, RollingUpdate" in lines


def test_api_resources_and_versions(kubectl: Kubectl) -> None:
    rows = kubectl("api-resources", "-o", "wide").lines()
    assert any(
        row[:6]
        == [
            "deployments",
            "deploy",
            "apps/v1",
            "true",
            "Deployment",
            "create,delete,deletecollection,get,list,patch,update,watch",
        ]
        for row in rows
    )
    assert any(row[:5] == ["pods", "po", "v1", "true", "Pod"] and row[-1] == "all" for row in rows)
    assert len(rows) > 50
    assert {"apps/v1", "v1", "batch/v1"} <= set(kubectl("api-versions").stdout.split())


def test_describe_a_pod_with_its_events(kubectl: Kubectl) -> None:
    kubectl("run", "one", "--image=nginx", "--restart=Never")
    kubectl("wait", "--for=condition=Ready", "pod/one", "--timeout=90s")
    eventually(lambda: "Started" in kubectl("events", "--for", "pod/one").stdout, "the last of its events")
    shown = kubectl("describe", "pod", "one").stdout
    reasons = [line.split()[1] for line in shown[shown.index("Events:") :].splitlines()[3:]]
    assert reasons == ["Scheduled", "Pulling", "Pulled", "Created", "Started"] or reasons == [
        "Scheduled",
        "Pulled",
        "Created",
        "Started",
    ]
    for text in (
        "Status:           Running",
        "QoS Class:                   BestEffort",
        "State:          Running",
        "ContainersReady             True",
    ):
        assert text in shown


def test_describe_a_node(kubectl: Kubectl) -> None:
    shown = kubectl("describe", "node", "node-0").stdout
    for text in (
        "MemoryPressure   False",
        "KubeletReady",
        "Taints:             <none>",
        "Allocated resources:",
        "kubernetes.io/hostname=node-0",
    ):
        assert text in shown


def test_events_of_an_object(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=deployment(replicas=1))
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    about = ("events", "--for", "deployment/web")
    eventually(lambda: "ScalingReplicaSet" in kubectl(*about).stdout, "the Deployment's event")
    rows = kubectl(*about).lines()
    assert rows[0] == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert rows[1][1:4] == ["Normal", "ScalingReplicaSet", "Deployment/web"]
    messages = ("get", "events", "--field-selector=reason=Scheduled", "-o", "jsonpath={.items[*].message}")
    assigned = f"Successfully assigned {kubectl.namespace}/web-"
    eventually(lambda: assigned in kubectl(*messages).stdout, "the scheduler's event")


def test_auth_can_i(kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "create", "deployments").stdout == "yes\n"
    assert ["*.*", "[]", "[]", "[*]"] in kubectl("auth", "can-i", "--list").lines()
    assert ["Username", "kubernetes-admin"] in kubectl("auth", "whoami").lines()


def test_version_and_cluster_info(kubectl: Kubectl) -> None:
    assert "Server Version: v1.36" in kubectl("version").stdout
    assert "is running at" in kubectl("cluster-info").stdout
    assert kubectl("get", "--raw", "/readyz").stdout == "ok"
