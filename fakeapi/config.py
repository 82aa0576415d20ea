"""Every option of the API server, with kube-apiserver's meaning; the command line and Cluster fill it in."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct, field

DEFAULT_ADMISSION_OFF: frozenset[str] = frozenset()


class Config(Struct):
    """Options of one API server.

    bind_address, port: where it listens; port 0 is any free one. data: directory of the sqlite store ("" keeps
    everything in memory); etcd: URL of an etcd v3 server. minor: the served Kubernetes minor (36 is 1.36). cert_dir:
    where keys live. authorization: modes in order. service_cidr: the range of Service cluster IPs. seed: makes uids and
    names repeatable.
    """

    bind_address: str = "127.0.0.1"
    port: int = 6443
    data: Path | None = None
    etcd: tuple[str, ...] = ()
    minor: int = 36
    cert_dir: Path | None = None
    tls_cert_file: Path | None = None
    tls_private_key_file: Path | None = None
    client_ca_file: Path | None = None
    token_auth_file: Path | None = None
    anonymous_auth: bool = True
    authorization: tuple[str, ...] = ("AlwaysAllow",)
    enable_admission: frozenset[str] = frozenset()
    disable_admission: frozenset[str] = frozenset()
    service_cidr: str = "10.96.0.0/12"
    service_account_issuer: str = "https://kubernetes.default.svc.cluster.local"
    service_account_key_file: Path | None = None
    service_account_signing_key_file: Path | None = None
    api_audiences: tuple[str, ...] = ()
    service_account_max_expiration: float = 0.0
    tls_san: tuple[str, ...] = field(default_factory=tuple)
    seed: int | None = None

    @property
    def hosts(self) -> list[str]:
        """Names and addresses that the serving certificate covers."""
        usual = [
            "localhost",
            "127.0.0.1",
            "::1",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ]
        bound = [] if self.bind_address in ("0.0.0.0", "::", *usual) else [self.bind_address]
        return [*usual, *bound, *self.tls_san]
