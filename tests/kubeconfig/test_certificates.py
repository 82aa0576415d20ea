"""A cluster's keys and certificates: what they say, and that they outlive a restart."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kubeconfig import certificates

HOSTS = ["127.0.0.1", "localhost"]


def test_a_client_certificate_names_user_and_groups() -> None:
    ca = certificates.make_ca()
    found = x509.load_pem_x509_certificate(certificates.sign(ca, "jane", ["devs", "ops"]).certificate)
    found.verify_directly_issued_by(x509.load_pem_x509_certificate(ca.certificate))
    named = {
        attribute: [part.value for part in found.subject.get_attributes_for_oid(attribute)]
        for attribute in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
    }
    assert named == {NameOID.COMMON_NAME: ["jane"], NameOID.ORGANIZATION_NAME: ["devs", "ops"]}
    assert list(found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]


def test_a_serving_certificate_names_hosts() -> None:
    found = x509.load_pem_x509_certificate(certificates.sign(certificates.make_ca(), "server", hosts=HOSTS).certificate)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1")]
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]


def test_keys_outlive_a_restart_and_a_new_host_changes_only_the_serving_one(tmp_path: Path) -> None:
    first = certificates.ensure_pki(tmp_path / "pki", HOSTS)
    assert certificates.ensure_pki(tmp_path / "pki", HOSTS) == first
    wider = certificates.ensure_pki(tmp_path / "pki", [*HOSTS, "api.example.com"])
    assert (wider.ca, wider.service_account) == (first.ca, first.service_account)
    assert wider.serving != first.serving
    account = serialization.load_pem_private_key(first.service_account.key, None)
    assert isinstance(account, rsa.RSAPrivateKey)
    assert account.key_size == 2048
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "pki").iterdir()}
    assert {name: mode for name, mode in modes.items() if name.endswith(".key")} == {
        "ca.key": 0o600,
        "apiserver.key": 0o600,
        "sa.key": 0o600,
    }
    assert set(modes) == {"ca.crt", "ca.key", "apiserver.crt", "apiserver.key", "sa.key"}
