"""CertificateSigningRequest: who asks, for what, and what was decided.

Stands for pkg/registry/certificates/certificates and pkg/apis/certificates/validation.
"""

from __future__ import annotations

import base64

from cryptography import x509

from fakeapi.errors import FieldError, invalid, not_supported, required
from fakeapi.names import check, is_dns1123_label, is_dns1123_subdomain, name_is_path_segment
from fakeapi.strategies.base import Context, Obj, Printer, Strategy, SubStrategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table
from fakeapi.strategies.podspec.printing import human_duration

_USAGES = (
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
)
_DECISIONS = ("Approved", "Denied")
_MIN_SECONDS = 600


def _prepare_create(obj: Obj, ctx: Context) -> None:
    spec = obj["spec"] = obj.get("spec") or {}
    for field in ("username", "uid", "groups", "extra"):
        spec.pop(field, None)
    asker = (("username", ctx.user), ("uid", ctx.uid), ("groups", list(ctx.groups)), ("extra", dict(ctx.extra)))
    spec.update({f: v for f, v in asker if v})
    obj["status"] = {}


def _prepare_update(new: Obj, old: Obj, ctx: Context) -> None:
    new["spec"], new["status"] = old["spec"], old.get("status") or {}


def _prepare_status(new: Obj, old: Obj, ctx: Context) -> None:
    """/approval changes decisions only, /status all but decisions."""
    new["spec"] = old["spec"]
    status, before = dict(new.get("status") or {}), old.get("status") or {}
    conditions = status.get("conditions") or []
    if ctx.subresource == "approval":
        others = [c for c in before.get("conditions") or () if c.get("type") not in _DECISIONS]
        status = {**before, "conditions": others + [c for c in conditions if c.get("type") in _DECISIONS]}
    else:
        decided = [c for c in before.get("conditions") or () if c.get("type") in _DECISIONS]
        status["conditions"] = decided + [c for c in conditions if c.get("type") not in _DECISIONS]
    known = {c.get("type"): c for c in before.get("conditions") or ()}
    status["conditions"] = [_timed(c, known.get(c.get("type")), ctx.now) for c in status["conditions"]]
    if not status["conditions"]:
        del status["conditions"]
    new["status"] = status


def _timed(condition: Obj, before: Obj | None, now: str) -> Obj:
    timed = {**condition, "lastUpdateTime": condition.get("lastUpdateTime") or now}
    same = before is not None and before.get("status") == condition.get("status")
    kept = (before or {}).get("lastTransitionTime") if same else None
    timed["lastTransitionTime"] = condition.get("lastTransitionTime") or kept or now
    return timed


def _request(encoded: str) -> list[FieldError]:
    pem = base64.b64decode(encoded)
    if b"-----BEGIN CERTIFICATE REQUEST-----" not in pem:
        return [invalid("spec.request", encoded, "PEM block type must be CERTIFICATE REQUEST")]
    try:
        request = x509.load_pem_x509_csr(pem)
    except ValueError as error:
        return [invalid("spec.request", encoded, str(error))]
    return [] if request.is_signature_valid else [invalid("spec.request", encoded, "x509: invalid signature")]


def _signer(name: str) -> list[FieldError]:
    at = "spec.signerName"
    if not name:
        return [required(at)]
    domain, slash, rest = name.partition("/")
    if not slash or not rest or "/" in rest:
        text = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        return [invalid(at, name, text)]
    found = [e for part in domain.split(".") for e in check(at, part, is_dns1123_label(part))]
    if "." not in domain:
        found.append(invalid(at, domain, "should be a domain with at least two segments separated by dots"))
    return found + check(at, rest, is_dns1123_subdomain(rest))


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    spec = obj["spec"]
    found = _request(spec.get("request") or "")
    usages = spec.get("usages") or []
    if not usages:
        found.append(required("spec.usages"))
    found += [not_supported(f"spec.usages[{i}]", u, _USAGES) for i, u in enumerate(usages) if u not in _USAGES]
    found += _signer(spec.get("signerName", ""))
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < _MIN_SECONDS:
        text = "may not specify a duration less than 600 seconds (10 minutes)"
        found.append(invalid("spec.expirationSeconds", seconds, text))
    return found


def _validate_status(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    found: list[FieldError] = []
    conditions = (new.get("status") or {}).get("conditions") or []
    types = [c.get("type", "") for c in conditions]
    for i, condition in enumerate(conditions):
        at, kind, state = f"status.conditions[{i}]", condition.get("type", ""), condition.get("status", "")
        if not kind:
            found.append(required(f"{at}.type"))
        if not state:
            found.append(required(f"{at}.status"))
        elif kind in (*_DECISIONS, "Failed") and state != "True":
            found.append(not_supported(f"{at}.status", state, ("True",)))
        elif state not in ("True", "False", "Unknown"):
            found.append(not_supported(f"{at}.status", state, ("False", "True", "Unknown")))
    if all(d in types for d in _DECISIONS):
        at = f"status.conditions[{types.index('Denied')}].type"
        found.append(invalid(at, "Denied", "Approved and Denied conditions are mutually exclusive"))
    return found


def _condition(obj: Obj) -> str:
    status = obj.get("status") or {}
    types = [c.get("type") for c in status.get("conditions") or ()]
    words = [w for w in ("Denied" if "Denied" in types else "Approved" if "Approved" in types else "Pending",) if w]
    if "Failed" in types:
        words.append("Failed")
    if status.get("certificate"):
        words.append("Issued")
    return ",".join(words)


def _duration(obj: Obj) -> str:
    seconds = obj["spec"].get("expirationSeconds")
    return human_duration(seconds) if seconds is not None else "<none>"


_PRINTER: Printer = table(
    NAME,
    AGE,
    column("SignerName", path("spec", "signerName", default="<none>")),
    column("Requestor", path("spec", "username")),
    column("RequestedDuration", _duration),
    column("Condition", _condition),
)

STRATEGY = Strategy(
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_status=_prepare_status,
    validate=_validate,
    validate_status=_validate_status,
    name=name_is_path_segment,
    main_reset=("spec", "status"),
    subresources={"approval": SubStrategy(prepare=_prepare_status, validate=_validate_status)},
    fields={"spec.signerName": path("spec", "signerName")},
    printer=_PRINTER,
)
