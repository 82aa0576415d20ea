"""Every kind of fault, met by kubectl, by the official client and by an operator of kopf.

A table a client: effect -> (the fault's fields, what the client makes of it). A kind of fault without a row fails.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes import watch as watching
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError

from fakeapi import Cluster
from fakeapi.faults import EFFECTS, STREAMS, Fault
from tests.conftest import program
from tests.e2e.processes import eventually

ADMIN = "kubernetes-admin"
SLOW = 0.3


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    program("kubectl")
    with Cluster(nodes=0, controllers="", scheduler=False) as made:
        yield made


@pytest.fixture
def cluster(shared: Cluster) -> Cluster:
    shared.reset()
    return shared


def config_map(name: str, value: str = "old") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": value}}


# -- kubectl -----------------------------------------------------------------------------------------------------------

Kubectl = tuple[dict[str, Any], tuple[str, ...], int, str, set[str]]
LIST = {"verb": "list", "resource": "configmaps"}
CREATE = {"verb": "create", "resource": "configmaps"}
# effect -> (fields, arguments, exit status, what it says, the ConfigMaps that there are afterwards beside `there`)
KUBECTL: dict[str, Kubectl] = {
    "error": (
        {**LIST, "code": 503, "message": "not today"}, ("get", "configmaps"), 1,
        "Error from server (ServiceUnavailable): not today", set(),
    ),
    "latency": (
        {**LIST, "seconds": 600}, ("get", "configmaps", "--request-timeout=3s"), 1,
        "Unable to connect to the server: ", set(),
    ),
    "drop": (CREATE, ("create", "configmap", "new"), 1, "EOF", set()),
    "lost": (CREATE, ("create", "configmap", "new"), 1, "EOF", {"new"}),
    "throttle": ({**CREATE, "count": 1}, ("create", "configmap", "new"), 0, "", {"new"}),
    "timeout": (LIST, ("get", "configmaps"), 1, "Error from server: etcdserver: request timed out", set()),
    "stale": ({"verb": "get", "resource": "configmaps"}, ("get", "configmap", "later"), 1, "not found", {"later"}),
}  # fmt: skip
# What `kubectl get --watch` shows while two are made: it ends by itself unless the watch stalls.
WATCHES = {"cut": ["there", "one"], "gone": ["there", "one", "<unknown>"], "stall": ["there", "one"]}


@pytest.mark.parametrize("effect", KUBECTL)
def test_kubectl(cluster: Cluster, effect: str) -> None:
    rule, arguments, status, says, made = KUBECTL[effect]
    cluster.apply(config_map("there"))
    fault = cluster.faults.add(effect, **rule)
    if effect == "stale":
        cluster.apply(config_map("later"))
    begun = time.monotonic()
    done = cluster.kubectl(*arguments, check=False)
    took = time.monotonic() - begun
    assert (done.returncode, says in done.stderr) == (status, True), done.stderr
    assert fault.hits >= 1
    if effect == "throttle":  # client-go waits for Retry-After, then asks again
        assert took >= 1
    cluster.faults.clear()
    found = {line.removeprefix("configmap/") for line in cluster.kubectl("get", "configmaps", "-o", "name").split()}
    assert found == {"there", *made}


@pytest.mark.parametrize("effect", WATCHES)
def test_kubectl_watches(cluster: Cluster, effect: str) -> None:
    cluster.apply(config_map("there"))
    fault = cluster.faults.add(effect, resource="configmaps", user=ADMIN, events=1)
    command = ["kubectl", "--kubeconfig", cluster.kubeconfig, "get", "configmaps", "--watch", "-o", "name"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    eventually(lambda: fault.hits, "the watch")
    cluster.apply(config_map("one"), config_map("two"))
    shown = [process.stdout.readline().strip().partition("/")[2] for _ in WATCHES[effect]]
    assert shown == WATCHES[effect]
    if effect == "stall":
        assert process.poll() is None
        fault.remove()  # and with that, the connection breaks
    assert process.communicate(timeout=90) == ("", "")
    assert process.returncode == 0


# -- the official client -----------------------------------------------------------------------------------------------


def status_of(call: Callable[[], object]) -> tuple[int, str]:
    """The code and what says more of the ApiException that the call raises."""
    with pytest.raises(client.ApiException) as caught:
        call()
    return caught.value.status, f"{caught.value.body}{dict(caught.value.headers)}"


def official_error(api: Any, fault: Fault) -> None:
    code, text = status_of(lambda: api.read_namespaced_config_map("there", "default"))
    assert code == 403
    assert '"reason":"QuotaSpent"' in text


def official_latency(api: Any, fault: Fault) -> None:
    begun = time.monotonic()
    api.read_namespaced_config_map("there", "default")
    assert time.monotonic() - begun >= SLOW


def official_drop(api: Any, fault: Fault) -> None:
    with pytest.raises(HTTPError):
        api.create_namespaced_config_map("default", config_map("new"))
    fault.remove()
    assert "new" not in str(api.list_namespaced_config_map("default").items)


def official_lost(api: Any, fault: Fault) -> None:
    with pytest.raises(HTTPError):
        api.create_namespaced_config_map("default", config_map("new"))
    fault.remove()
    assert status_of(lambda: api.create_namespaced_config_map("default", config_map("new")))[0] == 409


def official_throttle(api: Any, fault: Fault) -> None:
    code, text = status_of(lambda: api.create_namespaced_config_map("default", config_map("new")))
    assert code == 429
    assert "'retry-after': '7'" in text.lower()


def official_timeout(api: Any, fault: Fault) -> None:
    code, text = status_of(lambda: api.create_namespaced_config_map("default", config_map("new")))
    assert code == 500
    assert "etcdserver: request timed out" in text


def official_stale(api: Any, fault: Fault) -> None:
    api.patch_namespaced_config_map("there", "default", {"data": {"a": "new"}})
    api.create_namespaced_config_map("default", config_map("later"))
    assert api.read_namespaced_config_map("there", "default").data == {"a": "old"}
    assert "later" not in str(api.list_namespaced_config_map("default").items)
    assert status_of(lambda: api.read_namespaced_config_map("later", "default"))[0] == 404
    fault.remove()
    assert api.read_namespaced_config_map("there", "default").data == {"a": "new"}
    assert api.read_namespaced_config_map("later", "default").data == {"a": "old"}


def watch(api: Any, ends: type[Exception], seconds: float = 30) -> Exception:
    """Two are made during a watch, which shows one and then ends with that."""
    version = api.list_namespaced_config_map("default").metadata.resource_version
    for name in ("one", "two"):
        api.create_namespaced_config_map("default", config_map(name))
    stream = watching.Watch().stream(
        api.list_namespaced_config_map, "default",
        resource_version=version, timeout_seconds=60, _request_timeout=(30, seconds),
    )  # fmt: skip
    assert next(stream)["object"].metadata.name == "one"
    with pytest.raises(ends) as caught:
        next(stream)
    return caught.value


def official_gone(api: Any, fault: Fault) -> None:
    error = watch(api, client.ApiException)
    assert isinstance(error, client.ApiException)
    assert error.status == 410


OFFICIAL: dict[str, tuple[dict[str, Any], Callable[[Any, Fault], object]]] = {
    "error": ({"verb": "get", "code": 403, "reason": "QuotaSpent"}, official_error),
    "latency": ({"verb": "get", "seconds": SLOW}, official_latency),
    "drop": ({"verb": "create"}, official_drop),
    "lost": ({"verb": "create"}, official_lost),
    "throttle": ({"verb": "create", "retry_after": 7}, official_throttle),
    "timeout": ({"verb": "create", "seconds": 0.1}, official_timeout),
    "stale": ({}, official_stale),
    "cut": ({"events": 1}, lambda api, _: watch(api, ProtocolError)),
    "stall": ({"events": 1}, lambda api, _: watch(api, ReadTimeoutError, seconds=3)),
    "gone": ({"events": 1}, official_gone),
}


@pytest.mark.parametrize("effect", OFFICIAL)
def test_the_official_client(cluster: Cluster, effect: str) -> None:
    rule, meet = OFFICIAL[effect]
    cluster.apply(config_map("there"))
    api = client.CoreV1Api(cluster.api_client)
    with cluster.faults.add(effect, resource="configmaps", user=ADMIN, **rule) as fault:
        meet(api, fault)
    assert fault.hits >= 1
    assert cluster.requests.where(fault=effect, user=ADMIN, resource="configmaps", outside=True)


# -- kopf --------------------------------------------------------------------------------------------------------------

GREETINGS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: greetings.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: greetings, singular: greeting, kind: Greeting}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
"""
OPERATOR = """
import os

import kopf
from kubernetes import client, config

config.load_kube_config(os.environ["KUBECONFIG"])


@kopf.on.startup()
def configure(settings, **_):
    settings.watching.server_timeout = 1
    settings.watching.client_timeout = 2
    settings.watching.reconnect_backoff = 0.1
    settings.networking.error_backoffs = [0.1, 0.1, 0.5, 1, 2, 5]


@kopf.on.login()
def login(**kwargs):
    return kopf.login_with_kubeconfig(**kwargs)


@kopf.on.create("greetings", backoff=0.1)
def greet(name, namespace, **_):
    try:
        client.CoreV1Api().create_namespaced_config_map(namespace, {"metadata": {"name": name}})
    except client.ApiException as error:
        if error.status != 409:  # an earlier attempt, whose answer was lost
            raise
    return "greeted"
"""
PATCH = {"verb": "patch", "resource": "greetings", "count": 1}
WATCH = {"verb": "watch", "resource": "greetings", "count": 1}
KOPF: dict[str, dict[str, Any]] = {
    "error": {**PATCH, "code": 500},
    "latency": {**PATCH, "seconds": SLOW},
    "drop": PATCH,
    "lost": {"verb": "create", "resource": "configmaps", "count": 1},
    "throttle": PATCH,
    "timeout": PATCH,
    "stale": {"verb": "list", "resource": "greetings", "count": 1},
    "cut": WATCH,
    "stall": WATCH,
    "gone": WATCH,
}


