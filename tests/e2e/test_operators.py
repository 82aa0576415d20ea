"""Operators at work: one of kopf, a controller on the official client's informers, CRD sets of real size."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kopf
import pytest
from kubernetes import client, config, informer
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

from tests.e2e.crdsets import SETS, CrdSet, crd
from tests.e2e.processes import Kubectl, eventually

GROUP = "example.com"
DOLLS = crd("Doll", GROUP, {"size": {"type": "integer", "default": 1}, "color": {"type": "string"}})


@pytest.fixture(scope="module")
def dolls(kubectl_path: str, kubeconfig: Path, kubectl_cache: Path) -> Iterator[None]:
    """The CRD of the operators. Its cluster is that of other tests too: there, no other CRD has the name."""
    tool = Kubectl(kubectl_path, kubeconfig, "default", kubectl_cache)
    tool("apply", "-f", "-", stdin=json.dumps(DOLLS))
    tool("wait", "--for=condition=Established", f"crd/dolls.{GROUP}", "--timeout=90s")
    yield
    tool("delete", "crd", f"dolls.{GROUP}", "--timeout=90s")


def doll(name: str, **spec: Any) -> str:
    """A Doll as JSON."""
    return json.dumps({"apiVersion": f"{GROUP}/v1", "kind": "Doll", "metadata": {"name": name}, "spec": spec})


def operator(told: list[str]) -> kopf.OperatorRegistry:
    """Handlers for all that happens to Dolls; each makes or changes a ConfigMap of the Doll's name."""
    registry = kopf.OperatorRegistry()
    what = {"group": GROUP, "version": "v1", "plural": "dolls", "registry": registry}

    @kopf.on.startup(registry=registry)
    def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.watching.server_timeout = 60
        settings.peering.standalone = True

    @kopf.on.create(id="created", **what)
    def created(name: str, namespace: str, spec: Any, patch: Any, **_: Any) -> dict[str, Any]:
        made = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"size": str(spec["size"])}}
        kopf.adopt(made)
        made["metadata"]["name"] = name
        client.CoreV1Api().create_namespaced_config_map(namespace, made)
        patch.status["phase"] = "Made"
        told.append(f"created {name}")
        return {"map": name}

    @kopf.on.update(field="spec.size", **what)
    def resized(name: str, namespace: str, old: Any, new: Any, **_: Any) -> None:
        client.CoreV1Api().patch_namespaced_config_map(name, namespace, {"data": {"size": str(new)}})
        told.append(f"resized {name} {old} {new}")

    @kopf.on.delete(**what)
    def deleted(name: str, **_: Any) -> None:
        told.append(f"deleted {name}")

    @kopf.timer(interval=0.2, **what)
    def ticked(name: str, patch: Any, status: Any, **_: Any) -> None:
        patch.status["ticks"] = status.get("ticks", 0) + 1

    return registry


