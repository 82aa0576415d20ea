"""How long a person waits: until kubectl is answered, and until a Deployment of 100 replicas on 10 nodes is Available.

python benchmarks/startup.py [RUNS]    exit status 1 when a median misses its target
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FAKEKUBE = str(Path(sys.executable).with_name("fakekube"))
REPLICAS, NODES = 100, 10
FIRST_ANSWER_SECONDS, AVAILABLE_SECONDS = 1.0, 3.0
MANIFEST = f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: {REPLICAS}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: nginx}}]}}
"""


def kubectl(kubeconfig: Path, *arguments: str, stdin: str = "") -> None:
    """Run kubectl with an empty discovery cache beside the kubeconfig. CalledProcessError."""
    command = ["kubectl", "--kubeconfig", str(kubeconfig), "--cache-dir", str(kubeconfig.parent / "cache"), *arguments]
    subprocess.run(command, input=stdin, text=True, check=True, stdout=subprocess.DEVNULL)


def once(directory: Path) -> tuple[float, float, float]:
    """Seconds from the process's start to the kubeconfig and to kubectl's answer; from the Deployment to Available."""
    kubeconfig = directory / "kubeconfig"
    start = time.perf_counter()
    process = subprocess.Popen(
        [FAKEKUBE, "up", "--nodes", str(NODES), "--port", "0", "--kubeconfig", str(kubeconfig)],
        stderr=subprocess.DEVNULL,
    )
    try:
        while not kubeconfig.exists():
            if process.poll() is not None:
                raise SystemExit(f"fakekube up ended with {process.returncode}")
            time.sleep(0.001)
        written = time.perf_counter()
        kubectl(kubeconfig, "get", "ns")
        answered = time.perf_counter()
        kubectl(kubeconfig, "apply", "-f", "-", stdin=MANIFEST)
        applied = time.perf_counter()
        kubectl(kubeconfig, "wait", "deployment/web", "--for=jsonpath={.status.availableReplicas}=100", "--timeout=60s")
        available = time.perf_counter()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
    return written - start, answered - start, available - applied


def main(arguments: list[str]) -> int:
    """Print the medians of so many runs."""
    runs = []
    for _ in range(int(arguments[0]) if arguments else 5):
        with tempfile.TemporaryDirectory() as scratch:
            runs.append(once(Path(scratch)))
    written, answered, available = (statistics.median(column) for column in zip(*runs, strict=True))
    load = os.getloadavg()[0]
    print(f"start to kubeconfig                        {written:6.2f} s")
    print(f"start to first answered `kubectl get ns`   {answered:6.2f} s   target {FIRST_ANSWER_SECONDS} s")
    print(f"{REPLICAS} replicas on {NODES} nodes Available          {available:6.2f} s   target {AVAILABLE_SECONDS} s")
    print(f"medians of {len(runs)} runs, {os.cpu_count()} CPUs, load {load:.1f}")
    return 0 if answered < FIRST_ANSWER_SECONDS and available < AVAILABLE_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
