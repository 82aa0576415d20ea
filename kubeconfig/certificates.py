"""Keys and certificates of a cluster: a CA, what it signs, and the service-account key, kept in one directory.

Stands for `kubeadm init phase certs`. Keys are EC P-256: three of them cost a millisecond, one RSA key forty. Only the
service-account key is RSA, as kubeadm's is, since clients see what signs their tokens; it is made when first needed.
"""

from __future__ import annotations

import ipaddress
import os
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

_YEARS = timedelta(days=3650)
_SKEW = timedelta(minutes=5)


class KeyPair(Struct, frozen=True):
    """A certificate (or only a key: certificate b"") and its private key, both PEM."""

    certificate: bytes
    key: bytes


def _private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _name(common_name: str, organizations: Sequence[str] = ()) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, o) for o in organizations]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _YEARS)
    )


def make_ca(common_name: str = "kubernetes") -> KeyPair:
    """A new self-signed certificate authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(common_name)
    usage = x509.KeyUsage(True, False, True, False, False, True, False, False, False)
    certificate = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(certificate.public_bytes(serialization.Encoding.PEM), _private_pem(key))


def _alternative_names(hosts: Sequence[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return names


def sign(ca: KeyPair, common_name: str, organizations: Sequence[str] = (), hosts: Sequence[str] = ()) -> KeyPair:
    """A new key and its certificate: a serving one when it has hosts (names or IPs), else a client one."""
    issuer = x509.load_pem_x509_certificate(ca.certificate)
    issuer_key = serialization.load_pem_private_key(ca.key, None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        _builder(_name(common_name, organizations), issuer.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(True, False, True, False, False, False, False, False, False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName(_alternative_names(hosts)), critical=False)
    certificate = builder.sign(issuer_key, hashes.SHA256())
    return KeyPair(certificate.public_bytes(serialization.Encoding.PEM), _private_pem(key))


def make_key() -> KeyPair:
    """A new RSA key without a certificate (service-account tokens)."""
    return KeyPair(b"", _private_pem(rsa.generate_private_key(65537, 2048)))


class Pki(Struct, frozen=True, dict=True):
    """The cluster's key material and the directory that holds it as files (names as kubeadm's)."""

    directory: Path
    ca: KeyPair
    serving: KeyPair

    @cached_property
    def service_account(self) -> KeyPair:
        """What signs service-account tokens; made when it is not there yet. OSError when it cannot be written."""
        return _load(self.directory, "sa", with_certificate=False) or _store(self.directory, "sa", make_key())

    def client(self, common_name: str, organizations: Sequence[str] = ()) -> KeyPair:
        """A client certificate for that user and those groups."""
        return sign(self.ca, common_name, organizations)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write by rename, so that a reader never meets half a file."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.chmod(temporary, mode)
    os.replace(temporary, path)


def _load(directory: Path, name: str, with_certificate: bool = True) -> KeyPair | None:
    key, certificate = directory / f"{name}.key", directory / f"{name}.crt"
    if not key.exists() or (with_certificate and not certificate.exists()):
        return None
    return KeyPair(certificate.read_bytes() if with_certificate else b"", key.read_bytes())


def _store(directory: Path, name: str, pair: KeyPair) -> KeyPair:
    if pair.certificate:
        _write(directory / f"{name}.crt", pair.certificate, 0o644)
    _write(directory / f"{name}.key", pair.key, 0o600)
    return pair


def _covers(certificate: bytes, hosts: Sequence[str]) -> bool:
    found = x509.load_pem_x509_certificate(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return set(_alternative_names(hosts)) <= set(found.value)


def ensure_pki(directory: Path, hosts: Sequence[str]) -> Pki:
    """The key material in that directory; what is missing is made, and the serving certificate anew when it lacks a
    host. The service-account key is made when it is first asked for.

    OSError when the directory cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    ca = _load(directory, "ca") or _store(directory, "ca", make_ca())
    serving = _load(directory, "apiserver")
    if serving is None or not _covers(serving.certificate, hosts):
        serving = _store(directory, "apiserver", sign(ca, "kube-apiserver", hosts=hosts))
    return Pki(directory, ca, serving)
