"""ResourceClaimTemplate: a claim to make for each pod.

Stands for pkg/registry/resource/resourceclaimtemplate and ValidateResourceClaimTemplate*.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, invalid
from fakeapi.gofmt import GoText, go_value
from fakeapi.names import name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import NAME_AND_AGE
from fakeapi.strategies.devices import check_claim_spec, claim_to_go, default_spec


def _default(obj: Obj) -> None:
    spec = obj["spec"] = obj.get("spec") or {}
    spec.setdefault("metadata", {})
    default_spec(spec.setdefault("spec", {}))


def _validate_update(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    if new["spec"] == old["spec"]:
        return []
    shown = {"ObjectMeta": new["spec"].get("metadata") or {}, "Spec": claim_to_go(new["spec"].get("spec") or {})}
    return [invalid("spec", GoText(go_value(shown)), "field is immutable")]


STRATEGY = Strategy(
    default=_default,
    validate=lambda obj, ctx: check_claim_spec("spec.spec", obj["spec"]["spec"]),
    validate_update=_validate_update,
    name=name_is_dns_subdomain,
    printer=NAME_AND_AGE,
    delete_returns_object=True,
)
