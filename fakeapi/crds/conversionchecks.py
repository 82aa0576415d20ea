"""Checks of how a CustomResourceDefinition's versions are converted.

Stands for validateCustomResourceConversion in apiextensions' apis/apiextensions/validation/validation.go, and for the
look at certificates in apiserver's util/webhook. What a webhook's URL and Service may be, webhook configurations say.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from cryptography import x509

from fakeapi import errors, names
from fakeapi.errors import FieldError
from fakeapi.strategies.base import Obj
from fakeapi.strategies.webhooks import check_service, check_url

_REVIEWS = ("v1", "v1beta1")
_STRATEGIES = ("None", "Webhook")
_BLOCK = re.compile(rb"(-----BEGIN ([^-\n]+)-----\s.*?-----END \2-----)", re.DOTALL)


def check(given: Obj, path: str, *, loose_bundle: bool) -> Iterator[FieldError]:
    """The errors of spec.conversion. loose_bundle: certificates are not looked at."""
    strategy, webhook = given.get("strategy") or "", given.get("webhook") or {}
    if not strategy:
        yield errors.required(f"{path}.strategy")
    elif strategy not in _STRATEGIES:
        yield errors.not_supported(f"{path}.strategy", strategy, _STRATEGIES)
    client, reviews = webhook.get("clientConfig"), webhook.get("conversionReviewVersions") or []
    if strategy != "Webhook":
        text = "should not be set when strategy is not set to Webhook"
        if client is not None:
            yield errors.forbidden(f"{path}.webhookClientConfig", text)
        if reviews:
            yield errors.forbidden(f"{path}.conversionReviewVersions", text)
        return
    if client is None:
        yield errors.required(f"{path}.webhookClientConfig", "required when strategy is set to Webhook")
    else:
        yield from _client(client, f"{path}.webhookClientConfig")
        wrong = "" if loose_bundle else _problem(client.get("caBundle"))
        if wrong:
            yield errors.invalid(f"{path}.webhookClientConfig.caBundle", client["caBundle"], wrong)
    yield from _reviews(reviews, f"{path}.conversionReviewVersions")


def _client(client: Obj, path: str) -> list[FieldError]:
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        return [errors.required(path, "exactly one of url or service is required")]
    if service is None:
        return check_url(f"{path}.url", url or "")
    # Upstream hands name and namespace over the wrong way round.
    turned = {**service, "name": service.get("namespace"), "namespace": service.get("name")}
    return check_service(f"{path}.service", turned)


def bundle_problem(spec: Obj) -> str:
    """What is wrong with the certificates of a definition that is there already; "" for nothing."""
    webhook = (spec.get("conversion") or {}).get("webhook") or {}
    return _problem((webhook.get("clientConfig") or {}).get("caBundle"))


def _problem(bundle: str | None) -> str:
    """transport.TLSConfigFor on the bytes of a caBundle."""
    if not bundle:
        return ""
    try:
        data = base64.b64decode(bundle)
    except binascii.Error:
        return ""
    blocks = _BLOCK.findall(data)
    certificates = [block for block, kind in blocks if kind == b"CERTIFICATE"]
    wrong = "no valid certificate authority data seen" if blocks else "unable to parse bytes as PEM block"
    for block in certificates:
        try:
            x509.load_pem_x509_certificate(block)
        except ValueError:
            wrong = "failed to parse certificate: x509: malformed certificate"
        else:
            return ""
    return f"unable to load root certificates: {wrong}"


def _reviews(given: list[str], path: str) -> Iterator[FieldError]:
    if not given:
        yield errors.required(path)
        return
    for index, version in enumerate(given):
        if version in given[:index]:
            yield errors.invalid(f"{path}[{index}]", version, "duplicate version")
            continue
        for text in names.is_dns1035_label(version):
            yield errors.invalid(f"{path}[{index}]", version, text)
    if not set(given) & set(_REVIEWS):
        yield errors.invalid(path, given, f"must include at least one of {', '.join(_REVIEWS)}")
