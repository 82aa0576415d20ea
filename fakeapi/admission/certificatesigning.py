"""CertificateSigning: only who may sign for a signer issues its certificates.

Stands for plugin/pkg/admission/certificates/signing.
"""

from __future__ import annotations

from fakeapi.admission.base import UPDATE, Attributes, Host, forbidden
from fakeapi.admission.signers import GROUP, may

NAME = "CertificateSigning"


class CertificateSigning:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def handles(self, attributes: Attributes) -> bool:
        """Updates of a request's status."""
        request = attributes.resource == "certificatesigningrequests" and attributes.group == GROUP
        return request and attributes.subresource == "status" and attributes.operation == UPDATE

    async def admit(self, attributes: Attributes) -> None:
        """Nothing is changed."""

    async def validate(self, attributes: Attributes) -> None:
        """ApiError 403 for a change of the certificate or the conditions."""
        new = (attributes.obj or {}).get("status") or {}
        old = (attributes.old or {}).get("status") or {}
        if all((new.get(k) or None) == (old.get(k) or None) for k in ("certificate", "conditions")):
            return
        signer = ((attributes.old or {}).get("spec") or {}).get("signerName", "")
        if not await may(self._host, attributes, "sign", signer):
            text = f'user not permitted to sign requests with signerName "{signer}"'
            raise forbidden(attributes, text)
