"""Running the real kubectl against a cluster, for tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

KUBECTL_SECONDS = 60.0


class KubectlError(AssertionError):
    """kubectl failed; the text says how it was called and what it said."""

    def __init__(self, arguments: Sequence[str], status: int, stdout: str, stderr: str) -> None:
        said = stderr.strip() or stdout.strip() or "(it said nothing)"
        super().__init__(f"kubectl {' '.join(arguments)}\nexit status {status}: {said}")
        self.returncode = status
        self.stdout = stdout
        self.stderr = stderr


class Output(str):
    """What kubectl printed on stdout, with the rest beside it."""

    stderr: str
    returncode: int

    @property
    def stdout(self) -> str:
        """The same text."""
        return str(self)


def make_output(stdout: str, stderr: str, status: int) -> Output:
    """See Output."""
    output = Output(stdout)
    output.stderr = stderr
    output.returncode = status
    return output


def kubectl(kubeconfig: str, arguments: Sequence[str], *, input: str | None, check: bool, timeout: float) -> Output:
    """What it printed. KubectlError when it fails or takes too long; FileNotFoundError without a kubectl."""
    words = [str(a) for a in arguments]
    try:
        done = subprocess.run(
            ["kubectl", *words],
            env={**os.environ, "KUBECONFIG": kubeconfig, "KUBECACHEDIR": _cache(kubeconfig)},
            input=input,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise KubectlError(
            words, -1, _text(error.stdout), f"not done after {timeout:g} s: {_text(error.stderr)}"
        ) from None
    if check and done.returncode:
        raise KubectlError(words, done.returncode, done.stdout, done.stderr)
    return make_output(done.stdout, done.stderr, done.returncode)


def _cache(kubeconfig: str) -> str:
    """Where kubectl keeps what it knows of the cluster's API. In the home directory it would outlive the cluster, and
    be believed of the next one at this port."""
    return os.path.join(os.path.dirname(kubeconfig), "cache")


def _text(found: bytes | str | None) -> str:
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else found or ""
