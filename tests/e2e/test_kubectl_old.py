"""Debian 12's kubectl, 1.20: create, apply, get, describe, delete and rollout work with it.

.ci/run unpacks it beside the newer one and says where in KUBECTL_1_20.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.manifests import deployment
from tests.e2e.processes import Kubectl, eventually, run

_NUMBERS = itertools.count(1)
_ADVICE = "on Debian 12: apt-get download kubernetes-client; dpkg -x kubernetes-client_*.deb DIR"


@pytest.fixture(scope="module")
def old_kubectl() -> str:
    """The path of a kubectl of version 1.20, which must be one where the environment names it."""
    path = os.environ.get("KUBECTL_1_20", "")
    if not path:
        pytest.skip(f"no kubectl 1.20 in $KUBECTL_1_20; {_ADVICE}")
    assert 'Minor:"20"' in run(path, "version", "--client").stdout
    return path


@pytest.fixture
def old(old_kubectl: str, kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """That kubectl in a namespace of the test's own."""
    namespace = f"old-{next(_NUMBERS)}"
    tool = Kubectl(old_kubectl, kubeconfig, namespace, tmp_path_factory.mktemp("old"))
    tool("create", "namespace", namespace)
    yield tool
    tool("delete", "namespace", namespace, "--wait=false")


def test_the_life_of_a_deployment(old: Kubectl) -> None:
    assert (
        old("create", "deployment", "web", "--image=nginx:1", "--replicas=2").stdout == "deployment.apps/web created\n"
    )
    assert "successfully rolled out" in old("rollout", "status", "deployment/web", "--timeout=30s").stdout
    (row,) = old("get", "deployment", "web", "--no-headers").lines()
    assert row[:4] == ["web", "2/2", "2", "2"]
    wide = old("get", "pods", "-o", "wide").lines()
    assert (wide[0][:3], len(wide), {line[2] for line in wide[1:]}) == (["NAME", "READY", "STATUS"], 3, {"Running"})
    old("set", "image", "deployment/web", "nginx=nginx:2")
    old("rollout", "status", "deployment/web", "--timeout=30s")
    assert [line[0] for line in old("rollout", "history", "deployment/web").lines()[2:4]] == ["1", "2"]
    old("rollout", "undo", "deployment/web")
    old("rollout", "status", "deployment/web", "--timeout=30s")
    assert old.jsonpath("deployment/web", "{.spec.template.spec.containers[0].image}") == "nginx:1"
    old("rollout", "restart", "deployment/web")
    old("scale", "deployment/web", "--replicas=1")
    old("rollout", "status", "deployment/web", "--timeout=30s")
    old("expose", "deployment/web", "--port=80")
    assert old("delete", "deployment/web", "service/web").lines()[0][2] == "deleted"
    eventually(lambda: not old("get", "pods", "-o", "name").stdout, "the pods are gone")


def test_apply(old: Kubectl) -> None:
    assert old("apply", "-f", "-", stdin=deployment(replicas=1)).stdout == "deployment.apps/web created\n"
    assert old("apply", "-f", "-", stdin=deployment(replicas=1)).stdout == "deployment.apps/web unchanged\n"
    changed = deployment(replicas=3)
    assert old("apply", "-f", "-", "--dry-run=server", stdin=changed).stdout.endswith("configured (server dry run)\n")
    assert old("diff", "-f", "-", stdin=changed, status=1).stdout.count("+  replicas: 3") == 1
    assert old("apply", "-f", "-", stdin=changed).stdout == "deployment.apps/web configured\n"
    assert old("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=changed).stdout.endswith(
        "serverside-applied\n"
    )
    assert old("delete", "-f", "-", stdin=changed).stdout == 'deployment.apps "web" deleted\n'


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
# What it creates in a version that is gone, batch/v1beta1.
_REFUSED = {"cronjob": "failed to create cronjob: the server could not find the requested resource"}


@pytest.mark.parametrize("words", CREATED, ids=lambda words: words[0])
def test_create_get_describe_delete(old: Kubectl, words: tuple[str, ...]) -> None:
    kind, name = words[0], next(word for word in words[1:] if word not in ("generic", "clusterip"))
    if kind in _REFUSED:
        assert _REFUSED[kind] in old("create", *words, status=1).stderr
        return
    assert "created" in old("create", *words).stdout
    assert old("get", kind, name, "-o", "name").stdout.endswith(f"/{name}\n")
    assert old("describe", kind, name).lines()[0] == ["Name:", name]
    assert old("delete", kind, name).lines()[0][-1] == "deleted"


def test_reading(old: Kubectl) -> None:
    assert len(old("get", "nodes").lines()) == 4
    assert "Kubelet Version" in old("describe", "node", "node-0").stdout
    assert "FIELDS:" in old("explain", "pods.spec.containers").stdout
    assert {"apps/v1", "v1"} <= {line[0] for line in old("api-versions").lines()}
    names = {line[0] for line in old("api-resources", "--no-headers").lines()}
    assert {"pods", "deployments", "customresourcedefinitions"} <= names
    old("run", "one", "--image=busybox")
    old("wait", "pod/one", "--for=condition=Ready", "--timeout=30s")
    assert "Name:         one" in old("describe", "pod", "one").stdout
    assert old("auth", "can-i", "create", "pods").stdout == "yes\n"
