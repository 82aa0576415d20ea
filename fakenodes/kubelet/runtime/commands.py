"""The commands that every hollow container has, on files that live in memory: a table of name to function."""

from __future__ import annotations

import io
import posixpath
import re
import tarfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from fakenodes.kubelet.runtime import shell
from fakenodes.kubelet.runtime.commandline import number_of
from fakenodes.kubelet.runtime.machine import Machine, Streams, store

TAR_END = bytes(1024)
_DIRECTIVE = re.compile("%([sdi%])")


async def _true(machine: Machine, args: list[str], streams: Streams) -> int:
    return 0


async def _false(machine: Machine, args: list[str], streams: Streams) -> int:
    return 1


async def _exit(machine: Machine, args: list[str], streams: Streams) -> int:
    machine.exited = True
    return int(args[0]) % 256 if args and args[0].isdigit() else machine.status


async def _echo(machine: Machine, args: list[str], streams: Streams) -> int:
    flags = ""
    while args and args[0] in ("-n", "-e", "-ne", "-en"):
        flags += args.pop(0)
    text = " ".join(args)
    if "e" in flags:
        text = _escaped(text)
    await streams.out((text + ("" if "n" in flags else "\n")).encode())
    return 0


def _escaped(text: str) -> str:
    return text.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\")


async def _printf(machine: Machine, args: list[str], streams: Streams) -> int:
    if not args:
        return 1
    values = iter(args[1:])
    text = _DIRECTIVE.sub(lambda m: "%" if m[1] == "%" else next(values, "" if m[1] == "s" else "0"), _escaped(args[0]))
    await streams.out(text.encode())
    return 0


async def _sleep(machine: Machine, args: list[str], streams: Streams) -> int:
    seconds = number_of(args[0]) if args else None
    if seconds is None:
        await streams.err(b"sleep: invalid number\n")
        return 1
    await machine.clock.sleep(seconds)
    return 0


async def _cat(machine: Machine, args: list[str], streams: Streams) -> int:
    status = 0
    for name in [a for a in args if not a.startswith("-") or a == "-"] or ["-"]:
        if name == "-":
            while piece := await streams.read():
                await streams.out(piece)
            continue
        data = machine.files.read(machine.path(name))
        if data is not None:
            await streams.out(data)
        else:
            why = "Is a directory" if machine.files.is_directory(machine.path(name)) else "No such file or directory"
            await streams.err(f"cat: {name}: {why}\n".encode())
            status = 1
    return status


async def _tee(machine: Machine, args: list[str], streams: Streams) -> int:
    data = await streams.read_all()
    for name in [a for a in args if not a.startswith("-")]:
        store(machine, machine.path(name), data, append="-a" in args)
    await streams.out(data)
    return 0


async def _environment(machine: Machine, args: list[str], streams: Streams) -> int:
    if args:
        if args[0] not in machine.environment:
            return 1
        await streams.text(machine.environment[args[0]])
        return 0
    for name, value in machine.environment.items():
        await streams.text(f"{name}={value}")
    return 0


async def _export(machine: Machine, args: list[str], streams: Streams) -> int:
    machine.environment.update(pair for arg in args if (pair := shell.assignment(arg)) is not None)
    return 0


async def _hostname(machine: Machine, args: list[str], streams: Streams) -> int:
    await streams.text(machine.hostname)
    return 0


async def _date(machine: Machine, args: list[str], streams: Streams) -> int:
    now = datetime.fromtimestamp(machine.clock.now(), UTC)
    form = next((a[1:] for a in args if a.startswith("+")), "%a %b %e %H:%M:%S UTC %Y")
    await streams.text(now.strftime(form.replace("%s", str(int(now.timestamp())))))
    return 0


async def _pwd(machine: Machine, args: list[str], streams: Streams) -> int:
    await streams.text(machine.directory)
    return 0


async def _cd(machine: Machine, args: list[str], streams: Streams) -> int:
    path = machine.path(args[0] if args else machine.environment.get("HOME", "/"))
    if not machine.files.is_directory(path):
        await streams.err(f"sh: cd: can't cd to {args[0]}: No such file or directory\n".encode())
        return 2
    machine.directory = path
    return 0


async def _ls(machine: Machine, args: list[str], streams: Streams) -> int:
    status = 0
    for name in [a for a in args if not a.startswith("-")] or ["."]:
        path = machine.path(name)
        if machine.files.read(path) is not None:
            await streams.text(name)
        elif machine.files.is_directory(path):
            for child in machine.files.children(path):
                await streams.text(child)
        else:
            await streams.err(f"ls: {name}: No such file or directory\n".encode())
            status = 1
    return status


async def _id(machine: Machine, args: list[str], streams: Streams) -> int:
    await streams.text("0" if "-u" in args else "uid=0(root) gid=0(root) groups=0(root)")
    return 0


async def _whoami(machine: Machine, args: list[str], streams: Streams) -> int:
    await streams.text("root")
    return 0


async def _uname(machine: Machine, args: list[str], streams: Streams) -> int:
    await streams.text(f"Linux {machine.hostname} 6.12.0-hollow x86_64 Linux" if "-a" in args else "Linux")
    return 0


async def _mkdir(machine: Machine, args: list[str], streams: Streams) -> int:
    for name in args:
        if not name.startswith("-"):
            machine.files.directories.add(machine.path(name))
    return 0


async def _touch(machine: Machine, args: list[str], streams: Streams) -> int:
    for name in args:
        store(machine, machine.path(name), b"", append=True)
    return 0


