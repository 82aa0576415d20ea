"""What a well-known command line does: `sleep N`, `exit N`, `true`, `false`, `echo`, also joined in `sh -c` by `;`,
`&&`, `||` or line ends. Anything else runs on, or ends at once in a Job's pod.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from msgspec import Struct, field

from fakenodes.kubelet.runtime.script import SHELLS, Script


class _Reading(Struct):
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
