"""ValidatingWebhookConfiguration: webhooks and what they are called for.

Stands for pkg/registry/admissionregistration/validatingwebhookconfiguration; the rules are in webhooks.py.
"""

from __future__ import annotations

from fakeapi.names import name_is_dns_subdomain
from fakeapi.strategies.base import Strategy
from fakeapi.strategies.cells import AGE, NAME, column, count, table
from fakeapi.strategies.webhooks import check_webhooks, default_webhooks

STRATEGY = Strategy(
    bare_finalizers=True,
    default=lambda obj: default_webhooks(obj, mutating=False),
    validate=lambda obj, ctx: check_webhooks(obj, ctx, mutating=False),
    validate_update=lambda new, old, ctx: check_webhooks(new, ctx, mutating=False),
    name=name_is_dns_subdomain,
    generation=True,
    unconditional_update=False,
    printer=table(NAME, column("Webhooks", count("webhooks"), "integer"), AGE),
)
