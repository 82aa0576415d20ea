"""Many nodes and pods in one process: how long they take to come up, what they cost, and how quick a new pod still is.

python benchmarks/scale.py [--nodes 1000] [--pods 20000] [--bound] [--seconds 20]; exit status 1 when a target is missed

Targets (1,000 nodes, 20,000 pods, 2 cores): under 15 % of a core when idle; a new pod Running within 2 s at the 99th
percentile.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from kubeconfig import model  # noqa: E402

REPLICAS = 500
PROBES = 100
IDLE_TARGET, RUNNING_TARGET = 15.0, 2.0


class Api:
    """A kept connection to the API server as the kubeconfig's user."""

    def __init__(self, kubeconfig: Path) -> None:
        access = model.access(model.load(kubeconfig))
        context = ssl.create_default_context(cadata=access.ca.decode())
        with tempfile.NamedTemporaryFile() as file:
            file.write(access.certificate + b"\n" + access.key)
            file.flush()
            context.load_cert_chain(file.name)
        url = urlsplit(access.server)
        self._connection = http.client.HTTPSConnection(url.hostname or "", url.port, context=context, timeout=120)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request; the answer parsed. RuntimeError for an error status."""
        data = None if body is None else json.dumps(body)
        self._connection.request(method, path, data, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        if response.status >= 400:
            raise RuntimeError(answer.get("message"))
        return answer


def template(app: str) -> dict[str, Any]:
    """A pod template of a small container."""
    resources = {"requests": {"cpu": "50m", "memory": "64Mi"}}
    container = {"name": "main", "image": "registry.example/app:1", "resources": resources}
    return {
        "metadata": {"labels": {"app": app}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }


def deployment(number: int, replicas: int) -> dict[str, Any]:
    """One Deployment of the load."""
    app = f"load-{number}"
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": app}}, "template": template(app)}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": app}, "spec": spec}


def ready(api: Api) -> int:
    """Ready replicas of the load."""
    found = api.call("GET", "/apis/apps/v1/namespaces/default/deployments")["items"]
    return sum(item.get("status", {}).get("readyReplicas", 0) for item in found)


def wait_ready(api: Api, pods: int) -> None:
    """Show progress until every pod of the load is ready."""
    shown = time.monotonic()
    while (now := ready(api)) < pods:
        if time.monotonic() - shown > 5:
            shown = time.monotonic()
            print(f"  {now} of {pods} pods ready", flush=True)
        time.sleep(0.5)


def create_bound(api: Api, options: argparse.Namespace) -> None:
    """Pods of nobody that are on their nodes from the start: what nodes and the server do, without the rest."""
    shown = time.monotonic()
    for number in range(options.pods):
        pod = {"apiVersion": "v1", "kind": "Pod", **template("load")}
        pod["metadata"]["name"] = f"load-{number}"
        pod["spec"]["nodeName"] = f"node-{number % options.nodes}"
        api.call("POST", "/api/v1/namespaces/default/pods", pod)
        if time.monotonic() - shown > 5:
            shown = time.monotonic()
            print(f"  {number + 1} of {options.pods} pods created", flush=True)
    while api.call("GET", "/api/v1/namespaces/default/pods?limit=1&fieldSelector=status.phase!%3DRunning")["items"]:
        time.sleep(1)


def create_deployments(api: Api, options: argparse.Namespace) -> None:
    """The pods as Deployments of 500 make them."""
    for number in range(options.pods // REPLICAS):
        api.call("POST", "/apis/apps/v1/namespaces/default/deployments", deployment(number, REPLICAS))
    wait_ready(api, options.pods // REPLICAS * REPLICAS)


def new_pod(api: Api, number: int) -> float:
    """Seconds from creating a pod to its being Running."""
    name = f"probe-{number}"
    path = "/api/v1/namespaces/default/pods"
    begin = time.monotonic()
    api.call(
        "POST", path, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": template(name)["spec"]}
    )
    while api.call("GET", f"{path}/{name}")["status"].get("phase") != "Running":
        time.sleep(0.005)
    return time.monotonic() - begin


def unready(api: Api) -> int:
    """How many nodes the control plane has lost: their kubelets came too late."""
    nodes = api.call("GET", "/api/v1/nodes")["items"]
    return sum(
        condition["status"] != "True"
        for node in nodes
        for condition in node["status"]["conditions"]
        if condition["type"] == "Ready"
    )


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    line = next(x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def measure(pid: int, kubeconfig: Path, options: argparse.Namespace) -> bool:
    """Load the cluster, print the figures, and say whether the targets are met."""
    api = Api(kubeconfig)
    empty = memory_mb(pid)
    print(f"memory with {options.nodes} nodes {empty:17.0f} MB", flush=True)
    begin, before = time.monotonic(), cpu_seconds(pid)
    (create_bound if options.bound else create_deployments)(api, options)
    took, busy = time.monotonic() - begin, cpu_seconds(pid) - before
    pods = options.pods // REPLICAS * REPLICAS
    print(
        f"{pods} pods ready {took:27.1f} s   {pods / took:.0f} a second, {busy / pods * 1000:.1f} ms of processor each"
    )
    full = memory_mb(pid)
    print(f"memory with pods {full:27.0f} MB   {(full - empty) * 1024 / pods:.0f} kB a pod", flush=True)
    print(f"nodes that are not Ready {unready(api):19}", flush=True)
    time.sleep(5)
    before = cpu_seconds(pid)
    time.sleep(options.seconds)
    idle = (cpu_seconds(pid) - before) / options.seconds * 100
    print(f"idle CPU {idle:35.1f} % of a core   target {IDLE_TARGET} %", flush=True)
    times = sorted(new_pod(api, number) for number in range(PROBES))
    p99 = times[int(PROBES * 0.99) - 1]
    print(f"new pod Running, median {times[PROBES // 2]:20.3f} s")
    print(f"new pod Running, 99th percentile {p99:11.3f} s   target {RUNNING_TARGET} s")
    return idle <= IDLE_TARGET and p99 <= RUNNING_TARGET


def main() -> int:
    """Run one process with the whole cluster."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--pods", type=int, default=20000)
    parser.add_argument(
        "--bound", action="store_true", help="pods come bound to their nodes, past controllers and scheduler"
    )
    parser.add_argument("--seconds", type=int, default=20, help="how long to watch the idle cluster")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kubeconfig = Path(folder) / "kubeconfig"
        command = [sys.executable, "-m", "fakeapi.cli", "up", "--port", "0", "--nodes", str(options.nodes)]
        begin = time.monotonic()
        process = subprocess.Popen([*command, "--kubeconfig", str(kubeconfig)], cwd=ROOT)
        try:
            while not kubeconfig.exists():
                if process.poll() is not None:
                    return 1
                time.sleep(0.05)
            print(f"{options.nodes} nodes up {time.monotonic() - begin:30.1f} s", flush=True)
            return 0 if measure(process.pid, kubeconfig, options) else 1
        finally:
            process.terminate()
            process.wait(60)


if __name__ == "__main__":
    sys.exit(main())
