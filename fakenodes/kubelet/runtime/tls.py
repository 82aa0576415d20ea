"""TLS that a hollow container speaks on its ports when its client does, with the certificate that is mounted in it.

Sans-IO by ssl's memory BIOs, since a forwarded port is no socket.
"""

from __future__ import annotations

import functools
import ssl
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

Read = Callable[[], Awaitable[bytes]]
Write = Callable[[bytes], Awaitable[None]]
T = TypeVar("T")

CERTIFICATE, KEY = "tls.crt", "tls.key"
HANDSHAKE = b"\x16"  # the first byte that a TLS client sends


def mounted(files: Mapping[str, bytes]) -> tuple[bytes, bytes] | None:
    """Certificate and key of a kubernetes.io/tls Secret among a container's files."""
    for path, certificate in files.items():
        directory, _, name = path.rpartition("/")
        if name == CERTIFICATE and f"{directory}/{KEY}" in files:
            return certificate, files[f"{directory}/{KEY}"]
    return None


@functools.lru_cache(64)
def _context(certificate: bytes, key: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as directory:
        paths = Path(directory, "crt"), Path(directory, "key")
        for path, content in zip(paths, (certificate, key), strict=True):
            path.touch(0o600)
            path.write_bytes(content)
        context.load_cert_chain(*paths)
    return context


async def accept(read: Read, write: Write, pair: tuple[bytes, bytes] | None) -> tuple[Read, Write]:
    """What is said in clear text, whether the client speaks TLS or not. ConnectionError when they cannot agree."""
    first = await read()
    if pair is None or not first.startswith(HANDSHAKE):
        return _after(first, read), write
    try:
        session = _Session(_context(*pair), _after(first, read), write)
        await session.handshake()
    except ssl.SSLError as error:
        raise ConnectionResetError(f"tls: {error}") from None
    return session.read, session.write


def _after(first: bytes, read: Read) -> Read:
    kept = [first]

    async def again() -> bytes:
        return kept.pop() if kept else await read()

    return again


class _Session:
    def __init__(self, context: ssl.SSLContext, read: Read, write: Write) -> None:
        self._read, self._write = read, write
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = context.wrap_bio(self._in, self._out, server_side=True)

    async def _do(self, action: Callable[[], T]) -> T:
        while True:
            try:
                result = action()
            except ssl.SSLWantReadError:
                await self._flush()
                data = await self._read()
                if data:
                    self._in.write(data)
                else:
                    self._in.write_eof()
            else:
                await self._flush()
                return result

    async def _flush(self) -> None:
        if self._out.pending:
            await self._write(self._out.read())

    async def handshake(self) -> None:
        await self._do(self._ssl.do_handshake)

    async def read(self) -> bytes:
        try:
            return await self._do(lambda: self._ssl.read(65536))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    async def write(self, data: bytes) -> None:
        await self._do(lambda: self._ssl.write(data))
