"""ServiceAccount: references to secrets are cut down to names.

Stands for pkg/registry/core/serviceaccount. Tokens are the token subresource's handler's.
"""

from __future__ import annotations

from fakeapi.names import name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import NAME_AND_AGE

_ENFORCE = "kubernetes.io/enforce-mountable-secrets"


def _prepare_create(obj: Obj, ctx: Context) -> None:
    if obj.get("secrets"):
        obj["secrets"] = [{"name": s["name"]} if s.get("name") else {} for s in obj["secrets"]]


def _prepare_update(new: Obj, old: Obj, ctx: Context) -> None:
    _prepare_create(new, ctx)


def _warnings(new: Obj, old: Obj | None, ctx: Context) -> list[str]:
    annotations = new["metadata"].get("annotations") or {}
    before = (old["metadata"].get("annotations") or {}) if old else {}
    if _ENFORCE not in annotations or annotations[_ENFORCE] == before.get(_ENFORCE):
        return []
    text = "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
    return [f"metadata.annotations[{_ENFORCE}]: {text}"]


STRATEGY = Strategy(
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    warnings=_warnings,
    name=name_is_dns_subdomain,
    printer=NAME_AND_AGE,
    delete_returns_object=True,
)
