"""CertificateSigningRequest: who asks, for what, and what was decided.

Stands for pkg/registry/certificates/certificates and pkg/apis/certificates/validation.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

from cryptography import x509

from fakeapi.errors import FieldError, duplicate, forbidden, invalid, not_supported, required, too_long
from fakeapi.gofmt import go_quote
from fakeapi.names import check, is_dns1123_label, is_dns1123_subdomain, name_is_path_segment
from fakeapi.patterns import lazy
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
# A subdomain; and with a slash, a subdomain and a label behind it.
_MAX_DOMAIN = 253
_MAX_SIGNER = 571
_DECISIONS = ("Approved", "Denied")
_FINAL = (*_DECISIONS, "Failed")
_PEM = lazy(r"-----BEGIN ([A-Z0-9 ]+)-----")
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
    """/approval changes conditions only, /status all but decisions: what was decided stays."""
    new["spec"] = old["spec"]
    before = old.get("status") or {}
    status = dict(new.get("status") or {})
    conditions = status.get("conditions") or []
    if ctx.subresource == "approval":
        status = {**before, "conditions": conditions}
    else:
        given = {c.get("type") for c in conditions}
        kept = [c for c in before.get("conditions") or () if c.get("type") in _DECISIONS and c.get("type") not in given]
        status["conditions"] = kept + conditions
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
    """ValidateSignerName, and the name that version v1 does not know any more."""
    at = "spec.signerName"
    if name == "kubernetes.io/legacy-unknown":
        return [invalid(at, name, "the legacy signerName is not allowed via this API version")]
    if not name:
        return [required(at)]
    domain, slash, rest = name.partition("/")
    if not slash or "/" in rest:
        text = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        return [invalid(at, name, text)]
    found = [too_long(at, _MAX_DOMAIN)] if len(domain) > _MAX_DOMAIN else []
    found += _labels(at, domain, is_dns1123_label)
    if "." not in domain:
        found.append(invalid(at, domain, "should be a domain with at least two segments separated by dots"))
    found += _labels(at, rest, is_dns1123_subdomain)
    return found + ([too_long(at, _MAX_SIGNER)] if len(name) > _MAX_SIGNER else [])


def _labels(at: str, value: str, rule: Callable[[str], list[str]]) -> list[FieldError]:
    """What is wrong with the first bad part between dots."""
    bad = next(((part, texts) for part in value.split(".") if (texts := rule(part))), None)
    return check(at, value, [f"validating label {go_quote(bad[0])}: {text}" for text in bad[1]]) if bad else []


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    spec = obj["spec"]
    found = _request(spec.get("request") or "")
    usages = spec.get("usages") or []
    if not usages:
        found.append(required("spec.usages"))
    found += [not_supported(f"spec.usages[{i}]", u, _USAGES) for i, u in enumerate(usages) if u not in _USAGES]
    found += [duplicate(f"spec.usages[{i}]", u) for i, u in enumerate(usages) if u in usages[:i]]
    found += _signer(spec.get("signerName", ""))
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < _MIN_SECONDS:
        text = "may not specify a duration less than 600 seconds (10 minutes)"
        found.append(invalid("spec.expirationSeconds", seconds, text))
    return found


def _check_conditions(conditions: list[Obj]) -> list[FieldError]:
    found: list[FieldError] = []
    seen: list[str] = []
    for i, condition in enumerate(conditions):
        at, kind, state = f"status.conditions[{i}]", condition.get("type", ""), condition.get("status", "")
        if not kind:
            found.append(required(f"{at}.type"))
        if not state:
            found.append(required(f"{at}.status"))
        elif kind in _FINAL and state != "True":
            found.append(not_supported(f"{at}.status", state, ("True",)))
        elif state not in ("True", "False", "Unknown"):
            found.append(not_supported(f"{at}.status", state, ("False", "True", "Unknown")))
        if kind in _DECISIONS and any(d in seen for d in _DECISIONS if d != kind):
            found.append(invalid("status.conditions", kind, "Approved and Denied conditions are mutually exclusive"))
        if kind in seen:
            found.append(duplicate(f"{at}.type", kind))
        seen.append(kind)
    return found


def _check_certificate(encoded: str) -> list[FieldError]:
    """PEM with certificates and nothing else."""
    at, told = "status.certificate", "<certificate data>"
    if not encoded:
        return []
    pem = base64.b64decode(encoded).decode("latin-1")
    kinds = _PEM.findall(pem)
    other = next((k for k in kinds if k != "CERTIFICATE"), None)
    if other is not None:
        return [invalid(at, told, f'only CERTIFICATE PEM blocks are allowed, found "{other}"')]
    if not kinds:
        return [invalid(at, told, "must contain at least one CERTIFICATE PEM block")]
    try:
        x509.load_pem_x509_certificates(pem.encode("latin-1"))
    except ValueError as error:
        return [invalid(at, told, f"x509: malformed certificate: {error}")]
    return []


def _validate_status(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    """Decisions stay, and only /approval makes them; a certificate is set once, by /status."""
    status, before = new.get("status") or {}, old.get("status") or {}
    conditions, known = status.get("conditions") or [], before.get("conditions") or []
    certificate, issued = status.get("certificate") or "", before.get("certificate") or ""
    found = _check_conditions(conditions) if conditions != known else []
    found += _check_certificate(certificate) if certificate != issued else []
    for kind in _FINAL:
        given, had = ([c for c in group if c.get("type") == kind] for group in (conditions, known))
        text = ""
        if len(given) < len(had):
            text = "updates may not remove a condition of type"
        elif kind in _DECISIONS and ctx.subresource != "approval" and given != had:
            text = f"updates may not {'add' if len(given) > len(had) else 'modify'} a condition of type"
        if text:
            found.append(forbidden("status.conditions", f'{text} "{kind}"'))
    if certificate != issued and ctx.subresource == "approval":
        found.append(forbidden("status.certificate", "updates may not set certificate content"))
    elif certificate != issued and issued:
        found.append(forbidden("status.certificate", "updates may not modify existing certificate content"))
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
