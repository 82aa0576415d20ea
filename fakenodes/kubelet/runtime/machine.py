"""The inside of a hollow container, for commands that run in it: files in memory, variables, streams."""

from __future__ import annotations

import posixpath
from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct, field

from fakeapi.clock import Clock
from fakenodes.kubelet.runtime.script import Script


class Files(Struct):
    """A container's files: what it came with, and what was written since (None: removed). Paths are absolute.

    shared: by mount path, what has been written to volumes that other containers see too.
    """

    base: Mapping[str, bytes]
    written: dict[str, bytes | None] = field(default_factory=dict)
    shared: dict[str, dict[str, bytes]] = field(default_factory=dict)
    directories: set[str] = field(default_factory=lambda: {"/", "/tmp", "/root", "/etc", "/home", "/var"})

    def read(self, path: str) -> bytes | None:
        """A file's content, None where there is none."""
        volume, rest = self._volume(path)
        if volume is not None:
            return volume.get(rest)
        return self.written[path] if path in self.written else self.base.get(path)

    def write(self, path: str, data: bytes) -> None:
        """Make or replace a file."""
        volume, rest = self._volume(path)
        if volume is not None:
            volume[rest] = data
        else:
            self.written[path] = data

    def remove(self, path: str) -> None:
        """Remove a file, or a directory with all below it."""
        for name in self.below(path):
            volume, rest = self._volume(name)
            if volume is not None:
                del volume[rest]
            else:
                self.written[name] = None
        self.directories -= {d for d in self.directories if d == path or d.startswith(path + "/")}

    def names(self) -> list[str]:
        """Every file."""
        own = {n for n in {*self.base, *self.written} if self.read(n) is not None}
        return sorted(own | {f"{mount}/{rest}" for mount, volume in self.shared.items() for rest in volume})

    def _volume(self, path: str) -> tuple[dict[str, bytes] | None, str]:
        """The shared volume that the path leads into, and the path in it."""
        found = max((m for m in self.shared if path.startswith(f"{m}/")), key=len, default=None)
        return (None, path) if found is None else (self.shared[found], path[len(found) + 1 :])

    def below(self, path: str) -> list[str]:
        """The file itself, or all files in that directory."""
        prefix = path.rstrip("/") + "/"
        return [n for n in self.names() if n == path or n.startswith(prefix)]

    def is_directory(self, path: str) -> bool:
        """Whether something could be in it."""
        prefix = path.rstrip("/") + "/"
        return path in self.directories or any(n.startswith(prefix) for n in (*self.names(), *self.directories))

    def children(self, path: str) -> list[str]:
        """Names in a directory."""
        prefix = path.rstrip("/") + "/"
        every = (*self.names(), *self.directories)
        return sorted({n[len(prefix) :].split("/", 1)[0] for n in every if n.startswith(prefix) and n != prefix})


class Streams(Struct):
    """Where a command reads and writes. read() gives b"" at the end."""

    read: Callable[[], Awaitable[bytes]]
    out: Callable[[bytes], Awaitable[None]]
    err: Callable[[bytes], Awaitable[None]]

    async def read_all(self) -> bytes:
        """All input."""
        found = b""
        while piece := await self.read():
            found += piece
        return found

    async def text(self, line: str) -> None:
        """A line of output."""
        await self.out(line.encode() + b"\n")


class Machine(Struct):
    """The container that commands run in."""

    script: Script
    files: Files
    environment: dict[str, str]
    hostname: str
    clock: Clock
    directory: str = "/"
    status: int = 0
    exited: bool = False

    def path(self, name: str) -> str:
        """An absolute path."""
        return posixpath.normpath(posixpath.join(self.directory, name))


def store(machine: Machine, path: str, data: bytes, *, append: bool) -> None:
    """Write a file, as `>` and `>>` do."""
    if path == "/dev/null":
        return
    machine.files.write(path, (machine.files.read(path) or b"") + data if append else data)
