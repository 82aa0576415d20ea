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
from cryptography.hazmat.primitives.asymmetric import ec

from fakeapi import names
from fakeapi.authentication import AUTHENTICATED, TokenError
from fakeapi.clock import Clock
from fakeapi.config import Config
from fakeapi.gofmt import go_quote
from fakeapi.reader import Obj, Reader
from fakeapi.request import User

PREFIX = "system:serviceaccount:"
ALGORITHM = "ES256"
_KUBERNETES = "kubernetes.io"
_EXTRA = "authentication.kubernetes.io/"
_LEEWAY = 60
_UNCHECKED = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
# claim -> (resource, namespaced).
_BOUND = (("pod", "pods", True), ("secret", "secrets", True), ("node", "nodes", False))


def user_name(namespace: str, name: str) -> str:
    """`system:serviceaccount:<namespace>:<name>`."""
    return f"{PREFIX}{namespace}:{name}"


def user_groups(namespace: str) -> tuple[str, ...]:
    """The groups of every account of a namespace."""
    return ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)


def split_user_name(user: str) -> tuple[str, str] | None:
    """(namespace, name) of an account's user name; None for any other user (serviceaccount.SplitUsername)."""
    if not user.startswith(PREFIX):
        return None
    namespace, colon, name = user.removeprefix(PREFIX).partition(":")
    if not colon or names.name_is_dns_label(namespace, False) or names.name_is_dns_subdomain(name, False):
        return None
    return namespace, name


def key_id(public_der: bytes) -> str:
    """The kid of a key: its SHA-256, base64url without padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(public_der).digest()).rstrip(b"=").decode()


class Accounts:
    """Signer and checker over one key."""

    def __init__(self, config: Config, reader: Reader, clock: Clock, key: bytes) -> None:
        self._reader = reader
        self._clock = clock
        private = serialization.load_pem_private_key(key, None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)  # launch made or checked it
        self._key = private
        public = private.public_key()
        self._public = public
        der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self._kid = key_id(der)
        self.issuer = config.service_account_issuer
        self.algorithm = ALGORITHM
        self.audiences = config.api_audiences or (self.issuer,)

    def sign(self, claims: dict[str, Any]) -> str:
        """A token with those claims and our issuer."""
        return jwt.encode({"iss": self.issuer, **claims}, self._key, ALGORITHM, {"kid": self._kid})

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
        found = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).to_jwk(self._public, as_dict=True)
        return {"keys": [{"use": "sig", "kty": "EC", "kid": self._kid, "alg": ALGORITHM, **found}]}

    def claims(self, token: str, audiences: Sequence[str] | None = None) -> dict[str, Any] | None:
        """The claims of a token that names our issuer; None for any other. TokenError where it is not good now and for
        one of the audiences (by default the server's)."""
        try:
            unverified = jwt.decode(token, options={"verify_signature": False})
        except jwt.PyJWTError:
            return None
        if unverified.get("iss") != self.issuer:
            return None
        try:
            found: dict[str, Any] = jwt.decode(token, self._public, [ALGORITHM], options=_UNCHECKED)  # type: ignore[arg-type]
        except jwt.PyJWTError:
            raise TokenError("go-jose/go-jose: error in cryptographic primitive") from None
        given = found.get("aud") or []
        given = [given] if isinstance(given, str) else given
        wanted = list(audiences or self.audiences)
        if not set(given) & set(wanted):
            raise TokenError(f"token audiences {go_strings(given)} is invalid for the target audiences {go_strings(wanted)}")
        now = self._clock.now()
        if found.get("nbf", 0) > now + _LEEWAY:
            raise TokenError("service account token is not valid yet")
        if found.get("exp", now) < now - _LEEWAY:
            raise TokenError("service account token has expired")
        return found

    async def authenticate(self, token: str, audiences: Sequence[str] | None = None) -> User | None:
        """The account behind a token; None where it is no token of ours. TokenError where it is not good (any more)."""
        found = self.claims(token, audiences)
        return await self.user_of(found) if found else None

    def meant_for(self, token: str, audiences: Sequence[str]) -> list[str]:
        """Those of the audiences that a (checked) token is for."""
        given = (self.claims(token, audiences) or {}).get("aud") or []
        return [a for a in audiences if a in ([given] if isinstance(given, str) else given)]

    async def user_of(self, claims: dict[str, Any]) -> User:
        """The account that claims speak of. TokenError where it (or what they are bound to) is gone or was made anew."""
        private = claims.get(_KUBERNETES) or {}
        namespace, account = private.get("namespace", ""), private.get("serviceaccount") or {}
        name = account.get("name", "")
        found = await self._reader.get("", "serviceaccounts", namespace, name)
        if found is None:
            raise TokenError(f'serviceaccounts "{name}" not found')
        if found["metadata"]["uid"] != account.get("uid"):
            uid = found["metadata"]["uid"]
            raise TokenError(f"service account UID ({uid}) does not match claim ({account.get('uid', '')})")
        extra: dict[str, list[str]] = {}
        if claims.get("jti"):
            extra[f"{_EXTRA}credential-id"] = [f"JTI={claims['jti']}"]
        for kind, resource, scope in _BOUND:
            bound = private.get(kind)
            if not bound:
                continue
            # A Pod's token names the Pod's node too, which need not exist any more.
            if not (kind == "node" and "pod" in private):
                await self._check_bound(resource, namespace if scope else "", bound)
            if kind != "secret":
                extra[f"{_EXTRA}{kind}-name"] = [bound.get("name", "")]
                extra[f"{_EXTRA}{kind}-uid"] = [bound.get("uid", "")]
        return User(user_name(namespace, name), user_groups(namespace), account.get("uid", ""), extra)

    async def _check_bound(self, resource: str, namespace: str, reference: dict[str, Any]) -> None:
        found = await self._reader.get("", resource, namespace, reference.get("name", ""))
        if found is None:
            raise TokenError("service account token has been invalidated")
        uid = found["metadata"]["uid"]
        if uid != reference.get("uid"):
            raise TokenError(f"{resource[:-1]} UID ({uid}) does not match service account {resource[:-1]} ref claim ({reference.get('uid', '')})")


def go_strings(values: Sequence[str]) -> str:
    """%q of a list of strings."""
    return "[" + " ".join(go_quote(v) for v in values) + "]"