async def _rm(machine: Machine, args: list[str], streams: Streams) -> int:
    status = 0
    for name in [a for a in args if not a.startswith("-")]:
        path = machine.path(name)
        if machine.files.below(path) or machine.files.is_directory(path):
            machine.files.remove(path)
        elif "-f" not in args and "-rf" not in args:
            await streams.err(f"rm: can't remove '{name}': No such file or directory\n".encode())
            status = 1
    return status


async def _test(machine: Machine, args: list[str], streams: Streams) -> int:
    words = [a for a in args if a != "]"]
    flip = bool(words) and words[0] == "!"
    words = words[1:] if flip else words
    return int(_holds(machine, words) == flip)


def _holds(machine: Machine, words: list[str]) -> bool:
    files = machine.files
    if len(words) == 1:
        return bool(words[0])
    if len(words) == 2:
        path = machine.path(words[1])
        there = files.read(path) is not None
        checks = {"-d": files.is_directory(path), "-f": there, "-e": there or files.is_directory(path), "-r": there,
                  "-s": bool(files.read(path)), "-n": bool(words[1]), "-z": not words[1]}  # fmt: skip
        return checks.get(words[0], False)
    if len(words) == 3:
        left, operator, right = words
        if operator in ("=", "==", "!="):
            return (left == right) == (operator != "!=")
        if left.lstrip("-").isdigit() and right.lstrip("-").isdigit():
            a, b = int(left), int(right)
            return {"-eq": a == b, "-ne": a != b, "-lt": a < b, "-le": a <= b, "-gt": a > b, "-ge": a >= b}[operator]
    return False


async def _grep(machine: Machine, args: list[str], streams: Streams) -> int:
    flags = "".join(a[1:] for a in args if a.startswith("-"))
    words = [a for a in args if not a.startswith("-")]
    if not words:
        return 2
    if words[1:]:
        data = b"".join([machine.files.read(machine.path(name)) or b"" for name in words[1:]])
    else:
        data = await streams.read_all()
    found = [line for line in data.decode("utf-8", "replace").splitlines() if (words[0] in line) != ("v" in flags)]
    if "q" not in flags:
        for line in [str(len(found))] if "c" in flags else found:
            await streams.text(line)
    return 0 if found else 1


async def _wc(machine: Machine, args: list[str], streams: Streams) -> int:
    data = await streams.read_all()
    counts = {"-l": data.count(b"\n"), "-c": len(data), "-w": len(data.split())}
    await streams.text(" ".join(str(counts[a]) for a in args if a in counts) or " ".join(map(str, counts.values())))
    return 0


async def _tar(machine: Machine, args: list[str], streams: Streams) -> int:
    """Archives on stdin and stdout, as `kubectl cp` asks for them."""
    flags, directory, names = "", machine.directory, []
    rest = iter(args)
    for number, arg in enumerate(rest):
        if arg.startswith("--"):
            continue
        if (arg.startswith("-") and arg != "-") or number == 0:
            letters = arg.lstrip("-")
            flags += letters.replace("C", "")
            if "f" in letters:
                next(rest, None)
            if "C" in letters:
                directory = machine.path(next(rest, "/"))
        else:
            names.append(arg)
    if "c" in flags:
        return await _pack(machine, directory, names, streams)
    return await _unpack(machine, directory, streams)


async def _pack(machine: Machine, directory: str, names: list[str], streams: Streams) -> int:
    kept, status = io.BytesIO(), 0
    with tarfile.open(fileobj=kept, mode="w") as archive:
        for name in names:
            path = posixpath.normpath(posixpath.join(directory, name))
            found = machine.files.below(path)
            if not found and not machine.files.is_directory(path):
                await streams.err(f"tar: {name}: Cannot stat: No such file or directory\n".encode())
                status = 2
            if machine.files.is_directory(path):
                entry = tarfile.TarInfo(name.lstrip("/"))
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
            for file in found:
                data = machine.files.read(file) or b""
                entry = tarfile.TarInfo((name + file[len(path) :]).lstrip("/"))
                entry.size, entry.mtime, entry.mode = len(data), int(machine.clock.now()), 0o644
                archive.addfile(entry, io.BytesIO(data))
    await streams.out(kept.getvalue())
    return status


async def _unpack(machine: Machine, directory: str, streams: Streams) -> int:
    data = b""
    while piece := await streams.read():
        data += piece
        if len(data) % 512 == 0 and data.endswith(TAR_END):
            break  # older protocols cannot tell that the input has ended
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for entry in archive:
                path = posixpath.normpath(posixpath.join(directory, entry.name))
                if entry.isdir():
                    machine.files.directories.add(path)
                elif (content := archive.extractfile(entry)) is not None:
                    machine.files.write(path, content.read())
    except tarfile.TarError as error:
        await streams.err(f"tar: {error}\n".encode())
        return 2
    return 0


Command = Callable[[Machine, list[str], Streams], Awaitable[int]]
COMMANDS: dict[str, Command] = {
    "true": _true, ":": _true, "false": _false, "exit": _exit, "echo": _echo, "printf": _printf, "sleep": _sleep,
    "cat": _cat, "tee": _tee, "env": _environment, "printenv": _environment, "export": _export, "hostname": _hostname,
    "date": _date, "pwd": _pwd, "cd": _cd, "ls": _ls, "id": _id, "whoami": _whoami, "uname": _uname, "mkdir": _mkdir,
    "touch": _touch, "rm": _rm, "test": _test, "[": _test, "grep": _grep, "wc": _wc, "tar": _tar, "set": _true,
}  # fmt: skip
SHELL_ONLY = frozenset((":", "exit", "export", "cd", "set"))
