"""Tying a child process's life to ours, so that it ends even when we are killed. On Linux; elsewhere nothing is done.

prctl(2) is reached through ctypes, since Python has no binding. PR_SET_PDEATHSIG belongs to the thread that starts the
child: call it from one that lives as long as the process, such as the main thread.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def ends_with_us() -> Callable[[], None] | None:
    """What subprocess's preexec_fn is to be, or None where the system knows no such thing."""
    if not sys.platform.startswith("linux"):
        return None
    prctl, parent = ctypes.CDLL(None, use_errno=True).prctl, os.getpid()

    def before_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # killed before the call above: nobody will tell
            os.kill(os.getpid(), signal.SIGTERM)

    return before_exec
