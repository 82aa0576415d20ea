"""The command `fakekube` and kubectl as processes, as a person runs them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FAKEKUBE = str(Path(sys.executable).with_name("fakekube"))
# Nothing takes nearly as long on a machine that is three times slower and has other things to do: these end what hangs.
SECONDS = 90
END_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Result:
    """What a process left: exit status and output."""

    status: int
    stdout: str
    stderr: str

    def lines(self) -> list[list[str]]:
        """The words of each line of stdout."""
        return [line.split() for line in self.stdout.splitlines()]


def run(
    *command: str,
    stdin: str | None = None,
    env: dict[str, str] | None = None,
    seconds: float = 2 * SECONDS,
    cwd: Path | None = None,
) -> Result:
    """Run to the end. TimeoutExpired."""
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
        env={**os.environ, **(env or {})},
        cwd=cwd,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def eventually(look: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    """The first true answer of look()."""
    end = time.monotonic() + seconds
    while not (answer := look()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return answer


@contextlib.contextmanager
def fakekube(*arguments: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A running `fakekube ...`; ended by SIGTERM, which it must obey. Its output goes to the log."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [FAKEKUBE, *arguments], stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


@contextlib.contextmanager
def cluster(directory: Path, *arguments: str, command: str = "up") -> Iterator[Path]:
    """A running cluster (or `serve`); its kubeconfig."""
    kubeconfig, log = directory / "kubeconfig", directory / "log"
    port = "--port" if command == "up" else "--secure-port"
    with fakekube(command, port, "0", "--kubeconfig", str(kubeconfig), *arguments, log=log) as process:
        eventually(lambda: kubeconfig.exists() or process.poll() is not None, "the kubeconfig")
        if process.poll() is not None:
            raise AssertionError(f"fakekube {command} ended with {process.returncode}: {log.read_text()}")
        yield kubeconfig


@dataclass(slots=True)
class Kubectl:
    """kubectl against one cluster, in one namespace."""

    path: str
    kubeconfig: Path
    namespace: str
    cache: Path
    env: dict[str, str] = field(default_factory=dict)

    def command(self, *arguments: str) -> list[str]:
        """The command line that runs kubectl so."""
        return [
            self.path,
            "--cache-dir",
            str(self.cache),
            "--kubeconfig",
            str(self.kubeconfig),
            "--namespace",
            self.namespace,
            *arguments,
        ]

    def __call__(
        self, *arguments: str, stdin: str | None = None, status: int = 0, env: dict[str, str] | None = None
    ) -> Result:
        """Run kubectl, which must end with this status."""
        result = run(*self.command(*arguments), stdin=stdin, env=env)
        assert result.status == status, f"kubectl {' '.join(arguments)}: {result}"
        return result

    def jsonpath(self, resource: str, path: str) -> str:
        """One value of an object."""
        return self("get", resource, "-o", f"jsonpath={path}").stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """kubectl that keeps running: get -w."""
        return subprocess.Popen(self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
