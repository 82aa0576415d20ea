"""Secrets of type kubernetes.io/service-account-token get a token; those whose ServiceAccount is gone go.

Stands for kube-controller-manager's serviceaccount/tokens_controller.go: token, CA and namespace are filled in where
they lack or are out of date. Keys of Secrets and, with a mark, of ServiceAccounts. Without a signing key nothing is
done.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import SECRETS, SERVICE_ACCOUNTS
from fakenodes.controllers.base import Controller, Watch, Watching, Work
from fakenodes.informer import key_of, split_key

TYPE = "kubernetes.io/service-account-token"
NAME, UID = "kubernetes.io/service-account.name", "kubernetes.io/service-account.uid"
ISSUER, CLAIM = "kubernetes/serviceaccount", "kubernetes.io/serviceaccount/"
ACCOUNT = "account|"
# The tokens controller makes the accounts' credentials, so it cannot run as one of them.
USER = "system:kube-controller-manager"


def is_token(secret: Obj) -> bool:
    """Whether the Secret is for a ServiceAccount's token."""
    return bool(secret.get("type") == TYPE and (secret["metadata"].get("annotations") or {}).get(NAME))


def plan(secret: Obj, account: Obj, root_ca: str, key: bytes) -> Obj | None:
    """The Secret with what it lacks; None when it lacks nothing."""
    data, meta = secret.get("data") or {}, secret["metadata"]
    wanted = dict(data)
    if root_ca and data.get("ca.crt") != _b64(root_ca.encode()):
        wanted["ca.crt"] = _b64(root_ca.encode())
    if not data.get("namespace"):
        wanted["namespace"] = _b64(meta["namespace"].encode())
    if not data.get("token"):
        wanted["token"] = _b64(token_for(account, meta["name"], key).encode())
    if wanted == data:
        return None
    own = {NAME: account["metadata"]["name"], UID: account["metadata"]["uid"]}
    named = {**(meta.get("annotations") or {}), **own}
    return {**secret, "metadata": {**meta, "annotations": named}, "data": wanted}


def token_for(account: Obj, secret: str, key: bytes) -> str:
    """A legacy token: without audience or end, good while the Secret is there."""
    meta = account["metadata"]
    private = serialization.load_pem_private_key(key, None)
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    kid = base64.urlsafe_b64encode(hashlib.sha256(public).digest()).rstrip(b"=").decode()
    claims = {
        "iss": ISSUER,
        f"{CLAIM}namespace": meta["namespace"],
        f"{CLAIM}secret.name": secret,
        f"{CLAIM}service-account.name": meta["name"],
        f"{CLAIM}service-account.uid": meta["uid"],
        "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
    }
    algorithm = "RS256" if isinstance(private, rsa.RSAPrivateKey) else "ES256"
    return jwt.encode(claims, private, algorithm, {"kid": kid})  # type: ignore[arg-type]


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def reconcile(work: Work) -> float | None:
    """Fill a Secret, or delete it with its account; for an account that is gone, delete its Secrets."""
    signing = work.options.service_account_key
    if signing is None:
        return None
    if work.key.startswith(ACCOUNT):
        key = work.key.removeprefix(ACCOUNT)
        if work.get(SERVICE_ACCOUNTS, key) is None:
            for secret in list(work.find(SECRETS, "account", key)):
                await _settle(work, secret, signing)
        return None
    found = work.get(SECRETS, work.key)
    if found is not None and is_token(found):
        await _settle(work, found, signing)
    return None


async def _settle(work: Work, secret: Obj, signing: Callable[[], bytes]) -> None:
    marks = secret["metadata"]["annotations"]
    account = await _account(work, secret["metadata"]["namespace"], marks[NAME])
    if account is None or marks.get(UID, account["metadata"]["uid"]) != account["metadata"]["uid"]:
        await work.delete(SECRETS, secret)
        return
    changed = plan(secret, account, work.options.root_ca, signing())
    if changed is not None:
        await work.update(SECRETS, changed)


async def _account(work: Work, namespace: str, name: str) -> Obj | None:
    """The account, of the server when the cache does not have it."""
    found = work.get(SERVICE_ACCOUNTS, f"{namespace}/{name}")
    if found is not None:
        return found
    try:
        return await work.client.get(SERVICE_ACCOUNTS, name, namespace)
    except ClientError as error:
        if error.code == 404:
            return None
        raise


def _account_of(secret: Obj) -> Iterable[str]:
    if not is_token(secret):
        return ()
    return (f"{split_key(key_of(secret))[0]}/{secret['metadata']['annotations'][NAME]}",)


def _secret_changed(_: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    return (key_of(new),) if new is not None and is_token(new) else ()


def _account_gone(_: Watching, old: Obj | None, new: Obj | None) -> Iterable[str]:
    return (f"{ACCOUNT}{key_of(old)}",) if old is not None and new is None else ()


TOKENS = Controller(
    "serviceaccount-token-controller",
    "serviceaccount-token",
    USER,
    (Watch(SECRETS, _secret_changed, {"account": _account_of}), Watch(SERVICE_ACCOUNTS, _account_gone)),
    reconcile,
)
