"""What a container does, as data: how its image is pulled, how long it runs, how it ends, what it says on the way.

Where a container's script comes from is runtime.py's business.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

Obj = Mapping[str, Any]
SHELLS = ("sh", "bash", "ash", "dash", "/bin/sh", "/bin/bash", "/bin/ash", "/bin/dash")

# What `kubectl exec` answers: command line to (exit code, output), None for the usual answer.
Exec = Callable[[Sequence[str]], tuple[int, str] | None]


class HttpRequest(Struct, frozen=True):
    """What a served port is asked. Header names are lower-case; path has the query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    port: int


# What a served port answers: a body (text, bytes, or what JSON can say), (status, body) or (status, headers, body). It
# runs on a thread of its own, so it may block.
Serve = Callable[[HttpRequest], Any]


class Script(Struct, frozen=True):
    """Times are seconds. run_seconds None runs on; ready_after and live_for are counted from the start.

    live_for: until liveness probes fail, None for ever. readiness: (seconds after the start, whether readiness probes
    succeed from then on), in order, in place of ready_after. loaded: the image is on every node without a pull.
    post_start_*, pre_stop_*: how long the hooks take (None: as their command says) and why they fail. stop_seconds,
    stop_code: how it takes SIGTERM. logs: (seconds after the start, line). answers: exec's command line to its output.
    exec: the same in Python. files: path to text, for exec and cp. serve: answers HTTP on the ports that the container
    declares, on any if it declares none.
    """

    pull_seconds: float = 0.0
    pull_error: str = ""
    image_size: int = 0
    loaded: bool = False
    start_seconds: float = 0.0
    start_error: str = ""
    run_seconds: float | None = None
    exit_code: int = 0
    oom: bool = False
    message: str = ""
    ready_after: float | None = 0.0
    readiness: tuple[tuple[float, bool], ...] = ()
    live_for: float | None = None
    post_start_seconds: float | None = None
    post_start_error: str = ""
    pre_stop_seconds: float | None = None
    pre_stop_error: str = ""
    stop_seconds: float = 0.0
    stop_code: int = 0
    logs: tuple[tuple[float, str], ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict)
    exec: Exec | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    serve: Serve | None = None
    cpu: str = "1m"
    memory: str = "10Mi"

    def up_at(self, age: float) -> bool:
        """Has it come up, so many seconds after its start?"""
        return self.ready_after is not None and age >= self.ready_after

    def ready_at(self, age: float) -> bool:
        """Do readiness probes succeed at that age?"""
        if not self.readiness:
            return self.up_at(age)
        return next((ready for since, ready in reversed(self.readiness) if since <= age), False)

    @property
    def turns(self) -> tuple[float, ...]:
        """The ages at which readiness may change."""
        return tuple(since for since, _ in self.readiness)


_NAMES = {"".join(p if i == 0 else p.title() for i, p in enumerate(f.split("_"))): f
          for f in Script.__struct_fields__ if f not in ("exec", "serve")}  # fmt: skip


def parse_script(found: Obj, base: Script | None = None) -> Script:
    """A script from camel-case fields (`{"runSeconds": 2, "exitCode": 1, "logs": ["hi", [1.5, "there"]]}`).

    ValueError names a field that there is not.
    """
    values: dict[str, Any] = {}
    for key, value in found.items():
        if key not in _NAMES:
            raise ValueError(f"unknown script field {key!r}: known are {', '.join(sorted(_NAMES))}")
        values[_NAMES[key]] = value
    if "logs" in values:
        values["logs"] = tuple((0.0, x) if isinstance(x, str) else (float(x[0]), str(x[1])) for x in values["logs"])
    if "readiness" in values:
        values["readiness"] = tuple((float(since), bool(ready)) for since, ready in values["readiness"])
    return replace(base or Script(), **values)


def scripted_answer(script: Script, argv: Sequence[str]) -> tuple[int, str] | None:
    """Exit code and output that the script has for a command line, None where it says nothing of it."""
    if script.exec is not None:
        found = script.exec(argv)
        if found is not None:
            return found
    line = " ".join(argv)
    for wanted, output in script.answers.items():
        if wanted == line or fnmatch.fnmatchcase(line, wanted) or (argv[0] in SHELLS and argv[-1] == wanted):
            return 0, output
    return None
