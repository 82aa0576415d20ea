"""Each store in turn, for the tests that run on all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakeapi.storage_backends import NAMES, Backend, etcd_server


@pytest.fixture(scope="session")
def etcd_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real etcd, one a session."""
    with etcd_server(tmp_path_factory.mktemp("etcd") / "data") as url:
        yield url


@pytest.fixture(params=NAMES)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """Each backend in turn."""
    name: str = request.param
    return Backend(name, tmp_path, request.getfixturevalue("etcd_url") if name == "etcd" else "")
