"""CertificateSigningRequests: kubelets' are approved, approved ones signed, old ones removed.

Stands for kube-controller-manager's pkg/controller/certificates (approver, signer, cleaner). The four signers of
kubernetes.io sign with the cluster's CA. Leaves out the trust distribution controllers.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fakeapi.clock import parse_rfc3339, rfc3339
from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import ACCESS_REVIEWS, SIGNING_REQUESTS
from fakenodes.controllers.base import Controller, Shared, Watch, Work, service_account

PREFIX = "kubernetes.io/"
CLIENT, KUBELET_CLIENT = f"{PREFIX}kube-apiserver-client", f"{PREFIX}kube-apiserver-client-kubelet"
SERVING, LEGACY = f"{PREFIX}kubelet-serving", f"{PREFIX}legacy-unknown"
YEAR, BACKDATE, SHORT = 365 * 86400.0, 300.0, 8 * 3600.0
# --cluster-signing-duration; what the cleaner keeps, in seconds, by the request's state.
KEPT = {"Denied": 3600.0, "Failed": 3600.0, "Pending": 86400.0, "Issued": 3600.0}
CLEAN_SECONDS = 3600.0
ROUND = "|clean"
_CLIENT_USAGES = ({"client auth", "digital signature", "key encipherment"}, {"client auth", "digital signature"})
_SERVING_USAGES = ({"server auth", "digital signature", "key encipherment"}, {"server auth", "digital signature"})
_KEY_USAGES = {
    "digital signature": "digital_signature",
    "signing": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "data encipherment": "data_encipherment",
    "key agreement": "key_agreement",
    "cert sign": "key_cert_sign",
    "crl sign": "crl_sign",
    "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}
_EXTENDED = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "s/mime": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
}
# signer -> (resource attributes of the approval's question, message)
_APPROVALS = (
    ("selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview."),
    ("nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview."),
)


def state_of(request: Obj) -> str:
    """Denied, Failed, Approved or "" by the conditions."""
    found = {c["type"] for c in (request.get("status") or {}).get("conditions") or ()}
    return next((x for x in ("Denied", "Failed", "Approved") if x in found), "")


def request_of(request: Obj) -> x509.CertificateSigningRequest:
    """The PEM request. ValueError."""
    return x509.load_pem_x509_csr(base64.b64decode(request["spec"]["request"]))


def _names(csr: x509.CertificateSigningRequest) -> tuple[str, list[str]]:
    common = csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    organizations = csr.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return (str(common[0].value) if common else ""), [str(o.value) for o in organizations]


def _alternatives(csr: x509.CertificateSigningRequest) -> x509.SubjectAlternativeName | None:
    try:
        return csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def refusal(signer: str, csr: x509.CertificateSigningRequest, usages: Collection[str]) -> str:
    """Why the signer does not sign such a request, "" when it does."""
    name, organizations = _names(csr)
    if signer == CLIENT:
        bad = [u for u in usages if u not in ("digital signature", "key encipherment", "client auth")]
        if bad:
            return f"invalid usage for client certificate: {bad[0]}"
        return "" if "client auth" in usages else "missing required usage for client certificate: client auth"
    if signer in (KUBELET_CLIENT, SERVING):
        return _kubelet_refusal(signer, csr, set(usages), name, organizations)
    return "" if signer == LEGACY else f"unknown signer {signer}"


def _kubelet_refusal(
    signer: str, csr: x509.CertificateSigningRequest, usages: set[str], name: str, organizations: Sequence[str]
) -> str:
    found = _alternatives(csr)
    hosts = [x for x in found or () if isinstance(x, x509.DNSName | x509.IPAddress)]
    others = [x for x in found or () if x not in hosts]
    if list(organizations) != ["system:nodes"]:
        return "subject organization is not system:nodes"
    if signer == SERVING and not hosts:
        return "DNS or IP subjectAltName is required"
    if signer == KUBELET_CLIENT and any(isinstance(x, x509.DNSName) for x in hosts):
        return "DNS subjectAltNames are not allowed"
    if signer == KUBELET_CLIENT and hosts:
        return "IP subjectAltNames are not allowed"
    if any(isinstance(x, x509.RFC822Name) for x in others):
        return "Email subjectAltNames are not allowed"
    if any(isinstance(x, x509.UniformResourceIdentifier) for x in others):
        return "URI subjectAltNames are not allowed"
    allowed = _SERVING_USAGES if signer == SERVING else _CLIENT_USAGES
    if usages not in allowed:
        return "usages did not match"
    return "" if name.startswith("system:node:") else "subject common name does not begin with system:node: "


def sign(request: Obj, certificate: bytes, key: bytes, now: float) -> bytes:
    """The PEM certificate for a request, by the CA. ValueError for a request that cannot be read."""
    csr = request_of(request)
    ca, private = x509.load_pem_x509_certificate(certificate), serialization.load_pem_private_key(key, None)
    seconds = min(float(request["spec"].get("expirationSeconds") or YEAR), YEAR)
    start = datetime.fromtimestamp(now - BACKDATE, UTC)
    # The five minutes before now are taken off its end, unless they would be missed there.
    end = min(
        datetime.fromtimestamp(now + seconds - (BACKDATE if seconds >= SHORT else 0), UTC), ca.not_valid_after_utc
    )
    usages = request["spec"].get("usages") or ()
    builder = (
        x509.CertificateBuilder()
        .subject_name(csr.subject)
        .issuer_name(ca.subject)
        .public_key(csr.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(max(end, start + timedelta(seconds=1)))
        .add_extension(x509.BasicConstraints(False, None), True)
    )
    flags = {_KEY_USAGES[u] for u in usages if u in _KEY_USAGES}
    if flags:
        known = {n: n in flags for n in set(_KEY_USAGES.values())}
        builder = builder.add_extension(x509.KeyUsage(**known), True)
    extended = [_EXTENDED[u] for u in usages if u in _EXTENDED]
    if extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), False)
    found = _alternatives(csr)
    if found is not None:
        builder = builder.add_extension(found, False)
    if not isinstance(private, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ValueError("the CA's key is neither EC nor RSA")
    return builder.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


async def sign_request(work: Work) -> float | None:
    """Sign an approved request of ours, or say why not."""
    request = work.get(SIGNING_REQUESTS, work.key)
    if request is None or state_of(request) != "Approved" or (request.get("status") or {}).get("certificate"):
        return None
    signer = request["spec"]["signerName"]
    options = work.options
    if signer not in (CLIENT, KUBELET_CLIENT, SERVING, LEGACY) or not options.signing_key:
        return None
    now = work.clock.now()
    status = dict(request["status"])
    try:
        why = refusal(signer, request_of(request), request["spec"].get("usages") or ())
        made = sign(request, options.signing_certificate, options.signing_key, now) if not why else b""
    except ValueError as error:
        why, made = f"unable to parse csr {work.key!r}: {error}", b""
    if why and signer == LEGACY:
        return None
    if why:
        stamp = rfc3339(now)
        failed = {
            "type": "Failed",
            "status": "True",
            "reason": "SignerValidationFailure",
            "message": why,
            "lastUpdateTime": stamp,
            "lastTransitionTime": stamp,
        }
        status["conditions"] = [*status["conditions"], failed]
    else:
        status["certificate"] = base64.b64encode(made).decode()
    await work.update(SIGNING_REQUESTS, {**request, "status": status}, "status")
    return None


async def approve_request(work: Work) -> float | None:
    """Approve a kubelet's client certificate when its user may have one."""
    request = work.get(SIGNING_REQUESTS, work.key)
    if request is None or state_of(request) or (request.get("status") or {}).get("certificate"):
        return None
    try:
        csr = request_of(request)
    except ValueError:
        return None
    spec = request["spec"]
    if spec["signerName"] != KUBELET_CLIENT or refusal(KUBELET_CLIENT, csr, spec.get("usages") or ()):
        return None
    own = spec.get("username") == _names(csr)[0]
    for subresource, message in _APPROVALS[0 if own else 1 :]:
        if await _may(work, spec, subresource):
            stamp = rfc3339(work.clock.now())
            approved = {
                "type": "Approved",
                "status": "True",
                "reason": "AutoApproved",
                "message": message,
                "lastUpdateTime": stamp,
                "lastTransitionTime": stamp,
            }
            status = {**(request.get("status") or {}), "conditions": [approved]}
            await work.update(SIGNING_REQUESTS, {**request, "status": status}, "approval")
            return None
    return None


