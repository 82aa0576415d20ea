"""Helm 3 and 4 on a chart with a hook and a test: install, upgrade, roll back, take away."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import program
from tests.e2e.processes import Kubectl, run

CHART = {
    "Chart.yaml": "{apiVersion: v2, name: web, version: 0.1.0}",
    "values.yaml": "replicas: 1\nimage: nginx:1\n",
    "templates/web.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}", labels: {app.kubernetes.io/managed-by: "{{ .Release.Service }}"}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata: {labels: {app: "{{ .Release.Name }}"}}
    spec:
      containers: [{name: web, image: "{{ .Values.image }}"}]
---
apiVersion: v1
kind: Service
metadata: {name: "{{ .Release.Name }}"}
spec: {selector: {app: "{{ .Release.Name }}"}, ports: [{port: 80}]}
{{- if .Capabilities.APIVersions.Has "policy/v1/PodDisruptionBudget" }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: "{{ .Release.Name }}"}
spec: {minAvailable: 1, selector: {matchLabels: {app: "{{ .Release.Name }}"}}}
{{- end }}
""",
    "templates/migrate.yaml": """
apiVersion: batch/v1
kind: Job
metadata: {name: "{{ .Release.Name }}-migrate", annotations: {"helm.sh/hook": "pre-install,pre-upgrade"}}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: migrate, image: migrate, command: [migrate]}]}
""",
    "templates/tests/ping.yaml": """
apiVersion: v1
kind: Pod
metadata: {name: "{{ .Release.Name }}-ping", annotations: {"helm.sh/hook": test}}
spec: {restartPolicy: Never, containers: [{name: ping, image: busybox, command: ["true"]}]}
""",
}
Helm = Callable[..., str]


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart's folder."""
    made = tmp_path_factory.mktemp("chart")
    for name, text in CHART.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    return made


@pytest.fixture(params=["helm", "helm-3"])
def helm(request: pytest.FixtureRequest, kubectl: Kubectl, chart: Path) -> Helm:
    """Runs Helm in the test's namespace; what it printed."""
    path = program(request.param)

    def command(*arguments: str) -> str:
        done = run(path, *arguments, "--kubeconfig", str(kubectl.kubeconfig), "--namespace", kubectl.namespace)
        assert done.status == 0, done.stderr
        return done.stdout

    return command


def test_the_life_of_a_release(helm: Helm, kubectl: Kubectl, chart: Path) -> None:
    assert "STATUS: deployed" in helm("install", "web", str(chart), "--wait", "--timeout", "60s")
    assert kubectl.jsonpath("deployment/web", "{.status.availableReplicas}") == "1"
    assert kubectl.jsonpath("job/web-migrate", "{.status.succeeded}") == "1"
    assert kubectl("get", "service,pdb", "-o", "name").stdout.split() == [
        "service/web",
        "poddisruptionbudget.policy/web",
    ]
    assert "Succeeded" in helm("test", "web")
    helm("upgrade", "web", str(chart), "--set", "replicas=3,image=nginx:2", "--wait", "--timeout", "60s")
    assert kubectl.jsonpath("deployment/web", "{.spec.template.spec.containers[0].image}") == "nginx:2"
    assert kubectl.jsonpath("deployment/web", "{.status.availableReplicas}") == "3"
    helm("rollback", "web", "1", "--wait", "--timeout", "60s")
    assert kubectl.jsonpath("deployment/web", "{.spec.template.spec.containers[0].image}") == "nginx:1"
    revisions = json.loads(helm("history", "web", "-o", "json"))
    assert [r["status"] for r in revisions] == ["superseded", "superseded", "deployed"]
    assert [r["name"] for r in json.loads(helm("list", "-o", "json"))] == ["web"]
    helm("uninstall", "web", "--wait", "--timeout", "60s")
    assert kubectl("get", "deployments,services,pdb,secrets", "-o", "name").stdout == ""
