"""ClusterTrustBundleAttest: only who may attest for a signer writes its trust bundles.

Stands for plugin/pkg/admission/certificates/ctbattest.
"""

from __future__ import annotations

from fakeapi.admission.base import CREATE, UPDATE, Attributes, Host, forbidden
from fakeapi.admission.signers import GROUP, may

NAME = "ClusterTrustBundleAttest"


class ClusterTrustBundleAttest:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def handles(self, attributes: Attributes) -> bool:
        """Writes of bundles."""
        bundle = attributes.resource == "clustertrustbundles" and attributes.group == GROUP
        return bundle and not attributes.subresource and attributes.operation in (CREATE, UPDATE)

    async def admit(self, attributes: Attributes) -> None:
        """Nothing is changed."""

    async def validate(self, attributes: Attributes) -> None:
        """ApiError 403."""
        new, old = attributes.obj or {}, attributes.old
        signer = (new.get("spec") or {}).get("signerName", "")
        if not signer or (old is not None and old.get("spec") == new.get("spec")):
            return
        if not await may(self._host, attributes, "attest", signer):
            text = f'user not permitted to attest for signerName "{signer}"'
            raise forbidden(attributes, text)
