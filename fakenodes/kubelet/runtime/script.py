"""What a container does, as data: how its image is pulled, how long it runs, how it ends, what it says on the way.

A script comes from the pod's annotation `fakekube.io/container.<name>` (a JSON object with the camel-case names of
Script's fields), else from the first image pattern of a Runtime that matches, else from the command: `sleep N`,
`exit N`, `true`, `false`, `echo ...`, also joined by `;`, `&&` or line ends in `sh -c`, do what they say; no command at
all runs on; any other command runs on too, but in a Job's pod it exits 0.
"""

from __future__ import annotations

import fnmatch
import hashlib
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import orjson

Obj = Mapping[str, Any]
ANNOTATION = "fakekube.io/container."
SHELLS = ("sh", "bash", "ash", "dash", "/bin/sh", "/bin/bash", "/bin/ash", "/bin/dash")
MEGABYTE = 1_000_000

# What `kubectl exec` answers: command line to (exit code, output), None for the usual answer.
Exec = Callable[[Sequence[str]], tuple[int, str] | None]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What a served port is asked. Header names are lower-case; path has the query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    port: int


# What a served port answers: a body (text, bytes, or what JSON can say), (status, body) or (status, headers, body). It
# runs on a thread of its own, so it may block.
Serve = Callable[[HttpRequest], Any]


@dataclass(frozen=True, slots=True)
class Script:
    """Times are seconds. run_seconds None runs on; ready_after and live_for are counted from the start.

    live_for: until liveness probes fail, None for ever. stop_seconds, stop_code: how it takes SIGTERM. logs: (seconds
    after the start, line). answers: exec's command line to its output. exec: the same in Python. files: path to text,
    for exec and cp. serve: answers HTTP on the ports that the container declares, on any if it declares none.
    """

    pull_seconds: float = 0.0
    pull_error: str = ""
    image_size: int = 0
    start_seconds: float = 0.0
    start_error: str = ""
    run_seconds: float | None = None
    exit_code: int = 0
    oom: bool = False
    message: str = ""
    ready_after: float | None = 0.0
    live_for: float | None = None
    stop_seconds: float = 0.0
    stop_code: int = 0
    logs: tuple[tuple[float, str], ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict)
    exec: Exec | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    serve: Serve | None = None
    cpu: str = "1m"
    memory: str = "10Mi"


_NAMES = {"".join(p if i == 0 else p.title() for i, p in enumerate(f.name.split("_"))): f.name
          for f in fields(Script) if f.name not in ("exec", "serve")}  # fmt: skip


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
    return replace(base or Script(), **values)


@dataclass(slots=True)
class _Reading:
    seconds: float = 0.0
    exit_code: int = 0
    logs: list[tuple[float, str]] = field(default_factory=list)
    ended: bool = False


