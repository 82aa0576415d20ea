from __future__ import annotations

import base64
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fakenodes.client.base import Obj
from fakenodes.controllers.certificates import CLIENT, KUBELET_CLIENT, SERVING, expired, refusal, request_of, sign
from fakenodes.controllers.clusterroles import plan as aggregate
from fakenodes.controllers.mirroring import plan as mirror
from fakenodes.controllers.mirroring import skipped
from fakenodes.controllers.quota import plan as count
from fakenodes.controllers.tokens import plan as fill
from kubeconfig.certificates import make_ca, make_key

NOW = 1_800_000_000.0


def csr(name: str = "jane", organization: str = "devs", hosts: tuple[str, ...] = ()) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name(
            [
                x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organization),
                x509.NameAttribute(x509.NameOID.COMMON_NAME, name),
            ]
        )
    )
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(h) for h in hosts]), False)
    made = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


def request(pem: bytes, usages: tuple[str, ...] = ("client auth",), **spec: Any) -> Obj:
    return {
        "metadata": {"name": "r", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"request": base64.b64encode(pem).decode(), "usages": list(usages), **spec},
        "status": {},
    }


KUBELET = ("digital signature", "client auth")
SERVER = ("digital signature", "server auth")


@pytest.mark.parametrize(
    ("signer", "pem", "usages", "why"),
    [
        (CLIENT, csr(), ("client auth",), ""),
        (CLIENT, csr(), ("server auth",), "invalid usage for client certificate: server auth"),
        (CLIENT, csr(), ("ocsp signing", "any"), "invalid usage for client certificate: ocsp signing"),
        (KUBELET_CLIENT, csr("system:node:a", "system:nodes"), KUBELET, ""),
        (KUBELET_CLIENT, csr("system:node:a", "devs"), KUBELET, "subject organization is not system:nodes"),
        (KUBELET_CLIENT, csr("system:node:a", "system:nodes", ("x",)), KUBELET, "DNS subjectAltNames are not allowed"),
        (SERVING, csr("system:node:a", "system:nodes", ("x",)), SERVER, ""),
        (SERVING, csr("system:node:a", "system:nodes"), SERVER, "DNS or IP subjectAltName is required"),
        (SERVING, csr("system:node:a", "system:nodes", ("x",)), KUBELET, "usages did not match"),
    ],
)
def test_what_signers_refuse(signer: str, pem: bytes, usages: tuple[str, ...], why: str) -> None:
    assert refusal(signer, request_of(request(pem)), usages) == why


@pytest.mark.parametrize(("seconds", "left"), [(3600, 3600), (86400, 86100)])  # from now on
def test_a_signed_certificate_is_what_was_asked_for(seconds: int, left: int) -> None:
    ca = make_ca()
    at = x509.load_pem_x509_certificate(ca.certificate).not_valid_before_utc.timestamp() + 600
    asked = request(csr(), ("client auth", "digital signature"), expirationSeconds=seconds)
    made = x509.load_pem_x509_certificate(sign(asked, ca.certificate, ca.key, at))
    made.verify_directly_issued_by(x509.load_pem_x509_certificate(ca.certificate))
    assert made.not_valid_after_utc.timestamp() == at + left
    assert made.not_valid_before_utc.timestamp() == at - 300
    assert made.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert "CN=jane" in made.subject.rfc4514_string()


@pytest.mark.parametrize(
    ("condition", "age", "gone"),
    [
        ("", 3601.0, False),
        ("", 86401.0, True),
        ("Denied", 3599.0, False),
        ("Denied", 3601.0, True),
        ("Failed", 3601.0, True),
    ],
)
def test_what_the_cleaner_removes(condition: str, age: float, gone: bool) -> None:
    found = request(csr())
    if condition:
        found["status"] = {"conditions": [{"type": condition, "lastUpdateTime": "2026-01-01T00:00:00Z"}]}
    assert expired(found, 1767225600.0 + age) is gone


