"""The controllers: how soon a large Deployment is Available, and what many idle Deployments cost.

python benchmarks/controllers.py [--nodes 100] [--replicas 1000] [--deployments 500] [--seconds 20]
Exit status 1 when a target is missed.

Targets (2 cores): 1,000 replicas on 100 nodes Available within 10 s; with 500 Deployments of 3 replicas controllers
in a process of their own idle at under 5 % of a core.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from scale import ROOT, Api, cpu_seconds, deployment, memory_mb, wait_ready

AVAILABLE_TARGET, IDLE_TARGET = 10.0, 5.0
APPS = "/apis/apps/v1/namespaces/default/deployments"


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A `fakekube` subcommand, as long as the block lasts."""
    process = subprocess.Popen([sys.executable, "-m", "fakeapi.cli", *arguments], cwd=ROOT)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    """Until the kubeconfig is there. RuntimeError when the process ends first."""
    while not path.exists():
        if process.poll() is not None:
            raise RuntimeError("the server did not start")
        time.sleep(0.05)


def available(options: argparse.Namespace, folder: Path) -> float:
    """Seconds until a Deployment is Available, in one process with the whole cluster."""
    kubeconfig = folder / "up"
    with running("up", "--port", "0", "--nodes", str(options.nodes), "--kubeconfig", str(kubeconfig)) as process:
        wait_for(kubeconfig, process)
        api = Api(kubeconfig)
        begin = time.monotonic()
        api.call("POST", APPS, deployment(0, options.replicas))
        while api.call("GET", f"{APPS}/load-0").get("status", {}).get("availableReplicas", 0) < options.replicas:
            time.sleep(0.05)
        return time.monotonic() - begin


def idle(options: argparse.Namespace, folder: Path) -> float:
    """Percent of a core that the controllers' own process takes when nothing happens."""
    kubeconfig = folder / "serve"
    with ExitStack() as stack:
        server = stack.enter_context(running("serve", "--secure-port", "0", "--kubeconfig", str(kubeconfig)))
        wait_for(kubeconfig, server)
        attach = ("--kubeconfig", str(kubeconfig))
        controllers = stack.enter_context(running("controllers", *attach))
        stack.enter_context(running("scheduler", *attach))
        stack.enter_context(running("nodes", "--count", str(options.nodes), *attach))
        api = Api(kubeconfig)
        for number in range(options.deployments):
            api.call("POST", APPS, deployment(number, 3))
        wait_ready(api, options.deployments * 3)
        print(f"memory of the controllers {memory_mb(controllers.pid):18.0f} MB", flush=True)
        time.sleep(5)
        before = cpu_seconds(controllers.pid)
        time.sleep(options.seconds)
        return (cpu_seconds(controllers.pid) - before) / options.seconds * 100


def main() -> int:
    """Both figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--replicas", type=int, default=1000)
    parser.add_argument("--deployments", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=20, help="how long to watch the idle controllers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        took = available(options, Path(name))
        print(f"{options.replicas} replicas available {took:16.1f} s   target {AVAILABLE_TARGET} s", flush=True)
        share = idle(options, Path(name))
        print(f"idle CPU of the controllers {share:16.1f} % of a core   target {IDLE_TARGET} %")
    return 0 if took <= AVAILABLE_TARGET and share <= IDLE_TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
