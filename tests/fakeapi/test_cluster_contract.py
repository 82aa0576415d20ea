"""What a Cluster promises of threads, of snapshots and of time, sentence by sentence."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest

from conformance.target import Target
from fakeapi import Cluster
from fakeapi.pytest_plugin import Pool
from fakenodes.kubelet.runtime.script import Script
from kubeconfig import model

ANSWER_SECONDS = 120.0
CALLS: tuple[Callable[[Cluster], object], ...] = (
    lambda c: c.apply(config_map(threading.current_thread().name.lower().replace("_", "-"))),
    lambda c: c.wait("nodes"),
    lambda c: c.snapshot(),
    lambda c: c.settle(),
    lambda c: c.api_client,
    lambda c: c.clock.now(),
    lambda c: c.clock.advance(1),
    lambda c: c.faults.add("latency", resource="secrets").remove(),
    lambda c: len(c.requests.where(verb="create")),
    lambda c: list(c.requests),
    lambda c: c.nodes.names,
    lambda c: c.nodes.slow("node-0", 0),
    lambda c: c.runtime.image("never", Script()),
    lambda c: c.report(),
)


def config_map(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


def widgets() -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]},
    }


class Watch:
    """A watch over HTTP that has begun when this is made."""

    def __init__(self, cluster: Cluster, path: str) -> None:
        access = model.access(model.load(Path(cluster.kubeconfig)), Path())
        context = ssl.create_default_context(cadata=access.ca.decode())
        pair = Path(cluster.kubeconfig).with_name("pair.pem")
        pair.write_bytes(access.certificate + b"\n" + access.key)
        context.load_cert_chain(pair)
        host, port = cluster.url.removeprefix("https://").split(":")
        self.connection = HTTPSConnection(host, int(port), timeout=ANSWER_SECONDS, context=context)
        self.connection.request("GET", path)
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200

    def __iter__(self) -> Iterator[Any]:
        while line := self.answer.readline():
            yield json.loads(line)


@pytest.fixture
def watch(cluster: Cluster) -> Iterator[Callable[[str], Watch]]:
    made: list[Watch] = []

    def begin(path: str) -> Watch:
        made.append(Watch(cluster, path))
        return made[-1]

    yield begin
    for each in made:
        each.connection.close()


def test_every_method_may_be_called_from_any_thread(cluster: Cluster) -> None:
    with ThreadPoolExecutor(2 * len(CALLS)) as pool:
        done = [pool.submit(call, cluster) for _ in range(4) for call in CALLS]
        results = [each.result(ANSWER_SECONDS) for each in done]
    clients = results[CALLS.index(next(c for c in CALLS if "api_client" in c.__code__.co_names)) :: len(CALLS)]
    assert len({id(client) for client in clients}) == 1


def test_a_test_may_call_from_a_loop_of_its_own(async_cluster: Any) -> None:
    import asyncio

    async def main() -> set[str]:
        loop = asyncio.get_running_loop()
        await asyncio.gather(async_cluster.wait("nodes"), async_cluster.settle())
        assert loop is asyncio.get_running_loop()
        return {thread.name for thread in threading.enumerate() if thread.name.startswith("fakekube ")}

    assert asyncio.run(main())


def test_options_that_mean_the_same_share_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Cluster] = []
    monkeypatch.setattr(Cluster, "start", lambda self: started.append(self) or self)
    monkeypatch.setattr(Cluster, "reset", lambda self: None)
    monkeypatch.setattr(Cluster, "stop", lambda self: None)
    pool = Pool()
    same = [{}, {"nodes": 3}, {"scheduler": True, "nodes": 3}, {"kubernetes": "1.36"}]
    assert len({id(pool.take(options)) for options in same}) == 1
    others = [{"nodes": 2}, {"kubernetes": "1.33"}, {"seed": 1}]
    assert len({id(pool.take(options)) for options in others}) == len(others)
    assert len(started) == 1 + len(others)
    pool.close()


@pytest.mark.parametrize("back", [Cluster.reset, lambda c: c.restore(c.snapshot())], ids=["reset", "restore"])
def test_open_watches_end_with_410(
    cluster: Cluster, watch: Callable[[str], Watch], back: Callable[[Cluster], None]
) -> None:
    cluster.apply(widgets())
    cluster.wait("crd/widgets.example.com", "Established")
    paths = ("/api/v1/configmaps", "/api/v1/namespaces/default/pods", "/api/v1/nodes", "/apis/example.com/v1/widgets")
    watches = {path: watch(f"{path}?watch=1") for path in paths}
    back(cluster)
    for path, each in watches.items():
        last = list(each)[-1]
        assert (path, last["type"], last["object"]["code"], last["object"]["reason"]) == (path, "ERROR", 410, "Expired")


def test_keys_url_and_tokens_outlive_a_restore(cluster: Cluster) -> None:
    begun = cluster.snapshot()
    before = cluster.url, Path(cluster.kubeconfig).read_bytes()
    token = str(cluster.kubectl("create", "token", "default")).strip()
    cluster.restore(begun)
    assert (cluster.url, Path(cluster.kubeconfig).read_bytes()) == before
    target = Target(Path(cluster.kubeconfig))
    review = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}).encode()
    headers = {"Content-Type": "application/json"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    told = target.send("POST", path, headers, review, identity=f"token:{token}")
    target.close()
    assert told.body["status"]["userInfo"]["username"] == "system:serviceaccount:default:default"


def test_the_revision_only_grows(cluster: Cluster) -> None:
    first = cluster.snapshot()
    revisions = [first.revision]
    for name in ("a", "b", "c"):
        cluster.apply(config_map(name))
        cluster.restore(first)
        revisions.append(cluster.snapshot().revision)
    assert revisions == sorted(set(revisions))


def test_back_off_is_gone_after_a_restore(cluster: Cluster) -> None:
    cluster.runtime.image("broken", Script(exit_code=1, run_seconds=0))
    container = {"name": "main", "image": "broken"}
    cluster.clock.freeze()
    cluster.apply({**config_map("sick"), "kind": "Pod", "spec": {"containers": [container]}})
    cluster.clock.advance(minutes=4)
    snapshot = cluster.snapshot()
    restarts = cluster.wait("pod/sick", "exists")[0]["status"]["containerStatuses"][0]["restartCount"]
    cluster.restore(snapshot)
    cluster.clock.advance(15)
    after = cluster.wait("pod/sick", "exists")[0]["status"]["containerStatuses"][0]["restartCount"]
    assert 2 < restarts < after


@pytest.mark.cluster(nodes=0, controllers="", scheduler=False)
def test_time_that_jumps_ends_no_watch(cluster: Cluster, watch: Callable[[str], Watch]) -> None:
    following = watch("/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=3600")
    cluster.clock.advance(hours=3)
    cluster.apply(config_map("later"))
    assert "later" in (event["object"]["metadata"]["name"] for event in following)


def test_what_follows_from_a_timer_comes_before_the_next(cluster: Cluster) -> None:
    # Each Pod's end is a timer that exists only when the one before has been counted and the next Pod was bound.
    container = {"name": "main", "image": "busybox", "command": ["sleep", "10"]}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    spec = {"completions": 4, "parallelism": 1, "template": template}
    cluster.clock.freeze()
    cluster.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "row"}, "spec": spec})
    cluster.clock.advance(minutes=1)
    status = cluster.wait("job/row", "exists", timeout=0)[0]["status"]
    assert (status.get("succeeded"), status.get("active")) == (4, None)
