"""An API server as the conformance kit sees it: HTTP as a kubeconfig's current context says, on the standard library.

Every request of a Session is kept, so that a divergence can be shown as a script of curl commands.
"""

from __future__ import annotations

import http.client
import json
import ssl
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct, field

from kubeconfig import model

SECONDS = 60.0


class Reply(Struct, frozen=True):
    """An answer. Header names are lower-case, a repeated header's values joined by line ends."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        """The parsed JSON, {} for anything else."""
        try:
            return json.loads(self.raw)
        except ValueError:
            return {}


class Target:
    """One API server. identity: None is the kubeconfig's user, "anonymous" nobody, "token:XYZ" a bearer token."""

    def __init__(self, kubeconfig: Path) -> None:
        self.access = model.access(model.load(kubeconfig), kubeconfig.parent)
        url = urlsplit(self.access.server)
        self._secure = url.scheme == "https"
        self._address = (url.hostname or "localhost", url.port or (443 if self._secure else 80))
        self._prefix = url.path.rstrip("/")
        self._connections: dict[bool, http.client.HTTPConnection] = {}

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, identity: str | None = None
    ) -> Reply:
        """One request; a kept connection that has gone is made anew once. OSError, http.client.HTTPException."""
        for attempt in (0, 1):
            try:
                answer = self._ask(method, path, headers, body, identity)
                return Reply(answer.status, _headers(answer), answer.read())
            except (http.client.HTTPException, OSError):
                self._drop(identity is not None)
                if attempt:
                    raise
        raise AssertionError("unreachable")

    def stream(self, path: str, enough: Callable[[Any], bool]) -> tuple[int, list[Any]]:
        """A watch's status and events, up to the one that is enough, or its end."""
        answer = self._ask("GET", path, {"Accept": "application/json"}, None, None)
        events = []
        try:
            while line := answer.readline():
                if line.strip():
                    events.append(json.loads(line))
                    if answer.status != 200 or enough(events[-1]):
                        break
        finally:
            self._drop(False)
        return answer.status, events

    def close(self) -> None:
        """Close its connections."""
        for anonymous in list(self._connections):
            self._drop(anonymous)

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, identity: str | None
    ) -> http.client.HTTPResponse:
        sent = dict(headers)
        if identity and identity.startswith("token:"):
            sent["Authorization"] = f"Bearer {identity.removeprefix('token:')}"
        elif identity is None and self.access.token:
            sent["Authorization"] = f"Bearer {self.access.token}"
        connection = self._connection(identity is not None)
        connection.request(method, self._prefix + path, body, sent)
        return connection.getresponse()

    def _connection(self, anonymous: bool) -> http.client.HTTPConnection:
        if anonymous not in self._connections:
            host, port = self._address
            if self._secure:
                context = self._context(anonymous)
                self._connections[anonymous] = http.client.HTTPSConnection(host, port, timeout=SECONDS, context=context)
            else:
                self._connections[anonymous] = http.client.HTTPConnection(host, port, timeout=SECONDS)
        return self._connections[anonymous]

    def _context(self, anonymous: bool) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.access.ca.decode() or None)
        if self.access.insecure or not self.access.ca:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if self.access.certificate and not anonymous:
            with tempfile.NamedTemporaryFile(suffix=".pem") as file:
                file.write(self.access.certificate + b"\n" + self.access.key)
                file.flush()
                context.load_cert_chain(file.name)
        return context

    def _drop(self, anonymous: bool) -> None:
        connection = self._connections.pop(anonymous, None)
        if connection is not None:
            connection.close()


def _headers(answer: http.client.HTTPResponse) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in answer.getheaders():
        name = key.lower()
        found[name] = f"{found[name]}\n{value}" if name in found else value
    return found


class Session(Struct):
    """Requests to a target with JSON bodies, and the script that they make."""

    target: Target
    script: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, body: Any = None, media: str = "application/json") -> Reply:
        """One request."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json", "User-Agent": "fuzz/v1"}
        if data is not None:
            headers["Content-Type"] = media
        self.script.append(curl(method, path, data, media))
        return self.target.send(method, path, headers, data)

    def watch(self, path: str, enough: Callable[[Any], bool]) -> tuple[int, list[Any]]:
        """A watch from where its path says, up to the event that is enough."""
        self.script.append(curl("GET", path, None, ""))
        return self.target.stream(path, enough)


def curl(method: str, path: str, data: bytes | None, media: str) -> str:
    """The request as a command; $CURL holds credentials, as the report says."""
    command = f'$CURL -X {method} "$SERVER{path}"'
    if data is not None:
        quoted = data.decode().replace("'", "'\\''")
        command += f" -H 'Content-Type: {media}' -d '{quoted}'"
    return command
