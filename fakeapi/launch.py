"""From options to a listening API server: keys, store, application, socket, in that order.

Stands for kube-apiserver's cmd/kube-apiserver/app. Everything that can go wrong with a person's options does so here,
as a LaunchError with one clear line, before anything listens.
"""

from __future__ import annotations

import shutil
import socket
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from fakeapi import accounts, admission, authentication, poststart, serving
from fakeapi.app import ApiServer
from fakeapi.clock import Clock, RealClock, rfc3339
from fakeapi.config import Config
from fakeapi.request import User
from fakeapi.storage import open_storage
from fakeapi.storage.base import Storage, Unavailable
from kubeconfig import certificates, model


class LaunchError(Exception):
    """The options cannot work; the message is one line for a person."""


class Launched(Struct):
    """A listening API server. stop() ends it."""

    server: ApiServer
    serving: serving.Serving
    pki: certificates.Pki
    config: Config
    scratch: Path | None

    @property
    def url(self) -> str:
        """Where clients of this machine reach it."""
        host = self.config.bind_address
        shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else f"[{host}]" if ":" in host else host
        return f"https://{shown}:{self.serving.port}"

    def kubeconfig(
        self, user: str = "kubernetes-admin", groups: tuple[str, ...] = ("system:masters",), name: str = "fakekube"
    ) -> model.Config:
        """A kubeconfig for a new client certificate, by default an administrator's."""
        pair = self.pki.client(user, groups)
        return model.make(
            server=self.url, ca=self.pki.ca.certificate, certificate=pair.certificate, key=pair.key, name=name
        )

    async def stop(self) -> None:
        """End watches, close connections, flush the store; keys that were made for this run go."""
        await self.server.stop()
        await self.serving.stop()
        if self.scratch is not None:
            shutil.rmtree(self.scratch, ignore_errors=True)


async def launch(config: Config, *, clock: Clock | None = None) -> Launched:
    """Start an API server on the running event loop. LaunchError."""
    clock = clock or RealClock()
    _check(config)
    tokens = _tokens(config.token_auth_file)
    sock = _bind(config)
    scratch = None
    try:
        directory = config.cert_dir or (config.data / "pki" if config.data else None)
        if directory is None:
            directory = scratch = Path(tempfile.mkdtemp(prefix="fakekube-pki-"))
        pki = _pki(directory, config)
        context = _tls(directory, config)
        signing, checking = _account_keys(config, pki)
        storage = await _store(config)
        try:
            server = ApiServer(config, storage, clock=clock, tokens=tokens, account_key=signing, checking_keys=checking)
        except ValueError as error:
            raise LaunchError(str(error)) from error
    except BaseException:
        sock.close()
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
        raise
    config.port = sock.getsockname()[1]
    await server.start(_facts(config, clock, pki))
    listener = serving.Serving(server, sock, context)
    await listener.start()
    return Launched(server, listener, pki, config, scratch)


def _check(config: Config) -> None:
    """LaunchError for options that do not go together, or name what there is not."""
    known = admission.names()
    for plugin in sorted(config.enable_admission | config.disable_admission):
        if plugin not in known:
            raise LaunchError(f"admission plugin {plugin!r} is unknown; there are {', '.join(sorted(known))}")
    if not config.authorization:
        raise LaunchError("at least one authorization mode is needed, such as AlwaysAllow")
    if config.data is not None and config.etcd:
        raise LaunchError("the cluster is kept either in a directory (--data) or in etcd (--etcd-servers), not in both")


async def _store(config: Config) -> Storage:
    try:
        return await open_storage(data=config.data, etcd=config.etcd)
    except Unavailable as error:
        raise LaunchError(f"cannot use the store: {error}") from error


def _tokens(path: Path | None) -> dict[str, User]:
    if path is None:
        return {}
    try:
        return authentication.read_token_file(path)
    except OSError as error:
        raise LaunchError(f"cannot read the token file {path}: {error.strerror}") from error
    except ValueError as error:
        raise LaunchError(str(error)) from error


def _bind(config: Config) -> socket.socket:
    try:
        return serving.bind(config.bind_address, config.port)
    except OSError as error:
        where = f"{config.bind_address}:{config.port}"
        raise LaunchError(
            f"cannot listen on {where}: {error.strerror or error}; --port 0 takes any free port"
        ) from error


def _pki(directory: Path, config: Config) -> certificates.Pki:
    try:
        pki = certificates.ensure_pki(directory, config.hosts)
        if config.cert_dir or config.data:
            _ = pki.service_account  # who keeps the directory finds every key in it
    except OSError as error:
        raise LaunchError(f"cannot keep keys in {directory}: {error.strerror}") from error
    return pki


def _account_keys(config: Config, pki: certificates.Pki) -> tuple[Callable[[], bytes], list[accounts.PublicKey]]:
    """The key that service-account tokens are signed with, and further ones that they are checked with."""
    given, checking = b"", []
    path = config.service_account_signing_key_file
    try:
        if path is not None:
            given = path.read_bytes()
            accounts.load_signing_key(given)
        path = config.service_account_key_file
        if path is not None:
            checking = accounts.load_checking_keys(path.read_bytes())
    except OSError as error:
        raise LaunchError(f"cannot read the key {path}: {error.strerror}") from error
    except ValueError as error:
        raise LaunchError(f"cannot use the key {path}: {error}") from error
    return lambda: given or pki.service_account.key, checking


def _tls(directory: Path, config: Config) -> ssl.SSLContext:
    certificate = config.tls_cert_file or directory / "apiserver.crt"
    key = config.tls_private_key_file or directory / "apiserver.key"
    if config.client_ca_file is not None and not config.client_ca_file.is_file():
        raise LaunchError(f"cannot read the CA of clients {config.client_ca_file}: there is no such file")
    try:
        return serving.tls_context(certificate, key, config.client_ca_file or directory / "ca.crt")
    except OSError as error:
        raise LaunchError(f"cannot use the certificate {certificate}: {error.strerror or error}") from error


def _facts(config: Config, clock: Clock, pki: certificates.Pki) -> poststart.Facts:
    address = "127.0.0.1" if config.bind_address in ("0.0.0.0", "::") else config.bind_address
    return poststart.Facts(
        now=rfc3339(clock.now()),
        address=address,
        port=config.port,
        service_cidr=config.service_cidr,
        client_ca=pki.ca.certificate.decode(),
        hostname=socket.gethostname(),
        uid=socket.gethostname(),
    )
