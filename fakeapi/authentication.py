"""Who asks: client certificate, bearer token, service-account token, impersonation, anonymous.

Stands for apiserver's pkg/authentication (union of x509, tokenfile, serviceaccount, anonymous). A credential that is
given and wrong is 401 even where anonymous requests would be let in; none at all is anonymous. Impersonation is
decided in authorization.impersonation, since it asks the authorizer.
"""

from __future__ import annotations

import csv
import hashlib
from base64 import b64decode
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from pathlib import Path

from fakeapi import errors
from fakeapi.request import ANONYMOUS, Request, User
from fakeapi.streaming.handshake import PROTOCOL, is_websocket, offered

AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
_INVALID = "invalid bearer token"


class TokenError(Exception):
    """A service-account token that is not good; str() is upstream's reason."""


# (token, audiences) -> the user, None for a token that is not known. TokenError for one that is not good.
TokenChecker = Callable[[str, Sequence[str] | None], Awaitable[User | None]]


CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"


@lru_cache(maxsize=4096)
def user_of_certificate(der: bytes) -> User:
    """x509.CommonNameUserConversion: the common name is the user, organizations are groups; extra tells the
    certificate.
    """
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    subject = x509.load_der_x509_certificate(der).subject
    names = [str(a.value) for a in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    groups = [str(a.value) for a in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    extra = {CREDENTIAL_ID: [f"X509SHA256={hashlib.sha256(der).hexdigest()}"]}
    return User(names[0] if names else "", (*groups, AUTHENTICATED), extra=extra)


def read_token_file(path: Path) -> dict[str, User]:
    """--token-auth-file: rows `token,user,uid,"group1,group2"`. ValueError names the bad row."""
    tokens: dict[str, User] = {}
    with path.open(newline="") as file:
        for number, row in enumerate(csv.reader(file, skipinitialspace=True), 1):
            if not row or row[0].startswith("#"):
                continue
            if len(row) < 3:
                raise ValueError(f"{path}:{number}: a token row has at least token, user and uid")
            groups = tuple(g for g in row[3].split(",") if g) if len(row) > 3 else ()
            tokens[row[0]] = User(row[1], (*groups, AUTHENTICATED), row[2])
    return tokens


class Authenticator:
    """The chain. tokens: static ones; account_token: checks a service-account token, None where it is not one."""

    def __init__(self, tokens: dict[str, User], account_token: TokenChecker | None, anonymous: bool) -> None:
        self.tokens = tokens
        self.account_token = account_token
        self.anonymous = anonymous

    async def authenticate(self, request: Request) -> User:
        """The requester. ApiError 401 when a credential is wrong, or there is none and anonymous is off."""
        if request.peer:
            return user_of_certificate(request.peer)
        token = bearer_token(request.headers.get("authorization", "")) or _websocket_token(request)
        if token:
            user, _ = await self.user_of(token)
            if user is None:
                raise errors.unauthorized()
            return user
        if not self.anonymous:
            raise errors.unauthorized()
        return ANONYMOUS

    async def user_of(self, token: str, audiences: Sequence[str] | None = None) -> tuple[User | None, str]:
        """Whom a bearer token stands for; without one, why it stands for nobody."""
        user = self.tokens.get(token)
        if user is not None:
            return user, ""
        try:
            user = await self.account_token(token, audiences) if self.account_token is not None else None
        except TokenError as error:
            return None, f"[{_INVALID}, {error}]"
        return (user, "") if user is not None else (None, _INVALID)


_PROTOCOL_PREFIX = "base64url.bearer.authorization.k8s.io."


def _websocket_token(request: Request) -> str:
    """The token that a browser hides among a WebSocket's subprotocols, since it can set no headers (upstream's
    websocket.ProtocolAuthenticator); "" without one. It is taken off the request. ApiError 401.
    """
    if _PROTOCOL_PREFIX not in request.headers.get(PROTOCOL, "") or not is_websocket(request.headers):
        return ""
    given = offered(request.headers)
    others = [name for name in given if not name.startswith(_PROTOCOL_PREFIX)]
    hidden = [name.removeprefix(_PROTOCOL_PREFIX) for name in given if name.startswith(_PROTOCOL_PREFIX)]
    if len(hidden) != 1 or not others:
        raise errors.unauthorized()
    try:
        token = b64decode(hidden[0] + "=" * (-len(hidden[0]) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        raise errors.unauthorized() from None
    request.headers = {**request.headers, PROTOCOL: ",".join(others)}
    return token


def bearer_token(header: str) -> str:
    """The token of an Authorization header; "" for other schemes and empty tokens, which count as no credential."""
    scheme, _, token = header.strip().partition(" ")
    return token.split(" ")[0] if scheme.lower() == "bearer" else ""
