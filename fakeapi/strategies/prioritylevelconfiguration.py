"""PriorityLevelConfiguration: shares and queues.

Stands for pkg/registry/flowcontrol/prioritylevelconfiguration, its validation and defaults.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from fakeapi.bootstrap import flowcontrol
from fakeapi.errors import FieldError, forbidden, invalid, not_supported, required
from fakeapi.names import name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table
from fakeapi.strategies.flowschema import check_conditions
from fakeapi.strategies.volumeattachment import keep_spec_and_metadata

_MAX_QUEUES = 10**7
_HASH_BITS = 60
_QUEUING = (("queues", 64), ("handSize", 8), ("queueLengthLimit", 50))


def _default(obj: Obj) -> None:
    spec = obj["spec"] = obj.get("spec") or {}
    if spec.get("type") == "Exempt":
        exempt = spec["exempt"] = spec.get("exempt") or {}
        _fill(exempt, (("nominalConcurrencyShares", 0), ("lendablePercent", 0)))
    limited = spec.get("limited")
    if limited is None:
        return
    _fill(limited, (("nominalConcurrencyShares", 30), ("lendablePercent", 0)))
    queuing = (limited.get("limitResponse") or {}).get("queuing")
    for field, value in _QUEUING:
        if queuing is not None and not queuing.get(field):
            queuing[field] = value


def _fill(owner: Obj, defaults: tuple[tuple[str, int], ...]) -> None:
    for field, value in defaults:
        if owner.get(field) is None:
            owner[field] = value


def _prepare_create(obj: Obj, ctx: Context) -> None:
    obj["status"] = {}


def _shares(at: str, owner: Obj) -> list[FieldError]:
    shares = owner.get("nominalConcurrencyShares")
    if shares is None or shares >= 0:
        return []
    return [invalid(f"{at}.nominalConcurrencyShares", shares, "must be a non-negative integer")]


def _lent(at: str, owner: Obj) -> list[FieldError]:
    lend = owner.get("lendablePercent")
    if lend is None or 0 <= lend <= 100:
        return []
    return [invalid(f"{at}.lendablePercent", lend, "must be between 0 and 100, inclusive")]


def _limited(at: str, limited: Obj) -> list[FieldError]:
    found = _shares(at, limited)
    response = limited.get("limitResponse") or {}
    kind, queuing, own = response.get("type", ""), response.get("queuing"), f"{at}.limitResponse"
    if kind == "Reject":
        if queuing is not None:
            found.append(forbidden(f"{own}.queuing", "must be nil if limited.limitResponse.type is not Limited"))
    elif kind == "Queue":
        if queuing is None:
            text = "must not be empty if limited.limitResponse.type is Limited"
            found.append(required(f"{own}.queuing", text))
        else:
            found += _queuing(f"{own}.queuing", queuing)
    else:
        found.append(not_supported(f"{own}.type", kind, ("Queue", "Reject")))
    found += _lent(at, limited)
    borrow = limited.get("borrowingLimitPercent")
    if borrow is not None and borrow < 0:
        found.append(invalid(f"{at}.borrowingLimitPercent", borrow, "if specified, must be a non-negative integer"))
    return found


def _queuing(at: str, queuing: Obj) -> list[FieldError]:
    queues, hand, length = (queuing.get(f, 0) for f, _ in _QUEUING)
    found: list[FieldError] = []
    if length <= 0:
        found.append(invalid(f"{at}.queueLengthLimit", length, "must be positive"))
    if queues <= 0:
        found.append(invalid(f"{at}.queues", queues, "must be positive"))
    elif queues > _MAX_QUEUES:
        found.append(invalid(f"{at}.queues", queues, f"must not be greater than {_MAX_QUEUES}"))
    if hand <= 0:
        found.append(invalid(f"{at}.handSize", hand, "must be positive"))
    elif hand > queues:
        found.append(invalid(f"{at}.handSize", hand, f"should not be greater than queues ({queues})"))
    elif math.ceil(math.log2(queues) * hand) > _HASH_BITS:
        # shufflesharding.RequiredEntropyBits: a hand is dealt from one hash.
        text = f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {_HASH_BITS}"
        found.append(invalid(f"{at}.handSize", hand, text))
    return found


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    return _spec(obj) + _fixed(obj)


def _spec(obj: Obj) -> list[FieldError]:
    spec = obj["spec"]
    kind, limited, exempt = spec.get("type", ""), spec.get("limited"), spec.get("exempt")
    found: list[FieldError] = []
    if kind in ("Exempt", "Limited") and (kind == "Exempt") is not (obj["metadata"].get("name") == "exempt"):
        found.append(invalid("spec.type", kind, "must be 'Exempt' if and only if `name` is 'exempt'"))
    if kind == "Exempt":
        if limited is not None:
            found.append(forbidden("spec.limited", "must be nil if the type is not Limited"))
        return found + (_shares("spec.exempt", exempt) + _lent("spec.exempt", exempt) if exempt is not None else [])
    if kind != "Limited":
        return [*found, not_supported("spec.type", kind, ("Exempt", "Limited"))]
    if exempt is not None:
        found.append(forbidden("spec.exempt", "must be nil if the type is Limited"))
    if limited is None:
        return [*found, required("spec.limited", "must not be empty when type is Limited")]
    return found + _limited("spec.limited", limited)


def _fixed(obj: Obj) -> list[FieldError]:
    """ValidateIfMandatoryPriorityLevelConfigurationObject: of `exempt`, only its share may be chosen."""
    name, spec = obj["metadata"].get("name") or "", obj["spec"]
    wanted = _mandatory().get(name)
    if wanted is None:
        return []
    free = ("exempt",) if name == "exempt" else ()
    kept, given = ({k: v for k, v in x.items() if k not in free} for x in (wanted, spec))
    if kept == given:
        return []
    but = " except the 'spec.exempt' field" if free else ""
    return [invalid("spec", _go(spec), f"spec of '{name}'{but} must equal the fixed value")]


@lru_cache(maxsize=1)
def _mandatory() -> dict[str, Obj]:
    plural = "prioritylevelconfigurations"
    found = {o["metadata"]["name"]: o["spec"] for p, o in flowcontrol.objects(36, "v1", "") if p == plural}
    return {name: found[name] for name in ("exempt", "catch-all")}


def _go(spec: Obj) -> Obj:
    """The spec as Go prints the internal type."""
    limited, exempt = spec.get("limited"), spec.get("exempt")
    response = (limited or {}).get("limitResponse") or {}
    queuing = response.get("queuing")
    queues = None if queuing is None else {f[0].upper() + f[1:]: queuing.get(f) or 0 for f, _ in _QUEUING}
    shown: Obj = {"Type": spec.get("type") or "", "Limited": None, "Exempt": None}
    if limited is not None:
        shown["Limited"] = {
            "NominalConcurrencyShares": limited.get("nominalConcurrencyShares") or 0,
            "LimitResponse": {"Type": response.get("type") or "", "Queuing": queues},
            "LendablePercent": limited.get("lendablePercent"),
            "BorrowingLimitPercent": limited.get("borrowingLimitPercent"),
        }
    if exempt is not None:
        fields = ("nominalConcurrencyShares", "lendablePercent")
        shown["Exempt"] = {f[0].upper() + f[1:]: exempt.get(f) for f in fields}
    return shown


def _queue(field: str) -> Any:
    return path("spec", "limited", "limitResponse", "queuing", field, default="<none>")


STRATEGY = Strategy(
    default=_default,
    prepare_create=_prepare_create,
    validate=_validate,
    validate_update=lambda new, old, ctx: _validate(new, ctx),
    prepare_status=keep_spec_and_metadata,
    validate_status=check_conditions,
    status_reset=("spec", "metadata"),
    name=name_is_dns_subdomain,
    generation=True,
    printer=table(
        NAME,
        column("Type", path("spec", "type")),
        column("NominalConcurrencyShares", path("spec", "limited", "nominalConcurrencyShares", default="<none>")),
        column("Queues", _queue("queues")),
        column("HandSize", _queue("handSize")),
        column("QueueLengthLimit", _queue("queueLengthLimit")),
        AGE,
    ),
)
