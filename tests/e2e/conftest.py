"""One cluster a test process, one namespace a test."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ADVICE, program
from tests.e2e.processes import Kubectl, cluster, run

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def kubectl_path() -> str:
    """A kubectl new enough for what is tested."""
    path = program("kubectl")
    version = run(path, "version", "--client").stdout
    found = re.search(r"Client Version: \D*1\.(\d+)", version)
    if found is None or int(found[1]) < 28:
        pytest.fail(f"{path} is too old: {version.strip() or 'no version'}; {ADVICE['kubectl']}")
    return path


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The kubeconfig of a cluster of three nodes."""
    with cluster(tmp_path_factory.mktemp("cluster")) as path:
        yield path


@pytest.fixture(scope="session")
def kubectl_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """kubectl's discovery cache, so that only the first one asks."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def kubectl(kubectl_path: str, kubeconfig: Path, kubectl_cache: Path) -> Iterator[Kubectl]:
    """kubectl in a namespace of the test's own."""
    namespace = f"test-{next(_NUMBERS)}"
    tool = Kubectl(kubectl_path, kubeconfig, namespace, kubectl_cache)
    tool("create", "namespace", namespace)
    yield tool
    tool("delete", "namespace", namespace, "--wait=false")
