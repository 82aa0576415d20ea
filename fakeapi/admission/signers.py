"""Who may act for a signer: the question that the certificate plugins ask the authorizer.

Stands for pkg/apis' certificates/authorization.go (IsAuthorizedForSignerName).
"""

from __future__ import annotations

from fakeapi.admission.base import Attributes, Host
from fakeapi.authorization.base import Attributes as Question

GROUP = "certificates.k8s.io"


async def may(host: Host, attributes: Attributes, verb: str, signer: str) -> bool:
    """Whether the requester may do that for the signer, by its name or by its domain's `/*`."""
    for name in (signer, f"{signer.partition('/')[0]}/*"):
        asked = Question(attributes.user, verb, group=GROUP, version="*", resource="signers", name=name)
        if (await host.authorizer.decide(asked)).allowed:
            return True
    return False
