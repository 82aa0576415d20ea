"""The backends every storage test runs on, and a real etcd for one of them."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck

from fakeapi.storage import open_storage
from fakeapi.storage.base import Storage, Unavailable

NAMES = ("memory", "sqlite", "etcd")
# Of Hypothesis' complaints: a store is new for each example, and a slow machine is not the test's fault.
UNHEALTHY = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)
_counter = itertools.count()


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


@contextmanager
def etcd_server(data: Path) -> Iterator[str]:
    """A private etcd on loopback; its URL. Without the program the test is skipped, but on CI it fails."""
    program = shutil.which("etcd")
    if program is None:
        message = "etcd is not installed (Debian: etcd-server)"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    process, url = _start(program, data)
    try:
        yield url
    finally:
        process.kill()
        process.wait()


def _start(program: str, data: Path, tries: int = 5) -> tuple[subprocess.Popen[bytes], str]:
    """An etcd that answers, and its URL. Where somebody else was faster at a port it ends, and others are tried."""
    url, peer = f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
    arguments = {
        "data-dir": str(data),
        "listen-client-urls": url,
        "advertise-client-urls": url,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"default={peer}",
    }
    flags = [f"--{k}={v}" for k, v in arguments.items()]
    with open(data.parent / "etcd.log", "wb") as log:
        process = subprocess.Popen([program, *flags, "--unsafe-no-fsync"], stdout=log, stderr=log)
    try:
        if asyncio.run(_answers(url, process)):
            return process, url
    except BaseException:
        process.kill()
        process.wait()
        raise
    if tries == 1:
        pytest.fail(f"etcd ends at once: {(data.parent / 'etcd.log').read_text()}")
    shutil.rmtree(data, ignore_errors=True)
    return _start(program, data, tries - 1)


async def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    """Whether it comes to answer, and does not end instead."""
    deadline = time.monotonic() + 90
    while process.poll() is None:
        try:
            storage = await open_storage(etcd=[url])
        except Unavailable:
            if process.poll() is None and time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)
        else:
            await storage.close()
            return process.poll() is None
    return False


class Backend:
    """One way to open a store; `run` gives a test a store and a prefix that is empty."""

    def __init__(self, name: str, directory: Path, etcd: str) -> None:
        self.name = name
        self._directory = directory
        self._etcd = etcd

    async def open(self) -> Storage:
        """The same store, opened anew (a new one for memory)."""
        if self.name == "etcd":
            return await open_storage(etcd=[self._etcd])
        return await open_storage(data=self._directory if self.name == "sqlite" else None)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Storage]:
        """open, and close in the end."""
        storage = await self.open()
        try:
            yield storage
        finally:
            await storage.close()

    def run(self, test: Callable[[Storage, str], Awaitable[None]]) -> None:
        """Run a test's coroutine."""

        async def main() -> None:
            async with self.opened() as storage:
                await asyncio.wait_for(test(storage, f"/registry/t{os.getpid()}-{next(_counter)}/"), 120)

        asyncio.run(main())
