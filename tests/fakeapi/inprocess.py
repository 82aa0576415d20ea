"""An API server without a socket, for tests: requests go in after authentication, as any user."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fakeapi import poststart
from fakeapi.app import ApiServer
from fakeapi.config import Config
from fakeapi.request import Answer, Request, User, decode_path, parse, parse_query
from fakeapi.storage.memory import MemoryStorage

ADMIN = User("admin", ("system:masters", "system:authenticated"))
FACTS = poststart.Facts(now="2026-11-21T00:00:00Z", service_cidr="10.0.0.0/16", hostname="h", uid="u")


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    body: Any
    headers: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """A Status's message."""
        return str(self.body.get("message", ""))


class InProcess:
    """One server on a loop of its own."""

    def __init__(self, server: ApiServer, runner: asyncio.Runner) -> None:
        self.server = server
        self._runner = runner

    def run(self, make: Callable[[], Any]) -> Any:
        """Await what make() gives."""

        async def go() -> Any:
            return await make()

        return self._runner.run(go())

    def ask(self, method: str, path: str, body: Any = None, *, user: User = ADMIN, **headers: str) -> Reply:
        """A request as a user; header names are written with underscores."""
        data = b"" if body is None else orjson.dumps(body)
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        given = {"content-type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}}
        return reply(self.run(lambda: self.server.call(method, path, given, data, user)))

    def ask_as_bearer(self, path: str, token: str) -> Reply:
        """A GET with a bearer token, through authentication."""

        async def read() -> bytes:
            return b""

        target, _, text = path.partition("?")
        query = parse_query(text)
        target = decode_path(target)
        headers = {"authorization": f"Bearer {token}"}
        request = Request("GET", target, query, headers, read, parse("GET", target, query), now=self.server.clock.now())
        return reply(self.run(lambda: self.server.handle(request)))


def reply(answer: Answer) -> Reply:
    """An Answer with its body decoded."""
    assert isinstance(answer.body, bytes)
    json = answer.content_type.startswith("application/json") or "+json" in answer.content_type
    return Reply(
        answer.status,
        orjson.loads(answer.body) if json else answer.body.decode(),
        answer.headers,
        tuple(answer.warnings),
    )


@contextmanager
def in_process(**options: Any) -> Iterator[InProcess]:
    """A started server with RBAC and without the ServiceAccount plugin, unless options say otherwise."""
    settings = {"authorization": ("RBAC",), "disable_admission": frozenset(("ServiceAccount",)), "seed": 1, **options}
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with asyncio.Runner() as runner:

        async def make() -> ApiServer:
            server = ApiServer(Config(**settings), MemoryStorage(), account_key=lambda: key)
            await server.start(FACTS)
            return server

        server = runner.run(make())
        try:
            yield InProcess(server, runner)
        finally:
            runner.run(server.stop())
