"""Secret: stringData, the data that each type asks for, immutability.

Stands for pkg/registry/core/secret, ValidateSecret(Update) and the conversion that merges stringData into data.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from fakeapi import gojson
from fakeapi.errors import FieldError, invalid, required, too_long
from fakeapi.names import check, check_immutable, is_config_key, name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, count, path, table
from fakeapi.strategies.configmap import MAX_SIZE, frozen

_ACCOUNT = "kubernetes.io/service-account.name"
_REDACTED = "<secret contents redacted>"


def _default(obj: Obj) -> None:
    if not obj.get("type"):
        obj["type"] = "Opaque"
    merge_string_data(obj)


def merge_string_data(obj: Obj) -> None:
    """stringData is written over data, encoded, and is gone afterwards."""
    texts = obj.pop("stringData", None)
    if texts:
        encoded = {k: base64.b64encode(v.encode()).decode() for k, v in texts.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}


def _account_token(obj: Obj) -> list[FieldError]:
    if (obj["metadata"].get("annotations") or {}).get(_ACCOUNT):
        return []
    return [required(f"metadata.annotations[{_ACCOUNT}]")]


def _json_of(key: str) -> Callable[[Obj], list[FieldError]]:
    def rule(obj: Obj) -> list[FieldError]:
        data = obj.get("data") or {}
        if key not in data:
            return [required(f"data[{key}]")]
        try:
            value = gojson.parse(base64.b64decode(data[key] or ""))
        except gojson.JsonError as error:
            return [invalid(f"data[{key}]", _REDACTED, str(error))]
        if value is None or isinstance(value, dict):
            return []
        kind = gojson.kind_of(value)
        text = f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
        return [invalid(f"data[{key}]", _REDACTED, text)]

    return rule


def _basic_auth(obj: Obj) -> list[FieldError]:
    data = obj.get("data") or {}
    if "username" in data or "password" in data:
        return []
    return [required("data[username]"), required("data[password]")]


def _ssh_auth(obj: Obj) -> list[FieldError]:
    return [] if (obj.get("data") or {}).get("ssh-privatekey") else [required("data[ssh-privatekey]")]


def _tls(obj: Obj) -> list[FieldError]:
    return [required(f"data[{k}]") for k in ("tls.crt", "tls.key") if k not in (obj.get("data") or {})]


_TYPES: Mapping[str, Callable[[Obj], list[FieldError]]] = {
    "kubernetes.io/service-account-token": _account_token,
    "kubernetes.io/dockercfg": _json_of(".dockercfg"),
    "kubernetes.io/dockerconfigjson": _json_of(".dockerconfigjson"),
    "kubernetes.io/basic-auth": _basic_auth,
    "kubernetes.io/ssh-auth": _ssh_auth,
    "kubernetes.io/tls": _tls,
}


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    found: list[FieldError] = []
    data = obj.get("data") or {}
    for key in sorted(data):
        found += check(f"data[{key}]", key, is_config_key(key))
    if sum(len(base64.b64decode(v or "")) for v in data.values()) > MAX_SIZE:
        found.append(too_long("data", MAX_SIZE))
    rule = _TYPES.get(obj.get("type", ""))
    return found + (rule(obj) if rule else [])


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    return [
        *check_immutable("type", new.get("type", ""), old.get("type", "")),
        *frozen(new, old, ("data",)),
        *_validate(new, ctx),
    ]


def _warnings(new: Obj, old: Obj | None, ctx: Context) -> list[str]:
    if new.get("type") != "kubernetes.io/tls":
        return []
    data = new.get("data") or {}
    problem = _key_pair(*(base64.b64decode(data.get(k) or "") for k in ("tls.crt", "tls.key")))
    return [problem] if problem else []


def _key_pair(certificate: bytes, key: bytes) -> str:
    """What crypto/tls.X509KeyPair complains about, "" for a matching pair."""
    for what, pem in (("certificate", certificate), ("key", key)):
        if b"-----BEGIN " not in pem:
            return f"tls: failed to find any PEM data in {what} input"
    try:
        public = x509.load_pem_x509_certificate(certificate).public_key()
    except ValueError:
        return "x509: malformed certificate"
    try:
        private = load_pem_private_key(key, None)
    except (ValueError, TypeError):
        return "tls: failed to parse private key"
    forms = [k.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for k in (public, private.public_key())]
    return "" if forms[0] == forms[1] else "tls: private key does not match public key"


STRATEGY = Strategy(
    default=_default,
    validate=_validate,
    validate_update=_validate_update,
    warnings=_warnings,
    name=name_is_dns_subdomain,
    fields={"type": lambda o: o.get("type", "")},
    printer=table(NAME, column("Type", path("type")), column("Data", count("data")), AGE),
)
