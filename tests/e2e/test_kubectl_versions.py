"""kubectl from 1.20 to 1.37: create, apply, get, describe, delete and rollout work with each.

scripts/clients.py brings them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.clients import LAYERS
from tests.conftest import program
from tests.e2e.manifests import deployment
from tests.e2e.processes import Kubectl, eventually, run

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module", params=LAYERS)
def versioned(request: pytest.FixtureRequest) -> str:
    """The path of a kubectl of that minor version."""
    minor: str = request.param
    path = program(f"kubectl-{minor}")
    version = run(path, "version", "--client").stdout
    assert re.search(r"v(1\.\d+)", version)[1] == minor, version
    return path


@pytest.fixture
def kubectl(versioned: str, kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """That kubectl in a namespace of the test's own."""
    namespace = f"versions-{next(_NUMBERS)}"
    tool = Kubectl(versioned, kubeconfig, namespace, tmp_path_factory.mktemp("versions"))
    tool("create", "namespace", namespace)
    yield tool
    tool("delete", "namespace", namespace, "--wait=false")


def test_the_life_of_a_deployment(kubectl: Kubectl) -> None:
    assert (
        kubectl("create", "deployment", "web", "--image=nginx:1", "--replicas=2").stdout
        == "deployment.apps/web created\n"
    )
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/web", "--timeout=90s").stdout
    (row,) = kubectl("get", "deployment", "web", "--no-headers").lines()
    assert row[:4] == ["web", "2/2", "2", "2"]
    wide = kubectl("get", "pods", "-o", "wide").lines()
    assert (wide[0][:3], len(wide), {line[2] for line in wide[1:]}) == (["NAME", "READY", "STATUS"], 3, {"Running"})
    kubectl("set", "image", "deployment/web", "nginx=nginx:2")
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    assert [line[0] for line in kubectl("rollout", "history", "deployment/web").lines()[2:4]] == ["1", "2"]
    kubectl("rollout", "undo", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    assert kubectl.jsonpath("deployment/web", "{.spec.template.spec.containers[0].image}") == "nginx:1"
    kubectl("rollout", "restart", "deployment/web")
    kubectl("scale", "deployment/web", "--replicas=1")
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    kubectl("expose", "deployment/web", "--port=80")
    assert kubectl("delete", "deployment/web", "service/web").lines()[0][2] == "deleted"
    eventually(lambda: not kubectl("get", "pods", "-o", "name").stdout, "the pods are gone")


def test_apply(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "-", stdin=deployment(replicas=1)).stdout == "deployment.apps/web created\n"
    assert kubectl("apply", "-f", "-", stdin=deployment(replicas=1)).stdout == "deployment.apps/web unchanged\n"
    changed = deployment(replicas=3)
    assert kubectl("apply", "-f", "-", "--dry-run=server", stdin=changed).stdout.endswith(
        "configured (server dry run)\n"
    )
    assert kubectl("diff", "-f", "-", stdin=changed, status=1).stdout.count("+  replicas: 3") == 1
    assert kubectl("apply", "-f", "-", stdin=changed).stdout == "deployment.apps/web configured\n"
    assert kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=changed).stdout.endswith(
        "serverside-applied\n"
    )
    assert kubectl("delete", "-f", "-", stdin=changed).stdout.startswith('deployment.apps "web" deleted')


CREATED = (
    ("configmap", "c", "--from-literal=a=b"),
    ("secret", "generic", "s", "--from-literal=a=b"),
    ("serviceaccount", "a"),
    ("service", "clusterip", "web", "--tcp=80"),
    ("role", "r", "--verb=get", "--resource=pods"),
    ("rolebinding", "r", "--role=r", "--user=bob"),
    ("quota", "q", "--hard=pods=10"),
    ("job", "j", "--image=busybox"),
    ("cronjob", "k", "--image=busybox", "--schedule=@daily"),
    ("ingress", "i", "--rule=a.example.com/*=web:80"),
)
# What 1.20 creates in a version that is gone, batch/v1beta1.
_REFUSED = {"cronjob": "failed to create cronjob: the server could not find the requested resource"}


@pytest.mark.parametrize("words", CREATED, ids=lambda words: words[0])
def test_create_get_describe_delete(kubectl: Kubectl, words: tuple[str, ...]) -> None:
    kind, name = words[0], next(word for word in words[1:] if word not in ("generic", "clusterip"))
    if kind in _REFUSED and kubectl.path.endswith("-1.20"):
        assert _REFUSED[kind] in kubectl("create", *words, status=1).stderr
        return
    assert "created" in kubectl("create", *words).stdout
    assert kubectl("get", kind, name, "-o", "name").stdout.endswith(f"/{name}\n")
    assert kubectl("describe", kind, name).lines()[0] == ["Name:", name]
    assert kubectl("delete", kind, name).lines()[0][2] == "deleted"


def test_reading(kubectl: Kubectl) -> None:
    assert len(kubectl("get", "nodes").lines()) == 4
    assert "Kubelet Version" in kubectl("describe", "node", "node-0").stdout
    assert "FIELDS:" in kubectl("explain", "pods.spec.containers").stdout
    assert {"apps/v1", "v1"} <= {line[0] for line in kubectl("api-versions").lines()}
    names = {line[0] for line in kubectl("api-resources", "--no-headers").lines()}
    assert {"pods", "deployments", "customresourcedefinitions"} <= names
    kubectl("run", "one", "--image=busybox")
    kubectl("wait", "pod/one", "--for=condition=Ready", "--timeout=90s")
    assert kubectl("describe", "pod", "one").lines()[0] == ["Name:", "one"]
    assert kubectl("auth", "can-i", "create", "pods").stdout == "yes\n"