def test_a_token_secret_gets_what_it_lacks() -> None:
    key = make_key().key
    secret = {
        "metadata": {"name": "tok", "namespace": "ns", "annotations": {"kubernetes.io/service-account.name": "bob"}}
    }
    account = {"metadata": {"name": "bob", "namespace": "ns", "uid": "u"}}
    found = fill(secret, account, "CA", key)
    assert found is not None
    assert {k: base64.b64decode(v) for k, v in found["data"].items() if k != "token"} == {
        "ca.crt": b"CA",
        "namespace": b"ns",
    }
    claims = jwt.decode(base64.b64decode(found["data"]["token"]), options={"verify_signature": False})
    assert claims["sub"] == "system:serviceaccount:ns:bob"
    assert found["metadata"]["annotations"]["kubernetes.io/service-account.uid"] == "u"
    assert fill(found, account, "CA", key) is None


def role(name: str, verb: str, **labels: str) -> Obj:
    return {"metadata": {"name": name, "labels": labels}, "rules": [{"verbs": [verb], "resources": ["pods"]}]}


def test_aggregated_rules_are_those_of_the_chosen_roles_each_once() -> None:
    roles = [role("b", "get", x="y"), role("a", "list", x="y"), role("c", "get", x="y"), role("d", "delete")]
    one = {"metadata": {"name": "all"}, "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"x": "y"}}]}}
    found = aggregate(one, roles)
    assert [r["verbs"] for r in found or ()] == [["list"], ["get"]]
    assert aggregate({**one, "rules": found}, roles) is None
    assert (
        aggregate({**one, "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"no": "one"}}]}}, roles) is None
    )


def test_mirrored_slices_are_by_family_and_ports() -> None:
    endpoints = {
        "metadata": {"name": "web"},
        "subsets": [
            {"addresses": [{"ip": "192.0.2.7"}, {"ip": "2001:db8::1"}], "ports": [{"port": 80}]},
            {"notReadyAddresses": [{"ip": "192.0.2.8"}], "ports": [{"port": 80}]},
            {"addresses": [{"ip": "192.0.2.9"}], "ports": [{"port": 81}]},
        ],
    }
    found = [
        (s["addressType"], [(e["addresses"], e["conditions"]["ready"]) for e in s["endpoints"]])
        for s in mirror(endpoints)
    ]
    assert found == [
        ("IPv4", [(["192.0.2.7"], True), (["192.0.2.8"], False)]),
        ("IPv6", [(["2001:db8::1"], True)]),
        ("IPv4", [(["192.0.2.9"], True)]),
    ]


def test_more_addresses_than_a_subset_may_have_are_skipped() -> None:
    many = [{"ip": f"10.0.{n // 250}.{n % 250}"} for n in range(1003)]
    endpoints = {"subsets": [{"addresses": many[:600], "notReadyAddresses": many[600:], "ports": [{"port": 80}]}]}
    assert skipped(endpoints) == 3
    assert [len(s["endpoints"]) for s in mirror(endpoints)] == [1000]


def test_a_quota_counts_what_it_names() -> None:
    from fakenodes.client.gvrs import DEPLOYMENTS, PODS

    pods = [
        {
            "metadata": {"name": n},
            "spec": {"containers": [{"resources": {"requests": {"cpu": "250m"}}}]},
            "status": {"phase": phase},
        }
        for n, phase in (("a", "Running"), ("b", "Running"), ("c", "Succeeded"))
    ]
    quota = {"spec": {"hard": {"pods": "5", "requests.cpu": "1", "count/deployments.apps": "2", "nonsense": "1"}}}
    found = count(quota, {PODS: pods, DEPLOYMENTS: [{"metadata": {"name": "d"}}]})
    assert found["used"] == {"pods": "2", "requests.cpu": "500m", "count/deployments.apps": "1"}