@pytest.fixture
def kopf_operator(dolls: None, kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What a running kopf operator told, in the test's namespace."""
    config.load_kube_config(str(kubectl.kubeconfig))
    monkeypatch.setenv("KUBECONFIG", str(kubectl.kubeconfig))
    told: list[str] = []
    stop, ready = threading.Event(), threading.Event()
    registry = operator(told)

    @kopf.on.login(registry=registry)
    def login(**arguments: Any) -> Any:
        return kopf.login_with_kubeconfig(**arguments)

    def run() -> None:
        asyncio.run(
            kopf.operator(
                registry=registry, namespaces=[kubectl.namespace], stop_flag=stop, ready_flag=ready, standalone=True
            )
        )

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(90)
    yield told
    stop.set()
    thread.join(90)
    assert not thread.is_alive()


def test_a_kopf_operator(kopf_operator: list[str], kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=doll("bear", color="brown"))
    eventually(lambda: kubectl.jsonpath("doll/bear", "{.status.phase}") == "Made", "the operator's status")
    assert kubectl.jsonpath("configmap/bear", "{.data.size}") == "1"
    assert kubectl.jsonpath("configmap/bear", "{.metadata.ownerReferences[*].kind}") == "Doll"
    eventually(lambda: kubectl.jsonpath("doll/bear", "{.status.created.map}") == "bear", "the handler's result")
    assert kubectl.jsonpath("doll/bear", "{.metadata.finalizers}") == '["kopf.zalando.org/KopfFinalizerMarker"]'
    kubectl("patch", "doll", "bear", "--type=merge", "-p", '{"spec":{"size":5}}')
    eventually(lambda: "resized bear 1 5" in kopf_operator, "the update handler")
    assert kubectl.jsonpath("configmap/bear", "{.data.size}") == "5"
    eventually(lambda: int(kubectl.jsonpath("doll/bear", "{.status.ticks}") or 0) >= 2, "the timer")
    kubectl("delete", "doll", "bear", "--timeout=90s")
    assert kopf_operator[-1] == "deleted bear"
    eventually(lambda: "bear" not in kubectl("get", "configmaps", "-o", "name").stdout, "the garbage collector")


def test_a_controller_on_informers_with_leader_election(kubectl: Kubectl) -> None:
    """Two candidates; the leader mirrors ConfigMaps into Secrets and, when it dies, the other one goes on."""
    config.load_kube_config(str(kubectl.kubeconfig))
    candidates = [Candidate(name, kubectl.namespace) for name in ("one", "two")]
    try:
        candidates[0].start()
        eventually(candidates[0].leading.is_set, "the first leader")
        candidates[1].start()
        kubectl("create", "configmap", "bear")
        kubectl("label", "configmap", "bear", "mirrored=yes")
        eventually(lambda: ("one", "bear") in candidates[0].mirrored, "the mirror")
        assert not candidates[1].leading.is_set()
        assert kubectl("get", "secrets", "-o", "name").stdout.split() == ["secret/bear"]
        candidates[0].die()
        eventually(candidates[1].leading.is_set, "the second leader")
        kubectl("create", "configmap", "fox")
        kubectl("label", "configmap", "fox", "mirrored=yes")
        eventually(lambda: ("two", "fox") in candidates[1].mirrored, "the second mirror")
        assert "two" in kubectl.jsonpath("lease/dolls", "{.spec.holderIdentity}")
    finally:
        for candidate in candidates:
            candidate.die()


class Lock(LeaseLock):
    """A Lease whose candidate can end as if its process had died."""

    dead = False

    def get(self, *arguments: Any) -> Any:
        """What every round of the election begins with."""
        if self.dead:
            raise SystemExit
        return super().get(*arguments)


class Candidate:
    """A process of the controller."""

    def __init__(self, name: str, namespace: str) -> None:
        self.name, self.namespace = name, namespace
        self.leading = threading.Event()
        self.mirrored: set[tuple[str, str]] = set()
        self.lock = Lock("dolls", namespace, name)
        core = client.CoreV1Api()

        def mirror(found: client.V1ConfigMap) -> None:
            about = found.metadata.name
            with contextlib.suppress(client.ApiException):  # there already
                core.create_namespaced_secret(namespace, {"metadata": {"name": about}, "stringData": {"by": name}})
                self.mirrored.add((name, about))

        self.informer = informer.SharedInformer(
            core.list_namespaced_config_map, namespace=namespace, label_selector="mirrored=yes"
        )
        self.informer.add_event_handler(informer.ADDED, mirror)

    def start(self) -> None:
        """Stand for election."""
        settings = electionconfig.Config(
            self.lock,
            lease_duration=6,
            renew_deadline=5,
            retry_period=1,
            onstarted_leading=self.lead,
            onstopped_leading=self.leading.clear,
        )
        threading.Thread(target=self.stand, args=(settings,), daemon=True).start()

    def stand(self, settings: electionconfig.Config) -> None:
        """Election after election, until death."""
        with contextlib.suppress(SystemExit):
            leaderelection.LeaderElection(settings).run()

    def lead(self) -> None:
        """Work."""
        self.leading.set()
        self.informer.start()

    def die(self) -> None:
        """Do nothing any more."""
        self.lock.dead = True
        self.informer.stop()


@pytest.mark.parametrize("make", SETS.values(), ids=SETS)
def test_an_operators_crds(kubectl: Kubectl, make: Callable[[], CrdSet]) -> None:
    """Installed in one go, discovered, explained; samples are accepted, printed, changed and refused."""
    made = make()
    crds = {"apiVersion": "v1", "kind": "List", "items": made.crds}
    kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(crds))
    kubectl(
        "wait", "--for=condition=Established", *(f"crd/{c['metadata']['name']}" for c in made.crds), "--timeout=90s"
    )
    group = made.crds[0]["spec"]["group"]
    shown = {line[0]: line[-1] for line in kubectl("api-resources", "--api-group", group, "--no-headers").lines()}
    assert shown == {c["spec"]["names"]["plural"]: c["spec"]["names"]["kind"] for c in made.crds}
    again = kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(crds)).stdout.splitlines()
    assert len(again) == len(made.crds)
    for item in made.crds:
        plural, version = item["spec"]["names"]["plural"], item["spec"]["versions"][-1]
        explained = kubectl("explain", f"{plural}.{group}.spec").stdout
        fields = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        assert all(f"  {name}\t" in explained for name in fields)
    first = made.crds[0]["spec"]
    resource = f"{first['names']['plural']}.{group}"

    def sample(spec: Any) -> str:
        api_version = f"{group}/{first['versions'][-1]['name']}"
        found = {"apiVersion": api_version, "kind": first["names"]["kind"], "metadata": {"name": "a"}, "spec": spec}
        return json.dumps(found)

    for refused, message in made.refused:
        assert message in kubectl("create", "-f", "-", stdin=sample(refused), status=1).stderr
    kubectl("apply", "-f", "-", stdin=sample(made.sample))
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=sample(made.sample))
    header, row = kubectl("get", resource).lines()
    assert {name: row[header.index(name)] for name in made.printed if len(row) == len(header)} in (made.printed, {})
    assert all(value in row for value in made.printed.values())
    if "scale" in first["versions"][-1]["subresources"]:
        kubectl("scale", resource, "a", "--replicas=7")
        assert kubectl.jsonpath(f"{resource}/a", "{.spec.replicas}") == "7"
    kubectl("delete", resource, "a")
    kubectl("delete", "crd", *(c["metadata"]["name"] for c in made.crds), "--timeout=90s")
    assert "the server doesn't have a resource type" in kubectl("get", resource, status=1).stderr
