"""Service-account tokens: signing them, and finding the account behind one.

Stands for pkg/serviceaccount (claims, bound tokens, legacy tokens) and apiserver's serviceaccount authenticator. PyJWT
does the cryptography; the algorithm follows from the signing key (RS256 for an RSA key, as the one that we make).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from fakeapi import names
from fakeapi.authentication import AUTHENTICATED, TokenError
from fakeapi.clock import Clock
from fakeapi.config import Config
from fakeapi.gofmt import go_quote
from fakeapi.reader import Obj, Reader
from fakeapi.request import User

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

PREFIX = "system:serviceaccount:"
_PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----\s*", re.DOTALL)
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_KUBERNETES = "kubernetes.io"
# Tokens that Secrets hold: their issuer, the prefix of their claims, and where user_of() finds what to compare.
_LEGACY_ISSUER, _LEGACY_CLAIM, _LEGACY = "kubernetes/serviceaccount", "kubernetes.io/serviceaccount/", "legacy"
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


class _Key:
    """A public key with its id and the algorithm that it is used with."""

    def __init__(self, public: PublicKey) -> None:
        self.public = public
        der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.kid = key_id(der)
        self.algorithm = "RS256" if isinstance(public, rsa.RSAPublicKey) else _CURVES[public.curve.name]

    def jwk(self) -> dict[str, Any]:
        """As a member of a JSON Web Key Set."""
        if isinstance(self.public, rsa.RSAPublicKey):
            found = jwt.algorithms.RSAAlgorithm.to_jwk(self.public, as_dict=True)
        else:
            found = jwt.algorithms.ECAlgorithm.to_jwk(self.public, as_dict=True)
        found.pop("key_ops", None)
        return {"use": "sig", "kid": self.kid, "alg": self.algorithm, **found}


def load_signing_key(pem: bytes) -> PrivateKey:
    """A private RSA or EC key. ValueError for anything else."""
    found = serialization.load_pem_private_key(pem, None)
    if not isinstance(found, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        raise ValueError("it is neither an RSA nor an EC private key")
    return found


def load_checking_keys(pem: bytes) -> list[PublicKey]:
    """The public keys of a PEM file that holds public or private RSA and EC keys. ValueError when it holds none."""
    found: list[PublicKey] = []
    for match in _PEM.finditer(pem):
        block = match.group()
        public: Any
        if b"PRIVATE" in block:
            public = load_signing_key(block).public_key()
        else:
            public = serialization.load_pem_public_key(block)
        if isinstance(public, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)):
            found.append(public)
    if not found:
        raise ValueError("it holds no RSA or EC key")
    return found


class Accounts:
    """Signs with one key and checks with that one and further ones. key(): PEM of the private key, asked for when a
    token is first signed or checked.
    """

    def __init__(
        self, config: Config, reader: Reader, clock: Clock, key: Callable[[], bytes], checking: Sequence[PublicKey] = ()
    ) -> None:
        self._reader = reader
        self._clock = clock
        self._pem = key
        self._others = checking
        self.issuer = config.service_account_issuer
        self.audiences = config.api_audiences or (self.issuer,)

    @cached_property
    def _private(self) -> PrivateKey:
        return load_signing_key(self._pem())

    @cached_property
    def _key(self) -> _Key:
        return _Key(self._private.public_key())

    @cached_property
    def _checking(self) -> dict[str, _Key]:
        return {k.kid: k for k in (self._key, *map(_Key, self._others))}

    @property
    def algorithm(self) -> str:
        """What tokens are signed with, such as RS256."""
        return self._key.algorithm

    def sign(self, claims: dict[str, Any]) -> str:
        """A token with those claims and our issuer."""
        return jwt.encode({"iss": self.issuer, **claims}, self._private, self.algorithm, {"kid": self._key.kid})

    def issue(
        self,
        account: Obj,
        audiences: Sequence[str],
        seconds: int,
        *,
        jti: str,
        bound: dict[str, Any] | None = None,
        warn_after: int = 0,
    ) -> str:
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
            {
                "aud": list(audiences),
                "exp": now + seconds,
                "iat": now,
                "nbf": now,
                "jti": jti,
                "sub": subject,
                _KUBERNETES: private,
            }
        )

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JSON Web Key Set."""
        return {"keys": [key.jwk() for key in self._checking.values()]}

    def claims(self, token: str, audiences: Sequence[str] | None = None) -> dict[str, Any] | None:
        """The claims of a token that names our issuer; None for any other. TokenError where it is not good now and for
        one of the audiences (by default the server's)."""
        try:
            unverified = jwt.decode(token, options={"verify_signature": False})
        except jwt.PyJWTError:
            return None
        if unverified.get("iss") == _LEGACY_ISSUER:
            return self._legacy(token, audiences or self.audiences)
        if unverified.get("iss") != self.issuer:
            return None
        found = self._verified(token)
        given = found.get("aud") or []
        given = [given] if isinstance(given, str) else given
        wanted = list(audiences or self.audiences)
        if not set(given) & set(wanted):
            raise TokenError(
                f"token audiences {go_strings(given)} is invalid for the target audiences {go_strings(wanted)}"
            )
        now = self._clock.now()
        if found.get("nbf", 0) > now + _LEEWAY:
            raise TokenError("service account token is not valid yet")
        if found.get("exp", now) < now - _LEEWAY:
            raise TokenError("service account token has expired")
        return found

    def _legacy(self, token: str, wanted: Sequence[str]) -> dict[str, Any]:
        """A Secret's token in the shape of a bound one; it names no audience, and is for the server. TokenError."""
        found = self._verified(token)
        if not set(wanted) & set(self.audiences):
            raise TokenError(
                f"token audiences {go_strings(self.audiences)} is invalid for the target audiences {go_strings(wanted)}"
            )
        told = {
            key: str(found.get(_LEGACY_CLAIM + key, ""))
            for key in ("namespace", "secret.name", "service-account.name", "service-account.uid")
        }
        account = {"name": told["service-account.name"], "uid": told["service-account.uid"]}
        private = {
            "namespace": told["namespace"],
            "serviceaccount": account,
            _LEGACY: {"secret": told["secret.name"], "token": token},
        }
        return {"aud": list(self.audiences), _KUBERNETES: private}

    def _verified(self, token: str) -> dict[str, Any]:
        """The claims, if one of our keys (the one that the token names, else any) signed them. TokenError."""
        named = self._checking.get(jwt.get_unverified_header(token).get("kid", ""))
        for key in [named] if named is not None else self._checking.values():
            try:
                found: dict[str, Any] = jwt.decode(token, key.public, [key.algorithm], options=_UNCHECKED)  # type: ignore[arg-type]
            except jwt.PyJWTError:
                continue
            return found
        raise TokenError("go-jose/go-jose: error in cryptographic primitive")

    async def authenticate(self, token: str, audiences: Sequence[str] | None = None) -> User | None:
        """The account behind a token; None where it is no token of ours. TokenError where it is not good (any more)."""
        found = self.claims(token, audiences)
        return await self.user_of(found) if found else None

    def meant_for(self, token: str, audiences: Sequence[str]) -> list[str]:
        """Those of the audiences that a (checked) token is for."""
        given = (self.claims(token, audiences) or {}).get("aud") or []
        return [a for a in audiences if a in ([given] if isinstance(given, str) else given)]

    async def user_of(self, claims: dict[str, Any]) -> User:
        """The account that claims speak of.

        TokenError where it (or what they are bound to) is gone or was made anew.
        """
        private = claims.get(_KUBERNETES) or {}
        namespace, account = private.get("namespace", ""), private.get("serviceaccount") or {}
        name = account.get("name", "")
        if _LEGACY in private:
            await self._check_secret(namespace, private[_LEGACY])
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

    async def _check_secret(self, namespace: str, legacy: dict[str, str]) -> None:
        """legacy.go: the Secret is there and still holds this very token."""
        found = await self._reader.get("", "secrets", namespace, legacy["secret"])
        if found is None or found["metadata"].get("deletionTimestamp"):
            raise TokenError("Token has been invalidated")
        if (found.get("data") or {}).get("token") != base64.b64encode(legacy["token"].encode()).decode():
            raise TokenError("Token does not match server's copy")

    async def _check_bound(self, resource: str, namespace: str, reference: dict[str, Any]) -> None:
        found = await self._reader.get("", resource, namespace, reference.get("name", ""))
        if found is None:
            raise TokenError("service account token has been invalidated")
        uid = found["metadata"]["uid"]
        if uid != reference.get("uid"):
            raise TokenError(
                f"{resource[:-1]} UID ({uid}) does not match service account {resource[:-1]} ref claim"
                f" ({reference.get('uid', '')})"
            )


def go_strings(values: Sequence[str]) -> str:
    """%q of a list of strings."""
    return "[" + " ".join(go_quote(v) for v in values) + "]"
