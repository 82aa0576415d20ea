"""How `kubectl exec` runs a command line in a hollow container.

A script's own answers come first; then the commands of commands.py, also by way of a shell; anything else is not found,
as in a container that lacks it.
"""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec.structs import replace

from fakenodes.kubelet.runtime import shell
from fakenodes.kubelet.runtime.commands import COMMANDS, SHELL_ONLY
from fakenodes.kubelet.runtime.machine import Machine, Streams, store
from fakenodes.kubelet.runtime.script import SHELLS, Script, scripted_answer

PROMPT = b"/ # "


class NotFound(Exception):
    """The container has no such program; the text is the container runtime's."""


async def run(machine: Machine, argv: Sequence[str], streams: Streams) -> int:
    """Run a command line; its exit code. NotFound."""
    answer = await _scripted(machine.script, argv, streams)
    if answer is not None:
        return answer
    name = argv[0].rsplit("/", 1)[-1]
    if argv[0] in SHELLS:
        return await _shell(machine, argv, streams)
    command = COMMANDS.get(name)
    if command is None or name in SHELL_ONLY:
        raise NotFound(f'exec: "{argv[0]}": executable file not found in $PATH: unknown')
    return await command(machine, list(argv[1:]), streams)


async def _scripted(script: Script, argv: Sequence[str], streams: Streams) -> int | None:
    found = scripted_answer(script, argv)
    if found is None:
        return None
    await streams.out(found[1].encode())
    return found[0]


# -- the shell ---------------------------------------------------------------------------------------------------------


async def _shell(machine: Machine, argv: Sequence[str], streams: Streams) -> int:
    options = [a for a in argv[1:] if a.startswith("-")]
    rest = [a for a in argv[1:] if not a.startswith("-")]
    if any("c" in option for option in options) and rest:
        variables = {str(i): word for i, word in enumerate(rest[1:])}
        inner = replace(machine, environment={**machine.environment, **variables})
        return await lines(inner, rest[0], streams, stop=any("e" in option for option in options))
    return await interact(machine, streams)


async def interact(machine: Machine, streams: Streams, *, tty: bool = False) -> int:
    """Read lines and run them until the input ends or `exit`. With a tty, echo what is typed and show a prompt."""
    typed = b""
    if tty:
        await streams.out(PROMPT)
    while not machine.exited:
        data = await streams.read()
        if not data or (tty and data == b"\x04" and not typed):
            break
        if tty:
            await streams.out(data.replace(b"\r", b"\n").replace(b"\x7f", b"\b \b"))
            data = data.replace(b"\r", b"\n")
        typed = _rubbed_out(typed + data) if tty else typed + data
        while b"\n" in typed and not machine.exited:
            line, typed = typed.split(b"\n", 1)
            await lines(machine, line.decode("utf-8", "replace"), streams)
            if tty and not machine.exited:
                await streams.out(PROMPT)
    if typed and not tty and not machine.exited:
        await lines(machine, typed.decode("utf-8", "replace"), streams)
    return machine.status


def _rubbed_out(typed: bytes) -> bytes:
    while b"\x7f" in typed:
        at = typed.index(b"\x7f")
        typed = typed[: max(at - 1, 0)] + typed[at + 1 :]
    return typed.rsplit(b"\x03", 1)[-1]


async def lines(machine: Machine, text: str, streams: Streams, *, stop: bool = False) -> int:
    """Run a shell's text; the last exit code. stop: at the first failure."""
    try:
        pipelines = shell.parse(text)
    except shell.NotUnderstood as error:
        await streams.err(f"sh: {error}\n".encode())
        machine.status = 2
        return 2
    for pipeline in pipelines:
        if (pipeline.joint == "&&" and machine.status) or (pipeline.joint == "||" and not machine.status):
            continue
        machine.status = await _pipeline(machine, pipeline.commands, streams)
        if machine.exited or (stop and machine.status):
            break
    return machine.status


async def _pipeline(machine: Machine, commands: list[shell.Simple], streams: Streams) -> int:
    read, status = streams.read, 0
    for number, command in enumerate(commands):
        last = number == len(commands) - 1
        kept = io.BytesIO()
        inner = Streams(read, streams.out if last else _keeper(kept), streams.err)
        status = await _simple(machine, command, inner)
        read = _reading(kept.getvalue())
    return status


def _keeper(kept: io.BytesIO) -> Callable[[bytes], Awaitable[None]]:
    async def keep(data: bytes) -> None:
        kept.write(data)

    return keep


def _reading(data: bytes) -> Callable[[], Awaitable[bytes]]:
    rest = [data]

    async def read() -> bytes:
        return rest.pop() if rest else b""

    return read


async def _simple(machine: Machine, command: shell.Simple, streams: Streams) -> int:
    variables = {**machine.environment, "?": str(machine.status), "$": "1", "PWD": machine.directory}
    words = [shell.expand(word, variables) for word in command.words]
    settings = {}
    while words and (pair := shell.assignment(words[0])) is not None:
        settings[pair[0]] = pair[1]
        words.pop(0)
    if not words:
        machine.environment.update(settings)
    output, errors = io.BytesIO(), io.BytesIO()
    read, out, err = streams.read, streams.out, streams.err
    if command.input is not None:
        source = machine.path(shell.expand(command.input, variables))
        content = machine.files.read(source)
        if content is None:
            await err(f"sh: can't open {source}: no such file\n".encode())
            return 1
        read = _reading(content)
    if command.output is not None:
        out = _keeper(output)
    if command.errors is not None:
        err = _keeper(errors)
    if command.errors_to_output:
        err = out
    if command.output_to_errors:
        out = err
    status = await _words(machine, words, settings, Streams(read, out, err)) if words else 0
    for target, kept in ((command.output, output), (command.errors, errors)):
        if target is not None:
            store(machine, machine.path(shell.expand(target[0], variables)), kept.getvalue(), append=target[1])
    return status


async def _words(machine: Machine, words: list[str], settings: Mapping[str, str], streams: Streams) -> int:
    answer = await _scripted(machine.script, words, streams)
    if answer is not None:
        return answer
    if words[0] in SHELLS:
        return await _shell(machine, words, streams)
    command = COMMANDS.get(words[0].rsplit("/", 1)[-1])
    if command is None:
        await streams.err(f"sh: {words[0]}: not found\n".encode())
        return 127
    before = dict(machine.environment)
    machine.environment.update(settings)
    try:
        return await command(machine, words[1:], streams)
    finally:
        for name in settings:
            if name in before:
                machine.environment[name] = before[name]
            else:
                machine.environment.pop(name, None)