def number_of(text: str) -> float | None:
    """Seconds of `90`, `1.5`, `2m`; None for anything else."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    scale = units.get(text[-1:])
    try:
        return float(text[:-1]) * scale if scale else float(text)
    except ValueError:
        return None


def _step(words: Sequence[str], reading: _Reading) -> bool:
    """Take in one simple command; False when it is not known."""
    name, rest = words[0].rsplit("/", 1)[-1], words[1:]
    if name in ("true", ":", "false"):
        reading.exit_code = 1 if name == "false" else 0
    elif name == "echo":
        reading.logs.append((reading.seconds, " ".join(w for i, w in enumerate(rest) if i or w not in ("-n", "-e"))))
        reading.exit_code = 0
    elif name == "sleep" and len(rest) == 1 and (rest[0] in ("inf", "infinity") or number_of(rest[0]) is not None):
        reading.seconds += number_of(rest[0]) or 0.0
        reading.exit_code = 0
        if rest[0] in ("inf", "infinity"):
            reading.seconds = float("inf")
            reading.ended = True
    elif name == "exit" and len(rest) <= 1 and all(w.isdigit() for w in rest):
        reading.exit_code = int(rest[0]) % 256 if rest else reading.exit_code
        reading.ended = True
    else:
        return False
    return True


def _shell(text: str) -> list[tuple[str, list[str]]] | None:
    """Simple commands with what joins each to the one before; None for anything more than that."""
    lexer = shlex.shlex(text.replace("\n", " ; "), posix=True, punctuation_chars=";&|<>()")
    lexer.whitespace_split = True
    found: list[tuple[str, list[str]]] = [(";", [])]
    try:
        for token in lexer:
            if token in (";", "&&", "||"):
                found.append((token, []))
            elif set(token) <= set(";&|<>()"):
                return None
            else:
                found[-1][1].append(token)
    except ValueError:
        return None
    return [(joint, words) for joint, words in found if words]


def from_command(command: Sequence[str], in_job: bool) -> Script:
    """What the command line does."""
    if not command:
        return Script()
    other = Script(run_seconds=0.0) if in_job else Script()
    reading = _Reading()
    shell = command[0] in SHELLS and len(command) >= 3 and command[1].startswith("-") and "c" in command[1]
    steps = _shell(command[2]) if shell else [(";", list(command))]
    if steps is None:
        return other
    stop_on_error = shell and "e" in command[1]
    for joint, words in steps:
        if (joint == "&&" and reading.exit_code) or (joint == "||" and not reading.exit_code):
            continue
        if words == ["set", "-e"]:
            stop_on_error = True
            continue
        if not _step(words, reading):
            return other
        if reading.ended or (stop_on_error and reading.exit_code):
            break
    seconds = None if reading.seconds == float("inf") else reading.seconds
    return Script(run_seconds=seconds, exit_code=reading.exit_code, logs=tuple(reading.logs))


class Runtime:
    """Which script which container follows. Patterns are matched as given and against the image's full name."""

    def __init__(self, *, jobs_exit: bool = False) -> None:
        self._patterns: list[tuple[str, Script]] = []
        self._jobs_exit = jobs_exit

    def image(self, pattern: str, script: Script) -> None:
        """Let images that match (`nginx:*`, `*/busybox`) follow the script; later patterns win."""
        self._patterns.insert(0, (pattern, script))

    def state(self) -> tuple[list[tuple[str, Script]], bool]:
        """For set_state."""
        return list(self._patterns), self._jobs_exit

    def set_state(self, state: tuple[list[tuple[str, Script]], bool]) -> None:
        """Go back to the patterns of then."""
        self._patterns, self._jobs_exit = list(state[0]), state[1]

    def load(self, found: Obj) -> None:
        """Take patterns from a YAML file's content: `{images: {pattern: {exitCode: 1}}, jobsExit: true}`."""
        for pattern, fields_ in (found.get("images") or {}).items():
            self.image(pattern, parse_script(fields_))
        self._jobs_exit = bool(found.get("jobsExit", self._jobs_exit))

    def script(self, pod: Obj, container: Obj) -> Script:
        """The script of one container of the pod."""
        command = [*(container.get("command") or ()), *(container.get("args") or ())]
        in_job = any(
            o.get("kind") == "Job" and o.get("controller") for o in pod["metadata"].get("ownerReferences") or ()
        )
        found = from_command(command, in_job)
        if in_job and self._jobs_exit and found.run_seconds is None:
            found = Script(run_seconds=0.0)
        image = container.get("image", "")
        for pattern, script in self._patterns:
            if fnmatch.fnmatchcase(image, pattern) or fnmatch.fnmatchcase(full_name(image), pattern):
                found = script
                break
        note = (pod["metadata"].get("annotations") or {}).get(ANNOTATION + container["name"])
        if note:
            try:
                found = parse_script(orjson.loads(note), found)
            except (ValueError, TypeError, AttributeError) as error:
                return Script(start_error=f"annotation {ANNOTATION}{container['name']}: {error}")
        return found


def full_name(image: str) -> str:
    """As containerd reports it: `nginx` is `docker.io/library/nginx:latest`."""
    name, at, digest = image.partition("@")
    if not at and name.rfind(":") <= name.rfind("/"):
        name += ":latest"
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif "." not in first and ":" not in first and first != "localhost":
        name = f"docker.io/{name}"
    return f"{name}@{digest}" if at else name


def image_id(image: str) -> str:
    """A repository digest that is the same for equal names."""
    name = full_name(image)
    if "@" in name:
        return name
    return f"{name[: name.rindex(':')]}@sha256:{hashlib.sha256(name.encode()).hexdigest()}"


def image_size(image: str, script: Script) -> int:
    """Bytes: what the script says, else something between 10 and 200 MB that depends on the name alone."""
    digest = hashlib.sha256(full_name(image).encode()).digest()
    return script.image_size or (10 + int.from_bytes(digest[:2], "big") % 190) * MEGABYTE
