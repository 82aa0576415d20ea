"""What all tests share: programs that a test needs are missing only on a developer's machine, never in CI."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A slow machine is no test's fault.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

ADVICE = {
    "kubectl": (
        "get 1.28 or newer: https://kubernetes.io/docs/tasks/tools/ (Debian 13: apt-get install kubernetes-client)"
    ),
    "etcd": "get it: apt-get install etcd-server",
}


def program(name: str) -> str:
    """The path of a program. Without it the test is skipped, or fails when CI is set."""
    beside = str(Path(sys.executable).parent)
    path = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), beside)))
    if path is None:
        advice = ADVICE.get(name, f"get it: .venv/bin/python scripts/clients.py {name}")
        complaint = f"no {name} on this machine; {advice}"
        if os.environ.get("CI"):
            pytest.fail(complaint)
        pytest.skip(complaint)
    return path
