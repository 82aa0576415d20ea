"""The Client to any API server that a kubeconfig names, ours or real.

Stands for client-go's rest.Config and transport: client certificates, bearer tokens, CA, impersonation; one pool of
connections, watch streams without a read timeout. Leaves out exec and auth-provider plugins, basic auth and proxies.
"""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
from msgspec import Struct
from multidict import CIMultiDict

from fakenodes.client.rest import Answer, RestClient
from kubeconfig import model

REQUEST_SECONDS = 60.0


class Target(Struct, frozen=True):
    """Where a kubeconfig's context leads: the server's URL, its TLS context (None for http) and headers to send."""

    server: str
    tls: ssl.SSLContext | None
    headers: Mapping[str, str]


class HttpClient(RestClient):
    """A Client over HTTP. Must be made on the running event loop that it is used on; close() it there."""

    def __init__(self, target: Target, user_agent: str = "fakenodes/v1", connections: int = 0) -> None:
        super().__init__(self._request, user_agent)
        self._target = target
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def _request(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        stream = "watch=1" in path
        try:
            timeout = aiohttp.ClientTimeout(total=None if stream else REQUEST_SECONDS, sock_connect=REQUEST_SECONDS)
            answer = await self._pool().request(
                method,
                self._target.server + path,
                headers=headers,
                data=body or None,
                timeout=timeout,
                skip_auto_headers=("Content-Type",),
            )
            if stream and answer.status == 200:
                return Answer(answer.status, answer.headers, _pieces(answer))
            return Answer(answer.status, answer.headers, await answer.read())
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error) or type(error).__name__) from error

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                ssl=self._target.tls or False, limit=self._connections, keepalive_timeout=30.0
            )
            self._session = aiohttp.ClientSession(
                connector=connector, headers=self._target.headers, auto_decompress=True
            )
        return self._session

    async def close(self) -> None:
        """Close the pool; streams end."""
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _pieces(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.content.iter_any():
            yield piece
    except aiohttp.ClientError as error:
        raise ConnectionError(str(error) or type(error).__name__) from error
    finally:
        answer.close()


def impersonating(target: Target, user: str, groups: tuple[str, ...] = ()) -> Target:
    """The same server as another user; the kubeconfig's own user must be allowed to impersonate.

    A service account's groups are filled in when none are given, as the API server's authenticator does.
    """
    parts = user.split(":")
    if not groups and user.startswith("system:serviceaccount:") and len(parts) == 4:
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{parts[2]}", "system:authenticated")
    headers = CIMultiDict(target.headers)
    headers["Impersonate-User"] = user
    for group in groups:
        headers.add("Impersonate-Group", group)
    return Target(target.server, target.tls, headers)


def load_target(path: str | Path, context: str = "") -> Target:
    """The target of a kubeconfig file's current (or named) context. ValueError when it does not say one."""
    file = Path(path)
    access = model.access(model.load(file), file.parent, context)
    tls = _tls(access) if access.server.startswith("https") else None
    return Target(access.server, tls, {"Authorization": f"Bearer {access.token}"} if access.token else {})


def _tls(access: model.Access) -> ssl.SSLContext:
    tls = ssl.create_default_context(cadata=access.ca.decode() or None)
    if access.insecure:
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    if access.certificate and access.key:
        # Python's ssl takes the pair from files only; 0600 by tempfile, gone at once.
        with tempfile.NamedTemporaryFile() as pem:
            pem.write(access.certificate + b"\n" + access.key)
            pem.flush()
            tls.load_cert_chain(pem.name)
    return tls