@pytest.fixture(scope="module")
def greeter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with an operator at work."""
    directory = tmp_path_factory.mktemp("operator")
    (directory / "greeter.py").write_text(OPERATOR)
    with Cluster(nodes=0, controllers="", scheduler=False) as cluster:
        cluster.apply(GREETINGS)
        command = [sys.executable, "-m", "kopf", "run", "--standalone", "--namespace", "default", "greeter.py"]
        with (directory / "log").open("w") as log:
            process = subprocess.Popen(
                command, cwd=directory, env={**os.environ, "KUBECONFIG": cluster.kubeconfig}, stdout=log, stderr=log
            )
        try:
            eventually(lambda: cluster.requests.where(verb="watch", resource="greetings"), "the operator")
            yield cluster
        finally:
            process.terminate()
            process.wait(90)
            print((directory / "log").read_text())


@pytest.mark.parametrize("effect", KOPF)
def test_an_operator_gets_over_it(greeter: Cluster, effect: str) -> None:
    fault = greeter.faults.add(effect, **KOPF[effect])
    name = f"over-{effect}"
    if effect == "stale":
        greeter.faults.add("gone", **WATCH)  # which makes it list again
    elif effect in STREAMS:
        eventually(lambda: fault.hits, "the watch")
    greeter.kubectl(
        "create", "-f", "-", input=f"apiVersion: example.com/v1\nkind: Greeting\nmetadata: {{name: {name}}}"
    )
    greeter.wait(f"greetings.example.com/{name}", "status.greet=greeted", timeout=90)
    greeter.wait(f"configmap/{name}", "exists")
    eventually(lambda: fault.hits, "the fault")
    greeter.faults.clear()


@pytest.mark.parametrize(
    "met", [KUBECTL.keys() | WATCHES.keys(), OFFICIAL.keys(), KOPF.keys()], ids=["kubectl", "official", "kopf"]
)
def test_no_fault_is_left_out(met: set[str]) -> None:
    assert met == EFFECTS.keys()


def test_the_document_names_every_fault() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "faults.md").read_text()
    assert [effect for effect in EFFECTS if f"| `{effect}` |" not in text] == []
