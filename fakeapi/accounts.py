"""Service-account tokens: signing them, and finding the account behind one.

Stands for pkg/serviceaccount (claims, bound tokens, legacy tokens) and apiserver's serviceaccount authenticator. Tokens are
ES256 JWTs; PyJWT does the cryptography.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization

from fakeapi.admission.base import Obj, Reader
from fakeapi.authentication import AUTHENTICATED
from fakeapi.clock import Clock
from fakeapi.config import Config
from fakeapi.request import User

PREFIX = "system:serviceaccount:"
ALGORITHM = "ES256"
_KUBERNETES = "kubernetes.io"
_EXTRA = "authentication.kubernetes.io/"
_LEEWAY = 10


def user_name(namespace: str, name: str) -> str:
    """`system:serviceaccount:<namespace>:<name>`."""
    return f"{PREFIX}{namespace}:{name}"


def user_groups(namespace: str) -> tuple[str, ...]:
    """The groups of every account of a namespace."""
    return ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)


def key_id(public_der: bytes) -> str:
    """The kid of a key: its SHA-256, base64url without padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(public_der).digest()).rstrip(b"=").decode()


class Accounts:
    """Signer and checker over one key."""

    def __init__(self, config: Config, reader: Reader, clock: Clock, key: bytes) -> None:
        self._reader = reader
        self._clock = clock
        self._key = serialization.load_pem_private_key(key, None)
        public = self._key.public_key()
        self._public = public
        der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self._kid = key_id(der)
        self.issuer = config.service_account_issuer
        self.audiences = config.api_audiences or (self.issuer,)

    def sign(self, claims: dict[str, Any]) -> str:
        """A token with those claims and our issuer."""
        return jwt.encode({"iss": self.issuer, **claims}, self._key, ALGORITHM, {"kid": self._kid})  # type: ignore[arg-type]

    def issue(self, account: Obj, audiences: Sequence[str], seconds: int, *, jti: str, bound: dict[str, Any] | None = None, warn_after: int = 0) -> str:
        """A bound token for an account, valid for so many seconds."""
        now = int(self._clock.now())
        metadata = account["metadata"]
        private: dict[str, Any] = {
            "namespace": metadata["namespace"],
            "serviceaccount": {"name": metadata["name"], "uid": metadata["uid"]},
            **(bound or {}),
        }
        if warn_after:
            private["warnafter"] = now + warn_after
        subject = user_name(metadata["namespace"], metadata["name"])
        return self.sign(
            {"aud": list(audiences), "exp": now + seconds, "iat": now, "nbf": now, "jti": jti, "sub": subject, _KUBERNETES: private}
        )

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JSON Web Key Set."""
        found = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).to_jwk(self._public, as_dict=True)  # type: ignore[arg-type]
        return {"keys": [{"use": "sig", "kty": "EC", "kid": self._kid, "alg": ALGORITHM, **found}]}

    def claims(self, token: str, audiences: Sequence[str] | None = None) -> dict[str, Any] | None:
        """The claims of a token of ours that is valid now and meant for one of the audiences; None for any other."""
        try:
            found: dict[str, Any] = jwt.decode(
                token,
                self._public,  # type: ignore[arg-type]
                [ALGORITHM],
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False},
                issuer=self.issuer,
            )
        except jwt.PyJWTError:
            return None
        now = self._clock.now()
        if found.get("exp", now) < now - _LEEWAY or found.get("nbf", 0) > now + _LEEWAY:
            return None
        given = found.get("aud") or []
        given = [given] if isinstance(given, str) else given
        return found if set(given) & set(audiences or self.audiences) else None

    async def authenticate(self, token: str) -> User | None:
        """The account behind a token, if it and what the token is bound to still exist."""
        found = self.claims(token)
        return await self.user_of(found) if found else None

    async def user_of(self, claims: dict[str, Any]) -> User | None:
        """The account that claims speak of; None when it (or what they are bound to) is gone or was made anew."""
        private = claims.get(_KUBERNETES) or {}
        namespace, account = private.get("namespace", ""), private.get("serviceaccount") or {}
        if not await self._same("serviceaccounts", namespace, account):
            return None
        extra: dict[str, list[str]] = {}
        if claims.get("jti"):
            extra[f"{_EXTRA}credential-id"] = [f"JTI={claims['jti']}"]
        for kind, resource, scope in (("pod", "pods", namespace), ("secret", "secrets", namespace), ("node", "nodes", "")):
            bound = private.get(kind)
            if not bound:
                continue
            alone = not (kind == "node" and "pod" in private)
            if alone and not await self._same(resource, scope, bound):
                return None
            if kind != "secret":
                extra[f"{_EXTRA}{kind}-name"] = [bound.get("name", "")]
                extra[f"{_EXTRA}{kind}-uid"] = [bound.get("uid", "")]
        return User(user_name(namespace, account.get("name", "")), user_groups(namespace), account.get("uid", ""), extra)

    async def _same(self, resource: str, namespace: str, reference: dict[str, Any]) -> bool:
        found = await self._reader.get("", resource, namespace, reference.get("name", ""))
        return found is not None and found["metadata"]["uid"] == reference.get("uid")
