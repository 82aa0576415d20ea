"""What a person who writes tests waits for: a session of many small tests, the reset between two, the first cluster.

python benchmarks/session.py [--tests 200] [--resets 50] [--starts 5]    exit status 1 when a target is missed

Targets (2 cores): 200 tests that each create a Deployment and wait for its Pods in under 20 s, in one process; a reset
of a cluster that a test has used in under 10 ms; the first cluster of a process, imports and all, in under 0.7 s.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fakeapi import Cluster

SESSION_TARGET, RESET_TARGET, FIRST_TARGET = 20.0, 0.010, 0.7
REPLICAS = 2
MANIFEST = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": REPLICAS,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "nginx"}]},
        },
    },
}
TESTS = f"""
import pytest

MANIFEST = {MANIFEST!r}

@pytest.mark.parametrize("number", range({{tests}}))
def test_deployment(cluster, number):
    cluster.apply(MANIFEST)
    cluster.wait("deployment/web")
"""
FIRST = "from fakeapi import Cluster\nwith Cluster(): pass"


def session(tests: int) -> float:
    """Seconds that pytest takes for so many tests, with its start."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "test_many.py"
        file.write_text(TESTS.replace("{tests}", str(tests)))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", str(file)]
        start = time.perf_counter()
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start


def reset(rounds: int) -> float:
    """Median seconds of a reset after a Deployment has come up."""
    times = []
    with Cluster() as cluster:
        for _ in range(rounds):
            cluster.apply(MANIFEST)
            cluster.wait("deployment/web")
            start = time.perf_counter()
            cluster.reset()
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def first(rounds: int) -> float:
    """Median seconds of a process that brings one cluster up and down."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", FIRST], check=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> int:
    """All three figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", type=int, default=200)
    parser.add_argument("--resets", type=int, default=50)
    parser.add_argument("--starts", type=int, default=5)
    options = parser.parse_args()
    started = first(options.starts)
    print(f"first cluster, up and down, median {started:13.2f} s    target {FIRST_TARGET} s", flush=True)
    fresh = reset(options.resets)
    print(f"reset, median {fresh * 1000:34.1f} ms   target {RESET_TARGET * 1000:.0f} ms", flush=True)
    took = session(options.tests)
    print(f"{options.tests} tests {took:38.1f} s    target {SESSION_TARGET:.0f} s")
    return 0 if took < SESSION_TARGET and fresh < RESET_TARGET and started < FIRST_TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
