"""CertificateApproval: only who may approve for a signer approves or denies its requests.

Stands for plugin/pkg/admission/certificates/approval.
"""

from __future__ import annotations

from fakeapi.admission.base import UPDATE, Attributes, Host, forbidden
from fakeapi.admission.signers import GROUP, may

NAME = "CertificateApproval"


class CertificateApproval:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def handles(self, attributes: Attributes) -> bool:
        """Updates of a request's approval."""
        request = attributes.resource == "certificatesigningrequests" and attributes.group == GROUP
        return request and attributes.subresource == "approval" and attributes.operation == UPDATE

    async def admit(self, attributes: Attributes) -> None:
        """Nothing is changed."""

    async def validate(self, attributes: Attributes) -> None:
        """ApiError 403."""
        signer = ((attributes.old or {}).get("spec") or {}).get("signerName", "")
        if not await may(self._host, attributes, "approve", signer):
            text = f'user not permitted to approve requests with signerName "{signer}"'
            raise forbidden(attributes, text)