async def _may(work: Work, spec: Obj, subresource: str) -> bool:
    attributes = {
        "group": "certificates.k8s.io",
        "resource": "certificatesigningrequests",
        "verb": "create",
        "subresource": subresource,
        "version": "*",
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": spec.get("username", ""),
            "uid": spec.get("uid", ""),
            "groups": spec.get("groups") or [],
            "extra": spec.get("extra") or {},
            "resourceAttributes": attributes,
        },
    }
    found = await work.client.create(ACCESS_REVIEWS, review)
    return bool((found.get("status") or {}).get("allowed"))


def expired(request: Obj, now: float) -> bool:
    """Whether the cleaner removes the request."""
    status = request.get("status") or {}
    issued = status.get("certificate")
    if issued:
        try:
            certificate = x509.load_pem_x509_certificate(base64.b64decode(issued))
        except ValueError:
            return False
        if certificate.not_valid_after_utc.timestamp() < now:
            return True
    kind = state_of(request)
    for each in status.get("conditions") or ():
        since = each.get("lastUpdateTime")
        limit = KEPT["Issued"] if each["type"] == "Approved" and issued else KEPT.get(each["type"])
        if since and limit is not None and now - parse_rfc3339(since) > limit:
            return True
    return not kind and not issued and now - parse_rfc3339(request["metadata"]["creationTimestamp"]) > KEPT["Pending"]


async def clean(work: Work) -> float | None:
    """One round of the cleaner."""
    for request in list(work.list(SIGNING_REQUESTS)):
        if expired(request, work.clock.now()):
            try:
                await work.delete(SIGNING_REQUESTS, request)
            except ClientError as error:
                if error.code not in (404, 409):
                    raise
    return CLEAN_SECONDS


async def begin(shared: Shared) -> None:
    """The first round."""
    shared.queue.add(ROUND)


_USER = service_account("certificate-controller")
SIGNING = Controller(
    "certificatesigningrequest-signing-controller", "csrsigning", _USER, (Watch(SIGNING_REQUESTS),), sign_request
)
APPROVING = Controller(
    "certificatesigningrequest-approving-controller", "csrapproving", _USER, (Watch(SIGNING_REQUESTS),), approve_request
)
CLEANER = Controller(
    "certificatesigningrequest-cleaner-controller",
    "csrcleaner",
    _USER,
    (Watch(SIGNING_REQUESTS, None),),
    clean,
    run=begin,
    workers=1,
)
