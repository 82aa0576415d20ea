"""CertificateSubjectRestriction: nobody asks the API client signer for a member of system:masters.

Stands for plugin/pkg/admission/certificates/subjectrestriction.
"""

from __future__ import annotations

import base64
import binascii

from fakeapi import errors
from fakeapi.admission.base import CREATE, Attributes, Host, forbidden
from fakeapi.admission.signers import GROUP

NAME = "CertificateSubjectRestriction"
_SIGNER = "kubernetes.io/kube-apiserver-client"
_MASTERS = "system:masters"


class CertificateSubjectRestriction:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        """Nothing to keep."""

    def handles(self, attributes: Attributes) -> bool:
        """Creation of requests."""
        request = attributes.resource == "certificatesigningrequests" and attributes.group == GROUP
        return request and not attributes.subresource and attributes.operation == CREATE

    async def admit(self, attributes: Attributes) -> None:
        """Nothing is changed."""

    async def validate(self, attributes: Attributes) -> None:
        """ApiError 403."""
        spec = (attributes.obj or {}).get("spec") or {}
        if spec.get("signerName") != _SIGNER:
            return
        organizations = organizations_of(spec.get("request") or "")
        if organizations is None:
            raise self._refused(attributes, "failed to parse CSR: PEM block type must be CERTIFICATE REQUEST")
        if _MASTERS in organizations:
            raise self._refused(attributes, f"use of {_SIGNER} signer with {_MASTERS} group is not allowed")

    def _refused(self, attributes: Attributes, text: str) -> errors.ApiError:
        return forbidden(attributes, text)


def organizations_of(request: str) -> list[str] | None:
    """The organizations of a base64 PEM certificate request; None when it cannot be read."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        found = x509.load_pem_x509_csr(base64.b64decode(request))
    except (ValueError, binascii.Error):
        return None
    return [str(a.value) for a in found.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
