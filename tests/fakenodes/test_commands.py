"""What exec runs in a hollow container: the shell's language and the commands on files in memory."""

from __future__ import annotations

import asyncio

import pytest

from fakeapi.clock import RealClock
from fakenodes.kubelet.runtime import execution
from fakenodes.kubelet.runtime.machine import Files, Machine, Streams
from fakenodes.kubelet.runtime.script import Script


def run(text: str, stdin: bytes = b"", script: Script | None = None) -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of `sh -c text`."""
    out, err, given = bytearray(), bytearray(), [stdin]

    async def read() -> bytes:
        return given.pop() if given else b""

    async def to_out(data: bytes) -> None:
        out.extend(data)

    async def to_err(data: bytes) -> None:
        err.extend(data)

    machine = Machine(script or Script(), Files({"/etc/x": b"one\ntwo\n"}), {"V": "v w"}, "host", RealClock())
    code = asyncio.run(execution.run(machine, ["sh", "-c", text], Streams(read, to_out, to_err)))
    return code, out.decode(), err.decode()


@pytest.mark.parametrize(
    ("text", "code", "out"),
    [
        ("echo a  'b  c' \"$V\" '$V' ${N:-none}", 0, "a b  c v w $V none\n"),
        ("false || echo no; true && echo yes", 0, "no\nyes\n"),
        ("false; echo $?", 0, "1\n"),
        ("exit 7; echo never", 7, ""),
        ("A=1; export B=2; echo $A$B; C=3 env | grep C=", 0, "12\nC=3\n"),
        ("cat /etc/x | grep two | wc -l", 0, "1\n"),
        ("echo a > /tmp/f; echo b >> /tmp/f; cat < /tmp/f; ls /tmp", 0, "a\nb\nf\n"),
        ("cd /etc && pwd && ls", 0, "/etc\nx\n"),
        ("test -f /etc/x && [ ! -d /nowhere ] && [ 2 -gt 1 ]; echo $?", 0, "0\n"),
        ("nosuch 2>/dev/null; echo $?", 0, "127\n"),
        ("rm /etc/x; cat /etc/x 2>&1", 1, "cat: /etc/x: No such file or directory\n"),
        ("echo a # b", 0, "a\n"),
        ("cat", 0, "typed"),
        ("printf '%s-%d\\n' x 3", 0, "x-3\n"),
    ],
)
def test_shell(text: str, code: int, out: str) -> None:
    assert run(text, b"typed")[:2] == (code, out)


@pytest.mark.parametrize("text", ["if true; then echo; fi", "echo $(date)", "echo 'open", "sleep 1 &", "echo >"])
def test_what_the_shell_does_not_know_it_says(text: str) -> None:
    code, out, err = run(text)
    assert (code, out) == (2, "")
    assert err.startswith("sh: ")


def test_scripts_answer_first() -> None:
    script = Script(answers={"psql -c *": "1 row\n"}, exec=lambda argv: (4, "py\n") if argv[0] == "tool" else None)
    assert run("psql -c 'select 1'; tool; echo $?", script=script)[1] == "1 row\npy\n4\n"
